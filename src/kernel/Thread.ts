/** Thread: what is done with one as a whole. Its fields are in `Tcb`. */
import { Halt } from "../hal/Gates.ts"
import * as Donation from "./Donation.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Fault from "./Fault.ts"
import * as FaultHandler from "./FaultHandler.ts"
import * as Notification from "./Notification.ts"
import * as Refill from "./Refill.ts"
import * as Reply from "./Reply.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import { isRunnable, isStopped, Tcb, ThreadState } from "./Tcb.ts"
import { faultReply, transfer } from "./Transfer.ts"

/** Whatever the thread waits for, it does not any more, and it has no fault: it is inactive if it waited. */
export const cancelIpc = (state: State, thread: number): void => {
  Fault.clear(state, thread)
  switch (Tcb.state.load(state.memory, thread)) {
    case ThreadState.blockedOnSend:
    case ThreadState.blockedOnReceive:
      Endpoint.cancel(state, thread)
      break
    case ThreadState.blockedOnNotification:
      Notification.cancel(state, thread)
      break
    case ThreadState.blockedOnReply:
      Reply.cancel(state, Tcb.reply.load(state.memory, thread))
      break
  }
}

/** The thread does nothing until it is resumed. */
export const suspend = (state: State, thread: number): void => {
  cancelIpc(state, thread)
  // Running, it would have gone on behind the instruction that entered the kernel; resumed, it goes on there as well.
  if (Tcb.state.load(state.memory, thread) === ThreadState.running) state.architecture.restartAtResume(state, thread)
  Scheduler.setState(state, thread, ThreadState.inactive)
  Scheduler.dequeue(state, thread)
  Scheduler.unrelease(state, thread)
  Donation.cancelYield(state, thread)
}

/** A thread that does nothing, or waits, makes its last system call again or goes on where it was. */
export const resume = (state: State, thread: number): void => {
  if (!isStopped(state, thread)) return
  cancelIpc(state, thread)
  Scheduler.setState(state, thread, ThreadState.restart)
  Donation.unblock(state, thread)
  Donation.resume(state, Tcb.schedContext.load(state.memory, thread))
  if (Scheduler.isSchedulable(state, thread)) Scheduler.possiblySwitchTo(state, thread)
}

export const setPriority = (state: State, thread: number, priority: number): void => {
  const { memory } = state
  switch (Tcb.state.load(memory, thread)) {
    case ThreadState.running:
    case ThreadState.restart:
    case ThreadState.runsGuest:
      if (Tcb.inReadyQueue.load(memory, thread) !== 0 || thread === Scheduler.currentThread(state)) {
        Scheduler.dequeue(state, thread)
        Tcb.priority.store(memory, thread, priority)
        if (Scheduler.isSchedulable(state, thread)) Scheduler.enqueue(state, thread)
        Scheduler.reschedule(state)
      } else Tcb.priority.store(memory, thread, priority)
      break
    case ThreadState.blockedOnReceive:
    case ThreadState.blockedOnSend:
      Tcb.priority.store(memory, thread, priority)
      Endpoint.reorder(state, thread)
      break
    case ThreadState.blockedOnNotification:
      Tcb.priority.store(memory, thread, priority)
      Notification.reorder(state, thread)
      break
    default:
      Tcb.priority.store(memory, thread, priority)
  }
}

/** The thread that waits for the answer of `reply`, if there is one, gets what `sender` has to say. */
export const answer = (state: State, sender: number, reply: number, canGrant: boolean): void => {
  const { memory } = state
  const receiver = Reply.Fields.thread.load(memory, reply)
  if (receiver === 0 || Tcb.state.load(memory, receiver) !== ThreadState.blockedOnReply) return
  Reply.remove(state, reply)
  Donation.unblock(state, receiver)
  const fault = Fault.tag(state, receiver)
  if (fault === undefined) {
    transfer(state, sender, receiver, 0, 0, 0, canGrant)
    Scheduler.setState(state, receiver, ThreadState.running)
  } else {
    const goesOn = faultReply(state, sender, receiver)
    Fault.clear(state, receiver)
    Scheduler.setState(state, receiver, goesOn ? ThreadState.restart : ThreadState.inactive)
  }
  const context = Tcb.schedContext.load(memory, receiver)
  if (context === 0 || !isRunnable(state, receiver)) return
  if (Refill.isReady(state, context) && Refill.isSufficient(state, context)) Scheduler.possiblySwitchTo(state, receiver)
  else if (FaultHandler.hearsTimeouts(state, receiver) && fault !== "Timeout")
    FaultHandler.handleTimeout(state, receiver)
  else Scheduler.postpone(state, context)
}

/** The current thread goes on. */
export const activate = (state: State): void => {
  const thread = Scheduler.currentThread(state)
  Donation.completeYield(state, thread)
  switch (Tcb.state.load(state.memory, thread)) {
    case ThreadState.running:
    case ThreadState.idle:
    case ThreadState.runsGuest:
      break
    case ThreadState.restart:
      state.architecture.resumeAtRestart(state, thread)
      Scheduler.setState(state, thread, ThreadState.running)
      break
    default:
      throw new Halt("the current thread does not wait")
  }
}
