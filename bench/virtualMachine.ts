/**
 * Guests: what a loop takes in a guest as against the bare machine, and what leaving a guest and entering it again takes; to a host of two
 * instructions, and to a monitor on the kernel.
 */

import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { MakeReading } from "../src/hal/x86_64/processor/Reading.ts"
import { makeTranslator } from "../src/hal/x86_64/processor/translator/Translator.ts"
import { Board, hex, hlt, MiB, movImm } from "../tests/hal/x86_64/board.ts"
import { Hypervisor, hostEntry } from "../tests/hal/x86_64/vmx/hypervisor.ts"
import { flat, word } from "../tests/vmm/code.ts"
import { run } from "../tests/vmm/machine.ts"
import type { Benchmark, Figure } from "./Benchmark.ts"

const readings: Readonly<Record<string, MakeReading>> = { interpreted: makeInterpreter, translated: makeTranslator }

const rounds = 20_000_000
const instructionsPerRound = 5
/** MOV RAX, [RBX]; ADD RAX, RCX; MOV [RBX + 8], RAX; DEC RCX; JNZ */
const loop = [
  ...movImm("rcx", rounds),
  ...movImm("rbx", 0x8_0000),
  ...hex("48 8B 03 48 01 C8 48 89 43 08 48 FF C9 75 F1"),
  ...hlt
]

const exits = 200_000
/** Where the host goes on after an exit: DEC RDI; JZ to HLT; VMRESUME. */
const again = [...hex("48 FF CF 74 03 0F 01 C3"), ...hlt]

const milliseconds = (run: () => void): number => {
  const start = performance.now()
  run()
  return performance.now() - start
}

const bare = (reading: MakeReading): number => {
  const board = new Board(reading, 8 * MiB).identity(0, 2 * MiB)
  board.start(...loop)
  return milliseconds(() => board.run(rounds * 6))
}

const inGuest = (reading: MakeReading): number => {
  const hypervisor = new Hypervisor(reading).long(...loop)
  return milliseconds(() => hypervisor.enter(rounds * 6))
}

const roundTrips = (reading: MakeReading): number => {
  const hypervisor = new Hypervisor(reading).long(...hlt)
  hypervisor.board.put(hostEntry, ...again).set("rdi", BigInt(exits))
  return milliseconds(() => hypervisor.enter(exits * 10))
}

/** MOV ECX, times; MOV EDX, 3FDH; IN AL, DX; DEC ECX; JNZ to IN; MOV EDX, F4H; OUT DX, AL: it polls the serial port, and ends. */
const polling = (times: number) =>
  flat(0xb9, ...word(times), 0xba, ...word(0x3fd), 0xec, 0x49, 0x75, 0xfc, 0xba, ...word(0xf4), 0xee)
const polls = 40_000
const polled = (reading: MakeReading, times: number): number =>
  milliseconds(() => run({ guests: [polling(times)], reading }))

/** The best of a few: others use the machine as well. */
const best = (times: number, run: () => number): number => Math.min(...Array.from({ length: times }, run))

const figures = (name: string, reading: MakeReading): ReadonlyArray<Figure> => {
  const [without, within] = [best(3, () => bare(reading)), best(3, () => inGuest(reading))]
  return [
    { name: `MIPS of a loop on the bare machine, ${name}`, value: (rounds * instructionsPerRound) / without / 1000 },
    { name: `times as long in a guest, ${name}`, value: within / without },
    {
      name: `ns from a guest's HLT to the host and back, ${name}`,
      value: (best(3, () => roundTrips(reading)) * 1e6) / exits
    },
    {
      name: `ns from a guest's IN to its monitor and back, ${name}`,
      value: ((best(3, () => polled(reading, polls)) - best(3, () => polled(reading, 1))) * 1e6) / polls
    }
  ]
}

export const benchmarks: ReadonlyArray<Benchmark> = [
  { name: "guests", run: () => Object.entries(readings).flatMap(([name, reading]) => figures(name, reading)) }
]
