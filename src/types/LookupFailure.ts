/**
 * LookupFailure: why an address in a capability space leads to no capability.
 *
 * `W` is what stands for a word: a pair of halves in the kernel, a bigint in programs.
 */
import * as Word from "./Word.ts"

export type LookupFailure<W = Word.Word> =
  /** The space itself is no CNode. */
  | { readonly _tag: "InvalidRoot" }
  /** A slot on the way is empty, with so many bits of the address not used yet. */
  | { readonly _tag: "MissingCapability"; readonly bitsLeft: number }
  /** The way ended too early or too late: `bitsFound` is what the slot there would have used. */
  | { readonly _tag: "DepthMismatch"; readonly bitsLeft: number; readonly bitsFound: number }
  /** The address differs from the guard of a CNode on the way. */
  | { readonly _tag: "GuardMismatch"; readonly bitsLeft: number; readonly guard: W; readonly guardSize: number }

export const invalidRoot: LookupFailure<never> = { _tag: "InvalidRoot" }

/** The words: which failure, then what it says of itself. */
export const toWords = (failure: LookupFailure): ReadonlyArray<Word.Word> => {
  switch (failure._tag) {
    case "InvalidRoot":
      return [1].map(Word.fromNumber)
    case "MissingCapability":
      return [2, failure.bitsLeft].map(Word.fromNumber)
    case "DepthMismatch":
      return [3, failure.bitsLeft, failure.bitsFound].map(Word.fromNumber)
    case "GuardMismatch":
      return [Word.fromNumber(4), Word.fromNumber(failure.bitsLeft), failure.guard, Word.fromNumber(failure.guardSize)]
  }
}

/** What a program reads in the words; undefined if they say nothing that a kernel would. */
export const fromWords = (words: ReadonlyArray<bigint>): LookupFailure<bigint> | undefined => {
  const [kind, first = 0n, second = 0n, third = 0n] = words
  const bitsLeft = Number(first)
  switch (kind) {
    case 1n:
      return { _tag: "InvalidRoot" }
    case 2n:
      return { _tag: "MissingCapability", bitsLeft }
    case 3n:
      return { _tag: "DepthMismatch", bitsLeft, bitsFound: Number(second) }
    case 4n:
      return { _tag: "GuardMismatch", bitsLeft, guard: second, guardSize: Number(third) }
    default:
      return undefined
  }
}
