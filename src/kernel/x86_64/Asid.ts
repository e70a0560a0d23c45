/**
 * ASIDs: the numbers of address spaces, and the pools that give them out.
 *
 * An ASID is a pool's index and an entry's; the entry has the address of the PML4 with this number, 0 if there is none.
 * It is the root of an address space, or, with bit 0 set, of a guest's physical memory. Mappings name either by its
 * ASID: when it is deleted, they lead nowhere. The processor tags the translations of an address space with it. ASID 0
 * is nobody's.
 */
import { Charge } from "../../hal/Charge.ts"
import { Halt } from "../../hal/Gates.ts"
import type { Kind } from "../../types/Kind.ts"
import type { ReadableMemory } from "../../types/Layout.ts"
import * as LookupFailure from "../../types/LookupFailure.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import { asidPoolIndexBits } from "../../types/x86_64/ObjectType.ts"
import * as Capability from "../Capability.ts"
import { kindOf } from "../Invocation.ts"
import type { State, View } from "../State.ts"
import { ArchData, asidPools, poolEntry } from "./ArchData.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { activate, invalidate, type Live } from "./Translation.ts"

export const poolSize = 2 ** asidPoolIndexBits

/** What an ASID is made of: the index of its pool, and that of its entry in there. */
export const poolOf = (asid: number): number => asid >>> asidPoolIndexBits
export const indexInPool = (asid: number): number => asid & (poolSize - 1)

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

/** An entry that leads to the root of a guest's tables. */
const guestBit = 1

const entryOf = (root: number, by: number): number => (by === Mapping.By.guest ? root + guestBit : root)

/** What a root of this kind is the root of. */
export const translatedBy = (kind: Kind | undefined): number =>
  kind === "EPTPML4" ? Mapping.By.guest : Mapping.By.addressSpace

/** The PML4 with this ASID, of what translates; 0 if there is none. */
export const find = (view: View, machine: Machine, by: number, asid: number): number => {
  const pool = poolAt(view, machine, poolOf(asid))
  if (pool === 0 || asid === 0) return 0
  const entry = load(view.memory, pool + 8 * indexInPool(asid))
  const root = entry - (entry % 2)
  return entryOf(root, by) === entry ? root : 0
}

/**
 * What the capability in `slot` names, in which something can be mapped: it has an ASID, and the ASID still leads to
 * it. The capability is argument `index` of the method.
 */
export const live = (view: View, machine: Machine, slot: number, index: number): Live | SyscallError.SyscallError => {
  const root = Capability.object(view, slot)
  const asid = Mapping.asid(Mapping.dataLow(view.memory, slot))
  if (asid === 0) return SyscallError.invalidCapability(index)
  const found = find(view, machine, translatedBy(kindOf(view, slot)), asid)
  if (found === 0) return SyscallError.failedLookup("destination", LookupFailure.invalidRoot)
  return found === root ? { root, asid } : SyscallError.invalidCapability(index)
}

export const setPool = (state: State, { archData }: Machine, index: number, pool: number): void =>
  store(state, poolEntry(archData, index), pool)

/** `asid` is that of `root`. An address space gets the kernel's half. */
export const assign = (state: State, machine: Machine, by: number, { asid, root }: Live): void => {
  const pool = poolAt(state, machine, poolOf(asid))
  if (pool === 0) throw new Halt(`ASID ${asid} has no pool`)
  if (by === Mapping.By.addressSpace) copyKernelHalf(state, machine, root)
  store(state, pool + 8 * indexInPool(asid), entryOf(root, by))
}

const copyKernelHalf = ({ memory, charge }: State, { paging, archData }: Machine, root: number): void => {
  const half = (paging.entries / 2) * paging.entryBytes
  charge((half / 256) * Charge.zeroChunk)
  memory.copy(ArchData.kernelRoot.load(memory, archData) + half, root + half, half)
}

/** What has this root no longer has `asid`. Whoever runs in it, runs in none. */
export const release = (state: State, machine: Machine, by: number, live: Live): void => {
  const { asid, root } = live
  if (find(state, machine, by, asid) !== root) return
  const pool = poolAt(state, machine, poolOf(asid))
  store(state, pool + 8 * indexInPool(asid), 0)
  leave(state, machine, by, live)
}

/** The pool `index` at `pool` is gone, and with it every ASID that it gave out. */
export const deletePool = (state: State, machine: Machine, index: number, pool: number): void => {
  if (poolAt(state, machine, index) !== pool) return
  setPool(state, machine, index, 0)
  for (let at = 0; at < poolSize; at++) {
    state.charge(1)
    const entry = load(state.memory, pool + 8 * at)
    const [by, root] = entry % 2 === guestBit ? [Mapping.By.guest, entry - 1] : [Mapping.By.addressSpace, entry]
    if (entry !== 0) leave(state, machine, by, { root, asid: index * poolSize + at })
  }
}

const leave = (state: State, machine: Machine, by: number, live: Live): void => {
  const { archData } = machine
  if (by === Mapping.By.addressSpace && ArchData.asid.load(state.memory, archData) === live.asid) {
    activate(state, machine, ArchData.kernelRoot.load(state.memory, archData), 0)
  }
  invalidate(machine, by, live)
}
