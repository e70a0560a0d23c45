/** ASIDControl and ASIDPool: who may make pools of address space numbers, and give the numbers out. */
import { Charge } from "../../hal/Charge.ts"
import * as LookupFailure from "../../types/LookupFailure.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import * as ControlMethods from "../../types/x86_64/methods/ASIDControl.ts"
import * as PoolMethods from "../../types/x86_64/methods/ASIDPool.ts"
import { asidPoolBits } from "../../types/x86_64/ObjectType.ts"
import * as Capability from "../Capability.ts"
import { firstDescendant, insertObject } from "../Derivation.ts"
import { extraCap, type Invocation, kindOf, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type View } from "../State.ts"
import * as UntypedData from "../UntypedData.ts"
import * as Asid from "./Asid.ts"
import { emptySlot } from "./EmptySlot.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"

/** A pool's capability remembers its index. */
export const poolCapability = (pool: number, index: number) => Capability.original("ASIDPool", pool, index, 0)

export const decodeControl = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  if (invocation.label !== ControlMethods.MakePool.label) return SyscallError.illegalOperation
  const args = read(view, invocation, ControlMethods.MakePool)
  if (isRefusal(args)) return args
  const index = Asid.freePool(view, machine)
  if (index === undefined) return SyscallError.deleteFirst
  const untyped = extraCap(view, invocation, ControlMethods.MakePool, 0)
  if (isRefusal(untyped)) return untyped
  if (UntypedData.sizeBits(view, untyped) !== asidPoolBits || UntypedData.isDevice(view, untyped))
    return SyscallError.invalidCapability(1)
  if (firstDescendant(view, untyped) !== 0) return SyscallError.revokeFirst
  const slot = emptySlot(view, invocation, ControlMethods.MakePool, 1, args)
  if (isRefusal(slot)) return slot

  const pool = Capability.address(view, untyped)
  return (state) => {
    UntypedData.fill(state, untyped)
    state.charge((2 ** asidPoolBits / 256) * Charge.zeroChunk)
    state.memory.zero(pool, 2 ** asidPoolBits)
    Asid.setPool(state, machine, index, pool)
    insertObject(state, untyped, slot, poolCapability(pool, index))
    return undefined
  }
}

export const decodePool = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  if (invocation.label !== PoolMethods.Assign.label) return SyscallError.illegalOperation
  const args = read(view, invocation, PoolMethods.Assign)
  if (isRefusal(args)) return args
  const vspace = extraCap(view, invocation, PoolMethods.Assign, 0)
  if (isRefusal(vspace)) return vspace
  const by = Asid.translatedBy(kindOf(view, vspace))
  if (by === Mapping.By.guest && machine.virtualization === undefined) return SyscallError.illegalOperation
  if (Mapping.isMapped(view, vspace)) return SyscallError.invalidCapability(1)

  const pool = Capability.object(view, invocation.slot)
  const index = indexOf(view, invocation.slot)
  const known = Asid.poolAt(view, machine, index)
  if (known === 0) return SyscallError.failedLookup("destination", LookupFailure.invalidRoot)
  if (known !== pool) return SyscallError.invalidCapability(0)
  const asid = Asid.freeAsid(view, pool, index)
  if (asid === undefined) return SyscallError.deleteFirst

  return (state) => {
    Asid.assign(state, machine, by, { asid, root: Capability.object(state, vspace) })
    Mapping.set(state, vspace, { asid, address: 0 }, Mapping.By.nothing)
    return undefined
  }
}

/** The pool of the capability in `slot`, its index. */
export const indexOf = ({ memory }: View, slot: number): number => Mapping.dataLow(memory, slot)
