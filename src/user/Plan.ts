/**
 * Plan: what a system is made of at its start, written down step by step, and then done.
 *
 *     const start = plan(20)
 *       .retype("memory", "Endpoint", "service")
 *       .retype("memory", "PML4", "space")
 *       .retype("memory", "Page4K", "buffer")
 *       .copy("service", ["write"], "client")
 *       .map("buffer", "space", "0x0040_0000", ["read", "write"])
 *     const { service, client, buffer } = yield* perform(start)
 *
 * The compiler follows each step: what was deleted, moved or revoked, also with what it was derived from; what is mapped where;
 * what of the memory is used. So a plan can only fail for lack of memory and slots, before or while page tables are made.
 */
import { Effect } from "effect"
import {
  type AnyCap,
  type Cap,
  cptrOf,
  elsewhereUnsafe,
  end,
  madeUnsafe,
  type Untyped,
  vouchedUnsafe
} from "../types/Capability.ts"
import type { RightOf } from "../types/Kind.ts"
import { type At, addressOf, type MapRights, type SizeOf } from "../types/Mapping.ts"
import type { Unfit, What } from "../types/Memory.ts"
import * as CNode from "../types/methods/CNode.ts"
import * as Methods from "../types/methods/Untyped.ts"
import type { Keep, Need, Unless } from "../types/Need.ts"
import { type ObjectType, objectTypes, type Row } from "../types/ObjectType.ts"
import type {
  CapIn,
  Copied,
  Deleted,
  Mapped,
  Minted,
  Missing,
  Moved,
  NoMemory,
  Occupied,
  Outcome,
  Placed,
  PlaceIn,
  Retyped,
  Revoked,
  Taken,
  Unmapped
} from "../types/Plan.ts"
import * as ASIDPool from "../types/x86_64/methods/ASIDPool.ts"
import { Allocator, type AllocatorService, type NotMade } from "./Allocator.ts"
import { derive, type Mark, markWord } from "./Capabilities.ts"
import { invoke } from "./Invocation.ts"
import { AddressSpace_Map, type Attribute, Frame_Unmap } from "./Memory.ts"
import { Spawner } from "./Spawn.ts"
import type { Syscalls } from "./Syscalls.ts"

/** A plan, and the state that it leaves. */
export interface Plan<S> {
  readonly [after]?: S
  readonly steps: ReadonlyArray<Step>

  /** Make an object of memory. An address space gets its identifier. */
  retype<const M extends string, const W extends What, const N extends string>(
    memory: Unless<NoMemory<S, M>, M>,
    what: Unless<Unfit<CapIn<S, M>, "retype", W, 1>, W>,
    as: Unless<Taken<S, N>, N>
  ): Plan<Retyped<S, M, W, N>>

  /** Copy a capability, with the rights named. */
  copy<const A extends string, const L extends ReadonlyArray<string>, const N extends string>(
    source: Unless<Missing<S, A>, A>,
    rights: Keep<CapIn<S, A>, `copy of '${A}'`, L>,
    as: Unless<Taken<S, N>, N>
  ): Plan<Copied<S, A, L[number], N>>

  /** Copy a capability, with the rights named, and mark the copy with a badge or a guard. */
  mint<const A extends string, const L extends ReadonlyArray<string>, const N extends string>(
    source: Unless<Missing<S, A>, A>,
    rights: Keep<CapIn<S, A>, `mint of '${A}'`, L>,
    mark: Mark<CapIn<S, A>, `mint of '${A}'`, unknown>,
    as: Unless<Taken<S, N>, N>
  ): Plan<Minted<S, A, L[number], N>>

  move<const A extends string, const N extends string>(
    source: Unless<Missing<S, A>, A>,
    as: Unless<Taken<S, N>, N>
  ): Plan<Moved<S, A, N>>

  delete<const A extends string>(name: Unless<Missing<S, A>, A>): Plan<Deleted<S, A>>

  /** Delete all that was derived from a capability. */
  revoke<const A extends string>(name: Unless<Missing<S, A>, A>): Plan<Revoked<S, A>>

  /** Map a frame at an address. */
  map<
    const F extends string,
    const Space extends string,
    const V extends string,
    const L extends ReadonlyArray<string>
  >(
    frame: Unless<Missing<S, F> | Wrong<Need<CapIn<S, F>, `map of '${F}'`, "Frame">> | Mapped<S, F>, F>,
    space: Unless<Missing<S, Space> | Wrong<Need<CapIn<S, Space>, `map in '${Space}'`, "AddressSpace", "map">>, Space>,
    address: Unless<Refused<At<V, "map", SizeOf<CapIn<S, F>>>, V> | Occupied<S, Space, V, SizeOf<CapIn<S, F>>>, V>,
    rights: MapRights<CapIn<S, F>, `map of '${F}'`, L>,
    attribute?: Attribute
  ): Plan<Placed<S, F, PlaceIn<S, Space, V>>>

