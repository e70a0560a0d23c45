/**
 * FaultHandler: who hears of a thread's faults.
 *
 * seL4 manual, "Faults": the kernel sends a message in the thread's name to the endpoint in its TCB, and the thread waits for the
 * answer. A thread whose handler is no endpoint is stopped.
 */
import type { Fault as AnyFault } from "../types/Fault.ts"
import { numberOf } from "../types/Kind.ts"
import { right } from "../types/Rights.ts"
import * as Word from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as Endpoint from "./Endpoint.ts"
import * as Fault from "./Fault.ts"
import { SchedContextFields } from "./Refill.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State, View } from "./State.ts"
import { name, slotOf, Tcb, ThreadState, tcbSlot } from "./Tcb.ts"

/** The thread has done this. */
export const handle = (state: State, thread: number, fault: AnyFault): void => {
  const donate = Tcb.schedContext.load(state.memory, thread) === 0 ? 0 : Endpoint.Sending.donate
  if (tell(state, thread, slotOf(thread, tcbSlot.faultHandler), fault, donate)) return
  state.debug.print(`${name(state, thread) || "a thread"} has no fault handler and is stopped: ${fault._tag}`)
  Scheduler.setState(state, thread, ThreadState.inactive)
}

/** The budget of a thread that has a handler for that is used up. */
export const handleTimeout = (state: State, thread: number): void => {
  const { memory } = state
  const context = Tcb.schedContext.load(memory, thread)
  const { badge } = SchedContextFields
  const word = Word.make(badge.loadLo(memory, context), badge.loadHi(memory, context))
  tell(state, thread, slotOf(thread, tcbSlot.timeoutHandler), { _tag: "Timeout", badge: word, consumed: 0 }, 0)
}

/** The thread's timeouts are heard of. */
export const hearsTimeouts = (view: View, thread: number): boolean =>
  Capability.kind(view, slotOf(thread, tcbSlot.timeoutHandler)) === numberOf.Endpoint

const tell = (state: State, thread: number, slot: number, fault: AnyFault, donate: number): boolean => {
  if (Capability.kind(state, slot) !== numberOf.Endpoint) return false
  const { grant, grantReply } = right.Endpoint
  const how =
    Endpoint.Sending.blocking |
    donate |
    (Capability.allows(state, slot, grant) ? Endpoint.Sending.grant : 0) |
    (Capability.allows(state, slot, grantReply) ? Endpoint.Sending.grantReply : 0)
  const { lo, hi } = Capability.read(state, slot)
  Fault.record(state, thread, fault)
  Endpoint.send(state, Capability.object(state, slot), thread, lo, hi, how)
  return true
}
