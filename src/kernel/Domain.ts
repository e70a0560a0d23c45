/** Domain: the methods by which threads get their domains, and domains their turns. What a turn is, is in `DomainSchedule`. */
import * as Method from "../types/Method.ts"
import * as Methods from "../types/methods/Domain.ts"
import { illegalOperation, invalidArgument, rangeError, truncatedMessage } from "../types/SyscallError.ts"
import * as Capability from "./Capability.ts"
import * as DomainSchedule from "./DomainSchedule.ts"
import { accepts, check, type Invocation, read, wordsOf } from "./Invocation.ts"
import { turns } from "./KernelData.ts"
import { minBudget } from "./Refill.ts"
import * as Scheduler from "./Scheduler.ts"
import { type Decoded, isRefusal, type View } from "./State.ts"

export const decode = (view: View, invocation: Invocation): Decoded => {
  switch (invocation.label) {
    case Methods.Set.label:
      return set(view, invocation)
    case Methods.ScheduleConfigure.label:
      return configure(view, invocation)
    case Methods.ScheduleSetStart.label:
      return setStart(view, invocation)
    default:
      return illegalOperation
  }
}

const set = (view: View, invocation: Invocation): Decoded => {
  // Whether there is such a domain is looked at before anything is asked of the thread.
  const args = check(view, invocation, Methods.Set, 1, 0) ?? Method.decode(Methods.Set, wordsOf(view, invocation))
  if (isRefusal(args)) return args
  if (args.domain >= DomainSchedule.domains(view)) return invalidArgument(0)
  const [slot] = invocation.extraCaps
  if (slot === undefined) return truncatedMessage
  if (!accepts(view, Methods.Set, 0, slot)) return invalidArgument(1)
  const thread = Capability.object(view, slot)
  return (state) => {
    Scheduler.setDomain(state, thread, args.domain)
    return undefined
  }
}

const configure = (view: View, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.ScheduleConfigure)
  if (isRefusal(args)) return args
  if (args.index >= turns) return rangeError(0, turns - 1)
  if (args.domain >= DomainSchedule.domains(view)) return invalidArgument(1)
  // A schedule without a turn would leave nobody to run, and the kernel needs the time of one that is too short.
  const isPossible = args.duration === 0 ? args.index !== DomainSchedule.firstTurn(view) : args.duration >= minBudget
  if (!isPossible) return invalidArgument(2)
  return (state) => {
    DomainSchedule.configure(state, args.index, args.domain, args.duration)
    return undefined
  }
}

const setStart = (view: View, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.ScheduleSetStart)
  if (isRefusal(args)) return args
  if (args.index >= turns) return rangeError(0, turns - 1)
  if (DomainSchedule.duration(view, args.index) === 0) return invalidArgument(0)
  return (state) => {
    DomainSchedule.beginWith(state, args.index)
    Scheduler.reschedule(state)
    return undefined
  }
}
