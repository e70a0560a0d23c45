/** Functions of vectors of floating-point numbers. */
import * as float from "./float.ts"
import { double, type Environment, type Format, half, type Operation, rounding, single } from "./float.ts"
import { lanesIn, vectorOf } from "./lanes.ts"

export type FloatFunction = (environment: Environment, a: bigint, b: bigint, c: bigint) => bigint

const packed =
  (format: Format, operation: Operation): FloatFunction =>
  (environment, a, b) => {
    const width = Number(format.bits)
    const others = lanesIn(b, width)
    return vectorOf(
      lanesIn(a, width).map((lane, n) => operation(environment, format, lane, others[n]!)),
      width
    )
  }

/** `a` with another lowest part. */
const withLowest = (a: bigint, bits: bigint, value: bigint): bigint => ((a >> bits) << bits) | value
const lowest = (a: bigint, { bits }: Format): bigint => BigInt.asUintN(Number(bits), a)

/** The other lanes are the first operand's. */
const scalar =
  (format: Format, operation: Operation): FloatFunction =>
  (environment, a, b) =>
    withLowest(a, format.bits, operation(environment, format, lowest(a, format), lowest(b, format)))

const binary = {
  add: float.add,
  sub: float.sub,
  mul: float.mul,
  div: float.div,
  min: float.min,
  max: float.max,
  sqrt: float.sqrt,
  ...float.predicates
} as const
type Binary = keyof typeof binary
type Shape = "f32x4" | "f64x2" | "f32" | "f64"

// biome-ignore format: a shape, a line
const shapes = {
  f32x4: (operation: Operation) => packed(single, operation),
  f64x2: (operation: Operation) => packed(double, operation),
  f32:   (operation: Operation) => scalar(single, operation),
  f64:   (operation: Operation) => scalar(double, operation)
} as const

const all = Object.fromEntries(
  Object.entries(shapes).flatMap(([shape, make]) =>
    Object.entries(binary).map(([name, operation]) => [`${shape}.${name}`, make(operation)])
  )
) as Record<`${Shape}.${Binary}`, FloatFunction>

/** Subtraction in even lanes, addition in odd ones. */
const alternating =
  (format: Format): FloatFunction =>
  (environment, a, b) => {
    const width = Number(format.bits)
    const others = lanesIn(b, width)
    return vectorOf(
      lanesIn(a, width).map((lane, n) => (n % 2 === 0 ? float.sub : float.add)(environment, format, lane, others[n]!)),
      width
    )
  }

/** DPPS, DPPD: of products chosen by the upper half of the constant, the sum goes where its lower half says. */
const dot =
  (format: Format): FloatFunction =>
  (environment, a, b, constant) => {
    const width = Number(format.bits)
    const others = lanesIn(b, width)
    const has = (bit: number) => ((constant >> BigInt(bit)) & 1n) === 1n
    let terms = step(environment, 0, (own) =>
      lanesIn(a, width).map((lane, n) => (has(4 + n) ? float.mul(own, format, lane, others[n]!) : 0n))
    )
    const places = terms.map((_, n) => n)
    for (let number = 1; terms.length > 1; number++) {
      const pairs = terms.filter((_, n) => n % 2 === 0).map((term, n) => [term, terms[2 * n + 1]!] as const)
      terms = step(environment, number, (own) => pairs.map(([one, other]) => float.add(own, format, one, other)))
    }
    return vectorOf(
      places.map((n) => (has(n) ? terms[0]! : 0n)),
      width
    )
  }

/** What several operations find at once. */
const step = <A>(environment: Environment, number: number, operations: (own: Environment) => A): A => {
  const own = { ...environment, flags: 0 }
  const results = operations(own)
  environment.steps ??= []
  environment.steps[number] = (environment.steps[number] ?? 0) | own.flags
  return results
}

const plus = { product: 1, addend: 1 } as const
const minus = { product: 1, addend: -1 } as const

/** By the names of FMA's instructions: the signs in even and in odd lanes. */
// biome-ignore format: an operation, a line
const fusions: Readonly<Record<Fusion, readonly [even: float.Signs, odd: float.Signs]>> = {
  fmadd:    [plus, plus],
  fmsub:    [minus, minus],
  fnmadd:   [{ product: -1, addend: 1 }, { product: -1, addend: 1 }],
  fnmsub:   [{ product: -1, addend: -1 }, { product: -1, addend: -1 }],
  fmaddsub: [minus, plus],
  fmsubadd: [plus, minus]
}
type Fusion = "fmadd" | "fmsub" | "fnmadd" | "fnmsub" | "fmaddsub" | "fmsubadd"

const fusedLanes =
  (format: Format, signs: readonly [float.Signs, float.Signs], count: number): FloatFunction =>
  (environment, a, b, c) => {
    const width = Number(format.bits)
    const [factors, others, addends] = [a, b, c].map((input) => lanesIn(input, width)) as [bigint[], bigint[], bigint[]]
    const results = factors
      .slice(0, count)
      .map((lane, n) => float.fused(environment, format, signs[n & 1]!, lane, others[n]!, addends[n]!))
    return vectorOf(results, width)
  }

const fusedShapes = [
  ["f32x4", single, 4],
  ["f64x2", double, 2],
  ["f32", single, 1],
  ["f64", double, 1]
] as const
const fused = Object.fromEntries(
  fusedShapes.flatMap(([shape, format, count]) =>
    Object.entries(fusions).map(([name, signs]) => [`${shape}.${name}`, fusedLanes(format, signs, count)])
  )
) as Record<`${Shape}.${Fusion}`, FloatFunction>

