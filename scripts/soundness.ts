/**
 * Whether types keep what they promise: plans by chance are judged by the compiler, and then done on the kernel, all of them.
 *
 *     node scripts/soundness.ts [PLANS] [SEED]
 *
 * A plan that compiles must not be refused. Of those that do not compile it is counted how many the kernel would have done: what the types
 * forbid beyond what is impossible.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Cause, Effect, Exit } from "effect"
import { type Plan, perform, plan } from "../src/user/Plan.ts"
import { runProgram } from "../tests/examples/system.ts"

const [wanted = 2000, seed = 1] = process.argv.slice(2).map(Number)
const root = join(import.meta.dirname, "..")

/** Numbers from 0 to 2^32 - 1, the same for the same seed: "xorshift32". */
const chance = (() => {
  let state = seed * 2654435761 + 1
  return (below: number): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
})()
const one = <T>(of: ReadonlyArray<T>): T => of[chance(of.length)]!

/** A step as a program writes it: a method, and its arguments. */
type Step = readonly [method: string, ...args: ReadonlyArray<unknown>]

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
const steps = (): ReadonlyArray<Step> => {
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
const text = (steps: ReadonlyArray<Step>): string =>
  `plan(${bits})${steps.map(([method, ...args]) => `.${method}(${args.map(written).join(", ")})`).join("")}`

const built = (steps: ReadonlyArray<Step>): Plan<unknown> =>
  steps.reduce<object>(
    (plan, [method, ...args]) => Reflect.apply(Reflect.get(plan, method), plan, args),
    plan(bits)
  ) as Plan<unknown>

/** Which of the plans do not compile: a plan is a line. */
const refused = (plans: ReadonlyArray<ReadonlyArray<Step>>): ReadonlySet<number> => {
  const scratch = join(root, "bench", "build")
  mkdirSync(scratch, { recursive: true })
  const folder = mkdtempSync(join(scratch, "soundness-"))
  try {
    const lines = plans.map((steps) => `keep(${text(steps)})`)
    const head = `import { plan } from "../../../src/user/Plan.ts"; declare const keep: (plan: unknown) => void`
    writeFileSync(join(folder, "plans.ts"), [head, ...lines].join("\n"))
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../../tsconfig.base.json", include: ["."] })
    )
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--pretty", "false"], {
      encoding: "utf8",
      maxBuffer: 2 ** 30
    })
    return new Set(Array.from(stdout.matchAll(/plans\.ts\((\d+),\d+\): error/g), ([, line]) => Number(line) - 2))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** So many plans have identifiers for their address spaces in one system. */
const atOnce = 100

/** How each of some plans ends on one kernel; fewer, if one does not end. */
const done = (plans: ReadonlyArray<ReadonlyArray<Step>>): ReadonlyArray<Exit.Exit<unknown, unknown>> => {
  const exits: Array<Exit.Exit<unknown, unknown>> = []
  const program = Effect.forEach(
    plans,
    (steps) => Effect.map(Effect.exit(Effect.suspend(() => perform(built(steps)))), (exit) => exits.push(exit)),
    { discard: true }
  )
  runProgram(program, { memoryBytes: 2 ** 25, limit: 10 ** 8 })
  return exits
}

const plans = Array.from({ length: wanted }, steps)
const not = refused(plans)

const accepted = plans.filter((_, index) => !not.has(index))
let broken = 0
for (let from = 0; from < accepted.length; from += atOnce) {
  const batch = accepted.slice(from, from + atOnce)
  const exits = done(batch)
  for (const [index, steps] of batch.entries()) {
    const exit = exits[index]
    if (exit !== undefined && Exit.isSuccess(exit)) continue
    broken++
    const why = exit === undefined ? "it does not end" : Cause.pretty(exit.cause).split("\n")[0]
    console.error(`compiles, and is refused: ${text(steps)}\n  ${why}`)
    if (exit === undefined) break
  }
}
console.log(`${accepted.length} of ${wanted} plans compile: ${broken} of them are refused when they are done`)

// Each in a system of its own: one that does not compile may wait for ever.
const sample = plans.filter((_, index) => not.has(index)).slice(0, 200)
const doneAnyway = sample.filter((steps) => done([steps]).some(Exit.isSuccess))
console.log(`of ${sample.length} plans that do not compile, ${doneAnyway.length} could have been done`)
process.exitCode = broken === 0 ? 0 : 1
