/**
 * FaultHandler: who hears of a thread's faults.
 *
 * seL4 manual, "Faults": the kernel sends a message in the thread's name to the endpoint in its TCB, and the thread
 * waits for the answer. A thread whose handler is no endpoint is stopped.
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
  state.debug.print(
    `${who(state, thread)} has no fault handler, and is stopped at ${at(state, thread)}: it ${did(fault)}`,
    "stopped"
  )
  Scheduler.setState(state, thread, ThreadState.inactive)
}

const hex = (word: Word.Word): string => `${Word.toBigInt(word).toString(16).toUpperCase()}H`

const who = (view: View, thread: number): string => name(view, thread) || `thread ${hex(Word.fromNumber(thread))}`

/** The address in a program at which it would try again: every fault that says so begins with it. */
const at = (view: View, thread: number): string => {
  const register = view.architecture.sent.VMFault[0]!
  const low = view.architecture.registerLow(view, thread, register)
  return hex(Word.make(low, view.architecture.registerHigh(view, thread, register)))
}

const did = (fault: AnyFault): string => {
  switch (fault._tag) {
    case "CapFault": {
      const use = fault.inReceivePhase ? "waited at" : "sent to"
      return `${use} capability ${hex(fault.address)}, which is not there (${fault.failure._tag})`
    }
    case "UnknownSyscall":
      return `made system call ${BigInt.asIntN(64, Word.toBigInt(fault.number))}, which there is not`
    case "UserException":
      return `raised exception ${fault.number} (error code ${fault.code})`
    case "VMFault": {
      const use = fault.instructionFetch ? "went to" : "used"
      return `${use} address ${hex(fault.address)}, which it may not (status ${fault.status})`
    }
    case "Timeout":
      return "used up its budget"
  }
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
