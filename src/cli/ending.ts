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
  const retired = machine.instructions - machine.idle
  const idle = machine.idle === 0 ? "" : `, and ${(machine.idle / 1e6).toFixed(0)} ms of the machine's time at rest`
  const perSecond = (retired / milliseconds / 1000).toFixed(1)
  Output.note(`${retired} instructions in ${milliseconds.toFixed(0)} ms, ${perSecond} MIPS${idle}`)
  Output.note(`memory ${machine.memoryHash()}`)
}

export const complain = (what: string, code: number): number => {
  Output.note(what)
  return code
}
