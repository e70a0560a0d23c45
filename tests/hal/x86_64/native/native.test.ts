import { describe, expect, it } from "vitest"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import { compareNatively } from "./compare.ts"
import { isNative } from "./native.ts"

/** How many cases of each form: more in a campaign. */
const casesOfEach = Number(process.env.NATIVE_CASES ?? 6)
const seed = Number(process.env.NATIVE_SEED ?? 1)

describe.runIf(isNative)("the plain reading", () => {
  it("does what the processor of this machine does", { timeout: 3_600_000 }, () => {
    const { cases, exceptions, different } = compareNatively(makePlain, seed, casesOfEach)
    expect(different).toEqual([])
    expect(cases).toBeGreaterThan(4000)
    expect(exceptions).toBeGreaterThan(400)
  })
})
