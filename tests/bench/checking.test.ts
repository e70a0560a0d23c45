/** Large programs compile: none is too deep or too much for the compiler. */
import { assert, describe, it } from "vitest"
import { programs, seconds } from "../../bench/checking.ts"

describe("the compiler has enough of itself for a", () => {
  it.each(Object.keys(programs))("%s", { timeout: 120_000 }, (name) => {
    assert.isAbove(seconds(programs[name]!, 1), 0)
  })
})