  unmap<const F extends string>(frame: Unless<Missing<S, F> | Unmapped<S, F>, F>): Plan<Placed<S, F, undefined>>
}
declare const after: unique symbol

/** The sentence, if it is one. */
type Wrong<Judged> = [Judged] extends [never] ? never : Judged extends string ? Judged : never
type Refused<Judged, V> = Judged extends V ? never : Judged

/** A step, as it is done. */
export type Step =
  | {
      readonly _tag: "Retype"
      readonly memory: string
      readonly type: ObjectType
      readonly size: number
      readonly as: string
    }
  | {
      readonly _tag: "Copy"
      readonly source: string
      readonly rights: ReadonlyArray<string>
      readonly mark: bigint | undefined
      readonly as: string
    }
  | { readonly _tag: "Move"; readonly source: string; readonly as: string }
  | { readonly _tag: "Delete" | "Revoke" | "Unmap"; readonly name: string }
  | {
      readonly _tag: "Map"
      readonly frame: string
      readonly space: string
      readonly address: string
      readonly rights: ReadonlyArray<string>
      readonly attribute: Attribute | undefined
    }

type StepOf<T extends Step["_tag"]> = Extract<Step, { readonly _tag: T }>

/** A plan that begins with 2^bits bytes of memory, by that name. */
export const plan = <const Bits extends number>(
  bits: Bits
): Plan<{
  readonly memory: {
    readonly cap: Untyped<Bits, "0x0">
    readonly object: "memory"
    readonly from: never
    readonly at: undefined
  }
}> => make([{ _tag: "Retype", memory: outside, type: "Untyped", size: bits, as: "memory" }])

const make = <S>(steps: ReadonlyArray<Step>): Plan<S> => {
  const then = <T>(step: Step): Plan<T> => make<T>([...steps, step])
  return {
    steps,
    retype: (memory, what, as) => {
      const [type, size] = Array.isArray(what) ? what : [what, 0]
      return then({ _tag: "Retype", memory: text(memory), type: typeNamed(type), size: Number(size), as: text(as) })
    },
    copy: (source, rights, as) =>
      then({ _tag: "Copy", source: text(source), rights: texts(rights), mark: undefined, as: text(as) }),
    mint: (source, rights, mark, as) =>
      then({ _tag: "Copy", source: text(source), rights: texts(rights), mark: markWord(mark), as: text(as) }),
    move: (source, as) => then({ _tag: "Move", source: text(source), as: text(as) }),
    delete: (name) => then({ _tag: "Delete", name: text(name) }),
    revoke: (name) => then({ _tag: "Revoke", name: text(name) }),
    map: (frame, space, address, rights, attribute) =>
      then({
        _tag: "Map",
        frame: text(frame),
        space: text(space),
        address: text(address),
        rights: texts(rights),
        attribute
      }),
    unmap: (frame) => then({ _tag: "Unmap", name: text(frame) })
  }
}

/** The name of the allocator's memory: no slot of a plan has it. */
const outside = ""

const text = (value: unknown): string => {
  if (typeof value !== "string") throw new Error(`a plan names things: ${value}`)
  return value
}
const texts = (values: unknown): ReadonlyArray<string> => {
  if (!Array.isArray(values)) throw new Error(`rights are named in a list: ${values}`)
  return values.map(text)
}
const typeNamed = (type: unknown): ObjectType => {
  if (typeof type !== "string" || !(type in objectTypes)) throw new Error(`nothing can be made of this type: ${type}`)
  return type as ObjectType
}

/** Do a plan, in memory and slots of the allocator's. @returns the capabilities that are there at its end. */
export const perform = <S>({ steps }: Plan<S>): Effect.Effect<Outcome<S>, NotMade, Needed> =>
  Effect.gen(function* () {
    const space = new Space(yield* Allocator)
    for (const step of steps) yield* perform1(step, space)
    return vouchedUnsafe<Outcome<S>>(Object.fromEntries(space.caps()))
  })

type Needed = Syscalls | Allocator | Spawner

