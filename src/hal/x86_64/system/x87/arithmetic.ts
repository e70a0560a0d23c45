/** Add, subtract, multiply, divide, square root, remainders and their like, on registers. SDM vol. 1, "Basic Arithmetic Instructions". */
import {
  bias,
  bitsOf,
  type Exact,
  type Extended,
  exactly,
  infinity,
  isNotNumber,
  kindOf,
  maxExponent,
  opposite,
  propagated,
  quieted,
  withSign,
  zero
} from "./Extended.ts"
import { flag, sticky, toInteger } from "./round.ts"
import { status, type Unit } from "./Unit.ts"

export type Binary = (unit: Unit, a: Extended, b: Extended) => Extended

/** What is the same for all: unsupported operands, and NaNs. Undefined: there are none. @throws `ended` */
export const notNumbers = (unit: Unit, ...values: readonly [Extended, ...Array<Extended>]): Extended | undefined => {
  const kinds = values.map(kindOf)
  if (kinds.includes("unsupported")) return unit.invalid()
  if (!kinds.some(isNotNumber)) return undefined
  if (kinds.includes("signaling")) unit.signal(flag.IE)
  const [a, b] = values
  return b === undefined ? quieted(a) : propagated(a, b)
}

const isZero = ({ significand }: Extended): boolean => significand === 0n
const isInfinite = ({ exponent }: Extended): boolean => exponent === maxExponent
const signOf = (a: Extended, b: Extended): 0 | 1 => (a.sign === b.sign ? 0 : 1)

const add: Binary = (unit, a, b) => notNumbers(unit, a, b) ?? sum(unit, a, b)
const sub: Binary = (unit, a, b) => notNumbers(unit, a, b) ?? sum(unit, a, withSign(b, opposite(b.sign)))

const sum = (unit: Unit, a: Extended, b: Extended): Extended => {
  if (isInfinite(a) && isInfinite(b) && a.sign !== b.sign) return unit.invalid()
  unit.checkDenormal(a, b)
  if (isInfinite(a)) return a
  if (isInfinite(b)) return b
  if (isZero(a) && isZero(b) && a.sign === b.sign) return a
  return exactResult(unit, exactSum(exactly(a), exactly(b)))
}

/** "When the sum of two operands with opposite signs is zero, the sign is + unless rounding is down." */
const exactResult = (unit: Unit, exact: Exact): Extended =>
  exact.magnitude === 0n ? zero(unit.rounding === 1 ? 1 : 0) : unit.rounded(exact)

/** What is so much smaller that it can only show in the rounding is moved nearer. */
const negligible = 140

const exactSum = (a: Exact, b: Exact): Exact => {
  if (a.scale < b.scale) return exactSum(b, a)
  if (a.magnitude === 0n) return b
  if (b.magnitude === 0n) return a
  if (a.scale - b.scale > negligible) return exactSum(a, { sign: b.sign, magnitude: 1n, scale: a.scale - negligible })
  const upper = a.magnitude << BigInt(a.scale - b.scale)
  const value = (a.sign ? -upper : upper) + (b.sign ? -b.magnitude : b.magnitude)
  return { sign: value < 0n ? 1 : 0, magnitude: value < 0n ? -value : value, scale: b.scale }
}

const mul: Binary = (unit, a, b) => {
  const nan = notNumbers(unit, a, b)
  if (nan !== undefined) return nan
  if ((isInfinite(a) && isZero(b)) || (isZero(a) && isInfinite(b))) return unit.invalid()
  unit.checkDenormal(a, b)
  const sign = signOf(a, b)
  if (isInfinite(a) || isInfinite(b)) return infinity(sign)
  if (isZero(a) || isZero(b)) return zero(sign)
  const [left, right] = [exactly(a), exactly(b)]
  return unit.rounded({ sign, magnitude: left.magnitude * right.magnitude, scale: left.scale + right.scale })
}

const div: Binary = (unit, a, b) => {
  const nan = notNumbers(unit, a, b)
  if (nan !== undefined) return nan
  if ((isInfinite(a) && isInfinite(b)) || (isZero(a) && isZero(b))) return unit.invalid()
  const sign = signOf(a, b)
  if (isZero(b) && !isInfinite(a)) {
    unit.signal(flag.ZE)
    return infinity(sign)
  }
  unit.checkDenormal(a, b)
  if (isInfinite(a)) return infinity(sign)
  if (isInfinite(b) || isZero(a)) return zero(sign)
  const [left, right] = [exactly(a), exactly(b)]
  return unit.rounded({ sign, ...quotient(left.magnitude, right.magnitude, left.scale - right.scale) })
}

/** With more bits than any precision, and what is behind them. */
const quotient = (dividend: bigint, divisor: bigint, scale: number): Pick<Exact, "magnitude" | "scale"> => {
  const shift = Math.max(0, bitsOf(divisor) - bitsOf(dividend) + 68)
  const shifted = dividend << BigInt(shift)
  return { magnitude: sticky(shifted / divisor, shifted % divisor !== 0n), scale: scale - shift - 1 }
}

const reversed =
  (operation: Binary): Binary =>
  (unit, a, b) =>
    operation(unit, b, a)

/** ST(i) or memory is the second operand. */
export const binary = { add, mul, sub, subr: reversed(sub), div, divr: reversed(div) } as const

// ---- of ST(0) alone

export const squareRoot = (unit: Unit, a: Extended): Extended => {
  const nan = notNumbers(unit, a)
  if (nan !== undefined) return nan
  if (isZero(a)) return a
  if (a.sign === 1) return unit.invalid()
  unit.checkDenormal(a)
  if (isInfinite(a)) return a
  const { magnitude, scale } = exactly(a)
  const shift = 136 - bitsOf(magnitude) + ((bitsOf(magnitude) + scale) & 1)
  const shifted = magnitude << BigInt(shift)
  const root = squareRootOf(shifted)
  return unit.rounded({ sign: 0, magnitude: sticky(root, root * root !== shifted), scale: (scale - shift) / 2 - 1 })
}

