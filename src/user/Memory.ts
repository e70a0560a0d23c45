/**
 * Memory: untyped memory and what it becomes, frames, and the address spaces that they are mapped in.
 */
import { Effect } from "effect"
import { type AnyCap, type LifetimeOf, type Made, madeUnsafe, placedUnsafe, type Using } from "../types/Capability.ts"
import { type At, addressOf, type MapRights, type SizeOf } from "../types/Mapping.ts"
import * as AddressSpace from "../types/methods/AddressSpace.ts"
import * as Untyped from "../types/methods/Untyped.ts"
import type { Need } from "../types/Need.ts"
import { type FrameType, type ObjectType, objectTypes, type Row, type Sized } from "../types/ObjectType.ts"
import * as Rights from "../types/Rights.ts"
import * as ASIDPool from "../types/x86_64/methods/ASIDPool.ts"
import * as Frame from "../types/x86_64/methods/Frame.ts"
import * as PageDirectory from "../types/x86_64/methods/PageDirectory.ts"
import * as PageTable from "../types/x86_64/methods/PageTable.ts"
import * as PDPT from "../types/x86_64/methods/PDPT.ts"
import { Allocator, type NotMade, type OutOfSlots } from "./Allocator.ts"
import type { Full } from "./BootInfo.ts"
import { invoke, pointer, type Refusal } from "./Invocation.ts"
import { Syscalls } from "./Syscalls.ts"

/** The size of a new object, as a power of 2: given for the types that have none of their own. A CNode's is in slots. */
export type SizeBits<T extends ObjectType> = T extends Sized ? [sizeBits: number] : []

/** Make an object of a part of untyped memory that nothing is in. */
export const Untyped_Retype = <C extends AnyCap, T extends ObjectType>(
  untyped: Need<C, "Untyped_Retype", "Untyped", "retype">,
  type: T,
  ...size: SizeBits<T>
): Effect.Effect<Made<T, LifetimeOf<C>>, Refusal | OutOfSlots, Syscalls | Allocator | Using<C, "retype">> =>
  Effect.gen(function* () {
    const allocator = yield* Allocator
    const slot = yield* allocator.slots(1)
    const row: Row = objectTypes[type]
    yield* invoke(Untyped.Retype, pointer(untyped), {
      type: row.number,
      sizeBits: size[0] ?? 0,
      nodeIndex: 0n,
      nodeDepth: 0,
      nodeOffset: Number(slot),
      numObjects: 1,
      root: allocator.cnode
    }).pipe(Effect.onError(() => Effect.sync(() => allocator.release(slot))))
    return madeUnsafe<T, LifetimeOf<C>>(type, slot)
  })

/** Make an object of the allocator's memory. */
export const create = <T extends ObjectType>(
  type: T,
  ...size: SizeBits<T>
): Effect.Effect<Made<T>, NotMade, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.map(allocator.make(type, size[0] ?? 0, 1), (slot) => madeUnsafe(type, slot))
  )

/**
 * The frame of physical memory at `address`, out of the untyped memory that covers it: how a driver comes by its device's registers.
 * Each can be had once.
 */
export const Frame_Create = <S extends FrameType>(
  address: number,
  type: S
): Effect.Effect<Made<S>, NotMade, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.map(allocator.makeAt(address, type), (slot) => madeUnsafe(type, slot))
  )

/** A new address space, empty. */
export const AddressSpace_Create = <C extends AnyCap>(
  pool: Need<C, "AddressSpace_Create", "ASIDPool", "assign">
): Effect.Effect<Full<"AddressSpace">, NotMade, Syscalls | Allocator | Using<C, "assign">> =>
  Effect.gen(function* () {
    const space = yield* create("PML4")
    yield* invoke(ASIDPool.Assign, pointer(pool), { vspace: pointer(space) })
    return placedUnsafe(space)
  })

/** How memory is cached. */
// biome-ignore format: a table
export const attributes = {
  writeBack:      0,
  writeThrough:   1,
  cacheDisabled:  2,
  uncacheable:    3,
  writeCombining: 4
} as const
export type Attribute = keyof typeof attributes

/**
 * Map a frame at an address, a multiple of its size, for reading, writing or executing as `rights` says. Page tables that are
 * not there yet are made.
 *
 * An address in the text of the program, "0x0040_0000", is judged by the compiler; a number, by the kernel.
 */
export const AddressSpace_Map = <
  C extends AnyCap,
  F extends AnyCap,
  const V extends string | number,
  const L extends ReadonlyArray<string>
