import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Word from "../../src/types/Word.ts"
import { bigWord, count } from "./words.ts"

describe("Word", () => {
  it("is the same 64 bits in halves and as a bigint", () => {
    fc.assert(fc.property(bigWord, (word) => assert.strictEqual(Word.toBigInt(Word.fromBigInt(word)), word)))
  })

  it("has signed 32-bit halves", () => {
    assert.deepStrictEqual(Word.fromBigInt(0x8000_0000_ffff_fffen), { lo: -2, hi: -(2 ** 31) })
    assert.deepStrictEqual(Word.make(2 ** 32 - 2, 2 ** 31), { lo: -2, hi: -(2 ** 31) })
  })

  it("of a number below 2^53 is that number", () => {
    fc.assert(
      fc.property(count, (number) => {
        const { lo, hi } = Word.fromNumber(number)
        assert.strictEqual(Word.toNumber(lo, hi), number)
        assert.strictEqual(Word.toBigInt({ lo, hi }), BigInt(number))
      })
    )
  })

  it("of more than any bound is more than it as a number", () => {
    fc.assert(
      fc.property(bigWord, count, (word, bound) => {
        const { lo, hi } = Word.fromBigInt(word)
        assert.strictEqual(Word.toNumber(lo, hi) > bound, word > BigInt(bound))
      })
    )
  })
})
