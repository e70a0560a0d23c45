/**
 * PageTables: the tables of an address space, for programs that place them themselves, and the identifiers of address spaces.
 *
 * `AddressSpace_Map` makes the tables that are missing. Who wants to know them, or to take them away, maps them here, from the root down.
 */
import { Effect } from "effect"
import {
  type AnyCap,
  type Cap,
  capUnsafe,
  type LifetimeOf,
  type Placed,
  type Using,
  vouchedUnsafe
} from "../types/Capability.ts"
import type { RightOf } from "../types/Kind.ts"
import type { Need } from "../types/Need.ts"
import * as ASIDControl from "../types/x86_64/methods/ASIDControl.ts"
import * as ASIDPool from "../types/x86_64/methods/ASIDPool.ts"
import * as Frame from "../types/x86_64/methods/Frame.ts"
import * as PageDirectory from "../types/x86_64/methods/PageDirectory.ts"
import * as PageTable from "../types/x86_64/methods/PageTable.ts"
import * as PDPT from "../types/x86_64/methods/PDPT.ts"
import { Allocator, type OutOfSlots } from "./Allocator.ts"
import { invoke, pointer, type Refusal } from "./Invocation.ts"
import { type Attribute, attributes } from "./Memory.ts"
import type { Syscalls } from "./Syscalls.ts"

const placed = <T>(
  method: typeof PDPT.Map | typeof PageDirectory.Map | typeof PageTable.Map,
  table: unknown,
  space: unknown,
  address: number,
  attribute: Attribute
): Effect.Effect<Placed<T>, Refusal, Syscalls> =>
  Effect.map(
    invoke(method, pointer(table), { vaddr: address, attr: attributes[attribute], vspace: pointer(space) }),
    () => vouchedUnsafe<Placed<T>>(table)
  )

/** The table, in its place. */
type Placing<T, S> = Effect.Effect<Placed<T>, Refusal, Syscalls | Using<T, "map"> | Using<S, "map">>
type Removing<T> = Effect.Effect<void, Refusal, Syscalls | Using<T, "unmap">>

/** Let a PDPT translate the 512 GiB that an address is in. */
export const PDPT_Map = <T extends AnyCap, S extends AnyCap>(
  table: Need<T, "PDPT_Map", "PDPT", "map">,
  space: Need<S, "PDPT_Map", "AddressSpace", "map">,
  address: number,
  attribute: Attribute = "writeBack"
): Placing<T, S> => placed<T>(PDPT.Map, table, space, address, attribute)

/** Let a page directory translate the GiB that an address is in. */
export const PageDirectory_Map = <T extends AnyCap, S extends AnyCap>(
  table: Need<T, "PageDirectory_Map", "PageDirectory", "map">,
  space: Need<S, "PageDirectory_Map", "AddressSpace", "map">,
  address: number,
  attribute: Attribute = "writeBack"
): Placing<T, S> => placed<T>(PageDirectory.Map, table, space, address, attribute)

/** Let a page table translate the 2 MiB that an address is in. */
export const PageTable_Map = <T extends AnyCap, S extends AnyCap>(
  table: Need<T, "PageTable_Map", "PageTable", "map">,
  space: Need<S, "PageTable_Map", "AddressSpace", "map">,
  address: number,
  attribute: Attribute = "writeBack"
): Placing<T, S> => placed<T>(PageTable.Map, table, space, address, attribute)

/** Take a PDPT, and all that is mapped through it, out of its address space. */
export const PDPT_Unmap = <T extends AnyCap>(table: Need<T, "PDPT_Unmap", "PDPT", "unmap">): Removing<T> =>
  Effect.asVoid(invoke(PDPT.Unmap, pointer(table), {}))

/** Take a page directory, and all that is mapped through it, out of its address space. */
export const PageDirectory_Unmap = <T extends AnyCap>(
  table: Need<T, "PageDirectory_Unmap", "PageDirectory", "unmap">
): Removing<T> => Effect.asVoid(invoke(PageDirectory.Unmap, pointer(table), {}))

/** Take a page table, and all that is mapped through it, out of its address space. */
export const PageTable_Unmap = <T extends AnyCap>(
  table: Need<T, "PageTable_Unmap", "PageTable", "unmap">
): Removing<T> => Effect.asVoid(invoke(PageTable.Unmap, pointer(table), {}))

/** Identifiers for 512 address spaces more, out of a page of untyped memory that nothing is in. */
export const ASIDControl_MakePool = <C extends AnyCap, U extends AnyCap>(
  control: Need<C, "ASIDControl_MakePool", "ASIDControl", "makePool">,
  untyped: Need<U, "ASIDControl_MakePool", "Untyped", "retype">
): Effect.Effect<
  Cap<"ASIDPool", RightOf<"ASIDPool">, LifetimeOf<C> | LifetimeOf<U>>,
  Refusal | OutOfSlots,
  Syscalls | Allocator | Using<C, "makePool"> | Using<U, "retype">
> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.flatMap(allocator.slots(1), (index) =>
      invoke(ASIDControl.MakePool, pointer(control), {
        index,
        depth: allocator.depth,
        untyped: pointer(untyped),
        root: allocator.cnode
      }).pipe(
        Effect.map(() => capUnsafe<"ASIDPool", RightOf<"ASIDPool">, LifetimeOf<C> | LifetimeOf<U>>("ASIDPool", index)),
        Effect.onError(() => Effect.sync(() => allocator.release(index)))
      )
    )
  )

/** Give an address space an identifier, without which no thread can use it and nothing be mapped in it. @returns it, with that. */
export const ASIDPool_Assign = <C extends AnyCap, S extends AnyCap>(
  pool: Need<C, "ASIDPool_Assign", "ASIDPool", "assign">,
  space: Need<S, "ASIDPool_Assign", "AddressSpace", "assign">
): Effect.Effect<Placed<S>, Refusal, Syscalls | Using<C, "assign"> | Using<S, "assign">> =>
  Effect.map(invoke(ASIDPool.Assign, pointer(pool), { vspace: pointer(space) }), () => vouchedUnsafe<Placed<S>>(space))

/** The physical address of a frame: what a device is told. */
export const Frame_GetAddress = <F extends AnyCap>(
  frame: Need<F, "Frame_GetAddress", "Frame">
): Effect.Effect<number, Refusal, Syscalls | Using<F>> =>
  Effect.map(invoke(Frame.GetAddress, pointer(frame), {}), ({ paddr }) => paddr)