>(
  space: Need<C, "AddressSpace_Map", "AddressSpace", "map">,
  address: At<V, "AddressSpace_Map", SizeOf<F>>,
  frame: Need<F, "AddressSpace_Map", "Frame">,
  rights: MapRights<F, "AddressSpace_Map", L>,
  attribute: Attribute = "writeBack"
): Effect.Effect<void, NotMade, Syscalls | Allocator | Using<C, "map"> | Using<F, L[number]>> =>
  Effect.gen(function* () {
    const vspace = pointer(space)
    const vaddr = addressOf(address)
    const mapping = {
      vaddr,
      rights: Rights.wordKeeping("Frame", rightsNamed(rights), false),
      attr: attributes[attribute],
      vspace
    }
    yield* makingTables(invoke(Frame.Map, pointer(frame), mapping), (missing) => mapTable(vspace, vaddr, missing))
  })

/** Unmap the frame that is mapped at an address. Its capability can map it there again; to map it elsewhere, `Frame_Unmap` it. */
export const AddressSpace_Unmap = <C extends AnyCap, const V extends string | number>(
  space: Need<C, "AddressSpace_Unmap", "AddressSpace", "unmap">,
  address: At<V, "AddressSpace_Unmap">
): Effect.Effect<void, Refusal, Syscalls | Using<C, "unmap">> =>
  Effect.asVoid(invoke(AddressSpace.Unmap, pointer(space), { vaddr: addressOf(address) }))

/** Unmap a frame wherever this capability mapped it. */
export const Frame_Unmap = <F extends AnyCap>(
  frame: Need<F, "Frame_Unmap", "Frame">
): Effect.Effect<void, Refusal, Syscalls | Using<F>> => Effect.asVoid(invoke(Frame.Unmap, pointer(frame), {}))

/** The refusal that says how many bits of an address no table translates. */
interface MissingTable {
  readonly _tag: "FailedLookup"
  readonly wasSource: boolean
  readonly failure: { readonly _tag: "MissingCapability"; readonly bitsLeft: number }
}

/** Map, and make the tables that the kernel says are not there yet: each is told by the bits of an address that it translates. */
export const makingTables = <E, R>(
  map: Effect.Effect<unknown, Refusal, Syscalls>,
  makeTable: (bits: number) => Effect.Effect<void, E, R>
): Effect.Effect<void, Refusal | E, Syscalls | R> =>
  map.pipe(
    Effect.asVoid,
    Effect.catchIf(isMissingTable, (refusal) =>
      Effect.andThen(
        makeTable(refusal.failure.bitsLeft),
        Effect.suspend(() => makingTables(map, makeTable))
      )
    )
  )

const isMissingTable = (refusal: Refusal): refusal is Refusal & MissingTable =>
  refusal._tag === "FailedLookup" && refusal.failure._tag === "MissingCapability" && refusal.failure.bitsLeft in tables

/** The table that translates an address from its bit `bits` down. */
const tables: {
  readonly [bits: number]: {
    readonly type: ObjectType
    readonly map: typeof PDPT.Map | typeof PageDirectory.Map | typeof PageTable.Map
  }
} = {
  39: { type: "PDPT", map: PDPT.Map },
  30: { type: "PageDirectory", map: PageDirectory.Map },
  21: { type: "PageTable", map: PageTable.Map }
}

const mapTable = Effect.fnUntraced(function* (vspace: bigint, address: number, bits: number) {
  const allocator = yield* Allocator
  const { type, map } = tables[bits]!
  const table = yield* allocator.make(type, 0, 1)
  yield* invoke(map, table, { vaddr: Math.floor(address / 2 ** bits) * 2 ** bits, attr: 0, vspace })
})

const rightsNamed = (rights: unknown): Rights.Rights => {
  if (!Array.isArray(rights)) throw new Error("a frame was mapped with rights that its capability does not have")
  return Rights.fromNames("Frame", rights)
}

/** Bytes of the program's own address space. What it may not read is a fault. */
export const Memory_Read = (address: number, length: number): Effect.Effect<Uint8Array, never, Syscalls> =>
  Effect.flatMap(Syscalls, (syscalls) => syscalls.read(BigInt(address), length))

/** Write to the program's own address space. What it may not write is a fault. */
export const Memory_Write = (address: number, bytes: Uint8Array): Effect.Effect<void, never, Syscalls> =>
  Effect.flatMap(Syscalls, (syscalls) => syscalls.write(BigInt(address), bytes))
