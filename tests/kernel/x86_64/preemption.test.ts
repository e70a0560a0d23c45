import { assert, describe, it } from "@effect/vitest"
import { makeInterpreter } from "../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { Entry } from "../../../src/kernel/x86_64/Image.ts"
import { run } from "./real.ts"

const turn = 5_000_000
/** What the kernel itself may take of a turn. */
const little = 1000

describe("a program that computes for ever", () => {
  it("is interrupted once in each of its turns, by the timer", () => {
    const forEver = [0xeb, 0xfe] // jmp $
    const times: number[] = []
    const note = (entry: number, _memory: unknown, time: { readonly now: () => number }) => {
      assert.strictEqual(entry, Entry.vector)
      times.push(time.now())
    }
    const { stop } = run(forEver, note, { limit: 4.5 * turn, reading: makeInterpreter })
    assert.strictEqual(stop._tag, "Limit")
    assert.strictEqual(times.length, 4)
    for (const [index, time] of times.entries()) {
      const since = time - (times[index - 1] ?? 0)
      assert.isTrue(Math.abs(since - turn) < turn / 10 + little, `turn ${index} took ${since}`)
    }
  })
})
