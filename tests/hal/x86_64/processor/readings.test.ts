/**
 * The readings agree: after any number of instructions, of any program, nobody can tell from the state which of them ran.
 *
 * `READINGS_CAMPAIGN=<seeds>` runs that many seeds instead of a few.
 */
import { assert, describe, it } from "vitest"
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { ReadingParts } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { cause } from "../../../../src/hal/x86_64/processor/State.ts"
import { translator } from "../../../../src/hal/x86_64/processor/translator/Translator.ts"
import { Random } from "../native/Random.ts"
import { Guest } from "./guest.ts"
import {
  code,
  Device,
  data,
  dataPages,
  memoryOf,
  pageBytes,
  pagesOf,
  prepare,
  programsOf,
  stateOf,
  translationsOf
} from "./programs.ts"

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const never = Number.POSITIVE_INFINITY

const makers = {
  plain: makePlain,
  interpreter: (parts: ReadingParts) => new Interpreter(parts, { patience: never }),
  /** Some handlers are there, others not yet; some in one function, others in the other. */
  mixed: (parts: ReadingParts) => new Interpreter(parts, { patience: 300, together: { handlers: 20, calls: 10 } }),
  translator: translator({ patience: never, heat: 1, worth: "anything" })
}

const mixed = Object.keys(makers).indexOf("mixed")

const compare = (seed: number, count: number, kind: "straight" | "loop") => {
  const programs = programsOf(seed, count, kind)
  const devices = Object.values(makers).map(() => new Device())
  const guests = Object.values(makers).map((make, n) => new Guest(make, 0x40_0000, pagesOf(count), devices[n]))
  for (const [n, device] of devices.entries()) device.guest = guests[n]
  const random = new Random(seed)
  const contents = Uint8Array.from({ length: dataPages * pageBytes }, () => random.below(256))
  // First most instructions are left to plain execution; then all have handlers.
  for (const round of ["first", "second"]) {
    for (const device of devices) device.log.length = 0
    for (const guest of guests) {
      guest.ram(data.physical, contents.length).set(contents)
      for (const program of programs) guest.put(program.start, code, program.bytes)
      if (guest.reading instanceof Interpreter && guest !== guests[mixed]) guest.reading.generate()
    }
    for (const [index, program] of programs.entries()) {
      for (const guest of guests) prepare(guest, program)
      for (const stretch of program.stretches) {
        const [expected, ...states] = guests.map((guest) => stateOf(guest, guest.run(stretch)))
        const where = `seed ${seed}, program ${index}, ${round} round: ${Buffer.from(program.bytes).toString("hex")}`
        for (const state of states) assert.deepStrictEqual(state, expected, where)
        const [memory, ...memories] = guests.map((guest) => memoryOf(guest, count))
        for (const other of memories)
          assert.isTrue(
            other.every((part, n) => same(part, memory![n]!)),
            `memory, ${where}`
          )
        const [log, ...logs] = devices.map((device) => device.log)
        for (const other of logs) assert.deepStrictEqual(other, log, where)
        if (expected!.why !== cause.countdown) break
      }
    }
    const [translations, ...others] = guests.map(translationsOf)
    for (const other of others) assert.deepStrictEqual(other, translations)
  }
}

describe("the readings agree", () => {
  const campaign = Number(process.env.READINGS_CAMPAIGN ?? 0)
  const seeds = campaign > 0 ? Array.from({ length: campaign }, (_, index) => 1000 + index) : [1, 2, 3]
  it.each(seeds)("on random instructions, seed %i", (seed) => compare(seed, 150, "straight"), 60_000)
  it.each(seeds)("on random loops, seed %i", (seed) => compare(seed, 60, "loop"), 60_000)
})
