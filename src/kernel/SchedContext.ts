/** SchedContext: the methods of a scheduling context. What it is, is in `Refill`; who has it, in `Donation`. */
import { numberOf } from "../types/Kind.ts"
import * as Methods from "../types/methods/SchedContext.ts"
import { illegalOperation, type SyscallError } from "../types/SyscallError.ts"
import * as Word from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as Donation from "./Donation.ts"
import { extraCap, type Invocation, read } from "./Invocation.ts"
import { NotificationFields } from "./NotificationFields.ts"
import * as Refill from "./Refill.ts"
import * as Reply from "./Reply.ts"
import * as Scheduler from "./Scheduler.ts"
import { type Decoded, isRefusal, type Outcome, type State, type View } from "./State.ts"
import { isBlocked, Tcb } from "./Tcb.ts"

const SC = Refill.SchedContextFields

export const decode = (view: View, invocation: Invocation): Decoded => {
  const context = Capability.object(view, invocation.slot)
  switch (invocation.label) {
    case Methods.Bind.label:
      return bind(view, invocation, context)
    case Methods.Unbind.label:
      return unbind(view, invocation, context)
    case Methods.UnbindObject.label:
      return unbindObject(view, invocation, context)
    case Methods.Consumed.label: {
      const args = read(view, invocation, Methods.Consumed)
      return isRefusal(args) ? args : (state) => consumed(state, context)
    }
    case Methods.YieldTo.label:
      return yieldTo(view, invocation, context)
    default:
      return illegalOperation
  }
}

const bind = (view: View, invocation: Invocation, context: number): Decoded => {
  const args = read(view, invocation, Methods.Bind)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.Bind, 0)
  if (isRefusal(slot)) return slot
  const object = Capability.object(view, slot)
  if (Capability.kind(view, slot) === numberOf.TCB) {
    return (
      refuseThread(view, context, object) ??
      ((state) => {
        Donation.bindThread(state, context, object)
        return undefined
      })
    )
  }
  const isBound =
    SC.notification.load(view.memory, context) !== 0 || NotificationFields.schedContext.load(view.memory, object) !== 0
  if (isBound) return illegalOperation
  return (state) => {
    Donation.bindNotification(state, context, object)
    return undefined
  }
}

/** Why a thread cannot get the scheduling context. */
export const refuseThread = (view: View, context: number, thread: number): SyscallError | undefined => {
  if (SC.thread.load(view.memory, context) !== 0 || Tcb.schedContext.load(view.memory, thread) !== 0)
    return illegalOperation
  // When it is woken, it must have budget.
  return isBlocked(view, thread) && !Refill.isReleased(view, context) ? illegalOperation : undefined
}

const unbind = (view: View, invocation: Invocation, context: number): Decoded => {
  const args = read(view, invocation, Methods.Unbind)
  if (isRefusal(args)) return args
  if (SC.thread.load(view.memory, context) === invocation.caller) return illegalOperation
  return (state) => {
    Donation.unbindThread(state, context)
    Donation.unbindNotification(state, context)
    Reply.forget(state, context)
    return undefined
  }
}

const unbindObject = (view: View, invocation: Invocation, context: number): Decoded => {
  const args = read(view, invocation, Methods.UnbindObject)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.UnbindObject, 0)
  if (isRefusal(slot)) return slot
  const object = Capability.object(view, slot)
  const isThread = Capability.kind(view, slot) === numberOf.TCB
  const bound = isThread ? SC.thread.load(view.memory, context) : SC.notification.load(view.memory, context)
  if (bound !== object || object === invocation.caller) return illegalOperation
  return (state) => {
    if (isThread) Donation.unbindThread(state, context)
    else Donation.unbindNotification(state, context)
    return undefined
  }
}

const consumed = (state: State, context: number): Outcome => [Word.fromNumber(Donation.takeConsumed(state, context))]

/** Its thread, if that can run now, runs before the caller does; the caller is told when it goes on. */
const yieldTo = (view: View, invocation: Invocation, context: number): Decoded => {
  const args = read(view, invocation, Methods.YieldTo)
  if (isRefusal(args)) return args
  const { memory } = view
  const { caller } = invocation
  const thread = SC.thread.load(memory, context)
  if (thread === 0 || thread === caller) return illegalOperation
  if (Tcb.priority.load(memory, thread) > Tcb.mcp.load(memory, caller)) return illegalOperation
  return (state) => {
    Donation.completeYield(state, SC.yieldFrom.load(state.memory, context))
    Donation.resume(state, context)
    if (!Scheduler.isSchedulable(state, thread)) return consumed(state, context)
    Scheduler.dequeue(state, thread)
    if (Tcb.priority.load(state.memory, thread) < Tcb.priority.load(state.memory, caller)) {
      Scheduler.enqueue(state, thread)
      return consumed(state, context)
    }
    Tcb.yieldTo.store(state.memory, caller, context)
    SC.yieldFrom.store(state.memory, context, caller)
    Scheduler.enqueue(state, caller)
    Scheduler.enqueue(state, thread)
    Scheduler.reschedule(state)
    return undefined
  }
}
