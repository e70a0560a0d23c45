/** SchedControl: the right to give out the time of one core. */
import * as Methods from "../types/methods/SchedControl.ts"
import { illegalOperation, rangeError } from "../types/SyscallError.ts"
import * as Capability from "./Capability.ts"
import * as Donation from "./Donation.ts"
import { extraCap, type Invocation, read } from "./Invocation.ts"
import { KernelData } from "./KernelData.ts"
import * as Refill from "./Refill.ts"
import * as Scheduler from "./Scheduler.ts"
import { type Decoded, isRefusal, type State, type View } from "./State.ts"
import { isRunnable } from "./Tcb.ts"

const SC = Refill.SchedContextFields
const { maxPeriodMicroseconds, microsecond, minBudget, minRefills } = Refill
const minBudgetMicroseconds = minBudget / microsecond

/** The flag of a budget that comes back as it was used. */
const sporadic = 1

export const decode = (view: View, invocation: Invocation): Decoded =>
  invocation.label === Methods.ConfigureFlags.label ? configure(view, invocation) : illegalOperation

const configure = (view: View, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.ConfigureFlags)
  if (isRefusal(args)) return args
  const slot = extraCap(view, invocation, Methods.ConfigureFlags, 0)
  if (isRefusal(slot)) return slot
  const { budget, period, extraRefills, badge, flags } = args
  for (const time of [budget, period])
    if (time > maxPeriodMicroseconds || time < minBudgetMicroseconds)
      return rangeError(minBudgetMicroseconds, maxPeriodMicroseconds)
  if (budget > period) return rangeError(minBudgetMicroseconds, period)
  const mostExtra = Refill.capacityOf(Capability.read(view, slot).lo) - minRefills
  if (extraRefills > mostExtra) return rangeError(0, mostExtra)
  const context = Capability.object(view, slot)
  return (state) => {
    setBudget(state, context, budget * microsecond, period * microsecond, extraRefills + minRefills)
    SC.badge.store(state.memory, context, badge.lo, badge.hi)
    SC.sporadic.store(state.memory, context, flags.lo & sporadic)
    return undefined
  }
}

/** From now on, `budget` in each `period`. */
export const setBudget = (state: State, context: number, budget: number, period: number, refills: number): void => {
  const thread = SC.thread.load(state.memory, context)
  if (thread !== 0) {
    // Its place in a queue depends on its budget.
    Scheduler.unrelease(state, thread)
    Scheduler.dequeue(state, thread)
    if (context === Scheduler.currentContext(state)) Scheduler.commitTime(state)
  }
  if (budget === period) Refill.create(state, context, minRefills, budget, 0)
  else if (Refill.isActive(state, context) && thread !== 0 && isRunnable(state, thread))
    Refill.update(state, context, refills, budget, period)
  else Refill.create(state, context, refills, budget, period)
  if (thread === 0) return
  KernelData.reprogram.store(state.memory, state.data, 1)
  Donation.resume(state, context)
  if (thread === Scheduler.currentThread(state)) Scheduler.reschedule(state)
  else if (isRunnable(state, thread)) Scheduler.possiblySwitchTo(state, thread)
}
