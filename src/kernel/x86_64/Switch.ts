/**
 * Switch: the processor goes from one thread to another.
 *
 * What is usual is done in memory in place, by the index of a word: the next thread finds the floating-point unit as it
 * has to be already, and its address space is in force, or its ASID leads to it. All else takes the way that looks at
 * everything.
 */
import { numberOf } from "../../types/Kind.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import * as Capability from "../Capability.ts"
import type { State } from "../State.ts"
import { slotOf, tcbSlot } from "../Tcb.ts"
import { ArchData, poolEntry } from "./ArchData.ts"
import * as Asid from "./Asid.ts"
import * as Fpu from "./Fpu.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { activate, keepTranslations } from "./Translation.ts"

/** When the kernel is left, the processor runs this thread. */
export const to = (state: State, machine: Machine, thread: number): void => {
  if (!inPlace(state, machine, thread)) atLength(state, machine, thread)
}

/** The same, by the way that looks at everything. */
export const atLength = (state: State, machine: Machine, thread: number): void => {
  ArchData.running.store(state.memory, machine.archData, thread)
  Fpu.switchTo(state, machine, thread)
  const vspace = slotOf(thread, tcbSlot.addressSpace)
  const root = Capability.kind(state, vspace) === numberOf.AddressSpace ? Capability.object(state, vspace) : 0
  const asid = Mapping.asid(Mapping.dataLow(state.memory, vspace))
  if (root !== 0 && Asid.find(state, machine, Mapping.By.addressSpace, asid) === root)
    activate(state, machine, root, asid)
  else toNobody(state, machine)
}

/** No thread runs: of address spaces there is the kernel's half alone. */
export const toNobody = (state: State, machine: Machine): void =>
  activate(state, machine, ArchData.kernelRoot.load(state.memory, machine.archData), 0)

const unit = 16
const runningAt = ArchData.running.at >>> 2
const enabledAt = ArchData.fpuEnabled.at >>> 2
const ownerAt = ArchData.fpuOwner.at >>> 2
const rootAt = ArchData.root.at >>> 2
const asidAt = ArchData.asid.at >>> 2
const vspaceAt = slotOf(0, tcbSlot.addressSpace) >>> 2
const objectAt = vspaceAt + (Capability.Fields.object.at >>> 2)
const dataAt = vspaceAt + (Capability.Fields.data.at >>> 2)
const kindMask = 2 ** (Capability.Fields.kind.high + 1) - 1

/** False: something is not as usual, and nothing has happened. */
const inPlace = ({ memory }: State, { archData, processor }: Machine, thread: number): boolean => {
  const { words, indexOf } = memory
  const [arch, tcb] = [indexOf(archData), indexOf(thread)]
  if (arch < 0 || tcb < 0) return false
  const isOwner = words[arch + ownerAt] === Fpu.imageOf(thread) / unit
  if (isOwner !== (words[arch + enabledAt] !== 0)) return false
  if ((words[tcb + vspaceAt]! & kindMask) !== numberOf.AddressSpace) return false
  const asid = Mapping.asid(words[tcb + dataAt]!)
  const root = (words[tcb + objectAt]! >>> 0) * unit
  const [low, high] = [root | 0, Math.floor(root / 2 ** 32)]
  // An address space in force whose ASID had been taken from it would not be in force.
  const isInForce = words[arch + asidAt] === asid && words[arch + rootAt] === low && words[arch + rootAt + 1] === high
  if (!isInForce) {
    const pool = arch + ((poolEntry(archData, Asid.poolOf(asid)) - archData) >>> 2)
    const entry = words[pool + 1] === 0 ? indexOf((words[pool]! >>> 0) + 8 * Asid.indexInPool(asid)) : -1
    if (asid === 0 || words[pool] === 0 || entry < 0) return false
    if (words[entry] !== low || words[entry + 1] !== high) return false
    processor.setSystem(SystemRegister.CR3, low | asid, high | keepTranslations)
    words[arch + rootAt] = low
    words[arch + rootAt + 1] = high
    words[arch + asidAt] = asid
  }
  words[arch + runningAt] = (thread / unit) | 0
  return true
}
