/**
 * Numbers of the x87 FPU's registers: double extended precision, 80 bits. SDM vol. 1, "x87 FPU Data Types", "Unsupported Double Extended-Precision
 * Floating-Point Encodings and Pseudo-Denormals".
 */

/** The value is (-1)^sign * significand * 2^(exponent - 16383 - 63), with an explicit integer bit 63. */
export interface Extended {
  readonly sign: 0 | 1
  /** Biased, from 0 to 7FFFH. */
  readonly exponent: number
  readonly significand: bigint
}

export type Kind = "zero" | "denormal" | "normal" | "infinity" | "quiet" | "signaling" | "unsupported"

export const integerBit = 1n << 63n
const quietBit = 1n << 62n
export const maxExponent = 0x7fff
export const bias = 16383

/** Pseudo-denormals (exponent 0, integer bit 1) are denormal; unnormals, pseudo-infinities and pseudo-NaNs are unsupported. */
export const kindOf = ({ exponent, significand }: Extended): Kind => {
  if (exponent === 0) return significand === 0n ? "zero" : "denormal"
  if ((significand & integerBit) === 0n) return "unsupported"
  if (exponent !== maxExponent) return "normal"
  if (significand === integerBit) return "infinity"
  return significand & quietBit ? "quiet" : "signaling"
}

export const isNotNumber = (kind: Kind): boolean => kind === "quiet" || kind === "signaling"

/** "QNaN floating-point indefinite". */
export const indefinite: Extended = { sign: 1, exponent: maxExponent, significand: integerBit | quietBit }
export const zero = (sign: 0 | 1): Extended => ({ sign, exponent: 0, significand: 0n })
export const infinity = (sign: 0 | 1): Extended => ({ sign, exponent: maxExponent, significand: integerBit })
export const one: Extended = { sign: 0, exponent: bias, significand: integerBit }
export const quieted = (value: Extended): Extended => ({ ...value, significand: value.significand | quietBit })
export const withSign = (value: Extended, sign: 0 | 1): Extended => ({ ...value, sign })
export const opposite = (sign: 0 | 1): 0 | 1 => (sign === 0 ? 1 : 0)

/** A finite number that is not 0, exactly: (-1)^sign * magnitude * 2^scale. */
export interface Exact {
  readonly sign: 0 | 1
  readonly magnitude: bigint
  readonly scale: number
}

/** Of a finite number; of 0 the magnitude is 0. */
export const exactly = ({ sign, exponent, significand }: Extended): Exact => ({
  sign,
  magnitude: significand,
  scale: Math.max(exponent, 1) - bias - 63
})

/** How many bits a number has: 0 of 0. */
export const bitsOf = (value: bigint): number => {
  if (value < 1n << 53n) return value === 0n ? 0 : exponentOf(Number(value)) + 1
  const hexadecimal = value.toString(16)
  return (hexadecimal.length - 1) * 4 + 32 - Math.clz32(Number.parseInt(hexadecimal[0]!, 16))
}

/** Of an integer below 2^53. */
const exponentOf = (value: number): number =>
  value < 2 ** 32 ? 31 - Math.clz32(value) : 63 - Math.clz32(Math.floor(value / 2 ** 32))

/** The more significant of two NaNs: what an operation gives whose operands they are. Table "Rules for Handling NaNs". */
export const propagated = (a: Extended, b: Extended): Extended => {
  const [kindA, kindB] = [kindOf(a), kindOf(b)]
  if (!isNotNumber(kindB)) return quieted(a)
  if (!isNotNumber(kindA)) return quieted(b)
  if (kindA !== kindB) return kindA === "quiet" ? a : b
  if (a.significand !== b.significand) return quieted(a.significand > b.significand ? a : b)
  return quieted(a.sign === 0 ? a : b)
}
