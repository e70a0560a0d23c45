/** How a run ended: what is said about it, and the exit code. */
import type { Machine } from "../hal/x86_64/Machine.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { exitCodes } from "./commands.ts"
import * as Output from "./Output.ts"

/** Say why the machine is not running, if that is not how a run ends. @returns the exit code. */
export const report = (machine: Machine, stop: Stop): number => {
  switch (stop._tag) {
    case "Idle":
    case "PowerOff":
    case "Reset":
      return exitCodes.ok
    case "Exit":
      return stop.status
    case "Limit":
      return complain(`stopped after ${machine.instructions} instructions`, exitCodes.limit)
    case "Halt":
      return complain(`the kernel stopped the machine: ${stop.report}\n${machine.report()}`, exitCodes.stopped)
    case "TripleFault":
      return complain(
        `the processor stopped: no handler was reached (triple fault)\n${machine.report()}`,
        exitCodes.stopped
      )
  }
}

export const statistics = (machine: Machine, milliseconds: number): void => {
  const perSecond = machine.instructions / milliseconds / 1000
  Output.note(`${machine.instructions} instructions in ${milliseconds.toFixed(0)} ms, ${perSecond.toFixed(1)} MIPS`)
  Output.note(`memory ${machine.memoryHash()}`)
}

export const complain = (what: string, code: number): number => {
  Output.note(what)
  return code
}
