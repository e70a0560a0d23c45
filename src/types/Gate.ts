/**
 * Gate: how a program written in TypeScript and the machine that runs its thread talk.
 *
 * A thread that executes the gate instruction at CPL 3 resumes its fiber. The fiber asks for one thing and stops;
 * the machine does it, by the thread's own registers and address space, and answers when it resumes the fiber
 * again. What a fiber does is a function of the answers it got.
 *
 * All words are from 0 to 2^64 - 1; addresses are as the program writes them, checked by nobody.
 */

/** The four words of a message that travel in registers. */
export interface MessageRegisters {
  readonly mr0: bigint
  readonly mr1: bigint
  readonly mr2: bigint
  readonly mr3: bigint
}

/** What a fiber asks of the machine, once: its next answer says what the machine did. */
export type Request =
  /** Execute SYSCALL with these in the registers that the system call convention names. */
  | ({
      readonly _tag: "Syscall"
      readonly number: bigint
      readonly capability: bigint
      readonly info: bigint
      readonly reply: bigint
      readonly destination: bigint
    } & MessageRegisters)
  /** Read memory of the thread's address space. */
  | { readonly _tag: "Read"; readonly address: bigint; readonly length: number }
  /** Write memory of the thread's address space. */
  | { readonly _tag: "Write"; readonly address: bigint; readonly bytes: Uint8Array }
  /** Nothing: the fiber has done as many operations as it may do in one go, and wants to go on. They take their time. */
  | { readonly _tag: "Compute"; readonly operations: number }
  /** Make another fiber known, so that a thread can be started in it. */
  | { readonly _tag: "Fork"; readonly fiber: Fiber }
  /** Nothing any more: the fiber has ended, and entering it is #UD. */
  | { readonly _tag: "Exit" }

/** What the machine did. */
export type Answer =
  /** The first of all: nothing was asked yet. `argument` is the thread's argument register (RDI), as whoever started it set it. */
  | { readonly _tag: "Start"; readonly argument: bigint }
  /** The registers as the system call left them. */
  | ({ readonly _tag: "Syscall"; readonly badge: bigint; readonly info: bigint } & MessageRegisters)
  | { readonly _tag: "Read"; readonly bytes: Uint8Array }
  | { readonly _tag: "Written" }
  | { readonly _tag: "Continue" }
  /** The number by which a thread enters the fiber: the low half of its RBX at the gate, with 0 above it. */
  | { readonly _tag: "Forked"; readonly fiber: number }

/**
 * The memory of the thread that runs a fiber, by its own rights, while the fiber runs. An access takes the time that the request of
 * its kind takes. False: not all of it may be accessed, and a part was moved, or nothing; nobody hears of it as a fault.
 */
export interface ThreadMemory {
  readonly read: (address: number, into: Uint8Array) => boolean
  readonly write: (address: number, bytes: Uint8Array) => boolean
}

export interface Fiber {
  /** For reports. */
  readonly name: string
  /**
   * Run until the next request. A machine gives each answer once.
   *
   * `now` is the time stamp counter at the gate: whole nanoseconds since the machine started.
   * @throws what no program should do, as an Error that names the fiber: the machine stops.
   */
  readonly resume: (answer: Answer, now: number, memory: ThreadMemory) => Request
}
