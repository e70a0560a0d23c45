/**
 * Word: 64 bits from a program, to be moved as they are.
 *
 * The kernel holds a word as its two halves, each a signed 32-bit integer (what `| 0` leaves): no bigint in its paths.
 * Programs hold it as a bigint from 0 to 2^64 - 1.
 */

export interface Word {
  readonly lo: number
  readonly hi: number
}

export const make = (lo: number, hi: number): Word => ({ lo: lo | 0, hi: hi | 0 })

export const zero: Word = make(0, 0)

/** From a whole number of 0 to 2^53 - 1. */
export const fromNumber = (value: number): Word => make(value, highHalf(value))

/** The upper half of a whole number of 0 to 2^53 - 1. */
export const highHalf = (value: number): number => Math.floor(value / 2 ** 32) | 0

/**
 * The word as a number. Exact below 2^53; above it is inexact but stays above, so that comparing it with
 * any bound that an address, size or time can have gives the right answer.
 */
export const toNumber = (lo: number, hi: number): number => (hi >>> 0) * 2 ** 32 + (lo >>> 0)

/**
 * Where words are taken apart and put together, for which engines need a few instructions; for arithmetic on bigints they call out.
 * Nothing is in it between two calls.
 */
const scratch = new DataView(new ArrayBuffer(8))

/** The lower half of a bigint, modulo 2^64. */
export const lowOf = (value: bigint): number => {
  scratch.setBigUint64(0, value, true)
  return scratch.getInt32(0, true)
}

/** The upper half. */
export const highOf = (value: bigint): number => {
  scratch.setBigUint64(0, value, true)
  return scratch.getInt32(4, true)
}

/** The bigint of these halves. */
export const ofHalves = (lo: number, hi: number): bigint => {
  scratch.setInt32(0, lo, true)
  scratch.setInt32(4, hi, true)
  return scratch.getBigUint64(0, true)
}

export const fromBigInt = (value: bigint): Word => ({ lo: lowOf(value), hi: highOf(value) })

export const toBigInt = ({ lo, hi }: Word): bigint => ofHalves(lo, hi)
