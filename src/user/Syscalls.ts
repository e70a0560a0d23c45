/**
 * Syscalls: the system calls of the thread that a program runs in, and access to its memory.
 *
 * All else in this folder is made of these. A machine provides them to the programs that it runs; a test provides its own,
 * and runs a program without a machine.
 */
import { Context, Effect, Exit } from "effect"
import type { Answer, Fiber, MessageRegisters, ThreadMemory } from "../types/Gate.ts"
import type { Syscall } from "../types/Syscall.ts"
import type { Transaction } from "./Transaction.ts"

/** The registers of a system call, as they are. */
export interface Registers extends MessageRegisters {
  readonly number: bigint
  readonly capability: bigint
  readonly info: bigint
  readonly reply: bigint
  readonly destination: bigint
}

/** The registers as the system call left them. */
export type RegistersAfter = Omit<Extract<Answer, { readonly _tag: "Syscall" }>, "_tag">

/** A slot to put a capability into: it is found in the CNode at `root`, by `depth` bits of `index`. All are the thread's own words. */
export interface SlotAddress {
  readonly root: bigint
  readonly index: bigint
  readonly depth: number
}

/** A system call and the whole of its message. */
export interface MessageCall {
  readonly syscall: Syscall
  /** What is invoked, or received from. */
  readonly capability: bigint
  /** What is sent to, by a call that receives from somewhere else. */
  readonly destination?: bigint
  readonly label: number
  readonly words: ReadonlyArray<bigint>
  /** Extra capabilities: capability pointers. */
  readonly caps: ReadonlyArray<bigint>
  /** The reply object to receive with. */
  readonly reply: bigint
  /** Where a capability that arrives goes. It stays so for the calls after this one that say nothing of it. */
  readonly receiveInto?: SlotAddress | undefined
}

/** A message as it arrived. */
export interface Arrived {
  readonly badge: bigint
  readonly label: number
  readonly words: ReadonlyArray<bigint>
  /** How many capabilities came. At most the last was put into a slot; bit n of `unwrapped`: of capability n only the badge came. */
  readonly extraCaps: number
  readonly unwrapped: number
  readonly badges: ReadonlyArray<bigint>
}

/** What a message means to who waited for it. */
export type Outcome<A, E> = (arrived: Arrived) => Exit.Exit<A, E>

/** All that it is. */
export const whole: Outcome<Arrived, never> = Exit.succeed

/** Nothing: the call was to be made. */
export const done: Outcome<void, never> = () => Exit.void

export interface SyscallsService {
  /** Once this is done, the thread has made the system call, and the message that came back is all here: what comes of it is its `outcome`. */
  readonly call: <A, E>(call: MessageCall, outcome: Outcome<A, E>) => Effect.Effect<A, E>
  /** SYSCALL with these registers, whatever they say. */
  readonly raw: (registers: Registers) => Effect.Effect<RegistersAfter>
  /** Bytes of the thread's address space. What may not be read is a fault, and is read again when its handler has answered. */
  readonly read: (address: bigint, length: number) => Effect.Effect<Uint8Array>
  readonly write: (address: bigint, bytes: Uint8Array) => Effect.Effect<void>
  /** Bytes of the thread's address space, at once, where they may be accessed: for who does much with memory that it knows to be there. */
  readonly memory: ThreadMemory
  /** Requests that belong together, and what comes of them. What they are may depend on where the thread's IPC buffer is, if it has one. */
  readonly transact: <A, E>(transaction: (ipcBuffer: bigint | undefined) => Transaction<A, E>) => Effect.Effect<A, E>
  /** Make another program known to the machine: a thread that enters the gate with this number runs it. */
  readonly fork: (fiber: Fiber) => Effect.Effect<number>
  /** From here on the thread's IPC buffer is at this address: the kernel has been told so. */
  readonly setIpcBuffer: (address: bigint) => Effect.Effect<void>
}

export class Syscalls extends Context.Service<Syscalls, SyscallsService>()("skyscope/user/Syscalls") {}

/** What is done with them, in one step of the fiber. */
export const withSyscalls = <A, E, R>(
  use: (syscalls: SyscallsService) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Syscalls> => Effect.withFiber((fiber) => use(Context.getUnsafe(fiber.context, Syscalls)))
