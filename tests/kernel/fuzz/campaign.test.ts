import { assert, describe, it } from "@effect/vitest"
import { run } from "./campaign.ts"

describe("random system calls from several threads", () => {
  // `npm run fuzz:kernel` makes many more.
  for (const [seed, domains] of [
    [1n, 1],
    [2n, 3]
  ] as const)
    it(`violate nothing that is always true of the kernel's memory (seed ${seed}, domains: ${domains})`, () => {
      const { calls, wrong } = run({ calls: 3_000, seed, every: 1, domains })
      assert.deepStrictEqual(wrong, [])
      assert.isAtLeast(calls, 3_000)
    }, 60_000)

  it("are the same for the same seed, and whether or not the machine does the way into the kernel at once", () => {
    const once = run({ calls: 2_000, seed: 5n, every: 1_000 })
    assert.deepStrictEqual(run({ calls: 2_000, seed: 5n, every: 1_000, sequels: "read" }), once)
    assert.notStrictEqual(run({ calls: 2_000, seed: 6n, every: 1_000 }).memory, once.memory)
  }, 60_000)
})
