/** Readings side by side: programs by chance, and all that software could tell them apart by. */
import { assert } from "@effect/vitest"
import { contextBytes, layout, translation } from "../../../src/hal/x86_64/memory/layout.ts"
import { entry } from "../../../src/hal/x86_64/memory/Tlb.ts"
import { makePlain } from "../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../src/hal/x86_64/processor/Reading.ts"
import { at, registerNames } from "../../../src/hal/x86_64/processor/State.ts"
import { type Board, readings } from "./board.ts"

/** The same numbers for the same seed. */
export const chance = (seed: number) => {
  let state = seed * 2_654_435_761
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.floor(((state >>> 0) / 2 ** 32) * n)
  }
  return { below, of: <A>(list: readonly A[]): A => list[below(list.length)]! }
}
export type Chance = ReturnType<typeof chance>

/** What software sees at once. */
const registersOf = (board: Board) => ({
  count: board.machine.instructions,
  registers: [...registerNames, "rip" as const].map((name) => board.get(name).toString(16)),
  flags: board.machine.core.rflags(),
  cr2: board.word(at.cr2),
  mode: board.machine.core.low(at.mode),
  segments: [...board.machine.memory.u8.subarray(at.segment, at.cr0)].join()
})

/** What it could find out: memory, and what is cached; but not the flag of decoded code, which only readings see. */
const hiddenIn = ({ machine }: Board) => {
  const words = machine.memory.i32
  const end = (layout.translations + translation.contexts * contextBytes) >> 2
  let cached = 0
  for (let n = layout.translations >> 2; n < end; n += entry.bytes / 4) {
    if (words[n]! & entry.empty) continue
    cached = Math.imul(cached ^ (words[n]! & ~entry.code) ^ words[n + 2]! ^ words[n + 3]! ^ n, 0x9e37_79b1) | 0
  }
  return { memory: machine.memoryHash(), cached }
}

export const others = Object.entries(readings).filter(([name]) => name !== "plain")
const { READINGS_CAMPAIGN = "6" } = process.env
export const seeds = Number(READINGS_CAMPAIGN)

/** Runs two machines with the same program, and looks at both after any number of instructions. */
export const compare = (seed: number, program: (reading: MakeReading) => Board, reading: MakeReading): void => {
  const [expected, found] = [program(makePlain), program(reading)]
  const c = chance(seed + 1000)
  for (let count = 0; count < 1500; ) {
    count += 1 + c.below(c.of([3, 50, 600]))
    const where = `seed ${seed}, ${count} instructions`
    const stops = [expected.machine.run(count), found.machine.run(count)]
    assert.deepStrictEqual(stops[1], stops[0], where)
    assert.deepStrictEqual(registersOf(found), registersOf(expected), where)
    if (stops[0]!._tag !== "Limit") break
  }
  assert.deepStrictEqual(hiddenIn(found), hiddenIn(expected), `seed ${seed}`)
}
