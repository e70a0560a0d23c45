/**
 * Trigonometric, logarithmic and exponential instructions. SDM vol. 1, "Transcendental Instructions": the manual promises an error of less than 1 ulp;
 * here a result is the exact one, rounded. Angles are reduced by the manual's "Approximation of Pi", of 66 bits.
 */
import { leading, notNumbers } from "./arithmetic.ts"
import { type Exact, type Extended, exactly, infinity, kindOf, one, opposite, withSign, zero } from "./Extended.ts"
import * as fixed from "./fixed.ts"
import { flag, sticky } from "./round.ts"
import type { Unit } from "./Unit.ts"

// ---- between exact numbers and fixed-point ones

/** Rounded toward zero. */
const toFixed = ({ sign, magnitude, scale }: Exact): bigint => {
  const shift = scale + fixed.places
  const value = shift >= 0 ? magnitude << BigInt(shift) : magnitude >> BigInt(-shift)
  return sign === 0 ? value : -value
}

/** What it stands for, and a little more: no such result is exact. */
const fromFixed = (value: bigint): Exact => ({
  sign: value < 0n ? 1 : 0,
  magnitude: sticky(value < 0n ? -value : value, true),
  scale: -fixed.places - 1
})

const times = (a: Exact, b: Exact): Exact => ({
  sign: a.sign === b.sign ? 0 : 1,
  magnitude: a.magnitude * b.magnitude,
  scale: a.scale + b.scale
})

/** Below 2^-80 a function of x that begins like x differs from it only in the rounding. */
const tiny = -80

/** A little less than `exact`, or a little more. */
const nextTo = (exact: Exact, by: -1n | 1n): Exact => ({
  ...exact,
  magnitude: (exact.magnitude << 140n) + by,
  scale: exact.scale - 140
})

const lnTwo = fromFixed(fixed.lnTwo)
const log2E = fromFixed((fixed.unit << BigInt(fixed.places)) / fixed.lnTwo)

const isInfinite = (value: Extended): boolean => kindOf(value) === "infinity"
const isZero = (value: Extended): boolean => value.significand === 0n
const product = (a: Extended, b: Extended): 0 | 1 => (a.sign === b.sign ? 0 : 1)

// ---- exponentials and logarithms

/** F2XM1. Of |x| > 1 the result is undefined: it is x. */
export const powerOfTwoLessOne = (unit: Unit, x: Extended): Extended => {
  const nan = notNumbers(unit, x)
  if (nan !== undefined) return nan
  if (isInfinite(x)) return x.sign === 0 ? x : withSign(one, 1)
  unit.checkDenormal(x)
  if (isZero(x)) return x
  const exact = exactly(x)
  const exponent = leading(exact)
  if (exponent >= 0) return x.sign === 1 && isOne(x) ? { ...x, exponent: x.exponent - 1 } : x
  if (exponent < tiny) return unit.roundedFully(times(exact, lnTwo))
  return unit.roundedFully(fromFixed(fixed.exponentialLessOne(toFixed(times(exact, lnTwo)))))
}

const isOne = ({ exponent, significand }: Extended): boolean =>
  exponent === one.exponent && significand === one.significand

/** log2 of a positive number; undefined if it is 0. */
const log2 = (x: Exact): Exact | undefined => {
  const exponent = leading(x)
  const mantissa = toFixed({ ...x, scale: x.scale - exponent })
  if (mantissa === fixed.unit)
    return exponent === 0 ? undefined : { sign: exponent < 0 ? 1 : 0, magnitude: BigInt(Math.abs(exponent)), scale: 0 }
  // Near 1 from below, nothing may be lost to the difference of an exponent and a logarithm.
  const [fraction, whole] = exponent === -1 ? [mantissa / 2n, 0] : [mantissa, exponent]
  const logarithm = (fixed.logarithm(fraction) << BigInt(fixed.places)) / fixed.lnTwo
  return fromFixed(logarithm + BigInt(whole) * fixed.unit)
}

