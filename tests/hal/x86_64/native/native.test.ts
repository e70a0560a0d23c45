/**
 * The readings do what the processor of this machine does.
 *
 * `NATIVE_CASES=<n>` tries so many cases of each form instead of a few, `NATIVE_SEED=<n>` others.
 */
import { describe, expect, it } from "vitest"
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import { type Comparison, compareNatively, compareOperations, compareX87 } from "./compare.ts"
import { compareEncodings } from "./encodings.ts"
import { isNative } from "./native.ts"

const casesOfEach = Number(process.env.NATIVE_CASES ?? 6)
const seed = Number(process.env.NATIVE_SEED ?? 1)

const agree = ({ cases, exceptions, different }: Comparison): void => {
  expect(different).toEqual([])
  expect(cases).toBeGreaterThan(4000)
  expect(exceptions).toBeGreaterThan(400)
}

describe.runIf(isNative)("what the processor of this machine does", { timeout: 3_600_000 }, () => {
  it("plain execution does", () => {
    agree(compareNatively(makePlain, seed, casesOfEach))
  })

  it("the interpreter's handlers do", () => {
    const made: Array<Interpreter> = []
    const make = (parts: ConstructorParameters<typeof Interpreter>[0]) => {
      const interpreter = new Interpreter(parts, { patience: Number.POSITIVE_INFINITY })
      made.push(interpreter)
      return interpreter
    }
    agree(compareNatively(make, seed, casesOfEach, () => made[0]!.generate()))
  })

  it("the x87 FPU's operations do", () => {
    agree(compareX87(seed, 10 * casesOfEach))
  })

  it("what is no instruction is #UD, and prefixes change what they change", () => {
    const { tried, invalid, different } = compareEncodings(seed, 250 * casesOfEach)
    expect(different).toEqual([])
    expect(invalid).toBeGreaterThan(tried / 4)
    expect(invalid).toBeLessThan(tried / 2)
  })

  it("the machine's system operations do, as far as user mode may try them", () => {
    const { cases, exceptions, different } = compareOperations(seed, 5 * casesOfEach)
    expect(different).toEqual([])
    expect(cases - exceptions).toBeGreaterThan(cases / 10)
  })
})
