/** Fault: what a thread did that it may not, as its handler hears of it. */
import { Effect } from "effect"
import type { AnyCap, Using } from "../types/Capability.ts"
import type { Need } from "../types/Need.ts"
import { type FaultMessage, fromWords } from "../types/x86_64/FaultMessage.ts"
import { pointer } from "./Invocation.ts"
import { Syscalls } from "./Syscalls.ts"

/** A fault, and the badge of the capability that the thread was given for its handler. */
export interface FaultReceived extends FaultMessage {
  readonly badge: bigint
}

/** A message came that is no fault. */
export interface NoFault {
  readonly _tag: "NoFault"
  readonly label: number
}

/**
 * Wait for a fault. To answer it through the reply object (`Reply`, label 0) is to let the thread try again, with the registers
 * that the answer names.
 */
export const Fault_Receive = <C extends AnyCap, P extends AnyCap>(
  endpoint: Need<C, "Fault_Receive", "Endpoint", "read">,
  reply: Need<P, "Fault_Receive", "Reply", "receive">
): Effect.Effect<FaultReceived, NoFault, Syscalls | Using<C, "read"> | Using<P, "receive">> =>
  Effect.gen(function* () {
    const syscalls = yield* Syscalls
    const capability = pointer(endpoint)
    const arrived = yield* syscalls.call({
      syscall: "Recv",
      capability,
      label: 0,
      words: [],
      caps: [],
      reply: pointer(reply)
    })
    const message = fromWords(arrived.label, arrived.words)
    if (message === undefined) return yield* Effect.fail<NoFault>({ _tag: "NoFault", label: arrived.label })
    return { ...message, badge: arrived.badge }
  })
