/** Numbers in memory: from their bytes to a register, and back. SDM vol. 1, "Floating-Point Data Types", "BCD and Packed BCD Integers". */
import type { X87Format } from "../../processor/x87.ts"
import { fromInteger } from "./arithmetic.ts"
import {
  bias,
  bitsOf,
  type Extended,
  exactly,
  integerBit,
  isNotNumber,
  kindOf,
  maxExponent,
  quieted,
  zero
} from "./Extended.ts"
import { double, type Format, flag, type Rounded, type RoundingControl, round, single, toInteger } from "./round.ts"
import { ended, type Unit } from "./Unit.ts"

/** In bits. */
// biome-ignore format: a table
export const widths: Readonly<Record<X87Format, number>> = {
  single: 32, double: 64, extended: 80, int16: 16, int32: 32, int64: 64, bcd: 80
}

/** What memory has: as it would be in a register, where a denormal of single or double precision is normal. */
export interface Loaded {
  readonly value: Extended
  readonly isDenormal: boolean
}

export const read = (view: DataView, at: number, format: X87Format): Loaded => {
  switch (format) {
    case "single":
      return fromFloat(BigInt(view.getUint32(at, true)), 8, 23)
    case "double":
      return fromFloat(view.getBigUint64(at, true), 11, 52)
    case "extended": {
      const upper = view.getUint16(at + 8, true)
      const significand = view.getBigUint64(at, true)
      return { value: { sign: upper & 0x8000 ? 1 : 0, exponent: upper & 0x7fff, significand }, isDenormal: false }
    }
    case "int16":
      return integer(BigInt(view.getInt16(at, true)))
    case "int32":
      return integer(BigInt(view.getInt32(at, true)))
    case "int64":
      return integer(view.getBigInt64(at, true))
    case "bcd": {
      let magnitude = 0n
      for (let n = 8; n >= 0; n--) {
        const digits = view.getUint8(at + n)
        magnitude = magnitude * 100n + BigInt((digits >> 4) * 10 + (digits & 15))
      }
      return { value: fromInteger(magnitude, view.getUint8(at + 9) & 0x80 ? 1 : 0), isDenormal: false }
    }
  }
}

const integer = (value: bigint): Loaded => ({
  value: fromInteger(value < 0n ? -value : value, value < 0n ? 1 : 0),
  isDenormal: false
})

/** A signaling NaN stays one. */
const fromFloat = (bits: bigint, exponentBits: number, fractionBits: number): Loaded => {
  const sign = bits >> BigInt(exponentBits + fractionBits) === 0n ? 0 : 1
  const highest = (1 << exponentBits) - 1
  const exponent = Number(bits >> BigInt(fractionBits)) & highest
  const fraction = bits & ((1n << BigInt(fractionBits)) - 1n)
  const significand = integerBit | (fraction << BigInt(63 - fractionBits))
  if (exponent === highest) return { value: { sign, exponent: maxExponent, significand }, isDenormal: false }
  const rebias = bias - (highest >> 1)
  if (exponent !== 0) return { value: { sign, exponent: exponent + rebias, significand }, isDenormal: false }
  if (fraction === 0n) return { value: zero(sign), isDenormal: false }
  const shift = 64 - bitsOf(fraction)
  const value = { sign, exponent: rebias + 64 - fractionBits - shift, significand: fraction << BigInt(shift) } as const
  return { value, isDenormal: true }
}

/** What FLD pushes. @throws `ended` */
export const loaded = (unit: Unit, { value }: Loaded, format: X87Format): Extended => {
  if (format === "extended") return value
  if (kindOf(value) === "signaling") {
    unit.signal(flag.IE)
    return quieted(value)
  }
  unit.checkDenormal()
  return value
}

// ---- stores

/** The bits of ST(0) in a format. @throws `ended` if memory is not to be written */
export const toMemory = (unit: Unit, value: Extended, format: X87Format, rounding: RoundingControl): bigint => {
  switch (format) {
    case "single":
      return toFloat(unit, value, single, 8, 23)
    case "double":
      return toFloat(unit, value, double, 11, 52)
    case "extended":
      return (BigInt((value.sign << 15) | value.exponent) << 64n) | value.significand
    case "bcd":
      return toDecimal(unit, value, rounding)
    default:
      return toBinary(unit, value, widths[format], rounding)
  }
}

