/**
 * Floating-point arithmetic by the definition: exact integers, rounded once. SDM vol. 1, "Programming with Intel Streaming SIMD Extensions",
 * "SIMD Floating-Point Exceptions"; IEEE Std 754.
 *
 * A number is its bits, as a bigint. What an operation meets besides its result is left in the environment.
 */

export interface Format {
  readonly bits: bigint
  readonly fractionBits: number
  /** The exponent of 1. */
  readonly bias: number
}
export const single: Format = { bits: 32n, fractionBits: 23, bias: 127 }
export const half: Format = { bits: 16n, fractionBits: 10, bias: 15 }
export const double: Format = { bits: 64n, fractionBits: 52, bias: 1023 }

/** SDM vol. 1, "MXCSR Control and Status Register": the exceptions' flags; their masks are 7 bits higher. */
// biome-ignore format: a table
export const flag = { invalid: 1, denormal: 2, divideByZero: 4, overflow: 8, underflow: 16, precision: 32 } as const

/** The numbers of MXCSR.RC. */
export const rounding = { nearest: 0, down: 1, up: 2, towardZero: 3 } as const
export type Rounding = (typeof rounding)[keyof typeof rounding]

export interface Environment {
  readonly rounding: Rounding
  readonly denormalsAreZeros: boolean
  /** Tiny results become 0: only if underflow is masked. */
  readonly flushesToZero: boolean
  /** Exceptions that are not masked, as their flags. */
  readonly unmasked: number
  flags: number
  /** Of several operations, one after the other: the flags of each. The next is not taken if one of them is not masked. */
  steps?: Array<number>
}

/** These are found before there is a result: if one of them is not masked, the others do not come to pass. */
const beforehand = flag.invalid | flag.denormal | flag.divideByZero
export const foundIn = ({ flags, unmasked, steps = [flags] }: Environment): number => {
  let found = 0
  for (const each of steps) {
    found |= each & beforehand & unmasked ? each & beforehand : each
    if (found & unmasked) break
  }
  return found
}

// ---- numbers taken apart

interface Parts {
  readonly kind: "zero" | "finite" | "infinity" | "quiet" | "signaling"
  readonly negative: boolean
  readonly denormal: boolean
  /** The value is `significand` times 2 to `exponent`. */
  readonly significand: bigint
  readonly exponent: number
  readonly bits: bigint
}

const fractionMask = ({ fractionBits }: Format): bigint => (1n << BigInt(fractionBits)) - 1n
const quietBit = ({ fractionBits }: Format): bigint => 1n << BigInt(fractionBits - 1)
const signOf = ({ bits }: Format, negative: boolean): bigint => (negative ? 1n << (bits - 1n) : 0n)

const zero = (format: Format, negative: boolean): bigint => signOf(format, negative)
const infinity = (format: Format, negative: boolean): bigint =>
  signOf(format, negative) | (BigInt(2 * format.bias + 1) << BigInt(format.fractionBits))
const largest = (format: Format, negative: boolean): bigint => infinity(format, negative) - 1n
/** "QNaN floating-point indefinite". */
const indefinite = (format: Format): bigint => infinity(format, true) | quietBit(format)

const partsOf = (environment: Environment, format: Format, bits: bigint): Parts => {
  const { fractionBits, bias } = format
  const fraction = bits & fractionMask(format)
  const negative = ((bits >> (format.bits - 1n)) & 1n) === 1n
  const exponent = Number((bits >> BigInt(fractionBits)) & BigInt(2 * bias + 1))
  const parts = { negative, denormal: false, significand: fraction, exponent: 1 - bias - fractionBits, bits }
  if (exponent === 2 * bias + 1) {
    if (fraction === 0n) return { ...parts, kind: "infinity" }
    return { ...parts, kind: fraction & quietBit(format) ? "quiet" : "signaling" }
  }
  if (exponent === 0) {
    if (fraction === 0n || environment.denormalsAreZeros)
      return { ...parts, kind: "zero", bits: zero(format, negative) }
    return { ...parts, kind: "finite", denormal: true }
  }
  return {
    ...parts,
    kind: "finite",
    significand: fraction | (fractionMask(format) + 1n),
    exponent: exponent - bias - fractionBits
  }
}

const isNan = ({ kind }: Parts): boolean => kind === "quiet" || kind === "signaling"
const lengthOf = (value: bigint): number => value.toString(2).length

// ---- rounding

