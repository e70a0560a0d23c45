/**
 * MessageInfo: the word that says what a message is.
 *
 *     63 .. 12   11 .. 9         8 .. 7      6 .. 0
 *     label      capsUnwrapped   extraCaps   length
 *
 * The label is a whole number below 2^52. The kernel reads the word by its halves; programs have it as a bigint.
 */
import * as Word from "./Word.ts"

/** The most words a message has. A length that says more means this many. */
export const maxLength = 120
/** The most capabilities a message has beside the one invoked. */
export const maxExtraCaps = 3
/** Words 0 to 3 of a message travel in registers, the others in the IPC buffer. */
export const registerWords = 4

export const length = (lo: number): number => Math.min(lo & 0x7f, maxLength)
export const extraCaps = (lo: number): number => (lo >>> 7) & 0b11
export const capsUnwrapped = (lo: number): number => (lo >>> 9) & 0b111
export const label = (lo: number, hi: number): number => (hi >>> 0) * 2 ** 20 + (lo >>> 12)

/** The lower half of a word of these four. */
export const packLo = (label: number, capsUnwrapped: number, extraCaps: number, length: number): number =>
  ((label % 2 ** 20) << 12) | (capsUnwrapped << 9) | (extraCaps << 7) | length

/** The upper half of a word with this label. */
export const packHi = (label: number): number => Math.floor(label / 2 ** 20) | 0

export interface MessageInfo {
  readonly label: number
  /** Bit n: capability n came as the badge that the endpoint's own capability has. */
  readonly capsUnwrapped: number
  readonly extraCaps: number
  readonly length: number
}

export const toBigInt = ({ label, capsUnwrapped, extraCaps, length }: MessageInfo): bigint =>
  Word.ofHalves(packLo(label, capsUnwrapped, extraCaps, length), packHi(label))

export const fromBigInt = (word: bigint): MessageInfo => {
  const [lo, hi] = [Word.lowOf(word), Word.highOf(word)]
  return {
    label: label(lo, hi),
    capsUnwrapped: capsUnwrapped(lo),
    extraCaps: extraCaps(lo),
    length: length(lo)
  }
}
