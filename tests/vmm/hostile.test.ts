/** A small part of `npm run campaign:guests`. */
import { assert, describe, it } from "@effect/vitest"
import { noticed, round } from "./campaign.ts"
import { expected } from "./witness.ts"

const rounds = 1

describe("hostile monitors and guests of random code", { timeout: 120_000 }, () => {
  it("end, or go on for ever, and one that behaves does not notice; the kernel's invariants hold", () => {
    const { seen: alone } = round({ seed: 0, every: 1e9, isQuiet: true })
    assert.include(alone.join(), "It powers off.")
    assert.include(alone, expected.said)
    for (let seed = 1; seed <= rounds; seed++) {
      const { wrong, seen, counts } = round({ seed, every: 2000, budget: 500 })
      assert.deepStrictEqual([...wrong, ...noticed(alone, seen)], [], `seed ${seed}`)
      assert.isAbove(counts.exits, 50)
      assert.isAbove(counts.reasons.size, 3)
      assert.isAbove(counts.calls - counts.refused, 50)
    }
  })
})
