/**
 * Architecture: what the kernel leaves to its other half, one per architecture.
 *
 * The kernel knows threads, capabilities and time. The registers of a thread, address spaces, frames and whatever
 * capabilities the architecture has beside the kernel's are behind this interface; registers, and the kinds and labels
 * of `types/<architecture>`, are numbers to the kernel.
 *
 * A thread is the address of its TCB, a capability the address of its slot. What takes a `View` only reads.
 */
import type { Fault } from "../types/Fault.ts"
import type { Row } from "../types/ObjectType.ts"
import type { SyscallError } from "../types/SyscallError.ts"
import type { Word } from "../types/Word.ts"
import type { Capability } from "./Capability.ts"
import type { Invocation } from "./Invocation.ts"
import type { Decoded, State, View } from "./State.ts"

/** Which register a system call takes what in, and gives it back in. */
export interface Convention {
  /** In: the capability pointer. Out: the badge. One register. */
  readonly capability: number
  /** In and out: the message info. */
  readonly info: number
  /** In and out: the first words of the message. `MessageInfo.registerWords` of them. */
  readonly message: ReadonlyArray<number>
  /** The reply object to receive with. */
  readonly reply: number
  /** Where NBSendRecv sends to. */
  readonly destination: number
}

/** The registers of a fault's message, before its own words, and those that a reply sets. */
export type FaultRegisters = { readonly [F in Fault["_tag"]]: ReadonlyArray<number> }

export interface Architecture {
  // —— The registers of a thread, wherever they are: in its TCB or, of the one that runs, in the processor.

  readonly convention: Convention
  readonly registerLow: (view: View, thread: number, register: number) => number
  readonly registerHigh: (view: View, thread: number, register: number) => number
  readonly setRegister: (state: State, thread: number, register: number, low: number, high: number) => void
  /** As `setRegister`, for a word from a program: what no program may set stays as it is. */
  readonly setUserRegister: (state: State, thread: number, register: number, low: number, high: number) => void
  /** Words 0 to `words` - 1 of a message, those that travel in registers. */
  readonly copyMessage: (state: State, from: number, to: number, words: number) => void

  /**
   * The words of Read and WriteRegisters, in their order: those that CopyRegisters calls the frame, and then the
   * integer registers.
   */
  readonly frameRegisters: ReadonlyArray<number>
  readonly integerRegisters: ReadonlyArray<number>
  /** The base address of a thread's own variables. */
  readonly tlsBase: number
  readonly sent: FaultRegisters
  readonly replied: FaultRegisters

  /** The thread will go on at the instruction that entered the kernel, to do it again. */
  readonly resumeAtRestart: (state: State, thread: number) => void
  /** What a later `resumeAtRestart` goes to is where the thread would go on. */
  readonly restartAtResume: (state: State, thread: number) => void
  /** After WriteRegisters and CopyRegisters changed the registers of the running thread or another one. */
  readonly registersChanged: (state: State, thread: number) => void

  /**
   * A running thread makes a system call that only the architecture has. False: there is no such, or not for this
   * thread.
   */
  readonly syscall: (state: State, thread: number, number: number) => boolean

  // —— Threads

  /** A TCB of zeroes becomes a thread that has never run: unprivileged, interruptible, every register of programs 0. */
  readonly initialise: (state: State, thread: number) => void
  /** When the kernel is left, the processor runs this thread, in its address space if it has one that is valid. */
  readonly switchTo: (state: State, thread: number) => void
  /** When the kernel is left, the processor waits for an interrupt. */
  readonly idle: (state: State) => void
  /** `Tcb.flags` of the thread changed. */
  readonly flagsChanged: (state: State, thread: number) => void
  /** The thread is deleted: the processor holds nothing of it any more. */
  readonly forget: (state: State, thread: number) => void

  /** A thread can run in the address space that this capability names. */
  readonly isAddressSpace: (view: View, slot: number) => boolean
  /** Why the memory of this capability cannot be an IPC buffer at `address` of a program; undefined if it can. */
  readonly refuseBuffer: (view: View, slot: number, address: Word) => SyscallError | undefined
  /** The physical address of a thread's IPC buffer; 0 if it has none that may be read, or for `write`, written. */
  readonly buffer: (view: View, thread: number, access: "read" | "write") => number

  // —— Objects and capabilities of the architecture's kinds: Frame, AddressSpace, ASIDControl, ASIDPool and its own

  /** Memory (zeroes, or a device's) becomes an object: its capability, with every right. */
  readonly make: (state: State, type: Row, address: number, isDevice: boolean) => Capability
  /** What a copy of `cap`, which is in `slot` or has fewer rights, would be: `Capability.none` if there can be none. */
  readonly derive: (view: View, slot: number, cap: Capability) => Capability | SyscallError
  /** `cap` with the data of Mint (`preserve` false) or Mutate and Rotate; `Capability.none` if it cannot have them. */
  readonly update: (view: View, cap: Capability, low: number, high: number, preserve: boolean) => Capability
  /** The capability is about to leave its slot. `final`: it is the last one to its object. */
  readonly finalise: (state: State, slot: number, final: boolean) => void
  /** Invocations of these kinds, and of IRQControl. */
  readonly decode: (view: View, invocation: Invocation) => Decoded

  // —— Interrupts that programs handle, by number

  readonly interrupts: number
  readonly maskInterrupt: (state: State, interrupt: number, masked: boolean) => void
}
