/** Large programs compile: none is too deep or too much for the compiler. */
import { assert, describe, it } from "vitest"
import { programs, seconds } from "../../bench/checking.ts"

describe("the compiler", () => {
  it.each(Object.keys(programs))("checks a %s", (name) => {
    assert.isAbove(seconds(programs[name]!, 1), 0)
  })
})