/** Without its low `count` bits (if any); and whether these were other than 0. */
const shifted = (value: bigint, count: number, negative: boolean, mode: Rounding): readonly [bigint, boolean] => {
  if (count <= 0) return [value << BigInt(-count), false]
  const kept = value >> BigInt(count)
  const rest = value - (kept << BigInt(count))
  if (rest === 0n) return [kept, false]
  const half = 1n << BigInt(count - 1)
  const isUp =
    mode === rounding.nearest
      ? rest > half || (rest === half && (kept & 1n) === 1n)
      : mode === (negative ? rounding.down : rounding.up)
  return [isUp ? kept + 1n : kept, true]
}

/**
 * The number of this format for `significand` (not 0) times 2 to `exponent`. Tininess is detected after rounding. Nobody sees the result of an
 * overflow or underflow that is not masked: it is inexact then if it were with any exponent.
 */
const rounded = (
  environment: Environment,
  format: Format,
  negative: boolean,
  significand: bigint,
  exponent: number
): bigint => {
  const { fractionBits, bias } = format
  const mode = environment.rounding
  const drop = lengthOf(significand) - 1 - fractionBits
  const [whole, isInexact] = shifted(significand, drop, negative, mode)
  const magnitude = exponent + drop + lengthOf(whole) - 1
  const isTiny = magnitude < 1 - bias
  if (isTiny && (environment.unmasked & flag.underflow) === 0)
    return tiny(environment, format, negative, significand, exponent)
  if (isInexact) environment.flags |= flag.precision
  if (isTiny) {
    environment.flags |= flag.underflow
    return zero(format, negative)
  }
  if (magnitude > bias) {
    environment.flags |= flag.overflow | (environment.unmasked & flag.overflow ? 0 : flag.precision)
    const staysFinite = mode === rounding.towardZero || mode === (negative ? rounding.up : rounding.down)
    return staysFinite ? largest(format, negative) : infinity(format, negative)
  }
  const fraction = (lengthOf(whole) > fractionBits + 1 ? whole >> 1n : whole) & fractionMask(format)
  return signOf(format, negative) | (BigInt(magnitude + bias) << BigInt(fractionBits)) | fraction
}

/** Underflow is masked: it is noted only of what is inexact. */
const tiny = (
  environment: Environment,
  format: Format,
  negative: boolean,
  significand: bigint,
  exponent: number
): bigint => {
  if (environment.flushesToZero) {
    environment.flags |= flag.underflow | flag.precision
    return zero(format, negative)
  }
  const least = 1 - format.bias - format.fractionBits
  const [whole, isInexact] = shifted(significand, least - exponent, negative, environment.rounding)
  if (isInexact) environment.flags |= flag.underflow | flag.precision
  // What was rounded up to the least normal number has its exponent by that.
  return signOf(format, negative) | whole
}

/** The low bit stands for what the division or root has left over. */
const sticky = (quotient: bigint, hasRest: boolean): bigint => (quotient << 1n) | (hasRest ? 1n : 0n)

// ---- operations

export type Operation = (environment: Environment, format: Format, a: bigint, b: bigint) => bigint

const invalid = (environment: Environment, format: Format): bigint => {
  environment.flags |= flag.invalid
  return indefinite(format)
}

/** SDM vol. 1, "Rules for Handling NaNs": the first operand if it is one, else the second. */
const nanOf = (environment: Environment, format: Format, a: Parts, b: Parts): bigint => {
  if (a.kind === "signaling" || b.kind === "signaling") environment.flags |= flag.invalid
  return (isNan(a) ? a.bits : b.bits) | quietBit(format)
}

const noteDenormals = (environment: Environment, ...all: ReadonlyArray<Parts>): void => {
  if (all.some(({ denormal }) => denormal)) environment.flags |= flag.denormal
}

/** An operation on numbers that are no NaN. */
const ofNumbers =
  (f: (environment: Environment, format: Format, a: Parts, b: Parts) => bigint): Operation =>
  (environment, format, one, other) => {
    const [a, b] = [partsOf(environment, format, one), partsOf(environment, format, other)]
    return isNan(a) || isNan(b) ? nanOf(environment, format, a, b) : f(environment, format, a, b)
  }

/** A sum of nothing has the sign of both, or else is -0 when rounding down. */
const sumOf = (environment: Environment, format: Format, a: Parts, b: Parts): bigint => {
  if (a.kind === "infinity" && b.kind === "infinity" && a.negative !== b.negative) return invalid(environment, format)
  noteDenormals(environment, a, b)
  if (a.kind === "infinity") return a.bits
  if (b.kind === "infinity") return b.bits
  return added(environment, format, termOf(a), termOf(b))
}

