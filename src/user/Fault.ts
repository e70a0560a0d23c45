/** Fault: what a thread did that it may not, as its handler hears of it. */
import { type Effect, Exit } from "effect"
import type { AnyCap, Using } from "../types/Capability.ts"
import type { Need } from "../types/Need.ts"
import { type FaultMessage, fromWords, replied } from "../types/x86_64/FaultMessage.ts"
import { pointer } from "./Invocation.ts"
import { done, type Outcome, type Syscalls, withSyscalls } from "./Syscalls.ts"
import type { Registers } from "./Threads.ts"

/** A fault, and the badge of the capability that the thread was given for its handler. */
export interface FaultReceived extends FaultMessage {
  readonly badge: bigint
}

/** A message came that is no fault. */
export interface NoFault {
  readonly _tag: "NoFault"
  readonly label: number
}

/** Wait for a fault. The thread waits as well, until `Fault_Reply`. */
export const Fault_Receive = <C extends AnyCap, P extends AnyCap>(
  endpoint: Need<C, "Fault_Receive", "Endpoint", "read">,
  reply: Need<P, "Fault_Receive", "Reply", "receive">
): Effect.Effect<FaultReceived, NoFault, Syscalls | Using<C, "read"> | Using<P, "receive">> =>
  withSyscalls((syscalls) =>
    syscalls.call(
      { syscall: "Recv", capability: pointer(endpoint), label: 0, words: [], caps: [], reply: pointer(reply) },
      faultIn
    )
  )

const faultIn: Outcome<FaultReceived, NoFault> = ({ label, words, badge }) => {
  const message = fromWords(label, words)
  return message === undefined ? Exit.fail({ _tag: "NoFault", label }) : Exit.succeed({ ...message, badge })
}

/**
 * Let the thread go on from where it faulted, with these registers. Those that its fault told of stay as they were, if they are not
 * named; what the fault did not tell of cannot be set here, but by `TCB_WriteRegisters`.
 */
export const Fault_Reply = <P extends AnyCap>(
  reply: Need<P, "Fault_Reply", "Reply", "send">,
  received: FaultReceived,
  registers: Partial<Registers> = {}
): Effect.Effect<void, never, Syscalls | Using<P, "send">> =>
  withSyscalls((syscalls) => {
    const settable = replied[received.fault._tag].filter((name) => received.registers[name] !== undefined)
    // As many are set as the message is long: none, if none is to be.
    const words = settable.some((name) => name in registers)
      ? settable.map((name) => registers[name] ?? received.registers[name]!)
      : []
    const capability = pointer(reply)
    return syscalls.call({ syscall: "Send", capability, label: 0, words, caps: [], reply: 0n }, done)
  })
