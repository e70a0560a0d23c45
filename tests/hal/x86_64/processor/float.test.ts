import { describe, expect, it } from "vitest"
import {
  add,
  div,
  double,
  type Environment,
  flag,
  mul,
  type Operation,
  type Rounding,
  reciprocal,
  reciprocalRoot,
  rounding,
  single,
  sqrt,
  sub
} from "../../../../src/hal/x86_64/processor/float.ts"
import { Random } from "../native/Random.ts"

const view = new DataView(new ArrayBuffer(8))
const bitsOf = (value: number): bigint => {
  view.setFloat64(0, value)
  return view.getBigUint64(0)
}
const singleOf = (value: number): bigint => {
  view.setFloat32(0, value)
  return BigInt(view.getUint32(0))
}
const numberOf = (bits: bigint): number => {
  view.setUint32(0, Number(bits))
  return view.getFloat32(0)
}
const environment = (mode: Rounding = rounding.nearest, rest: Partial<Environment> = {}): Environment => ({
  rounding: mode,
  denormalsAreZeros: false,
  flushesToZero: false,
  unmasked: 0,
  flags: 0,
  ...rest
})

/** Numbers of all sizes; no NaN, whose bits JavaScript does not keep. */
const anyDouble = (random: Random): number => {
  view.setBigUint64(0, random.word())
  const value = view.getFloat64(0)
  return Number.isNaN(value) ? 1 : value
}

describe("rounding to nearest", () => {
  // biome-ignore format: an operation, a line
  it.each<readonly [string, Operation, (a: number, b: number) => number]>([
    ["addition",       add,  (a, b) => a + b],
    ["subtraction",    sub,  (a, b) => a - b],
    ["multiplication", mul,  (a, b) => a * b],
    ["division",       div,  (a, b) => a / b],
    ["a square root",  sqrt, (_, b) => Math.sqrt(b)]
  ])("%s is what JavaScript's is", (_name, operation, expected) => {
    const random = new Random(1)
    for (let i = 0; i < 2000; i++) {
      const a = anyDouble(random)
      const b = i % 2 === 0 ? anyDouble(random) : a * (1 + random.below(1000) / 1000)
      if (Number.isNaN(expected(a, b))) continue
      expect(operation(environment(), double, bitsOf(a), bitsOf(b)), `${a}, ${b}`).toBe(bitsOf(expected(a, b)))
    }
  })
})

describe("a result that is not exact", () => {
  const third = (mode: Rounding, sign: number) => div(environment(mode), single, singleOf(sign), singleOf(3))
  it("goes to the number below, above, or nearer to 0, as the mode says", () => {
    const [below, above] = [singleOf(1 / 3) - 1n, singleOf(1 / 3)]
    expect([rounding.down, rounding.up, rounding.towardZero].map((mode) => third(mode, 1))).toEqual([
      below,
      above,
      below
    ])
    const minus = [rounding.down, rounding.up, rounding.towardZero].map((mode) => third(mode, -1) & 0x7fff_ffffn)
    expect(minus).toEqual([above, below, below])
  })
  it("is noted", () => {
    const of = environment()
    div(of, single, singleOf(1), singleOf(3))
    expect(of.flags).toBe(flag.precision)
  })
})

describe("a tiny result", () => {
  const least = 1n << 23n
  const half = (rest: Partial<Environment>) => {
    const of = environment(rounding.nearest, rest)
    return [mul(of, single, least | 1n, singleOf(0.5)), of.flags]
  }
  it("is denormal", () => {
    expect(half({})).toEqual([1n << 22n, flag.underflow | flag.precision])
  })
  it("is 0 if MXCSR.FZ says so", () => {
    expect(half({ flushesToZero: true })).toEqual([0n, flag.underflow | flag.precision])
  })
  it("is no underflow if it is exact, unless underflow is unmasked", () => {
    const exact = (unmasked: number) => {
      const of = environment(rounding.nearest, { unmasked })
      mul(of, single, least, singleOf(0.5))
      return of.flags
    }
    expect([exact(0), exact(flag.underflow)]).toEqual([0, flag.underflow])
  })
})

describe("an approximation", () => {
  it("is within 1.5 times 2 to -12 of the reciprocal, or of the root's", () => {
    const random = new Random(2)
    for (let i = 0; i < 2000; i++) {
      const value = Math.fround(2 ** (random.below(200) - 100) * (1 + random.below(1 << 20) / 2 ** 20))
      const error = (found: bigint, exact: number) => Math.abs(numberOf(found) / exact - 1)
      expect(error(reciprocal(environment(), single, 0n, singleOf(value)), 1 / value)).toBeLessThan(1.5 * 2 ** -12)
      const root = reciprocalRoot(environment(), single, 0n, singleOf(value))
      expect(error(root, 1 / Math.sqrt(value))).toBeLessThan(1.5 * 2 ** -12)
    }
  })
})