/** Rounded down, by Newton's method from above. */
export const squareRootOf = (value: bigint): bigint => {
  let root = 1n << BigInt((bitsOf(value) + 1) >> 1)
  for (;;) {
    const next = (root + value / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

export const roundToInteger = (unit: Unit, a: Extended): Extended => {
  const nan = notNumbers(unit, a)
  if (nan !== undefined) return nan
  unit.checkDenormal(a)
  if (isInfinite(a) || isZero(a)) return a
  const exact = exactly(a)
  if (exact.scale >= 0) return a
  const { value, isInexact, isUp } = toInteger(exact, unit.rounding)
  if (isInexact) unit.status |= flag.PE
  unit.setC1(isUp)
  return fromInteger(value, a.sign)
}

/** An integer of at most 64 bits. */
export const fromInteger = (magnitude: bigint, sign: 0 | 1): Extended => {
  if (magnitude === 0n) return zero(sign)
  const shift = 64 - bitsOf(magnitude)
  return { sign, exponent: bias + 63 - shift, significand: magnitude << BigInt(shift) }
}

// ---- of ST(0) and ST(1)

/** No exponent moves further: all beyond overflow or underflow alike. */
const furthest = 0x1_2000

export const scale: Binary = (unit, a, b) => {
  const nan = notNumbers(unit, a, b)
  if (nan !== undefined) return nan
  if (isInfinite(b)) {
    if (b.sign === 0 ? isZero(a) : isInfinite(a)) return unit.invalid()
    unit.checkDenormal(a)
    return b.sign === 0 ? infinity(a.sign) : zero(a.sign)
  }
  unit.checkDenormal(a, b)
  if (isInfinite(a) || isZero(a)) return a
  // "+F" by "+0" is "+F": a denormal number is no underflow then. SDM vol. 2A, "FSCALE", table "Results Obtained from FSCALE".
  if (isZero(b)) return normalized(a)
  const exact = exactly(b)
  const by = exact.scale >= 0 ? furthest : Math.min(furthest, Number(toInteger(exact, 3).value))
  const { magnitude, scale: from } = exactly(a)
  return unit.roundedFully({ sign: a.sign, magnitude, scale: from + (b.sign === 0 ? by : -by) })
}

/** The exponent of a number that is not 0, and its significand: 1 to 2. @throws `ended` */
export const extract = (unit: Unit, a: Extended): readonly [exponent: Extended, significand: Extended] => {
  const nan = notNumbers(unit, a)
  if (nan !== undefined) return [nan, nan]
  if (isInfinite(a)) return [infinity(0), a]
  if (isZero(a)) {
    unit.signal(flag.ZE)
    return [infinity(1), a]
  }
  unit.checkDenormal(a)
  const exponent = leading(exactly(a))
  const significand = a.significand << BigInt(64 - bitsOf(a.significand))
  return [fromInteger(BigInt(Math.abs(exponent)), exponent < 0 ? 1 : 0), { sign: a.sign, exponent: bias, significand }]
}

/** e of 1.f * 2^e. */
export const leading = ({ magnitude, scale }: Exact): number => bitsOf(magnitude) - 1 + scale

/** FPREM (the quotient is cut off) and FPREM1 (it is the nearest). The low bits of the quotient, or that it is not complete, go to the condition codes. */
export const remainder =
  (isNearest: boolean): Binary =>
  (unit, a, b) => {
    const nan = notNumbers(unit, a, b)
    if (nan !== undefined) return nan
    if (isInfinite(a) || isZero(b)) return unit.invalid()
    unit.checkDenormal(a, b)
    unit.setCodes(0)
    if (isZero(a) || isInfinite(b)) return normalized(a)
    return reduce(unit, exactly(a), exactly(b), isNearest)
  }

/** A pseudo-denormal, as results are: with exponent 1. */
const normalized = (a: Extended): Extended =>
  a.exponent === 0 && a.significand >> 63n !== 0n ? { ...a, exponent: 1 } : a

const reduce = (unit: Unit, a: Exact, b: Exact, isNearest: boolean): Extended => {
  const distance = leading(a) - leading(b)
  const isComplete = distance < 64
  // "N is an implementation-dependent number between 32 and 63."
  const left = isComplete ? 0 : distance - ((distance & 31) | 32)
  const places = Math.min(a.scale, b.scale + left)
  const [dividend, divisor] = [a.magnitude << BigInt(a.scale - places), b.magnitude << BigInt(b.scale + left - places)]
  let [whole, rest] = [dividend / divisor, dividend % divisor]
  let sign = a.sign
  if (isNearest && isComplete && (2n * rest > divisor || (2n * rest === divisor && whole & 1n))) {
    ;[whole, rest, sign] = [whole + 1n, divisor - rest, opposite(sign)]
  }
  if (isComplete) unit.setCodes(quotientCodes[Number(whole & 7n)]!)
  else unit.setCodes(status.C2)
  if (rest === 0n) return zero(a.sign)
  const codes = unit.status & status.C1
  const result = unit.roundedFully({ sign, magnitude: rest, scale: places })
  unit.setC1(codes !== 0)
  return result
}

/** "C0, C3 and C1 are set to the three least-significant bits of the quotient (Q2, Q1, Q0)". */
const quotientCodes = [0, 1, 2, 3, 4, 5, 6, 7].map(
  (quotient) => (quotient & 4 ? status.C0 : 0) | (quotient & 2 ? status.C3 : 0) | (quotient & 1 ? status.C1 : 0)
)