type Term = Pick<Parts, "negative" | "significand" | "exponent">
const termOf = (parts: Parts): Term => (parts.kind === "zero" ? { ...parts, significand: 0n } : parts)

const added = (environment: Environment, format: Format, a: Term, b: Term): bigint => {
  const exponent = Math.min(a.exponent, b.exponent)
  const valueIn = ({ negative, significand, exponent: own }: Term) =>
    (negative ? -significand : significand) << BigInt(own - exponent)
  const sum = valueIn(a) + valueIn(b)
  if (sum !== 0n) return rounded(environment, format, sum < 0n, sum < 0n ? -sum : sum, exponent)
  const isBoth = a.significand === 0n && b.significand === 0n && a.negative === b.negative
  return zero(format, isBoth ? a.negative : environment.rounding === rounding.down)
}

export const add: Operation = ofNumbers(sumOf)
export const sub: Operation = ofNumbers((environment, format, a, b) =>
  sumOf(environment, format, a, { ...b, negative: !b.negative, bits: b.bits ^ signOf(format, true) })
)

export const mul: Operation = ofNumbers((environment, format, a, b) => {
  const negative = a.negative !== b.negative
  const [hasInfinity, hasZero] = [a, b].reduce(
    ([infinite, none], { kind }) => [infinite || kind === "infinity", none || kind === "zero"],
    [false, false]
  )
  if (hasInfinity && hasZero) return invalid(environment, format)
  noteDenormals(environment, a, b)
  if (hasInfinity) return infinity(format, negative)
  if (hasZero) return zero(format, negative)
  return rounded(environment, format, negative, a.significand * b.significand, a.exponent + b.exponent)
})

export const div: Operation = ofNumbers((environment, format, a, b) => {
  const negative = a.negative !== b.negative
  if (a.kind === b.kind && a.kind !== "finite") return invalid(environment, format)
  if (b.kind === "zero" && a.kind !== "infinity") {
    environment.flags |= flag.divideByZero
    return infinity(format, negative)
  }
  noteDenormals(environment, a, b)
  if (a.kind === "infinity") return infinity(format, negative)
  if (a.kind === "zero" || b.kind === "infinity") return zero(format, negative)
  const more = Math.max(0, format.fractionBits + 3 + lengthOf(b.significand) - lengthOf(a.significand))
  const dividend = a.significand << BigInt(more)
  const quotient = sticky(dividend / b.significand, dividend % b.significand !== 0n)
  return rounded(environment, format, negative, quotient, a.exponent - b.exponent - more - 1)
})

/** Of the second operand. */
export const sqrt: Operation = (environment, format, _, bits) => {
  const a = partsOf(environment, format, bits)
  if (isNan(a)) return nanOf(environment, format, a, a)
  if (a.kind === "zero") return a.bits
  if (a.negative) return invalid(environment, format)
  noteDenormals(environment, a)
  if (a.kind === "infinity") return a.bits
  let more = Math.max(0, 2 * format.fractionBits + 6 - lengthOf(a.significand))
  if ((a.exponent - more) % 2 !== 0) more++
  const square = a.significand << BigInt(more)
  const root = rootOf(square)
  return rounded(environment, format, false, sticky(root, root * root !== square), (a.exponent - more) / 2 - 1)
}

