/** Vectors as bigints from 0 to 2^128 - 1: each operation on lanes as plainly as it can be said. */
import type { Lane, LaneOperation, LaneShift } from "../wasm/simd.ts"
import type { Vectors } from "./Vectors.ts"

type Lanes = ReadonlyArray<bigint>

export const lanesIn = (a: bigint, width: number): Lanes =>
  Array.from({ length: 128 / width }, (_, n) => BigInt.asUintN(width, a >> BigInt(width * n)))
/** The low `width` bits of each. */
export const vectorOf = (lanes: Lanes, width: number): bigint =>
  lanes.reduce((all, lane, n) => all | (BigInt.asUintN(width, lane) << BigInt(width * n)), 0n)

export const laneWidth = (lane: Lane): 8 | 16 | 32 | 64 => widths[lane]
const widths = { i8x16: 8, i16x8: 16, i32x4: 32, i64x2: 64 } as const

const ones = (1n << 128n) - 1n

const clamp = (value: bigint, low: bigint, high: bigint): bigint => (value < low ? low : value > high ? high : value)
const signedRange = (width: number) => [-(1n << BigInt(width - 1)), (1n << BigInt(width - 1)) - 1n] as const
const unsignedRange = (width: number) => [0n, (1n << BigInt(width)) - 1n] as const
const saturate = (value: bigint, width: number, sign: Sign): bigint =>
  clamp(value, ...(sign === "s" ? signedRange(width) : unsignedRange(width)))

type Sign = "s" | "u"
const extended = (lane: bigint, width: number, sign: Sign): bigint => (sign === "s" ? BigInt.asIntN(width, lane) : lane)
const extendedIn = (a: bigint, width: number, sign: Sign): Lanes =>
  lanesIn(a, width).map((lane) => extended(lane, width, sign))
const half = (lanes: Lanes, which: string): Lanes =>
  which === "low" ? lanes.slice(0, lanes.length / 2) : lanes.slice(lanes.length / 2)
const pairSums = (lanes: Lanes): Lanes =>
  Array.from({ length: lanes.length / 2 }, (_, n) => lanes[2 * n]! + lanes[2 * n + 1]!)

/** Lane by lane, of extended values. */
const between: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  // biome-ignore-start lint/complexity/useMathMinMax: of bigints
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  // biome-ignore-end lint/complexity/useMathMinMax: of bigints
  avgr: (a, b) => (a + b + 1n) >> 1n,
  eq: (a, b) => (a === b ? -1n : 0n),
  gt: (a, b) => (a > b ? -1n : 0n)
}

interface Parts {
  readonly verb: string
  readonly which: string
  readonly from: Lane | undefined
  readonly sign: Sign
}

const partsOf = (text: string): Parts => {
  const [, verb, which, from, sign] =
    /^([a-z]+(?:_sat|_pairwise)?)(?:_(low|high))?(?:_(i\d+x\d+))?(?:_([su]))?$/.exec(text) ?? []
  return { verb: verb!, which: which ?? "low", from: from as Lane | undefined, sign: sign === "s" ? "s" : "u" }
}

/** What a name says: "i16x8.narrow_i32x4_u" has lanes of 16 bits, and of 32 in its inputs, unsigned. */
const named = (name: LaneOperation): ((...inputs: Lanes) => bigint) => {
  const [lane, text] = name.split(".") as [Lane | "v128", string]
  if (lane === "v128") return bitwise[text]!
  const width = laneWidth(lane)
  const { verb, which, from, sign } = partsOf(text)
  const inner = from === undefined ? width : laneWidth(from)
  switch (verb) {
    case "swizzle":
      return (a, b) =>
        vectorOf(
          lanesIn(b!, 8).map((index) => lanesIn(a!, 8)[Number(index)] ?? 0n),
          8
        )
    case "abs":
      return (a) =>
        vectorOf(
          extendedIn(a!, width, "s").map((v) => (v < 0n ? -v : v)),
          width
        )
    case "neg":
      return (a) =>
        vectorOf(
          lanesIn(a!, width).map((v) => -v),
          width
        )
    case "narrow":
      return (a, b) =>
        vectorOf(
          [...extendedIn(a!, inner, "s"), ...extendedIn(b!, inner, "s")].map((v) => saturate(v, width, sign)),
          width
        )
    case "extend":
      return (a) => vectorOf(half(extendedIn(a!, inner, sign), which), width)
    case "extadd_pairwise":
      return (a) => vectorOf(pairSums(extendedIn(a!, inner, sign)), width)
    case "extmul":
    case "dot": {
      return (a, b) => {
        const factors = extendedIn(b!, inner, sign)
        const products = extendedIn(a!, inner, sign).map((v, n) => v * factors[n]!)
        return vectorOf(verb === "dot" ? pairSums(products) : half(products, which), width)
      }
    }
    default: {
      const operation = between[verb.replace("_sat", "")]!
      const saturates = verb.endsWith("_sat")
      return (a, b) => {
        const others = extendedIn(b!, width, sign)
        const results = extendedIn(a!, width, sign).map((v, n) => operation(v, others[n]!))
        return vectorOf(saturates ? results.map((v) => saturate(v, width, sign)) : results, width)
      }
    }
  }
}

const bitwise: Readonly<Record<string, (...inputs: Lanes) => bigint>> = {
  not: (a) => a! ^ ones,
  and: (a, b) => a! & b!,
  andnot: (a, b) => a! & (b! ^ ones),
  or: (a, b) => a! | b!,
  xor: (a, b) => a! ^ b!,
  /** Bits of the first where the third has ones, of the second elsewhere. */
  bitselect: (a, b, mask) => (a! & mask!) | (b! & (mask! ^ ones))
}

const known = new Map<LaneOperation, (...inputs: Lanes) => bigint>()
const operationOf = (name: LaneOperation): ((...inputs: Lanes) => bigint) => {
  const operation = known.get(name) ?? named(name)
  known.set(name, operation)
  return operation
}

const shift = (name: LaneShift, a: bigint, count: bigint): bigint => {
  const [lane, verb] = name.split(".") as [Lane, "shl" | "shr_s" | "shr_u"]
  const width = laneWidth(lane)
  const lanes = extendedIn(a, width, verb === "shr_s" ? "s" : "u")
  const by = count % BigInt(width)
  return vectorOf(
    lanes.map((v) => (verb === "shl" ? v << by : v >> by)),
    width
  )
}

export const vectors: Vectors<bigint, boolean, bigint> = {
  vectorConstant: (value) => value,
  lanes: (name, ...inputs) => operationOf(name)(...inputs),
  shiftLanes: shift,
  splat: (lane, value) => vectorOf(Array(128 / laneWidth(lane)).fill(value), laneWidth(lane)),
  lane: (lane, a, index) => lanesIn(a, laneWidth(lane))[index]!,
  withLane: (lane, a, index, value) => vectorOf(lanesIn(a, laneWidth(lane)).with(index, value), laneWidth(lane)),
  shuffle: (a, b, bytes) => {
    const all = [...lanesIn(a, 8), ...lanesIn(b, 8)]
    return vectorOf(
      bytes.map((n) => all[n]!),
      8
    )
  },
  bitmask: (name, a) => {
    const width = laneWidth(name.split(".")[0] as Lane)
    return lanesIn(a, width).reduce((mask, lane, n) => mask | ((lane >> BigInt(width - 1)) << BigInt(n)), 0n)
  },
  isZero: (a) => a === 0n,
  chooseVector: (when, then, otherwise) => (when ? then : otherwise)
}
