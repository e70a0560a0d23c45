/**
 * ASIDs: the numbers of address spaces, and the pools that give them out.
 *
 * An ASID is a pool's index and an entry's; the entry has the address of the PML4 with this number, 0 if there is none.
 * Mappings name an address space by its ASID: when it is deleted, they lead nowhere. The processor tags translations
 * with it. ASID 0 is nobody's.
 */
import { Charge } from "../../hal/Charge.ts"
import { Halt } from "../../hal/Gates.ts"
import type { ReadableMemory } from "../../types/Layout.ts"
import * as LookupFailure from "../../types/LookupFailure.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import { asidPoolIndexBits } from "../../types/x86_64/ObjectType.ts"
import * as Capability from "../Capability.ts"
import type { State, View } from "../State.ts"
import { ArchData, asidPools, poolEntry } from "./ArchData.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { activate } from "./Translation.ts"

export const poolSize = 2 ** asidPoolIndexBits

const indexInPool = (asid: number) => asid & (poolSize - 1)

const load = (memory: ReadableMemory, at: number) => (memory.load32(at + 4) >>> 0) * 2 ** 32 + (memory.load32(at) >>> 0)

const store = ({ memory }: State, at: number, value: number) => {
  memory.store32(at, value | 0)
  memory.store32(at + 4, Math.floor(value / 2 ** 32) | 0)
}

/** The pool with this index; 0 if there is none. */
export const poolAt = ({ memory }: View, { archData }: Machine, index: number): number =>
  load(memory, poolEntry(archData, index))

/** The first index without a pool; undefined if every one has. */
export const freePool = (view: View, machine: Machine): number | undefined => {
  for (let index = 0; index < asidPools; index++) {
    if (poolAt(view, machine, index) === 0) return index
  }
  return undefined
}

/** The first ASID of pool `index`, at `pool`, that is nobody's; undefined if there is none. */
export const freeAsid = ({ memory, charge }: View, pool: number, index: number): number | undefined => {
  for (let at = 0; at < poolSize; at++) {
    charge(1)
    if (index + at !== 0 && load(memory, pool + 8 * at) === 0) return index * poolSize + at
  }
  return undefined
}

/** The PML4 with this ASID; 0 if there is none. */
export const find = (view: View, machine: Machine, asid: number): number => {
  const pool = poolAt(view, machine, asid >>> asidPoolIndexBits)
  return pool === 0 || asid === 0 ? 0 : load(view.memory, pool + 8 * indexInPool(asid))
}

/** An address space in which something can be mapped: it has an ASID, and the ASID still leads to it. */
export interface Live {
  readonly root: number
  readonly asid: number
}

/** The address space that the capability in `slot` names; it is argument `index` of the method. */
export const live = (view: View, machine: Machine, slot: number, index: number): Live | SyscallError.SyscallError => {
  const root = Capability.object(view, slot)
  const asid = Mapping.asid(Mapping.dataLow(view.memory, slot))
  if (asid === 0) return SyscallError.invalidCapability(index)
  const found = find(view, machine, asid)
  if (found === 0) return SyscallError.failedLookup("destination", LookupFailure.invalidRoot)
  return found === root ? { root, asid } : SyscallError.invalidCapability(index)
}

export const setPool = (state: State, { archData }: Machine, index: number, pool: number): void =>
  store(state, poolEntry(archData, index), pool)

/** `asid` is that of `root`, which gets the kernel's half. */
export const assign = (state: State, machine: Machine, asid: number, root: number): void => {
  const pool = poolAt(state, machine, asid >>> asidPoolIndexBits)
  if (pool === 0) throw new Halt(`ASID ${asid} has no pool`)
  copyKernelHalf(state, machine, root)
  store(state, pool + 8 * indexInPool(asid), root)
}

const copyKernelHalf = ({ memory, charge }: State, { paging, archData }: Machine, root: number): void => {
  const half = (paging.entries / 2) * paging.entryBytes
  charge((half / 256) * Charge.zeroChunk)
  memory.copy(ArchData.kernelRoot.load(memory, archData) + half, root + half, half)
}

/** The address space `root` no longer has `asid`. Whoever runs in it, runs in none. */
export const release = (state: State, machine: Machine, asid: number, root: number): void => {
  if (find(state, machine, asid) !== root) return
  const pool = poolAt(state, machine, asid >>> asidPoolIndexBits)
  store(state, pool + 8 * indexInPool(asid), 0)
  leave(state, machine, asid)
}

/** The pool `index` at `pool` is gone, and with it every ASID that it gave out. */
export const deletePool = (state: State, machine: Machine, index: number, pool: number): void => {
  if (poolAt(state, machine, index) !== pool) return
  setPool(state, machine, index, 0)
  for (let at = 0; at < poolSize; at++) {
    state.charge(1)
    if (load(state.memory, pool + 8 * at) !== 0) leave(state, machine, index * poolSize + at)
  }
}

const leave = (state: State, machine: Machine, asid: number): void => {
  const { archData, processor } = machine
  if (ArchData.asid.load(state.memory, archData) === asid) {
    activate(state, machine, ArchData.kernelRoot.load(state.memory, archData), 0)
  }
  processor.invalidateSpace(asid)
}
