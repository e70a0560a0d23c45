/**
 * IRQControl on this architecture: message-signalled interrupts, and pins of IOAPICs.
 *
 * A program chooses the interrupt's number, below `interrupts`; its vector is that much above `Vector.firstUser`. A
 * device sends that vector once the program has written it to the device. No IOAPIC is the kernel's to program.
 */
import { Charge } from "../../hal/Charge.ts"
import { numberOf } from "../../types/Kind.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import * as Methods from "../../types/x86_64/methods/IRQControl.ts"
import * as Capability from "../Capability.ts"
import { firstDescendant, insertObject, Node } from "../Derivation.ts"
import { handler } from "../Interrupt.ts"
import { type Invocation, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type View } from "../State.ts"
import { emptySlot } from "./EmptySlot.ts"
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

export const decode = (view: View, invocation: Invocation): Decoded => {
  switch (invocation.label) {
    case Methods.GetMSI.label:
      return decodeMSI(view, invocation)
    case Methods.GetIOAPIC.label: {
      const args = read(view, invocation, Methods.GetIOAPIC)
      // There are none to name: the range is empty.
      return isRefusal(args) ? args : SyscallError.rangeError(0, 0)
    }
    default:
      return SyscallError.illegalOperation
  }
}

const decodeMSI = (view: View, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.GetMSI)
  if (isRefusal(args)) return args
  if (args.vector >= interrupts) return SyscallError.rangeError(0, interrupts - 1)
  if (hasHandler(view, invocation.slot, args.vector)) return SyscallError.revokeFirst
  const slot = emptySlot(view, invocation, Methods.GetMSI, 0, args)
  if (isRefusal(slot)) return slot
  if (args.pciBus > last.bus) return SyscallError.rangeError(0, last.bus)
  if (args.pciDev > last.device) return SyscallError.rangeError(0, last.device)
  if (args.pciFunc > last.function) return SyscallError.rangeError(0, last.function)
  return (state) => {
    insertObject(state, invocation.slot, slot, handler(args.vector))
    return undefined
  }
}
