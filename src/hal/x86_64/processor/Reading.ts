/**
 * Reading: a way to run instructions. There are several, and nobody can tell from the machine's state which of them
 * ran.
 *
 * A reading runs from the state block (State.ts) and back into it. The loop around it (Processor.ts) delivers
 * exceptions, does system operations and takes interrupts; it is the same for all readings.
 */
import type { Access } from "../memory/Access.ts"

export interface Reading {
  /**
   * Go on from the state block until there is a cause to stop (`cause` in State.ts, left in `at.cause`).
   *
   * The countdown loses 1 with each instruction that is completed. A block is entered only if the countdown covers
   * it: the cause is then `countdown`, and `at.countdown` may be anything from 0 to a block's length.
   */
  readonly run: () => void
  /**
   * The same for exactly one instruction: the cause is `countdown` if it completed. Of a REP instruction, one
   * iteration is one instruction.
   */
  readonly step: () => void
  /**
   * The status flags, at their places in RFLAGS, from the rule and the inputs in the state block. Asked between
   * instructions.
   */
  readonly status: () => number
  /**
   * The bytes of this page of code (host address >>> 12) change: nothing decoded from it may be used after the
   * instruction that runs.
   */
  readonly codeWritten: (page: number) => void
  /**
   * A translation for instruction fetches is gone, in some address space: what is keyed by the address of code must
   * be looked up anew.
   */
  readonly codeMapChanged: () => void
}

/**
 * What a reading is made of. `memory` is laid out as memory/layout.ts says: its own room is `layout.readings` to
 * `layout.readingsEnd`.
 */
export interface ReadingParts {
  readonly memory: WebAssembly.Memory
  readonly access: Access
}

export type MakeReading = (parts: ReadingParts) => Reading