/** FYL2X: ST(1) * log2 ST(0). Table "FYL2X Results". */
export const yLog2 = (unit: Unit, y: Extended, x: Extended): Extended => {
  const nan = notNumbers(unit, x, y)
  if (nan !== undefined) return nan
  if (x.sign === 1 && !isZero(x)) return unit.invalid()
  if (isZero(x)) {
    if (isZero(y)) return unit.invalid()
    if (!isInfinite(y)) unit.signal(flag.ZE)
    return infinity(opposite(y.sign))
  }
  if (isInfinite(x) ? isZero(y) : isOne(x) && isInfinite(y)) return unit.invalid()
  unit.checkDenormal(x, y)
  if (isInfinite(x)) return infinity(y.sign)
  const sign = x.exponent < one.exponent ? opposite(y.sign) : y.sign
  if (isInfinite(y)) return infinity(sign)
  if (isZero(y)) return zero(sign)
  const logarithm = log2(exactly(x))
  return logarithm === undefined ? zero(y.sign) : unit.roundedFully(times(logarithm, exactly(y)))
}

/** FYL2XP1: ST(1) * log2(ST(0) + 1). Table "FYL2XP1 Results". Beyond its range the result is undefined: what it would be, down to -1. */
export const yLog2OfPlusOne = (unit: Unit, y: Extended, x: Extended): Extended => {
  const nan = notNumbers(unit, x, y)
  if (nan !== undefined) return nan
  if (x.sign === 1 && x.exponent >= one.exponent) return unit.invalid()
  if ((isInfinite(x) && isZero(y)) || (isZero(x) && isInfinite(y))) return unit.invalid()
  unit.checkDenormal(x, y)
  const sign = product(x, y)
  if (isInfinite(x) || isInfinite(y)) return infinity(sign)
  if (isZero(x) || isZero(y)) return zero(sign)
  const exact = exactly(x)
  if (leading(exact) < tiny) return unit.roundedFully(times(times(exact, log2E), exactly(y)))
  const sum = toFixed(exact) + fixed.unit
  return unit.roundedFully(times(log2({ sign: 0, magnitude: sum, scale: -fixed.places })!, exactly(y)))
}

// ---- angles

/** "f = C90FDAA2 2168C234 C": pi / 4, with 66 bits. */
const reducingPi: Exact = { sign: 0, magnitude: 0xc90fdaa22168c234cn, scale: -66 }

interface Angle {
  /** From -pi/4 to pi/4. */
  readonly rest: bigint
  /** How often pi/2 was taken away, modulo 4. */
  readonly quadrant: number
}

const halfPi = toFixed({ ...reducingPi, scale: reducingPi.scale - 1 })

const angleOf = (x: Extended): Angle => {
  const value = toFixed(exactly(x))
  const quarters = (2n * value + halfPi) / (2n * halfPi) - (2n * value + halfPi < 0n ? 1n : 0n)
  return { rest: value - quarters * halfPi, quadrant: Number(quarters & 3n) }
}

const sineOf = ({ rest, quadrant }: Angle): Exact => {
  const value = quadrant & 1 ? fixed.cosine(rest) : fixed.sine(rest)
  return fromFixed(quadrant & 2 ? -value : value)
}
const cosineOf = ({ rest, quadrant }: Angle): Exact => sineOf({ rest, quadrant: (quadrant + 1) & 3 })

/** What is no angle is answered at once. "C2 is set to 1 if the source operand is outside the range -2^63 to +2^63." */
const checked = (unit: Unit, x: Extended): Extended | "beyond" | undefined => {
  const nan = notNumbers(unit, x)
  if (nan !== undefined) return nan
  if (isInfinite(x)) return unit.invalid()
  const isBeyond = !isZero(x) && leading(exactly(x)) >= 63
  unit.setC2(isBeyond)
  if (isBeyond) return "beyond"
  unit.checkDenormal(x)
  return undefined
}

const isTiny = (x: Extended): boolean => leading(exactly(x)) < tiny

