/** The pure functions of `Machine.apply`, on bigints from 0 to 2^64 - 1. A reading may have its own way to the same results. */
import type { FunctionName } from "./Meaning.ts"

const unsigned = (hi: bigint, lo: bigint): bigint => (hi << 64n) | lo
const signed = (hi: bigint, lo: bigint): bigint => BigInt.asIntN(128, unsigned(hi, lo))
const int = (value: bigint): bigint => BigInt.asIntN(64, value)
const word = (value: bigint): bigint => BigInt.asUintN(64, value)

/** The polynomial 11EDC6F41H, bits in reverse. SDM vol. 2A, "CRC32". */
const castagnoli = 0x82f6_3b78n

/** The places of the ones, the lowest first. */
const places = (mask: bigint): ReadonlyArray<bigint> =>
  Array.from({ length: 64 }, (_, i) => BigInt(i)).filter((i) => (mask >> i) & 1n)

/**
 * Of division: a dividend of 128 bits in halves, and a divisor that is not 0, except in `quotient128SignedFits`: 1 if the quotient exists and
 * fits 64 bits. `depositBits` puts the lowest bits of its first input where the ones of its second are; `extractBits` takes them from there.
 */
export const functions: Readonly<Record<FunctionName, (...inputs: ReadonlyArray<bigint>) => bigint>> = {
  divide128Unsigned: (hi, lo, divisor) => word(unsigned(hi, lo) / divisor),
  remainder128Unsigned: (hi, lo, divisor) => unsigned(hi, lo) % divisor,
  divide128Signed: (hi, lo, divisor) => word(signed(hi, lo) / int(divisor)),
  remainder128Signed: (hi, lo, divisor) => word(signed(hi, lo) % int(divisor)),
  quotient128SignedFits: (hi, lo, divisor) => {
    if (divisor === 0n) return 0n
    const quotient = signed(hi, lo) / int(divisor)
    return quotient === int(quotient) ? 1n : 0n
  },
  depositBits: (source, mask) => places(mask).reduce((sum, at, i) => sum | (((source >> BigInt(i)) & 1n) << at), 0n),
  extractBits: (source, mask) => places(mask).reduce((sum, at, i) => sum | (((source >> at) & 1n) << BigInt(i)), 0n),
  crc32: (sum, value, width) => {
    let rest = (sum ^ value) & ((1n << width) - 1n)
    for (let bit = 0n; bit < width; bit++) rest = (rest >> 1n) ^ (rest & 1n ? castagnoli : 0n)
    return rest ^ (sum >> width)
  }
}
