/** Plans by chance. */
import { type Plan, plan } from "../../src/user/Plan.ts"
import type { Chance } from "./chance.ts"

/** A step as a program writes it: a method, and its arguments. */
export type Step = readonly [method: string, ...args: ReadonlyArray<unknown>]

const names = ["a", "b", "c", "d", "e", "f", "g", "h"]
const types = ["Endpoint", "Notification", "Page4K", "Page4K", "PML4", "TCB", ["Untyped", 12], ["CapTable", 4]]
const anyRights = [[], ["read"], ["write"], ["read", "write"], ["map"], ["read", "execute"], ["grant"]]
const rightsOf: Readonly<Record<string, ReadonlyArray<ReadonlyArray<string>>>> = {
  Endpoint: [["read", "write"], ["write", "grant"], ["read"], []],
  Notification: [["read", "write"], ["write"], []],
  Page4K: [["read", "write"], ["read", "execute"], ["read"]],
  PML4: [["map", "unmap"], ["map"]]
}
const addresses = ["0x1000", "0x2000", "0x3000", "0x40_0000", "0x7fff_ffff_e000", "0x40_1000", "0x8000_0000"]
const noAddresses = ["0x1800", "0x7fff_ffff_f000", "0x8000_0000_0000", "0xfoo"]

/** What a name stands for, roughly. */
interface Live {
  readonly kind: string
  /** The names that it goes with when they are revoked. */
  readonly from: ReadonlyArray<string>
  readonly mapped: boolean
}

/** Steps that are mostly about what is there. */
export const steps = ({ below: chance, one }: Chance): ReadonlyArray<Step> => {
  const live = new Map<string, Live>([["memory", { kind: "Untyped", from: [], mapped: false }]])
  let missing = false
  /** One thing in so many is chosen without looking. */
  const blind = (): boolean => chance(60) === 0
  const of = (fits: (live: Live) => boolean): string => {
    const fitting = [...live].flatMap(([name, each]) => (fits(each) ? [name] : []))
    if (fitting.length === 0) missing = true
    return fitting.length === 0 || blind() ? one(["memory", ...names]) : one(fitting)
  }
  const ofKind = (...kinds: ReadonlyArray<string>): string => of(({ kind }) => kinds.includes(kind))
  const fresh = (): string => {
    const free = names.filter((name) => !live.has(name))
    return free.length === 0 || blind() ? one(names) : one(free)
  }
  const rights = (name: string): ReadonlyArray<string> =>
    one(blind() ? anyRights : (rightsOf[live.get(name)?.kind ?? ""] ?? anyRights))
  const derive = (source: string, as: string): void => {
    const { kind, from } = live.get(source) ?? { kind: "", from: [] }
    live.set(as, { kind, from: [...from, source], mapped: false })
  }
  const step = (): Step => {
    switch (chance(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: {
        const [memory, type, as] = [ofKind("Untyped"), one(types), fresh()]
        derive(memory, as)
        live.set(as, { ...live.get(as)!, kind: Array.isArray(type) ? String(type[0]) : String(type) })
        return ["retype", memory, type, as]
      }
      case 5:
      case 6: {
        const [source, as] = [ofKind("Endpoint", "Notification", "Page4K", "PML4"), fresh()]
        derive(source, as)
        return ["copy", source, rights(source), as]
      }
      case 7: {
        const [source, as] = [ofKind("Endpoint", "Notification"), fresh()]
        derive(source, as)
        return ["mint", source, rights(source), { badge: BigInt(1 + chance(9)) }, as]
      }
      case 8: {
        const [source, as] = [of(() => true), fresh()]
        derive(source, as)
        live.delete(source)
        return ["move", source, as]
      }
      case 9: {
        const name = of(() => true)
        live.delete(name)
        return ["delete", name]
      }
      case 10: {
        const name = of(() => true)
        for (const [each, { from }] of live) if (from.includes(name)) live.delete(each)
        return ["revoke", name]
      }
      case 11:
      case 12: {
        const [frame, space] = [of(({ kind, mapped }) => kind === "Page4K" && !mapped), ofKind("PML4")]
        const held = live.get(frame)
        if (held !== undefined) live.set(frame, { ...held, mapped: true })
        return ["map", frame, space, one(blind() ? noAddresses : addresses), rights(frame)]
      }
      default: {
        const frame = of(({ mapped }) => mapped)
        const held = live.get(frame)
        if (held !== undefined) live.set(frame, { ...held, mapped: false })
        return ["unmap", frame]
      }
    }
  }
  const all: Array<Step> = []
  for (let left = 2 + chance(8); left > 0; ) {
    const before = new Map(live)
    missing = false
    const next = step()
    // For want of anything that fits, something else is done.
    if (missing && !blind()) {
      live.clear()
      for (const [name, each] of before) live.set(name, each)
      if (live.size > 0 && [...live.values()].some(({ kind }) => kind === "Untyped")) continue
      break
    }
    all.push(next)
    left--
  }
  return all
}

const written = (value: unknown): string =>
  typeof value === "bigint"
    ? `${value}n`
    : Array.isArray(value)
      ? `[${value.map(written).join(", ")}]`
      : typeof value === "object" && value !== null
        ? `{ ${Object.entries(value)
            .map(([name, each]) => `${name}: ${written(each)}`)
            .join(", ")} }`
        : JSON.stringify(value)

const bits = 15
export const text = (steps: ReadonlyArray<Step>): string =>
  `plan(${bits})${steps.map(([method, ...args]) => `.${method}(${args.map(written).join(", ")})`).join("")}`

export const built = (steps: ReadonlyArray<Step>): Plan<unknown> =>
  steps.reduce<object>(
    (plan, [method, ...args]) => Reflect.apply(Reflect.get(plan, method), plan, args),
    plan(bits)
  ) as Plan<unknown>
