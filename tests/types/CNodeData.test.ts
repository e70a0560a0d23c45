import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as CNodeData from "../../src/types/CNodeData.ts"
import * as Word from "../../src/types/Word.ts"
import { bigWord, small } from "./words.ts"

describe("CNodeData", () => {
  it("has the guard above its size", () => {
    assert.strictEqual(CNodeData.toBigInt(0b101n, 3), (0b101n << 6n) | 3n)
  })

  it("gives back guard and size", () => {
    fc.assert(
      fc.property(bigWord, small(CNodeData.maxGuardSize), (guard, size) => {
        const data = Word.fromBigInt(CNodeData.toBigInt(guard, size))
        assert.strictEqual(CNodeData.guardSize(data), size)
        assert.strictEqual(Word.toBigInt(CNodeData.guard(data)), BigInt.asUintN(size, guard))
      })
    )
  })

  it("has no guard bits above the size that it says", () => {
    fc.assert(
      fc.property(bigWord, (word) => {
        const data = Word.fromBigInt(word)
        const expected = BigInt.asUintN(CNodeData.guardSize(data), word >> 6n)
        assert.strictEqual(Word.toBigInt(CNodeData.guard(data)), expected)
      })
    )
  })
})
