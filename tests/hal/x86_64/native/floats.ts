/** Vectors and MXCSR in which errors of floating point like to show. */
import type { Random } from "./Random.ts"

const formats = { single: { bits: 32n, fraction: 23n }, double: { bits: 64n, fraction: 52n } } as const

/** A floating-point number as bits: ends of the ranges, not-a-numbers, and numbers near enough to each other to be added. */
const interestingFloat = (random: Random, name: keyof typeof formats): bigint => {
  const { bits, fraction } = formats[name]
  const sign = random.oneIn(2) ? 1n << (bits - 1n) : 0n
  const one = 1n << fraction
  const largest = (1n << (bits - 1n - fraction)) - 1n
  const bias = largest >> 1n
  const any = random.word() & (one - 1n)
  const few = random.oneIn(2) ? any : BigInt(random.below(4)) << (fraction - 2n)
  switch (random.below(12)) {
    case 0:
      return sign
    case 1:
      return sign | (random.oneIn(2) ? any : random.oneIn(2) ? 1n : one - 1n)
    case 2:
      return sign | (BigInt(1 + random.below(30)) << fraction) | few
    case 3:
      return sign | ((largest - 1n - BigInt(random.below(30))) << fraction) | (random.oneIn(3) ? one - 1n : any)
    case 4:
      return sign | (largest << fraction)
    case 5:
      return sign | (largest << fraction) | (random.oneIn(2) ? one >> 1n : 0n) | (any >> 2n) | 1n
    case 6:
      return sign | ((bias + BigInt(random.below(70))) << fraction) | few
    case 7:
      return sign | (((bias >> 1n) + BigInt(random.below(60) - 30)) << fraction) | any
    case 8:
      return sign | ((bias + (bias >> 1n) + BigInt(random.below(60) - 30)) << fraction) | any
    default:
      return sign | ((bias + BigInt(random.below(10) - 5)) << fraction) | few
  }
}

const four = (of: () => bigint, bits: bigint): bigint => {
  let vector = 0n
  for (let shift = 0n; shift < 128n; shift += bits) vector |= of() << shift
  return vector
}

/** Half of all vectors are made strings over a small alphabet, 0 among it. */
const perhapsLetters = (vector: bigint): bigint =>
  vector & 1n
    ? vector
    : vector & (vector & 2n ? 0x0003_0003_0003_0003_0003_0003_0003_0003n : 0x03030303_03030303_03030303_03030303n)

/** 256 bits. */
export const interestingRegister = (random: Random): bigint =>
  (interestingVector(random) << 128n) | interestingVector(random)

export const interestingVector = (random: Random): bigint => {
  switch (random.below(5)) {
    case 0:
      return four(() => random.interesting(), 64n)
    case 1:
      return perhapsLetters(four(() => random.interesting() & 0xffffn, 16n))
    case 2:
    case 3:
      return four(() => interestingFloat(random, "single"), 32n)
    default:
      return four(() => interestingFloat(random, "double"), 64n)
  }
}

/** What 64 bits of memory hold: halves of such vectors. */
export const interestingHalf = (random: Random): bigint => interestingVector(random) & 0xffff_ffff_ffff_ffffn

/** As after reset, but any rounding; often with some exceptions unmasked, denormals flushed, flags set. */
export const interestingMxcsr = (random: Random): number => {
  const rounding = random.below(4) << 13
  const flushing = random.oneIn(3) ? random.of([0x8000, 0x40, 0x8040]) : 0
  const masks = random.oneIn(3) ? random.below(64) << 7 : 0x1f80
  const flags = random.oneIn(3) ? random.below(64) : 0
  return rounding | flushing | masks | flags
}
