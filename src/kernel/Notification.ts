/**
 * Notification: a word of flags that threads wait for.
 *
 * It is idle; or threads wait for a signal; or it is active: signals came that nobody has heard of, and its badge has
 * the bits of them all. Bound to a thread, it reaches that thread also while it waits to receive from an endpoint, and
 * while it runs a guest, which it then does no more.
 */
import { Halt } from "../hal/Gates.ts"
import * as Donation from "./Donation.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Fault from "./Fault.ts"
import * as Message from "./Message.ts"
import { NotificationFields as Fields, NotificationState } from "./NotificationFields.ts"
import * as Queue from "./Queue.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State, View } from "./State.ts"
import { Tcb, ThreadState } from "./Tcb.ts"

/** Wake the first thread that waits; if none does, the badge is there for the next. */
export const signal = (state: State, notification: number, low: number, high: number): void => {
  const { memory } = state
  switch (Fields.state.load(memory, notification)) {
    case NotificationState.idle: {
      const thread = Fields.boundThread.load(memory, notification)
      if (thread !== 0 && Tcb.state.load(memory, thread) === ThreadState.blockedOnReceive) {
        Fault.clear(state, thread)
        Endpoint.cancel(state, thread)
        wake(state, notification, thread, low, high)
      } else if (thread !== 0 && Tcb.state.load(memory, thread) === ThreadState.runsGuest) {
        wake(state, notification, thread, low, high)
        Message.setInfo(state, thread, 0, 0, 0, 0)
      } else {
        Fields.state.store(memory, notification, NotificationState.active)
        Fields.badge.store(memory, notification, low, high)
      }
      break
    }
    case NotificationState.waiting: {
      const thread = Queue.first(state, notification)
      if (thread === 0) throw new Halt("a notification that is waited for has a queue")
      leave(state, notification, thread)
      wake(state, notification, thread, low, high)
      break
    }
    default:
      Fields.badge.store(
        memory,
        notification,
        Fields.badge.loadLo(memory, notification) | low,
        Fields.badge.loadHi(memory, notification) | high
      )
  }
}

const wake = (state: State, notification: number, thread: number, low: number, high: number): void => {
  Scheduler.setState(state, thread, ThreadState.running)
  Message.setBadge(state, thread, low, high)
  Donation.donateOfNotification(state, notification, thread)
  Donation.unblock(state, thread)
  if (Scheduler.isSchedulable(state, thread)) Scheduler.possiblySwitchTo(state, thread)
}

/** Take what was signalled; if nothing was, wait. */
export const receive = (state: State, notification: number, thread: number, how: "blocking" | "polling"): void => {
  const { memory } = state
  if (isActive(state, notification)) complete(state, notification, thread)
  else if (how === "polling") Message.setBadge(state, thread, 0, 0)
  else {
    Tcb.blockedOn.store(memory, thread, notification)
    Tcb.state.store(memory, thread, ThreadState.blockedOnNotification)
    Donation.returnToNotification(state, notification, thread)
    Scheduler.reconsider(state, thread)
    Queue.insert(state, notification, thread)
    Fields.state.store(memory, notification, NotificationState.waiting)
  }
}

export const isActive = ({ memory }: View, notification: number): boolean =>
  Fields.state.load(memory, notification) === NotificationState.active

/** The thread takes what was signalled. */
export const complete = (state: State, notification: number, thread: number): void => {
  const { memory } = state
  if (!isActive(state, notification)) throw new Halt("what was signalled is taken of an active notification")
  Message.setBadge(state, thread, Fields.badge.loadLo(memory, notification), Fields.badge.loadHi(memory, notification))
  Fields.state.store(memory, notification, NotificationState.idle)
  Fields.badge.store(memory, notification, 0, 0)
  Donation.donateOfNotification(state, notification, thread)
  Donation.unblock(state, thread)
}

/** A thread that waits here does not any more: it is inactive. */
export const cancel = (state: State, thread: number): void => {
  leave(state, Tcb.blockedOn.load(state.memory, thread), thread)
  Scheduler.setState(state, thread, ThreadState.inactive)
}

/** Everybody who waits here tries again. */
export const cancelAll = (state: State, notification: number): void => {
  if (Fields.state.load(state.memory, notification) !== NotificationState.waiting) return
  for (let thread = Queue.first(state, notification); thread !== 0; thread = Queue.first(state, notification)) {
    leave(state, notification, thread)
    Scheduler.setState(state, thread, ThreadState.restart)
    Donation.unblock(state, thread)
    Scheduler.possiblySwitchTo(state, thread)
  }
  Scheduler.reschedule(state)
}

/** A thread that waits here has another priority, and so another place. */
export const reorder = (state: State, thread: number): void => {
  const notification = Tcb.blockedOn.load(state.memory, thread)
  Queue.remove(state, notification, thread)
  Queue.insert(state, notification, thread)
}

/** Neither is bound. */
export const bind = ({ memory }: State, notification: number, thread: number): void => {
  Fields.boundThread.store(memory, notification, thread)
  Tcb.boundNotification.store(memory, thread, notification)
}

/** The thread hears of no notification while it receives. */
export const unbind = ({ memory }: State, thread: number): void => {
  const notification = Tcb.boundNotification.load(memory, thread)
  if (notification === 0) return
  Fields.boundThread.store(memory, notification, 0)
  Tcb.boundNotification.store(memory, thread, 0)
}

/** It is nobody's and has no scheduling context, and nobody waits. */
export const finalise = (state: State, notification: number): void => {
  const { memory } = state
  const context = Fields.schedContext.load(memory, notification)
  if (context !== 0) Donation.unbindNotification(state, context)
  const thread = Fields.boundThread.load(memory, notification)
  if (thread !== 0) unbind(state, thread)
  cancelAll(state, notification)
}

const leave = (state: State, notification: number, thread: number): void => {
  Queue.remove(state, notification, thread)
  Tcb.blockedOn.store(state.memory, thread, 0)
  if (Queue.first(state, notification) === 0) Fields.state.store(state.memory, notification, NotificationState.idle)
}
