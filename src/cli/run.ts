/** run: a program on a kernel on a machine, from the file to the exit code. */
import { Exit } from "effect"
import { describe } from "../hal/x86_64/elf.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import type { MakeReading } from "../hal/x86_64/processor/Reading.ts"
import { type Ended, TaskDefect } from "../user/Task.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes, type ReadingName, readings } from "./commands.ts"
import { failure } from "./failure.ts"
import * as Output from "./Output.ts"
import { read } from "./Program.ts"
import { boot, type System } from "./System.ts"
import { run as watched } from "./Watch.ts"

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async ({ arguments: [file], options }: Given): Promise<number | UsageError> => {
  const memoryBytes = sizeOf(String(options.memory ?? "64M"))
  if (typeof memoryBytes !== "number") return memoryBytes
  const limit = countOf(options["max-instructions"])
  if (typeof limit !== "number") return limit
  const name = readings.find((one) => one === (options.reading ?? "interpret"))
  if (name === undefined)
    return usageError(`there is no reading '${options.reading}': there are ${readings.join(", ")}`)

  const failures: Array<string> = []
  const ended: Ended = (task, exit) => {
    if (Exit.isFailure(exit)) failures.push(`task '${task}' failed: ${failure(exit.cause)}`)
  }
  const first = await read(file!, ended)
  if (first._tag === "BadFile") return complain(first.why, exitCodes.usage)

  const output = Output.make(process.stdout)
  const reading = await makeReading[name]()
  const system = boot({ memoryBytes, reading, first, output: output.byte, note: Output.note })
  if ("_tag" in system) return complain(describe(system), exitCodes.usage)
  const started = performance.now()
  const stop = run(system, limit)
  output.flush()
  if (options.stats === true) statistics(system, performance.now() - started)
  for (const failure of failures) Output.note(failure)
  const code = report(system, stop)
  return code === exitCodes.ok && failures.length > 0 ? exitCodes.failed : code
}

/** A program that does what none should stops the machine. */
const run = (system: System, limit: number): Stop | TaskDefect => {
  try {
    return watched(system, limit)
  } catch (cause) {
    if (cause instanceof TaskDefect) return cause
    throw cause
  }
}

/** Say why the machine is not running, if that is not how a run ends. @returns the exit code. */
const report = ({ machine }: System, stop: Stop | TaskDefect): number => {
  if (stop instanceof TaskDefect) return complain(stop.message, exitCodes.failed)
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

const statistics = ({ machine }: System, milliseconds: number): void => {
  const perSecond = machine.instructions / milliseconds / 1000
  Output.note(`${machine.instructions} instructions in ${milliseconds.toFixed(0)} ms, ${perSecond.toFixed(1)} MIPS`)
  Output.note(`memory ${machine.memoryHash()}`)
}

const complain = (what: string, code: number): number => {
  Output.note(what)
  return code
}

const makeReading: { readonly [R in ReadingName]: () => Promise<MakeReading> } = {
  plain: async () => (await import("../hal/x86_64/processor/plain.ts")).makePlain,
  interpret: async () => (await import("../hal/x86_64/processor/interpreter/Interpreter.ts")).makeInterpreter,
  translate: async () => (await import("../hal/x86_64/processor/translator/Translator.ts")).makeTranslator
}

const units: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
/** Memory comes in such pieces. */
const piece = 2 ** 16
const most = 3 * 2 ** 30
/** Below, there is no room for a kernel and a task. */
const least = 8 * 2 ** 20

const sizeOf = (text: string): number | UsageError => {
  const [, digits, unit] = /^(\d+)([KMG])?$/i.exec(text) ?? []
  const bytes = Number(digits) * (unit === undefined ? 1 : units[unit.toUpperCase()]!)
  if (digits === undefined) return usageError(`'${text}' is no size: 64M or 1G are`)
  return bytes >= least && bytes <= most && bytes % piece === 0
    ? bytes
    : usageError(`the memory of a machine is a multiple of 64K from 8M to 3G, not ${text}`)
}

const countOf = (text: string | boolean | undefined): number | UsageError => {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const count = Number(String(text).replaceAll("_", ""))
  return Number.isSafeInteger(count) && count > 0 ? count : usageError(`'${text}' is no number of instructions`)
}
