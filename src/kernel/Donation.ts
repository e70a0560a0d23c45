/**
 * Donation: on which scheduling context a thread runs, and how it gets one and loses it.
 *
 * A thread has at most one, a scheduling context at most one thread; each names the other. The same holds of a
 * scheduling context and a notification: it is then for whoever the notification wakes.
 */

import { Halt } from "../hal/Gates.ts"
import * as Word from "../types/Word.ts"
import { Action, KernelData } from "./KernelData.ts"
import { replyWith } from "./Message.ts"
import { NotificationFields } from "./NotificationFields.ts"
import * as Refill from "./Refill.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import { Tcb } from "./Tcb.ts"

const SC = Refill.SchedContextFields

/** A thread that could run, but whose budget lies ahead, waits for it. 0 is no scheduling context. */
export const resume = (state: State, context: number): void => {
  if (context === 0) return
  const thread = SC.thread.load(state.memory, context)
  if (thread === 0) throw new Halt("a scheduling context that is resumed has a thread")
  if (!Scheduler.isSchedulable(state, thread)) return
  if (!(Refill.isReady(state, context) && Refill.isSufficient(state, context))) Scheduler.postpone(state, context)
}

/** A thread that begins to run again: the budget of a sporadic scheduling context counts from now. */
export const unblock = (state: State, thread: number): void => {
  const context = Tcb.schedContext.load(state.memory, thread)
  if (Refill.isSporadic(state, context) && context !== Scheduler.currentContext(state)) Refill.unblock(state, context)
}

/** Neither has another. */
export const bindThread = (state: State, context: number, thread: number): void => {
  join(state, context, thread)
  unblock(state, thread)
  resume(state, context)
  if (Scheduler.isSchedulable(state, thread)) {
    Scheduler.enqueue(state, thread)
    Scheduler.reschedule(state)
  }
}

/** The thread keeps its state, and does not run before it gets another. */
export const unbindThread = (state: State, context: number): void => {
  const { memory } = state
  const thread = SC.thread.load(memory, context)
  if (thread === 0) return
  if (thread === Scheduler.currentThread(state)) Scheduler.reschedule(state)
  part(state, context, thread)
}

/** To a thread that has none. */
export const donate = (state: State, context: number, to: number): void => {
  const { memory, data } = state
  const from = SC.thread.load(memory, context)
  if (from !== 0) {
    part(state, context, from)
    const isCandidate =
      KernelData.action.load(memory, data) === Action.switchTo && KernelData.candidate.load(memory, data) === from
    if (from === Scheduler.currentThread(state) || isCandidate) Scheduler.reschedule(state)
  }
  join(state, context, to)
}

/** The notification's scheduling context, if it has one that nobody has, goes to a thread that has none. */
export const donateOfNotification = (state: State, notification: number, thread: number): void => {
  const { memory } = state
  if (Tcb.schedContext.load(memory, thread) !== 0) return
  const context = NotificationFields.schedContext.load(memory, notification)
  if (context === 0 || SC.thread.load(memory, context) !== 0) return
  donate(state, context, thread)
  // The current one is in use already: it may be bound to a notification as well.
  if (context !== Scheduler.currentContext(state)) Refill.unblock(state, context)
  resume(state, context)
}

/** A thread that is about to wait gives back the scheduling context that it has from the notification. */
export const returnToNotification = (state: State, notification: number, thread: number): void => {
  const { memory } = state
  const context = NotificationFields.schedContext.load(memory, notification)
  if (context === 0 || context !== Tcb.schedContext.load(memory, thread)) return
  Tcb.schedContext.store(memory, thread, 0)
  SC.thread.store(memory, context, 0)
  if (thread === Scheduler.currentThread(state)) Scheduler.reschedule(state)
}

export const bindNotification = ({ memory }: State, context: number, notification: number): void => {
  NotificationFields.schedContext.store(memory, notification, context)
  SC.notification.store(memory, context, notification)
}

export const unbindNotification = ({ memory }: State, context: number): void => {
  const notification = SC.notification.load(memory, context)
  if (notification === 0) return
  NotificationFields.schedContext.store(memory, notification, 0)
  SC.notification.store(memory, context, 0)
}

/** The microseconds used since this was last asked. */
export const takeConsumed = ({ memory }: State, context: number): number => {
  const consumed = Math.floor(SC.consumed.load(memory, context) / Refill.microsecond)
  SC.consumed.store(memory, context, 0)
  return consumed
}

/** A thread that let another run first is not waiting for that any more. */
export const cancelYield = ({ memory }: State, thread: number): void => {
  const context = Tcb.yieldTo.load(memory, thread)
  if (context === 0) return
  SC.yieldFrom.store(memory, context, 0)
  Tcb.yieldTo.store(memory, thread, 0)
}

/** A thread that let another run first (0 is none) goes on, and learns what that has consumed. */
export const completeYield = (state: State, thread: number): void => {
  const context = thread === 0 ? 0 : Tcb.yieldTo.load(state.memory, thread)
  if (context === 0) return
  replyWith(state, thread, [Word.fromNumber(takeConsumed(state, context))])
  cancelYield(state, thread)
}

const join = ({ memory }: State, context: number, thread: number): void => {
  if (Tcb.schedContext.load(memory, thread) !== 0 || SC.thread.load(memory, context) !== 0)
    throw new Halt("a thread has one scheduling context, which has one thread")
  Tcb.schedContext.store(memory, thread, context)
  SC.thread.store(memory, context, thread)
}

const part = (state: State, context: number, thread: number): void => {
  Scheduler.dequeue(state, thread)
  Scheduler.unrelease(state, thread)
  Tcb.schedContext.store(state.memory, thread, 0)
  SC.thread.store(state.memory, context, 0)
}
