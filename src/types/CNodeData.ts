/**
 * CNodeData: the word that gives a CNode capability its guard, the bits that an address must have before the index.
 *
 *     63 .. 6   5 .. 0
 *     guard     guardSize
 */
import type { Word } from "./Word.ts"

export const maxGuardSize = 58

export const guardSize = ({ lo }: Word): number => lo & 0x3f

/** The guard: bits above its size are not part of it. */
export const guard = (data: Word): Word =>
  truncated({ lo: (data.lo >>> 6) | (data.hi << 26), hi: data.hi >>> 6 }, guardSize(data))

/** The low `bits` bits of a word. */
const truncated = ({ lo, hi }: Word, bits: number): Word => ({
  lo: bits >= 32 ? lo : lo & ((1 << bits) - 1),
  hi: bits <= 32 ? 0 : hi & (((1 << (bits - 32)) - 1) | 0)
})

export const toBigInt = (guard: bigint, guardSize: number): bigint =>
  (BigInt.asUintN(guardSize, guard) << 6n) | BigInt(guardSize)