export const sine = (unit: Unit, x: Extended): Extended => {
  const answer = checked(unit, x)
  if (answer !== undefined) return answer === "beyond" ? x : answer
  return sineResult(unit, x)
}
const sineResult = (unit: Unit, x: Extended): Extended => {
  if (isZero(x)) return x
  return unit.roundedFully(isTiny(x) ? nextTo(exactly(x), -1n) : sineOf(angleOf(x)))
}

export const cosine = (unit: Unit, x: Extended): Extended => {
  const answer = checked(unit, x)
  if (answer !== undefined) return answer === "beyond" ? x : answer
  return cosineResult(unit, x)
}
const cosineResult = (unit: Unit, x: Extended): Extended => {
  if (isZero(x)) return one
  return unit.roundedFully(isTiny(x) ? nextTo(exactly(one), -1n) : cosineOf(angleOf(x)))
}

/** The sine is left in ST(1), the cosine pushed. */
export const sineAndCosine = (unit: Unit, x: Extended): readonly [Extended, Extended] | undefined => {
  const answer = checked(unit, x)
  if (answer === "beyond") return undefined
  if (answer !== undefined) return [answer, answer]
  return [sineResult(unit, x), cosineResult(unit, x)]
}

/** And 1, which is pushed. */
export const tangent = (unit: Unit, x: Extended): readonly [Extended, Extended] | undefined => {
  const answer = checked(unit, x)
  if (answer === "beyond") return undefined
  if (answer !== undefined) return [answer, kindOf(answer) === "quiet" ? answer : one]
  if (isZero(x)) return [x, one]
  if (isTiny(x)) return [unit.roundedFully(nextTo(exactly(x), 1n)), one]
  const angle = angleOf(x)
  return [unit.roundedFully(quotient(sineOf(angle), cosineOf(angle))), one]
}

const quotient = (a: Exact, b: Exact): Exact => ({
  sign: a.sign === b.sign ? 0 : 1,
  magnitude: sticky((a.magnitude << 400n) / b.magnitude, (a.magnitude << 400n) % b.magnitude !== 0n),
  scale: a.scale - b.scale - 401
})

/** FPATAN: the angle of the point with abscissa ST(0) and ordinate ST(1). Table "FPATAN Results". */
export const arcTangent = (unit: Unit, y: Extended, x: Extended): Extended => {
  const nan = notNumbers(unit, x, y)
  if (nan !== undefined) return nan
  unit.checkDenormal(x, y)
  const angle = (quarters: bigint) => unit.roundedFully({ ...fromFixed((fixed.pi * quarters) / 4n), sign: y.sign })
  if (isInfinite(y)) return angle(isInfinite(x) ? (x.sign === 0 ? 1n : 3n) : 2n)
  if (isInfinite(x) || isZero(y)) return x.sign === 0 ? zero(y.sign) : angle(4n)
  if (isZero(x)) return angle(2n)
  const [ordinate, abscissa] = [withoutSign(exactly(y)), withoutSign(exactly(x))]
  const distance = leading(ordinate) - leading(abscissa)
  // So flat that the angle is the ratio.
  if (distance < tiny && x.sign === 0) {
    const ratio = quotient(ordinate, abscissa)
    return unit.roundedFully({ ...(ratio.magnitude & 1n ? ratio : nextTo(ratio, -1n)), sign: y.sign })
  }
  const acute = distance > -tiny ? fixed.pi / 2n : distance < tiny ? 0n : acuteAngle(ordinate, abscissa)
  const value = x.sign === 0 ? acute : fixed.pi - acute
  return unit.roundedFully({ ...fromFixed(value), sign: y.sign })
}

const withoutSign = (value: Exact): Exact => ({ ...value, sign: 0 })

const acuteAngle = (y: Exact, x: Exact): bigint => {
  const ratio = toFixed(quotient(y, x))
  return ratio <= fixed.unit ? fixed.arcTangent(ratio) : fixed.pi / 2n - fixed.arcTangent(toFixed(quotient(x, y)))
}
