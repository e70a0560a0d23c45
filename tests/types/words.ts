/** Arbitrary words. */
import fc from "fast-check"
import * as Word from "../../src/types/Word.ts"

/** Any 64 bits, as a program has them. */
export const bigWord: fc.Arbitrary<bigint> = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

/** Any 64 bits, as the kernel has them. */
export const word: fc.Arbitrary<Word.Word> = bigWord.map(Word.fromBigInt)

/** A number that is exact: of 0 to 2^53 - 1. */
export const count: fc.Arbitrary<number> = fc.maxSafeNat()

export const small = (most: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: most })

/** A kernel's value as a program has it: each word in it is a bigint. */
export const asProgram = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (isWord(value)) return Word.toBigInt(value)
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, asProgram(each)]))
}

const isWord = (value: object): value is Word.Word => "lo" in value && "hi" in value
