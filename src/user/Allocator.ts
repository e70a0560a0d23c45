/**
 * Allocator: where new objects come from, and where their capabilities go.
 *
 * It has untyped memory and empty slots of the program's own capability space. Calls that make objects take from it, so that they
 * read as what they make. What it knows of its memory is how much is used: the kernel knows best, and is asked again.
 */
import { Context, Effect } from "effect"
import * as Untyped from "../types/methods/Untyped.ts"
import { type ObjectType, objectTypes, type Row, retypeFanOut, sizeBits } from "../types/ObjectType.ts"
import { invoke, type Refusal } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"

/** Untyped memory. */
export interface Region {
  /** Its capability pointer. */
  readonly untyped: bigint
  readonly address: number
  readonly bits: number
  /** Memory of a device: it is used only where an address is asked for. */
  readonly isDevice: boolean
}

/** There is no untyped memory with room for 2^bits bytes more. */
export interface OutOfMemory {
  readonly _tag: "OutOfMemory"
  readonly bits: number
}

/** The capability space is full. */
export interface OutOfSlots {
  readonly _tag: "OutOfSlots"
}

/** Why an object was not made. */
export type NotMade = Refusal | OutOfMemory | OutOfSlots

export interface AllocatorService {
  /** The CNode whose slots these are: its capability pointer, and the bits of a pointer to a slot. */
  readonly cnode: bigint
  readonly depth: number
  /** The first of so many empty slots in a row. They are the caller's. */
  readonly slots: (count: number) => Effect.Effect<bigint, OutOfSlots>
  /** Slots that hold nothing any more. */
  readonly release: (slot: bigint) => void
  /** Make objects. @returns the first of as many slots in a row, which hold their capabilities. */
  readonly make: (type: ObjectType, size: number, count: number) => Effect.Effect<bigint, NotMade, Syscalls>
  /** A CNode that holds nothing and gets nothing: the capability space of who has none yet. */
  readonly nothing: Effect.Effect<bigint, NotMade, Syscalls>
  /** Make a frame of the memory at a physical address. */
  readonly makeAt: (address: number, type: ObjectType) => Effect.Effect<bigint, NotMade, Syscalls>
}

export class Allocator extends Context.Service<Allocator, AllocatorService>()("skyscope/user/Allocator") {}

/** Slots [start, end) of a CNode. */
export interface Slots {
  readonly cnode: bigint
  readonly depth: number
  readonly start: number
  readonly end: number
}

export const make = (slots: Slots, regions: ReadonlyArray<Region>): AllocatorService => {
  const free = makeSlots(slots)
  const memory = regions.map((region): Memory => ({ ...region, used: 0 }))
  const retype = (from: Memory, type: Row, size: number, count: number, into: bigint) =>
    invoke(Untyped.Retype, from.untyped, {
      type: type.number,
      sizeBits: size,
      nodeIndex: 0n,
      nodeDepth: 0,
      nodeOffset: Number(into),
      numObjects: count,
      root: slots.cnode
    })

  const makeObjects: AllocatorService["make"] = Effect.fnUntraced(function* (type, size, count) {
    const row: Row = objectTypes[type]
    const bits = sizeBits(row, size)
    if (count > retypeFanOut) throw new Error(`one call makes at most ${retypeFanOut} objects: ${count}`)
    const into = yield* free.take(count)
    for (;;) {
      const from = roomiest(memory, bits, count)
      if (from === undefined) {
        free.release(into, count)
        return yield* Effect.fail<OutOfMemory>({ _tag: "OutOfMemory", bits })
      }
      const refused = yield* Effect.match(retype(from, row, size, count, into), {
        onSuccess: () => undefined,
        onFailure: (refusal) => refusal
      })
      if (refused === undefined) {
        from.used = aligned(from.used, bits) + count * 2 ** bits
        return into
      }
      if (refused._tag !== "NotEnoughMemory") {
        free.release(into, count)
        return yield* Effect.fail(refused)
      }
      // Somebody else took from it.
      from.used = 2 ** from.bits - Math.min(refused.available, 2 ** bits * count - 1)
    }
  })

  /** Halve the region at `index` of `memory`. */
  const halve = Effect.fnUntraced(function* (region: Memory) {
    const into = yield* free.take(2)
    const bits = region.bits - 1
    yield* retype(region, objectTypes.Untyped, bits, 2, into)
    region.used = 2 ** region.bits
    const { address, isDevice } = region
    const low: Memory = { untyped: into, address, bits, isDevice, used: 0 }
    const high: Memory = { untyped: into + 1n, address: address + 2 ** bits, bits, isDevice, used: 0 }
    memory.push(low, high)
    return [low, high] as const
  })

  const makeAt: AllocatorService["makeAt"] = Effect.fnUntraced(function* (address, type) {
    const row: Row = objectTypes[type]
    const bits = sizeBits(row, 0)
    let region = memory.find(
      (one) => one.used === 0 && one.bits >= bits && address >= one.address && address < one.address + 2 ** one.bits
    )
    if (region === undefined) return yield* Effect.fail<OutOfMemory>({ _tag: "OutOfMemory", bits })
    while (region.bits > bits) {
      const [low, high]: readonly [Memory, Memory] = yield* halve(region)
      region = address < high.address ? low : high
    }
    const into = yield* free.take(1)
    yield* retype(region, row, 0, 1, into)
    region.used = 2 ** bits
    return into
  })

  let empty: bigint | undefined
  const nothing = Effect.suspend(() =>
    empty === undefined
      ? Effect.tap(makeObjects("CapTable", 1, 1), (cnode) => Effect.sync(() => (empty = cnode)))
      : Effect.succeed(empty)
  )

  return {
    cnode: slots.cnode,
    depth: slots.depth,
    slots: free.take,
    release: (slot) => free.release(slot, 1),
    make: makeObjects,
    nothing,
    makeAt
  }
}

/** A region, and the bytes at its beginning that are in use. */
type Memory = Region & { used: number }

const aligned = (offset: number, bits: number): number => Math.ceil(offset / 2 ** bits) * 2 ** bits

/** The smallest region with room: large ones stay for large objects. */
const roomiest = (memory: ReadonlyArray<Memory>, bits: number, count: number): Memory | undefined =>
  memory
    .filter((one) => !one.isDevice && aligned(one.used, bits) + count * 2 ** bits <= 2 ** one.bits)
    .reduce<Memory | undefined>((best, one) => (best === undefined || one.bits < best.bits ? one : best), undefined)

const makeSlots = ({ start, end }: Slots) => {
  let next = start
  /** Slots that were given back. */
  const spare: Array<bigint> = []
  return {
    take: (count: number): Effect.Effect<bigint, OutOfSlots> =>
      Effect.suspend(() => {
        if (count === 1 && spare.length > 0) return Effect.succeed(spare.pop()!)
        if (next + count > end) return Effect.fail<OutOfSlots>({ _tag: "OutOfSlots" })
        next += count
        return Effect.succeed(BigInt(next - count))
      }),
    release: (slot: bigint, count: number): void => {
      for (let index = 0; index < count; index++) spare.push(slot + BigInt(index))
    }
  }
}
