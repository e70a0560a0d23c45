/**
 * How fast the readings run compiled C: a Collatz loop, arithmetic and branches; a sieve, stores and loads; Mandelbrot's set, floating point.
 *
 * On the whole machine: 4-KiB pages, exact counts, and every millisecond of its time it is asked whether something is due.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Machine } from "../src/hal/x86_64/Machine.ts"
import { bit } from "../src/hal/x86_64/memory/paging.ts"
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../src/hal/x86_64/processor/Reading.ts"
import { at, type RegisterName, registerNames } from "../src/hal/x86_64/processor/State.ts"
import { makeTranslator } from "../src/hal/x86_64/processor/translator/Translator.ts"
import { CR4 } from "../src/hal/x86_64/system/registers.ts"
import type { Benchmark, Figure } from "./Benchmark.ts"

const pageBytes = 0x1000
const MiB = 0x10_0000
const millisecond = 1_000_000

/** Where things are, each at its own address. */
const tables = 0x1000
const code = MiB
const stack = 2 * MiB
const heap = 4 * MiB
const memoryBytes = 16 * MiB

export interface Loop {
  readonly name: string
  readonly file: string
  /** By the calling convention, for about so many rounds of the outermost loop. */
  readonly inputs: (rounds: number) => Partial<Record<RegisterName, number>>
  readonly rounds: { readonly plain: number; readonly fast: number }
  readonly result: (rounds: number) => bigint
}

/** Of the same C code, run by the processor of the machine that the guests were compiled on. */
const collatzResults = new Map([
  [30, 22_345n],
  [3_000_000, 365_896_456_949n]
])
const mandelbrotResults = new Map([
  [4, 8n],
  [400, 41_965n]
])

export const loops: ReadonlyArray<Loop> = [
  {
    name: "Collatz",
    file: "collatz.bin",
    inputs: (limit) => ({ rdi: limit }),
    rounds: { plain: 30, fast: 3_000_000 },
    result: (limit) => collatzResults.get(limit)!
  },
  {
    name: "sieve of 4 MiB",
    file: "sieve.bin",
    inputs: (rounds) => ({ rdi: heap, rsi: rounds < 1 ? 1000 : 4 * MiB, rdx: Math.ceil(rounds) }),
    rounds: { plain: 0.1, fast: 12 },
    result: (rounds) => (rounds < 1 ? 168n : 295_947n * BigInt(rounds))
  },
  {
    name: "Mandelbrot's set",
    file: "mandelbrot.bin",
    inputs: (side) => ({ rdi: side }),
    rounds: { plain: 4, fast: 400 },
    result: (side) => mandelbrotResults.get(side)!
  }
]

/** A machine that calls the loop's function, and halts when that returns. */
export const machineFor = (reading: MakeReading, { file, inputs }: Loop, rounds: number): Machine => {
  const machine = new Machine({ memoryBytes, reading, console: { write: () => {} } })
  const { memory } = machine
  const entry = (table: number, index: number, value: number) => memory.store32(table + 8 * index, value)
  // One table of each of the upper levels, and a page table for each 2 MiB.
  const levels = [tables, tables + pageBytes, tables + 2 * pageBytes]
  entry(levels[0]!, 0, levels[1]! | bit.P | bit.RW)
  entry(levels[1]!, 0, levels[2]! | bit.P | bit.RW)
  for (let page = 0; page < memoryBytes / pageBytes; page++) {
    const table = levels[2]! + pageBytes * (1 + Math.floor(page / 512))
    entry(levels[2]!, Math.floor(page / 512), table | bit.P | bit.RW)
    entry(table, page % 512, (page * pageBytes) | bit.P | bit.RW)
  }
  const program = readFileSync(join(import.meta.dirname, "guests", file))
  const halt = code + program.length
  memory.ram(code, program.length).set(program)
  memory.ram(halt, 1).set([0xf4])
  machine.start(code, tables)
  memory.view.setInt32(at.cr4, CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT, true)
  memory.store32(stack, halt)
  for (const [name, value] of Object.entries({ ...inputs(rounds), rsp: stack }))
    memory.view.setBigUint64(at.general + 8 * registerNames.indexOf(name as RegisterName), BigInt(value), true)
  return machine
}

/** Million instructions per second of this thread's time. @throws if the result is not what it should be. */
const measure = (reading: MakeReading, loop: Loop, rounds: number): number => {
  const machine = machineFor(reading, loop, rounds)
  const start = process.threadCpuUsage()
  while (machine.run(machine.instructions + millisecond)._tag === "Limit");
  const { user, system } = process.threadCpuUsage(start)
  const result = machine.memory.view.getBigUint64(at.general, true)
  if (result !== loop.result(rounds)) throw new Error(`${loop.name}: ${result}, not ${loop.result(rounds)}`)
  return machine.instructions / (user + system)
}

/** The best of a few: other work of the host's only takes time away. */
const best = (times: number, once: () => number): number => Math.max(...Array.from({ length: times }, once))

const figuresOf = (loop: Loop): ReadonlyArray<Figure> => {
  const plain = best(3, () => measure(makePlain, loop, loop.rounds.plain))
  const interpreted = best(3, () => measure(makeInterpreter, loop, loop.rounds.fast))
  const translated = best(3, () => measure(makeTranslator, loop, loop.rounds.fast))
  return [
    { name: "million instructions per second: plain", value: plain },
    { name: "million instructions per second: interpreted", value: interpreted },
    { name: "million instructions per second: translated", value: translated },
    { name: "times plain: interpreted", value: interpreted / plain },
    { name: "times interpreted: translated", value: translated / interpreted }
  ]
}

/** Each in a process of its own, where nothing is warm. */
const generation = (): ReadonlyArray<Figure> =>
  loops.map(({ name }, index) => {
    const script = join(import.meta.dirname, "generation.ts")
    const answer = execFileSync(process.execPath, [script, String(index)], { encoding: "utf8" })
    const { milliseconds, handlers, bytes } = JSON.parse(answer) as Generation
    return { name: `milliseconds, cold: ${handlers} handlers, ${bytes} bytes, for the ${name}`, value: milliseconds }
  })

/** What generation.ts prints. */
export interface Generation {
  readonly milliseconds: number
  readonly handlers: number
  readonly bytes: number
}

export const benchmarks: ReadonlyArray<Benchmark> = [
  ...loops.map((loop) => ({ name: `readings: ${loop.name}`, run: () => figuresOf(loop) })),
  { name: "readings: generating the interpreter", run: generation }
]
