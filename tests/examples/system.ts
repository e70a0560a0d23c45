/** A whole system in a test: machine, kernel, and a first task, run until there is nothing more to do. */
import { readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Effect, Exit } from "effect"
import { boot, type First, type System } from "../../src/cli/System.ts"
import type { Stop } from "../../src/hal/x86_64/Processor.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../src/hal/x86_64/processor/Reading.ts"
import { makeTranslator } from "../../src/hal/x86_64/processor/translator/Translator.ts"
import { type RootServices, type RootTask, rootTask } from "../../src/user/RootTask.ts"

export const readings: Readonly<Record<string, MakeReading>> = {
  plain: makePlain,
  interpret: makeInterpreter,
  translate: makeTranslator
}

export interface Ran {
  readonly stop: Stop
  /** What was printed. */
  readonly output: string
  /** What the kernel said of itself. */
  readonly notes: ReadonlyArray<string>
  /** How each task ended that did, by name. */
  readonly ends: ReadonlyMap<string, Exit.Exit<unknown, unknown>>
  readonly system: System
}

export interface Options {
  readonly reading?: MakeReading
  /** The run ends when so many instructions have been retired. */
  readonly limit?: number
  readonly memoryBytes?: number
  readonly fastPath?: "off"
  readonly domains?: number
}

const mebibyte = 2 ** 20

export const run = (
  first: (ended: (task: string, exit: Exit.Exit<unknown, unknown>) => void) => First,
  { reading = makeInterpreter, limit = 100_000_000, memoryBytes = 16 * mebibyte, fastPath, domains }: Options = {}
): Ran => {
  const [bytes, notes, ends] = [[] as number[], [] as string[], new Map<string, Exit.Exit<unknown, unknown>>()]
  const system = boot({
    memoryBytes,
    reading,
    first: first((task, exit) => ends.set(task, exit)),
    output: (byte) => bytes.push(byte),
    note: (line) => notes.push(line),
    ...(fastPath && { fastPath }),
    ...(domains !== undefined && { domains })
  })
  if ("_tag" in system) throw new Error(`the system boots: ${JSON.stringify(system)}`)
  const stop = system.run(limit)
  return { stop, output: new TextDecoder().decode(Uint8Array.from(bytes)), notes, ends, system }
}

/** A root task, with the files that it wants beside `file`. */
export const runRootTask = (task: RootTask, file: string, options?: Options): Ran => {
  const contents = Object.entries(task.files).map(([name, path]) => [name, readFileSync(join(dirname(file), path))])
  return run(
    (ended) => ({ _tag: "Fiber", fiber: task.fiber({ name: "root", ended }, Object.fromEntries(contents)) }),
    options
  )
}

/** A program as the first task. */
export const runProgram = <A, E>(program: Effect.Effect<A, E, RootServices>, options?: Options): Ran =>
  runRootTask(rootTask(program), import.meta.filename, options)

/** An ELF as the first task. */
export const runElf = (bytes: Uint8Array, options?: Options): Ran =>
  run(() => ({ _tag: "Elf", name: "root", bytes }), options)
