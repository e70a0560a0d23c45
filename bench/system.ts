/** A whole system in a benchmark: machine, kernel, and a first task that does something so many times. */
import { type Effect, Exit } from "effect"
import { failure } from "../src/cli/failure.ts"
import { boot, type First, type System } from "../src/cli/System.ts"
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { type RootServices, rootTask } from "../src/user/index.ts"
import type { Figure } from "./Benchmark.ts"

/** The first task that does it so often. */
export type Repeated = (times: number) => Effect.Effect<unknown, unknown, RootServices> | Uint8Array

const start = (repeated: Repeated, times: number): System => {
  const started = boot({
    memoryBytes: 2 ** 24,
    reading: makeInterpreter,
    first: firstOf(repeated(times)),
    output: () => undefined,
    note: (line) => console.error(line)
  })
  if ("_tag" in started) throw new Error("the system boots")
  return started
}

const instructions = (repeated: Repeated, times: number): number => {
  const system = start(repeated, times)
  system.run()
  return system.machine.instructions
}

const firstOf = (program: Effect.Effect<unknown, unknown, RootServices> | Uint8Array): First =>
  program instanceof Uint8Array
    ? { _tag: "Elf", name: "root", bytes: program }
    : { _tag: "Fiber", fiber: rootTask(program).fiber({ name: "root", ended: (_, exit) => check(exit) }, {}) }

const check = (exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isFailure(exit)) throw new Error(failure(exit.cause))
}

/** So often it is done twice to know what each time takes of the machine: always the same. */
const few = 200
/** More often than any run here takes. */
const endless = 2 ** 30
/** Instructions between two looks at the time. */
const slice = 500_000
/** Milliseconds of the processor, until the host's compiler has done its work; and that are measured, in so many parts. */
const [warm, measured, parts] = [2000, 4000, 40]

const busy = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Runs for so long, and says for how many instructions. */
const runFor = ({ run, machine }: System, milliseconds: number): number => {
  const [began, ends] = [machine.instructions, busy() + milliseconds]
  while (busy() < ends) run(machine.instructions + slice)
  return machine.instructions - began
}

/**
 * What each time takes. The host's time is that of many in the midst of one run, of the first machine of its process, as programs
 * have it: on the clock; of the processor, whoever else runs on it; and on the clock in that tenth of the parts in which neighbours on
 * the host took least of it.
 */
export const figures = (repeated: Repeated): ReadonlyArray<Figure> => {
  const system = start(repeated, endless)
  runFor(system, warm)
  const [started, startedBusy] = [performance.now(), busy()]
  let run = 0
  const ofParts = Array.from({ length: parts }, () => {
    const began = performance.now()
    const ran = runFor(system, measured / parts)
    run += ran
    return (performance.now() - began) / ran
  }).sort((a, b) => a - b)
  const [milliseconds, ofProcessor] = [performance.now() - started, busy() - startedBusy]
  const each = (instructions(repeated, 2 * few) - instructions(repeated, few)) / few
  const nanoseconds = (perInstruction: number) => perInstruction * 1e6 * each
  return [
    { name: "ns each", value: nanoseconds(milliseconds / run) },
    { name: "ns of the processor each", value: nanoseconds(ofProcessor / run) },
    { name: "ns each in the quietest tenth", value: nanoseconds(ofParts[parts / 10]!) },
    { name: "instructions each", value: each }
  ]
}
