/** Where the kernel's own words go: what programs print by the debug calls, and reports. */
import { Context } from "effect"

export interface DebugService {
  /** One byte of text. */
  readonly putChar: (byte: number) => void
  /** A line of the kernel's own. `stopped`: a thread did what it may not, nobody else hears of it, and it runs no more. */
  readonly print: (line: string, what?: "stopped") => void
  /** A program asked for a picture of all there is. */
  readonly snapshot: () => void
}

export class Debug extends Context.Service<Debug, DebugService>()("skyscope/kernel/Debug") {}
