/** attend: running a machine while somebody, or something, is at its terminal. */
import { setImmediate } from "node:timers/promises"
import type { Machine } from "../hal/x86_64/Machine.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import type { Attached } from "./board.ts"
import type * as Terminal from "./Terminal.ts"

export interface Running {
  readonly machine: Machine
  readonly terminal: Terminal.Terminal
  readonly attached?: Attached
  readonly step: (limit: number) => Stop
  readonly limit: number
  readonly isPaced: boolean
  readonly flush: () => void
  /** What the machine is for is done: when it rests, nothing will come any more. */
  readonly isDone?: () => boolean
}

/** Instructions between two looks at the terminal: some milliseconds. */
const piece = 2_000_000
/** Instructions in a millisecond of the machine's. */
const perMillisecond = 1e6
/** A host that is slower than the machine is not caught up with when the machine rests: then it would rest too shortly. */
const mostBehind = 50

/** Until the machine stops, or somebody leaves: then it is the exit code. */
export const attend = async ({
  machine,
  terminal,
  attached,
  step,
  limit,
  isPaced,
  flush,
  isDone
}: Running): Promise<Stop | number> => {
  let began = performance.now()
  for (;;) {
    const stop = step(Math.min(limit, machine.instructions + piece))
    flush()
    const rests = stop._tag === "Idle" && machine.isInterruptible
    if ((stop._tag !== "Limit" && !rests) || machine.instructions >= limit) return stop
    const now = performance.now()
    const ahead = machine.instructions / perMillisecond - (now - began)
    if (ahead < -mostBehind) began = now - machine.instructions / perMillisecond
    if (rests) {
      if (isDone?.() || (terminal.isOver() && !attached?.isBusy())) return stop
      const before = performance.now()
      await terminal.wait(Number.POSITIVE_INFINITY)
      began += performance.now() - before
    } else if ((isPaced || attached?.isBusy()) && ahead > 1) await terminal.wait(ahead)
    else await setImmediate()
    const left = terminal.left()
    if (left !== undefined) return left
    attached?.look()
    machine.consoleReady()
  }
}
