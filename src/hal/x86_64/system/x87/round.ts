/** Rounding exact numbers to a format. SDM vol. 1, "Rounding", "Numeric Overflow Exception (#O)", "Numeric Underflow Exception (#U)". */
import { bias, bitsOf, type Exact, type Extended, infinity, maxExponent, zero } from "./Extended.ts"

/** The rounding-control field: to nearest (even), down, up, toward zero. */
export type RoundingControl = 0 | 1 | 2 | 3

/** Exception flags of the status word. */
export const flag = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32, SF: 64 } as const

/** Where the bits of a quotient go on beyond those that are there, the lowest one says that they do: bits to spare are 3. */
export const sticky = (magnitude: bigint, isMore: boolean): bigint => (magnitude << 1n) | (isMore ? 1n : 0n)

export interface Integer {
  readonly value: bigint
  readonly isInexact: boolean
  /** Away from 0. */
  readonly isUp: boolean
}

/** magnitude * 2^scale as an integer. */
export const toInteger = ({ sign, magnitude, scale }: Exact, rounding: RoundingControl): Integer => {
  if (scale >= 0) return { value: magnitude << BigInt(scale), isInexact: false, isUp: false }
  const dropped = bitsOf(magnitude) + 1 < -scale ? bitsOf(magnitude) + 2 : -scale
  const shift = BigInt(dropped)
  const value = magnitude >> shift
  const rest = magnitude - (value << shift)
  if (rest === 0n) return { value, isInexact: false, isUp: false }
  const half = 1n << (shift - 1n)
  const isUp =
    rounding === 0 ? rest > half || (rest === half && (value & 1n) === 1n) : rounding === (sign === 0 ? 2 : 1)
  return { value: isUp ? value + 1n : value, isInexact: true, isUp }
}

/** A format to round to: bits of the significand, and exponents (unbiased, as in 1.f * 2^e) of normal numbers. */
export interface Format {
  readonly precision: number
  readonly lowest: number
  readonly highest: number
}

export const single: Format = { precision: 24, lowest: -126, highest: 127 }
export const double: Format = { precision: 53, lowest: -1022, highest: 1023 }
/** Of registers: the precision-control field shortens significands, not exponents. */
export const extendedFormat = (precision: number): Format => ({ precision, lowest: 1 - bias, highest: bias })

export interface Rounded {
  readonly sign: 0 | 1
  /** The value is significand * 2^scale; or it is infinite. */
  readonly significand: bigint
  readonly scale: number
  readonly isInfinite: boolean
  readonly flags: number
  readonly isUp: boolean
}

/** What unmasked overflow and underflow move an exponent by: "the bias adjustment". Where that is not enough (FSCALE), the result is infinite, or 0. */
const adjustment = 24576

/**
 * Rounds a number that is not 0. `unmasked` has the flags of exceptions that are not masked: of overflow and underflow the result is then the one with
 * an exponent moved into range.
 */
export const round = (exact: Exact, format: Format, rounding: RoundingControl, unmasked: number): Rounded => {
  const leading = bitsOf(exact.magnitude) - 1 + exact.scale
  const normal = roundAt(exact, leading - (format.precision - 1), rounding)
  const exponent = bitsOf(normal.significand) - 1 + normal.scale
  if (exponent > format.highest) return overflowed(normal, format, rounding, unmasked)
  if (exponent >= format.lowest) return normal
  if (unmasked & flag.UE)
    return exponent + adjustment < format.lowest
      ? { ...normal, significand: 0n, flags: flag.UE | flag.PE, isUp: false }
      : { ...normal, scale: normal.scale + adjustment, flags: normal.flags | flag.UE }
  const denormal = roundAt(exact, format.lowest - (format.precision - 1), rounding)
  return { ...denormal, flags: denormal.flags & flag.PE ? denormal.flags | flag.UE : denormal.flags }
}

/** To a multiple of 2^place. */
const roundAt = (exact: Exact, place: number, rounding: RoundingControl): Rounded => {
  const { value, isInexact, isUp } = toInteger({ ...exact, scale: exact.scale - place }, rounding)
  return {
    sign: exact.sign,
    significand: value,
    scale: place,
    isInfinite: false,
    flags: isInexact ? flag.PE : 0,
    isUp
  }
}

const overflowed = (normal: Rounded, format: Format, rounding: RoundingControl, unmasked: number): Rounded => {
  const flags = flag.OE | flag.PE
  if (unmasked & flag.OE)
    return bitsOf(normal.significand) - 1 + normal.scale - adjustment > format.highest
      ? { ...normal, isInfinite: true, flags, isUp: true }
      : { ...normal, scale: normal.scale - adjustment, flags: normal.flags | flag.OE }
  const isInfinite = rounding === 0 || rounding === (normal.sign === 0 ? 2 : 1)
  const significand = (1n << BigInt(format.precision)) - 1n
  const scale = format.highest - (format.precision - 1)
  return { sign: normal.sign, significand, scale, isInfinite, flags, isUp: isInfinite }
}

/** As it lies in a register. */
export const toExtended = ({ sign, significand, scale, isInfinite }: Rounded): Extended => {
  if (isInfinite) return infinity(sign)
  if (significand === 0n) return zero(sign)
  const shift = Math.min(64 - bitsOf(significand), scale + bias + 62)
  const shifted = shift >= 0 ? significand << BigInt(shift) : significand >> BigInt(-shift)
  const exponent = scale - shift + bias + 63
  if (exponent >= maxExponent) return infinity(sign)
  return { sign, exponent: shifted >> 63n === 0n ? 0 : exponent, significand: shifted }
}
