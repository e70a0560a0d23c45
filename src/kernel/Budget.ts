/** Budget: what happens when a thread's time is used up. */

import * as DomainSchedule from "./DomainSchedule.ts"
import * as FaultHandler from "./FaultHandler.ts"
import { idleContext, KernelData } from "./KernelData.ts"
import * as Refill from "./Refill.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import { isRunnable, ThreadState } from "./Tcb.ts"

const SC = Refill.SchedContextFields

/**
 * What has passed, the current scheduling context has budget for. If it has not, its thread's turn ends: false. So it is
 * when its domain's turn has ended.
 */
export const check = (state: State): boolean => {
  const consumed = KernelData.consumed.load(state.memory, state.data)
  const context = Scheduler.currentContext(state)
  // Nobody pays for the time in which nobody runs.
  if (context === idleContext(state.data)) KernelData.consumed.store(state.memory, state.data, 0)
  else if (!Refill.isSufficient(state, context, consumed)) {
    charge(state, consumed, "tell")
    return false
  }
  return !DomainSchedule.isOver(state)
}

/** The same for a system call or a fault: a thread without budget does it again when it has. */
export const checkToEnter = (state: State): boolean => {
  if (check(state)) return true
  const thread = Scheduler.currentThread(state)
  if (isRunnable(state, thread)) Scheduler.setState(state, thread, ThreadState.restart)
  return false
}

/**
 * After an operation was stopped half-way: it may have deleted the thread that asked for it, or its scheduling context.
 */
export const checkStopped = (state: State): void => {
  const { memory, data } = state
  if (Scheduler.isSchedulable(state, Scheduler.currentThread(state))) check(state)
  else if (Refill.isActive(state, Scheduler.currentContext(state)))
    charge(state, KernelData.consumed.load(memory, data), "do not tell")
  else KernelData.consumed.store(memory, data, 0)
}

/** The current thread gives up the rest of its turn. What it did not use does not count as consumed. */
export const giveUp = (state: State): void => {
  const { memory, data } = state
  const context = Scheduler.currentContext(state)
  const consumed = SC.consumed.load(memory, context) + KernelData.consumed.load(memory, data)
  charge(state, Refill.headAmount(state, context), "do not tell")
  SC.consumed.store(memory, context, consumed)
}

/** The turn of the current scheduling context ends, `consumed` of its budget being used. */
const charge = (state: State, consumed: number, timeout: "tell" | "do not tell"): void => {
  const { memory, data } = state
  const context = Scheduler.currentContext(state)
  const thread = Scheduler.currentThread(state)
  if (Refill.isRoundRobin(state, context)) Refill.renewTurn(state, context)
  else Refill.charge(state, context, consumed)
  SC.consumed.store(memory, context, SC.consumed.load(memory, context) + consumed)
  KernelData.consumed.store(memory, data, 0)
  if (!Scheduler.isSchedulable(state, thread)) return
  endTurn(state, context, thread, timeout)
  Scheduler.reschedule(state)
  KernelData.reprogram.store(memory, data, 1)
}

const endTurn = (state: State, context: number, thread: number, timeout: "tell" | "do not tell"): void => {
  if (timeout === "tell" && !Refill.isRoundRobin(state, context) && FaultHandler.hearsTimeouts(state, thread))
    FaultHandler.handleTimeout(state, thread)
  else if (Refill.isReady(state, context) && Refill.isSufficient(state, context)) Scheduler.append(state, thread)
  else Scheduler.postpone(state, context)
}