/** "MXCSR.DAZ is ignored", and denormal numbers of 16 bits are not noted. */
const fromHalf = (environment: Environment, lane: bigint): bigint => {
  const own = { ...environment, denormalsAreZeros: false, flags: 0 }
  const result = float.converted(own, half, single, lane)
  environment.flags |= own.flags & float.flag.invalid
  return result
}
/** "MXCSR.FZ is ignored." Bits 1:0 of the constant are the rounding, unless bit 2 takes MXCSR's. */
const toHalf = (environment: Environment, lane: bigint, how: bigint): bigint => {
  const mode = how & 4n ? environment.rounding : (Number(how & 3n) as float.Rounding)
  const own = { ...environment, flushesToZero: false, rounding: mode, flags: 0 }
  const result = float.converted(own, single, half, lane)
  environment.flags |= own.flags
  return result
}

const integral =
  (format: Format): Operation =>
  (environment, of, a, how) =>
    float.integral(environment, of ?? format, a, Number(how))
const packedIntegral =
  (format: Format): FloatFunction =>
  (environment, _, b, how) => {
    const width = Number(format.bits)
    return vectorOf(
      lanesIn(b, width).map((lane) => integral(format)(environment, format, lane, how)),
      width
    )
  }
const scalarIntegral =
  (format: Format): FloatFunction =>
  (environment, a, b, how) =>
    withLowest(a, format.bits, integral(format)(environment, format, lowest(b, format), how))

/** Lanes of the second operand, each made into one of another width; above them 0. */
const eachLane =
  (from: number, count: number, to: number, f: (environment: Environment, lane: bigint) => bigint): FloatFunction =>
  (environment, _, b) =>
    vectorOf(
      lanesIn(b, from)
        .slice(0, count)
        .map((lane) => f(environment, lane)),
      to
    )

const toFloat = (to: Format, width: 32 | 64) => (environment: Environment, lane: bigint) =>
  float.fromInteger(environment, to, BigInt.asIntN(width, lane))
const toInteger = (from: Format, width: 32 | 64, truncates: boolean) => (environment: Environment, lane: bigint) =>
  float.toInteger(environment, from, lane, width, truncates ? rounding.towardZero : environment.rounding)
const between = (from: Format, to: Format) => (environment: Environment, lane: bigint) =>
  float.converted(environment, from, to, lane)

const lowestLane =
  (from: number, to: bigint, f: (environment: Environment, lane: bigint) => bigint): FloatFunction =>
  (environment, a, b) =>
    withLowest(a, to, f(environment, BigInt.asUintN(from, b)))

// biome-ignore format: a function, a line
export const floatFunctions = {
  ...all,
  ...fused,
  "f32x4.from_f16x4": eachLane(16, 4, 32, fromHalf),
  "f16x4.from_f32x4": (environment, a, b, how) => eachLane(32, 4, 16, (own, lane) => toHalf(own, lane, how))(environment, a, b, how),
  "f32x4.addsub": alternating(single),
  "f64x2.addsub": alternating(double),
  "f32x4.dot":    dot(single),
  "f64x2.dot":    dot(double),
  "f32x4.round":  packedIntegral(single),
  "f64x2.round":  packedIntegral(double),
  "f32.round":    scalarIntegral(single),
  "f64.round":    scalarIntegral(double),
  "f32.comi":     scalar(single, float.comi),
  "f64.comi":     scalar(double, float.comi),
  "f32.ucomi":    scalar(single, float.ucomi),
  "f64.ucomi":    scalar(double, float.ucomi),
  "f32x4.reciprocal":     packed(single, float.reciprocal),
  "f32.reciprocal":       scalar(single, float.reciprocal),
  "f32x4.reciprocalRoot": packed(single, float.reciprocalRoot),
  "f32.reciprocalRoot":   scalar(single, float.reciprocalRoot),

  "f64x2.from_f32x2": eachLane(32, 2, 64, between(single, double)),
  "f32x2.from_f64x2": eachLane(64, 2, 32, between(double, single)),
  "f32x4.from_i32x4": eachLane(32, 4, 32, toFloat(single, 32)),
  "f64x2.from_i32x2": eachLane(32, 2, 64, toFloat(double, 32)),
  "i32x4.from_f32x4": eachLane(32, 4, 32, toInteger(single, 32, false)),
  "i32x2.from_f64x2": eachLane(64, 2, 32, toInteger(double, 32, false)),
  "i32x4.truncated_f32x4": eachLane(32, 4, 32, toInteger(single, 32, true)),
  "i32x2.truncated_f64x2": eachLane(64, 2, 32, toInteger(double, 32, true)),

  "f64.from_f32": lowestLane(32, 64n, between(single, double)),
  "f32.from_f64": lowestLane(64, 32n, between(double, single)),
  "f32.from_i32": lowestLane(32, 32n, toFloat(single, 32)),
  "f32.from_i64": lowestLane(64, 32n, toFloat(single, 64)),
  "f64.from_i32": lowestLane(32, 64n, toFloat(double, 32)),
  "f64.from_i64": lowestLane(64, 64n, toFloat(double, 64)),
  "i32.from_f32": eachLane(32, 1, 64, toInteger(single, 32, false)),
  "i64.from_f32": eachLane(32, 1, 64, toInteger(single, 64, false)),
  "i32.from_f64": eachLane(64, 1, 64, toInteger(double, 32, false)),
  "i64.from_f64": eachLane(64, 1, 64, toInteger(double, 64, false)),
  "i32.truncated_f32": eachLane(32, 1, 64, toInteger(single, 32, true)),
  "i64.truncated_f32": eachLane(32, 1, 64, toInteger(single, 64, true)),
  "i32.truncated_f64": eachLane(64, 1, 64, toInteger(double, 32, true)),
  "i64.truncated_f64": eachLane(64, 1, 64, toInteger(double, 64, true))
} as const satisfies Record<string, FloatFunction>
