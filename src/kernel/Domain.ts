/**
 * Domain: which threads run in which part of the time.
 *
 * There is one domain, all threads are in it and it has all the time: its schedule has one turn, which never ends. What
 * programs say of others is refused.
 */
import * as Method from "../types/Method.ts"
import * as Methods from "../types/methods/Domain.ts"
import { illegalOperation, invalidArgument, rangeError, truncatedMessage } from "../types/SyscallError.ts"
import { accepts, check, type Invocation, read, wordsOf } from "./Invocation.ts"
import { type Decoded, isRefusal, type View } from "./State.ts"

export const domains = 1
const turns = 1

const nothing = () => undefined

export const decode = (view: View, invocation: Invocation): Decoded => {
  switch (invocation.label) {
    case Methods.Set.label: {
      const args = check(view, invocation, Methods.Set, 1, 0) ?? Method.decode(Methods.Set, wordsOf(view, invocation))
      if (isRefusal(args)) return args
      if (args.domain >= domains) return invalidArgument(0)
      if (invocation.extraCaps.length === 0) return truncatedMessage
      return accepts(view, Methods.Set, 0, invocation.extraCaps[0]!) ? nothing : invalidArgument(1)
    }
    case Methods.ScheduleConfigure.label: {
      const args = read(view, invocation, Methods.ScheduleConfigure)
      if (isRefusal(args)) return args
      if (args.index >= turns) return rangeError(0, turns - 1)
      if (args.domain >= domains) return invalidArgument(1)
      // A schedule without a turn would leave nobody to run.
      return args.duration === 0 ? invalidArgument(2) : nothing
    }
    case Methods.ScheduleSetStart.label: {
      const args = read(view, invocation, Methods.ScheduleSetStart)
      if (isRefusal(args)) return args
      return args.index >= turns ? rangeError(0, turns - 1) : nothing
    }
    default:
      return illegalOperation
  }
}
