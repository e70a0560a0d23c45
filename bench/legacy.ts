/**
 * How fast code of legacy modes runs: a loop that loads, adds, stores and wraps around, as flat code, in segments that end, and in real-address mode.
 */
import { Machine } from "../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../src/hal/x86_64/processor/Reading.ts"
import { at, segments } from "../src/hal/x86_64/processor/State.ts"
import { makeTranslator } from "../src/hal/x86_64/processor/translator/Translator.ts"
import { powerUp, resetProtected } from "../src/hal/x86_64/system/reset.ts"
import type { Benchmark, Figure } from "./Benchmark.ts"

interface Kind {
  readonly name: string
  readonly bits: 16 | 32
  /** Of all segments. */
  readonly base: number
  readonly limit: number
}

const kinds: ReadonlyArray<Kind> = [
  { name: "flat code of 32 bits", bits: 32, base: 0, limit: 0xffff_ffff },
  { name: "code of 32 bits in segments", bits: 32, base: 0x1_0000, limit: 0xf_ffff },
  { name: "real-address mode", bits: 16, base: 0x1_0000, limit: 0xffff }
]

const start = 0x6000
const instructionsInLoop = 7

/** MOV ECX, rounds; L: MOV EAX, [ESI]; ADD EBX, EAX; MOV [EDI], EBX; ADD ESI, 4; AND ESI, 3FFCH; DEC ECX; JNZ L; HLT */
const program = (bits: 16 | 32, rounds: number): ReadonlyArray<number> => {
  const bytes = (value: number, count: number) => Array.from({ length: count }, (_, n) => (value >>> (8 * n)) & 0xff)
  // The count has 32 bits in all modes.
  const wide = bits === 16 ? [0x66] : []
  const [load, store] = bits === 16 ? [0x04, 0x1d] : [0x06, 0x1f]
  const body = [
    0x8b,
    load,
    0x01,
    0xc3,
    0x89,
    store,
    0x83,
    0xc6,
    4,
    0x81,
    0xe6,
    ...bytes(0x3ffc, bits / 8),
    ...wide,
    0x49
  ]
  return [...wide, 0xb9, ...bytes(rounds, 4), ...body, 0x75, -(body.length + 2) & 0xff, 0xf4]
}

const machineFor = (reading: MakeReading, { bits, base, limit }: Kind, rounds: number): Machine => {
  const machine = new Machine({ memoryBytes: 0x40_0000, reading, console: { write: () => {} } })
  const { core, memory } = machine
  const code = program(bits, rounds)
  memory.ram(base + start, code.length).set(code)
  if (bits === 16) powerUp(core)
  else resetProtected(core, start)
  const size = bits === 32 ? 0x4000 : 0
  for (const register of [segments.es, segments.ss, segments.ds])
    core.setSegment(register, base >> 4, 0x93 | size, limit, base, 0)
  core.setSegment(segments.cs, base >> 4, 0x9b | size, limit, base, 0)
  core.enterMode(bits, 0)
  core.set(at.rip, start, 0)
  core.set(at.general + 8 * 7, 0x5000, 0)
  return machine
}

/** Million instructions per second of this thread's time. */
const measure = (reading: MakeReading, kind: Kind, rounds: number): number => {
  const machine = machineFor(reading, kind, rounds)
  const before = process.threadCpuUsage()
  while (machine.run(machine.instructions + 1_000_000)._tag === "Limit");
  const { user, system } = process.threadCpuUsage(before)
  const expected = 2 + rounds * instructionsInLoop
  if (machine.instructions !== expected)
    throw new Error(`${kind.name}: ${machine.instructions} instructions, not ${expected}`)
  return machine.instructions / (user + system)
}

const best = (once: () => number): number => Math.max(...Array.from({ length: 3 }, once))

const figuresOf = (kind: Kind): ReadonlyArray<Figure> => {
  const plain = best(() => measure(makePlain, kind, 20_000))
  const interpreted = best(() => measure(makeInterpreter, kind, 5_000_000))
  const translated = best(() => measure(makeTranslator, kind, 5_000_000))
  return [
    { name: "million instructions per second: plain", value: plain },
    { name: "million instructions per second: interpreted", value: interpreted },
    { name: "million instructions per second: translated", value: translated },
    { name: "times plain: interpreted", value: interpreted / plain }
  ]
}

export const benchmarks: ReadonlyArray<Benchmark> = kinds.map((kind) => ({
  name: `readings: ${kind.name}`,
  run: () => figuresOf(kind)
}))