/** The largest integer whose square is not more: Newton's way, from above. */
const rootOf = (square: bigint): bigint => {
  let root = 1n << BigInt(Math.ceil(lengthOf(square) / 2))
  for (;;) {
    const next = (root + square / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

/** The signs of a product and of what is added to it. */
export interface Signs {
  readonly product: 1 | -1
  readonly addend: 1 | -1
}

/** a times b, plus c, rounded once. SDM vol. 1, "Fused-Multiply-ADD (FMA) Numeric Behavior": the first that is a NaN is the result. */
export const fused = (environment: Environment, format: Format, signs: Signs, ...of: ReadonlyArray<bigint>): bigint => {
  const [a, b, c] = of.map((bits) => partsOf(environment, format, bits)) as [Parts, Parts, Parts]
  const isInvalid = [a, b].some(({ kind }) => kind === "infinity") && [a, b].some(({ kind }) => kind === "zero")
  const nan = [a, b, c].find(isNan)
  if (nan !== undefined) {
    if ([a, b, c].some(({ kind }) => kind === "signaling")) environment.flags |= flag.invalid
    return nan.bits | quietBit(format)
  }
  if (isInvalid) return invalid(environment, format)
  const negative = (a.negative !== b.negative) !== (signs.product === -1)
  const addend = { ...c, negative: c.negative !== (signs.addend === -1) }
  const isInfinite = [a, b].some(({ kind }) => kind === "infinity")
  if (isInfinite && c.kind === "infinity" && negative !== addend.negative) return invalid(environment, format)
  noteDenormals(environment, a, b, c)
  if (isInfinite) return infinity(format, negative)
  if (c.kind === "infinity") return infinity(format, addend.negative)
  const isNothing = a.kind === "zero" || b.kind === "zero"
  const product: Term = {
    negative,
    significand: isNothing ? 0n : a.significand * b.significand,
    exponent: isNothing ? c.exponent : a.exponent + b.exponent
  }
  return added(environment, format, product, c.kind === "zero" ? { ...addend, significand: 0n } : addend)
}

// ---- comparison

type Order = "less" | "equal" | "greater" | "unordered"

const orderOf = (a: Parts, b: Parts): Order => {
  if (isNan(a) || isNan(b)) return "unordered"
  const [one, other] = [ordinal(a), ordinal(b)]
  return one < other ? "less" : one > other ? "greater" : "equal"
}
/** Bits of numbers of one sign are in the order of the numbers. */
const ordinal = ({ kind, negative, bits }: Parts): bigint => {
  if (kind === "zero") return 0n
  const magnitude = BigInt.asUintN(lengthOf(bits) - (negative ? 1 : 0), bits)
  return negative ? -magnitude : magnitude
}

/** `quiet`: only a signaling NaN is invalid. */
const compared = (environment: Environment, format: Format, one: bigint, other: bigint, quiet: boolean): Order => {
  const [a, b] = [partsOf(environment, format, one), partsOf(environment, format, other)]
  const order = orderOf(a, b)
  if (order !== "unordered") noteDenormals(environment, a, b)
  else if (!quiet || a.kind === "signaling" || b.kind === "signaling") environment.flags |= flag.invalid
  return order
}

const allOnes = ({ bits }: Format): bigint => (1n << bits) - 1n
const predicate =
  (quiet: boolean, holds: (order: Order) => boolean): Operation =>
  (environment, format, a, b) =>
    holds(compared(environment, format, a, b, quiet)) ? allOnes(format) : 0n

const isLess = (order: Order) => order === "less"
const isAtMost = (order: Order) => order === "less" || order === "equal"
const isEqual = (order: Order) => order === "equal"
const isMore = (order: Order) => order === "greater"
const isAtLeast = (order: Order) => order === "greater" || order === "equal"
const isUnordered = (order: Order) => order === "unordered"
const not = (holds: (order: Order) => boolean) => (order: Order) => !holds(order)

/** SDM vol. 2A, "CMPPD", table "Comparison Predicate for CMPPD and CMPPS Instructions": in the order of the constant. */
// biome-ignore format: a predicate, a line
export const predicates = {
  eq_oq:    predicate(true,  isEqual),
  lt_os:    predicate(false, isLess),
  le_os:    predicate(false, isAtMost),
  unord_q:  predicate(true,  isUnordered),
  neq_uq:   predicate(true,  not(isEqual)),
  nlt_us:   predicate(false, not(isLess)),
  nle_us:   predicate(false, not(isAtMost)),
  ord_q:    predicate(true,  not(isUnordered)),
  eq_uq:    predicate(true,  (order) => isEqual(order) || isUnordered(order)),
  nge_us:   predicate(false, not(isAtLeast)),
  ngt_us:   predicate(false, not(isMore)),
  false_oq: predicate(true,  () => false),
  neq_oq:   predicate(true,  (order) => isLess(order) || isMore(order)),
  ge_os:    predicate(false, isAtLeast),
  gt_os:    predicate(false, isMore),
  true_uq:  predicate(true,  () => true),
  eq_os:    predicate(false, isEqual),
  lt_oq:    predicate(true,  isLess),
  le_oq:    predicate(true,  isAtMost),
  unord_s:  predicate(false, isUnordered),
  neq_us:   predicate(false, not(isEqual)),
  nlt_uq:   predicate(true,  not(isLess)),
  nle_uq:   predicate(true,  not(isAtMost)),
  ord_s:    predicate(false, not(isUnordered)),
  eq_us:    predicate(false, (order) => isEqual(order) || isUnordered(order)),
  nge_uq:   predicate(true,  not(isAtLeast)),
  ngt_uq:   predicate(true,  not(isMore)),
  false_os: predicate(false, () => false),
  neq_os:   predicate(false, (order) => isLess(order) || isMore(order)),
  ge_oq:    predicate(true,  isAtLeast),
  gt_oq:    predicate(true,  isMore),
  true_us:  predicate(false, () => true)
} as const
export const predicateNames = Object.keys(predicates) as ReadonlyArray<keyof typeof predicates>

/** CF, PF and ZF as COMISS sets them. */
const orderFlags = { greater: 0n, less: 1n, equal: 0x40n, unordered: 0x45n } as const
export const comi: Operation = (environment, format, a, b) => orderFlags[compared(environment, format, a, b, false)]
export const ucomi: Operation = (environment, format, a, b) => orderFlags[compared(environment, format, a, b, true)]

/** The second operand if one is a NaN, or both are 0. */
const extreme =
  (wanted: "less" | "greater"): Operation =>
  (environment, format, a, b) => {
    const [one, other] = [a, b].map((bits) => partsOf(environment, format, bits).bits)
    return compared(environment, format, a, b, false) === wanted ? one! : other!
  }
export const min: Operation = extreme("less")
export const max: Operation = extreme("greater")

// ---- conversion

/** To another format. */
export const converted = (environment: Environment, from: Format, to: Format, bits: bigint): bigint => {
  const a = partsOf(environment, from, bits)
  if (isNan(a)) {
    if (a.kind === "signaling") environment.flags |= flag.invalid
    const wider = to.fractionBits - from.fractionBits
    const fraction = wider > 0 ? a.significand << BigInt(wider) : a.significand >> BigInt(-wider)
    return infinity(to, a.negative) | quietBit(to) | fraction
  }
  noteDenormals(environment, a)
  if (a.kind === "infinity") return infinity(to, a.negative)
  if (a.kind === "zero") return zero(to, a.negative)
  return rounded(environment, to, a.negative, a.significand, a.exponent)
}

/** From a signed integer. */
export const fromInteger = (environment: Environment, to: Format, value: bigint): bigint =>
  value === 0n ? 0n : rounded(environment, to, value < 0n, value < 0n ? -value : value, 0)

/** To a signed integer: what does not fit is the one with only the highest bit set. */
export const toInteger = (
  environment: Environment,
  from: Format,
  bits: bigint,
  width: number,
  mode: Rounding
): bigint => {
  const a = partsOf(environment, from, bits)
  if (a.kind === "zero") return 0n
  const limit = 1n << BigInt(width - 1)
  const [magnitude, isInexact] =
    a.kind === "finite" ? shifted(a.significand, -a.exponent, a.negative, mode) : [limit * 2n, false]
  const value = a.negative ? -magnitude : magnitude
  if (value < -limit || value >= limit) {
    environment.flags |= flag.invalid
    return limit
  }
  if (isInexact) environment.flags |= flag.precision
  return BigInt.asUintN(width, value)
}

/** To an integer in the same format. SDM vol. 2B, "ROUNDPD": bits 1:0 the mode, unless bit 2 takes MXCSR's; bit 3: precision is not noted. */
export const integral = (environment: Environment, format: Format, bits: bigint, how: number): bigint => {
  const a = partsOf(environment, format, bits)
  if (isNan(a)) return nanOf(environment, format, a, a)
  if (a.kind !== "finite" || a.exponent >= 0) return a.bits
  const mode = how & 4 ? environment.rounding : ((how & 3) as Rounding)
  const [whole, isInexact] = shifted(a.significand, -a.exponent, a.negative, mode)
  if (isInexact && !(how & 8)) environment.flags |= flag.precision
  if (whole === 0n) return zero(format, a.negative)
  return rounded({ ...environment, flags: 0 }, format, a.negative, whole, 0)
}

// ---- approximations: of relative error below 1.5 times 2 to -12, without exceptions

const quietly: Environment = {
  rounding: rounding.towardZero,
  denormalsAreZeros: true,
  flushesToZero: true,
  unmasked: 0,
  flags: 0
}
const one = 0x3f80_0000n

export const reciprocal: Operation = (_environment, format, _, bits) => div({ ...quietly }, format, one, bits)
export const reciprocalRoot: Operation = (_environment, format, _, bits) => {
  const isNegativeZero = partsOf(quietly, format, bits).bits === zero(format, true)
  return div({ ...quietly }, format, one, isNegativeZero ? zero(format, true) : sqrt({ ...quietly }, format, 0n, bits))
}
