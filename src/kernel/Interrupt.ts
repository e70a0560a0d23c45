/**
 * Interrupt: what a program hears of a device's interrupt.
 *
 * Each interrupt has a slot of the kernel's, which holds the notification that it signals. From a signal to the
 * program's word that it was served, the interrupt does not come again.
 */
import { Halt } from "../hal/Gates.ts"
import { numberOf } from "../types/Kind.ts"
import * as Methods from "../types/methods/IRQHandler.ts"
import { right } from "../types/Rights.ts"
import { illegalOperation, invalidCapability } from "../types/SyscallError.ts"
import * as Capability from "./Capability.ts"
import * as Deletion from "./Deletion.ts"
import * as Derivation from "./Derivation.ts"
import { extraCap, type Invocation, read } from "./Invocation.ts"
import { interruptSlot } from "./KernelData.ts"
import * as Notification from "./Notification.ts"
import { type Decoded, isRefusal, type State, type View } from "./State.ts"

/**
 * The capability to an interrupt. It is an object of its own, though not one in memory: its number stands for the
 * address.
 */
export const handler = (interrupt: number): Capability.Capability =>
  Capability.original("IRQHandler", 16 * interrupt, interrupt)

/** The interrupt has come. */
export const handle = (state: State, interrupt: number): void => {
  if (interrupt < 0 || interrupt >= state.architecture.interrupts)
    throw new Halt(`an interrupt that programs handle: ${interrupt}`)
  const slot = interruptSlot(state.data, interrupt)
  if (
    Capability.kind(state, slot) === numberOf.Notification &&
    Capability.allows(state, slot, right.Notification.write)
  ) {
    const { lo, hi } = Capability.read(state, slot)
    Notification.signal(state, Capability.object(state, slot), lo, hi)
  }
  state.architecture.maskInterrupt(state, interrupt, true)
}

export const decode = (view: View, invocation: Invocation): Decoded => {
  const interrupt = Capability.read(view, invocation.slot).lo
  const slot = interruptSlot(view.data, interrupt)
  switch (invocation.label) {
    case Methods.Ack.label: {
      const args = read(view, invocation, Methods.Ack)
      if (isRefusal(args)) return args
      return (state) => {
        state.architecture.maskInterrupt(state, interrupt, false)
        return undefined
      }
    }
    case Methods.SetNotification.label: {
      const args = read(view, invocation, Methods.SetNotification)
      if (isRefusal(args)) return args
      const source = extraCap(view, invocation, Methods.SetNotification, 0)
      // Here the interface counts from 0.
      if (isRefusal(source)) return invalidCapability(0)
      const cap = Capability.read(view, source)
      return (state) => {
        Deletion.removeAtOnce(state, slot)
        Derivation.insert(state, source, slot, cap)
        return undefined
      }
    }
    case Methods.Clear.label: {
      const args = read(view, invocation, Methods.Clear)
      if (isRefusal(args)) return args
      return (state) => {
        Deletion.removeAtOnce(state, slot)
        return undefined
      }
    }
    default:
      return illegalOperation
  }
}
