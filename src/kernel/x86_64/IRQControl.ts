/**
 * IRQControl on this architecture: message-signalled interrupts, and pins of IOAPICs.
 *
 * A program chooses the interrupt's number, below `interrupts`; its vector is that much above `Vector.firstUser`. A
 * device sends that vector once the program has written it to the device; an IOAPIC is programmed by the kernel alone.
 */
import { Charge } from "../../hal/Charge.ts"
import { numberOf } from "../../types/Kind.ts"
import { Get } from "../../types/methods/IRQControl.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import type { Word } from "../../types/Word.ts"
import * as Methods from "../../types/x86_64/methods/IRQControl.ts"
import * as Capability from "../Capability.ts"
import { firstDescendant, insertObject, Node } from "../Derivation.ts"
import { handler } from "../Interrupt.ts"
import { type Invocation, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type State, type View } from "../State.ts"
import { sourceWord } from "./ArchData.ts"
import { emptySlot } from "./EmptySlot.ts"
import type { Machine } from "./Machine.ts"
import { Vector } from "./Vectors.ts"

export const interrupts = Vector.lastUser - Vector.firstUser + 1

/** The handlers are what was derived from the one IRQControl capability, and stand behind it. */
const hasHandler = (view: View, control: number, interrupt: number): boolean => {
  const { memory, charge } = view
  for (
    let slot = firstDescendant(view, control);
    slot !== 0 && Capability.kind(view, slot) === numberOf.IRQHandler;
    slot = Node.next.load(memory, slot)
  ) {
    charge(Charge.lookup)
    if (Capability.read(view, slot).lo === interrupt) return true
  }
  return false
}

/** The highest number of each part of a device's address on its bus. */
const last = { bus: 255, device: 31, function: 7 } as const

/**
 * The word that says where an interrupt comes from: 0 from a message, which comes once each time that its device sends
 * it, so that there is nothing to mask; or from a line.
 */
const source = { line: 1 << 31, controller: 8 } as const

/** Until it is unmasked, nothing comes on the interrupt's line. */
export const mask = ({ memory }: State, { archData, lines }: Machine, interrupt: number, masked: boolean): void => {
  const word = memory.load32(sourceWord(archData, interrupt))
  if ((word & source.line) !== 0) lines.mask((word & ~source.line) >>> source.controller, word & 0xff, masked)
}

export const decode = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  switch (invocation.label) {
    case Methods.GetMSI.label:
      return decodeMSI(view, machine, invocation)
    case Methods.GetIOAPIC.label:
      return decodeIOAPIC(view, machine, invocation)
    case Get.label: {
      // A number alone says nothing of where the interrupt comes from.
      const args = read(view, invocation, Get)
      return isRefusal(args) ? args : SyscallError.illegalOperation
    }
    default:
      return SyscallError.illegalOperation
  }
}

/** The slot for the handler of an interrupt that has none. */
const handlerSlot = (
  view: View,
  invocation: Invocation,
  method: typeof Methods.GetMSI | typeof Methods.GetIOAPIC,
  args: { readonly index: Word; readonly depth: number; readonly vector: number }
): number | SyscallError.SyscallError => {
  if (args.vector >= interrupts) return SyscallError.rangeError(0, interrupts - 1)
  if (hasHandler(view, invocation.slot, args.vector)) return SyscallError.revokeFirst
  return emptySlot(view, invocation, method, 0, args)
}

const decodeIOAPIC = (view: View, machine: Machine, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.GetIOAPIC)
  if (isRefusal(args)) return args
  const slot = handlerSlot(view, invocation, Methods.GetIOAPIC, args)
  if (isRefusal(slot)) return slot
  const { ioapic, pin, level, polarity, vector } = args
  const { archData, lines } = machine
  if (lines.pins.length === 0) return SyscallError.illegalOperation
  const pins = lines.pins[ioapic]
  if (pins === undefined) return SyscallError.rangeError(0, lines.pins.length - 1)
  if (pin >= pins) return SyscallError.rangeError(0, pins - 1)
  if (level > 1 || polarity > 1) return SyscallError.rangeError(0, 1)
  return (state) => {
    lines.route(ioapic, pin, { vector: Vector.firstUser + vector, isLevel: level === 1, isLow: polarity === 1 })
    state.memory.store32(sourceWord(archData, vector), source.line | (ioapic << source.controller) | pin)
    mask(state, machine, vector, false)
    insertObject(state, invocation.slot, slot, handler(vector))
    return undefined
  }
}

const decodeMSI = (view: View, { archData }: Machine, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.GetMSI)
  if (isRefusal(args)) return args
  const slot = handlerSlot(view, invocation, Methods.GetMSI, args)
  if (isRefusal(slot)) return slot
  if (args.pciBus > last.bus) return SyscallError.rangeError(0, last.bus)
  if (args.pciDev > last.device) return SyscallError.rangeError(0, last.device)
  if (args.pciFunc > last.function) return SyscallError.rangeError(0, last.function)
  return (state) => {
    state.memory.store32(sourceWord(archData, args.vector), 0)
    insertObject(state, invocation.slot, slot, handler(args.vector))
    return undefined
  }
}
