/**
 * What the kernel works on, and the shapes of its operations.
 *
 * All that the kernel knows is in the machine's memory: its objects, and the few words of `KernelData`. There is no
 * other variable to look for. A function that takes a `View` reads only; one that takes a `State` may change the
 * kernel.
 */
import type { MemoryService } from "../hal/Memory.ts"
import type { TimeService } from "../hal/Time.ts"
import type { ReadableMemory } from "../types/Layout.ts"
import type { SyscallError } from "../types/SyscallError.ts"
import type { Word } from "../types/Word.ts"
import type { Architecture } from "./Architecture.ts"
import type { DebugService } from "./Debug.ts"

/** To read. Reading takes time as well. */
export interface View {
  readonly memory: ReadableMemory
  readonly charge: TimeService["charge"]
  /** The physical address of `KernelData`. */
  readonly data: number
  readonly architecture: Architecture
}

/** To change. */
export interface State extends View {
  readonly memory: MemoryService
  readonly time: TimeService
  readonly debug: DebugService
}

/**
 * How a performed operation ended: done, with the words of its answer if it has any; or stopped where the kernel is
 * consistent, because an interrupt waits. The same call, made again, goes on.
 */
export type Outcome = undefined | ReadonlyArray<Word> | typeof preempted
export const preempted = "preempted"

/** An operation that was decoded: all it needs is known, and nothing can refuse it any more. */
export type Perform = (state: State) => Outcome

/** What decoding comes to. */
export type Decoded = Perform | SyscallError

export const isRefusal = <A>(decoded: A | SyscallError): decoded is SyscallError =>
  typeof decoded === "object" && decoded !== null && "_tag" in decoded