const perform1 = (step: Step, space: Space): Effect.Effect<void, NotMade, Needed> => {
  switch (step._tag) {
    case "Retype":
      return step.memory === outside ? begin(step, space) : retype(step, space)
    case "Copy":
      return copy(step, space)
    case "Move":
      return move(step, space)
    case "Delete":
      return Effect.map(invokeAt(CNode.Delete, space, step.name), () => space.drop(step.name))
    case "Revoke":
      return Effect.map(invokeAt(CNode.Revoke, space, step.name), () => space.dropDerived(step.name))
    case "Map":
      return map(step, space)
    case "Unmap":
      return Frame_Unmap(vouchedUnsafe<Cap<"Frame", never>>(space.cap(step.name)))
  }
}

/** The capabilities of a plan while it is done. */
class Space {
  readonly allocator: AllocatorService
  readonly #held = new Map<string, { cap: AnyCap; parent: string }>()

  constructor(allocator: AllocatorService) {
    this.allocator = allocator
  }

  caps(): ReadonlyArray<readonly [string, AnyCap]> {
    return [...this.#held].map(([name, { cap }]) => [name, cap] as const)
  }

  cap(name: string): AnyCap {
    const held = this.#held.get(name)
    if (held === undefined) throw new Error(`a plan that compiles has a '${name}' here`)
    return held.cap
  }

  parent(name: string): string {
    return this.#held.get(name)?.parent ?? outside
  }

  put(name: string, cap: AnyCap, parent: string): void {
    this.#held.set(name, { cap, parent })
  }

  /** It is elsewhere, and so are the children that it has. */
  rename(name: string, as: string, cap: AnyCap): void {
    this.put(as, cap, this.parent(name))
    this.#adopt(name, as)
    this.#forget(name)
  }

  /** It is gone, and its children are its parent's. */
  drop(name: string): void {
    this.#adopt(name, this.parent(name))
    this.#forget(name)
  }

  dropDerived(name: string): void {
    for (const [child, { parent }] of this.#held) {
      if (parent !== name) continue
      this.dropDerived(child)
      this.#forget(child)
    }
  }

  #adopt(name: string, parent: string): void {
    for (const held of this.#held.values()) if (held.parent === name) held.parent = parent
  }

  #forget(name: string): void {
    const cap = this.cap(name)
    end(cap)
    this.allocator.release(cptrOf(cap))
    this.#held.delete(name)
  }
}

const begin = ({ size, as }: StepOf<"Retype">, space: Space) =>
  Effect.map(space.allocator.make("Untyped", size, 1), (slot) => space.put(as, madeUnsafe("Untyped", slot), outside))

const retype = Effect.fnUntraced(function* ({ memory, type, size, as }: StepOf<"Retype">, space: Space) {
  const { allocator } = space
  const row: Row = objectTypes[type]
  const slot = yield* allocator.slots(1)
  yield* invoke(Methods.Retype, cptrOf(space.cap(memory)), {
    type: row.number,
    sizeBits: size,
    nodeIndex: 0n,
    nodeDepth: 0,
    nodeOffset: Number(slot),
    numObjects: 1,
    root: allocator.cnode
  })
  space.put(as, madeUnsafe(type, slot), memory)
  if (row.makes !== "AddressSpace") return
  const { asidPool } = yield* Spawner
  yield* invoke(ASIDPool.Assign, cptrOf(asidPool), { vspace: slot })
})

const copy = ({ source, rights, mark, as }: StepOf<"Copy">, space: Space) =>
  Effect.map(derive(space.cap(source), rights, mark), (cap) => space.put(as, cap, source))

const move = Effect.fnUntraced(function* ({ source, as }: StepOf<"Move">, space: Space) {
  const { allocator } = space
  const cap = space.cap(source)
  const slot = yield* allocator.slots(1)
  yield* invoke(CNode.Move, allocator.cnode, {
    destIndex: slot,
    destDepth: allocator.depth,
    srcIndex: cptrOf(cap),
    srcDepth: allocator.depth,
    srcRoot: allocator.cnode
  })
  space.rename(source, as, elsewhereUnsafe(cap, slot))
})

const map = ({ frame, space: within, address, rights, attribute }: StepOf<"Map">, space: Space) =>
  AddressSpace_Map(
    vouchedUnsafe<Cap<"AddressSpace", "map">>(space.cap(within)),
    addressOf(address),
    vouchedUnsafe<Cap<"Frame", FrameRight>>(space.cap(frame)),
    rights as ReadonlyArray<FrameRight>,
    attribute
  )
type FrameRight = RightOf<"Frame">

const invokeAt = (method: typeof CNode.Delete | typeof CNode.Revoke, space: Space, name: string) =>
  invoke(method, space.allocator.cnode, { index: cptrOf(space.cap(name)), depth: space.allocator.depth })