/** What is stored where there is no number: "indefinite" of each format. */
export const indefiniteOf = (format: X87Format): bigint => {
  switch (format) {
    case "single":
      return 0xffc0_0000n
    case "double":
      return 0xfff8_0000_0000_0000n
    case "extended":
      return 0xffff_c000_0000_0000_0000n
    case "bcd":
      return 0xffff_c000_0000_0000_0000n
    default:
      return 1n << BigInt(widths[format] - 1)
  }
}

const toFloat = (unit: Unit, value: Extended, format: Format, exponentBits: number, fractionBits: number): bigint => {
  const kind = kindOf(value)
  const name = format === single ? "single" : "double"
  const highest = BigInt((1 << exponentBits) - 1) << BigInt(fractionBits)
  const sign = BigInt(value.sign) << BigInt(exponentBits + fractionBits)
  const fraction = (1n << BigInt(fractionBits)) - 1n
  if (kind === "unsupported") {
    unit.signal(flag.IE)
    return indefiniteOf(name)
  }
  if (isNotNumber(kind)) {
    if (kind === "signaling") unit.signal(flag.IE)
    return sign | highest | ((quieted(value).significand >> BigInt(63 - fractionBits)) & fraction)
  }
  if (kind === "zero") return sign
  if (kind === "infinity") return sign | highest
  const rounded = round(exactly(value), format, unit.rounding, unit.unmasked)
  note(unit, rounded)
  if (rounded.isInfinite) return sign | highest
  const isNormal = rounded.significand >> BigInt(fractionBits) !== 0n
  const top = bitsOf(rounded.significand) - 1 + rounded.scale
  const exponent = isNormal ? BigInt(top - format.lowest + 1) : 0n
  const significand = rounded.significand >> BigInt(Math.max(0, bitsOf(rounded.significand) - 1 - fractionBits))
  return sign | (exponent << BigInt(fractionBits)) | (significand & fraction)
}

/** "If overflow or underflow is not masked, the destination is not changed": only of memory. */
const note = (unit: Unit, { flags, isUp }: Rounded): void => {
  const ends = flags & unit.unmasked & (flag.OE | flag.UE)
  // What is not rounded in the end is not inexact.
  unit.status |= ends ? flags & ~flag.PE : flags
  unit.setC1(isUp && !ends)
  if (ends) throw ended
}

const toBinary = (unit: Unit, value: Extended, width: number, rounding: RoundingControl): bigint => {
  const limit = 1n << BigInt(width - 1)
  const magnitude = magnitudeOf(unit, value, value.sign === 1 ? limit : limit - 1n, rounding)
  if (magnitude === undefined) return limit
  return BigInt.asUintN(width, value.sign === 1 ? -magnitude : magnitude)
}

const toDecimal = (unit: Unit, value: Extended, rounding: RoundingControl): bigint => {
  const magnitude = magnitudeOf(unit, value, 10n ** 18n - 1n, rounding)
  if (magnitude === undefined) return indefiniteOf("bcd")
  return (BigInt(value.sign) << 79n) | BigInt(`0x${magnitude}`)
}

/** Undefined: it is no integer of at most `limit`, which was signalled. @throws `ended` */
const magnitudeOf = (unit: Unit, value: Extended, limit: bigint, rounding: RoundingControl): bigint | undefined => {
  const kind = kindOf(value)
  const isNumber = kind === "zero" || kind === "normal" || kind === "denormal"
  const exact = exactly(value)
  const rounded = isNumber && exact.scale <= 0 ? toInteger(exact, rounding) : undefined
  if (rounded === undefined || rounded.value > limit) {
    unit.signal(flag.IE)
    return undefined
  }
  if (rounded.isInexact) unit.status |= flag.PE
  unit.setC1(rounded.isUp)
  return rounded.value
}
