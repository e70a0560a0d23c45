import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as MessageInfo from "../../src/types/MessageInfo.ts"
import * as Word from "../../src/types/Word.ts"
import { bigWord, small } from "./words.ts"

const info: fc.Arbitrary<MessageInfo.MessageInfo> = fc.record({
  label: small(2 ** 52 - 1),
  capsUnwrapped: small(7),
  extraCaps: small(3),
  length: small(MessageInfo.maxLength)
})

describe("MessageInfo", () => {
  it("has its fields where the interface has them", () => {
    assert.strictEqual(
      MessageInfo.toBigInt({ label: 0x12345, capsUnwrapped: 0b101, extraCaps: 0b10, length: 0x55 }),
      (0x12345n << 12n) | (0b101n << 9n) | (0b10n << 7n) | 0x55n
    )
  })

  it("comes back as it was written", () => {
    fc.assert(
      fc.property(info, (info) => assert.deepStrictEqual(MessageInfo.fromBigInt(MessageInfo.toBigInt(info)), info))
    )
  })

  it("is the same word packed by halves", () => {
    fc.assert(
      fc.property(info, ({ label, capsUnwrapped, extraCaps, length }) => {
        const lo = MessageInfo.packLo(label, capsUnwrapped, extraCaps, length)
        const word = Word.toBigInt({ lo, hi: MessageInfo.packHi(label) })
        assert.strictEqual(word, MessageInfo.toBigInt({ label, capsUnwrapped, extraCaps, length }))
      })
    )
  })

  it("read by halves says of any word what it says of it as a whole", () => {
    fc.assert(
      fc.property(bigWord, (word) => {
        const { lo, hi } = Word.fromBigInt(word)
        assert.deepStrictEqual(MessageInfo.fromBigInt(word), {
          label: MessageInfo.label(lo, hi),
          capsUnwrapped: MessageInfo.capsUnwrapped(lo),
          extraCaps: MessageInfo.extraCaps(lo),
          length: MessageInfo.length(lo)
        })
      })
    )
  })

  it("that says more than 120 words means 120", () => {
    assert.strictEqual(MessageInfo.length(127), 120)
    assert.strictEqual(MessageInfo.fromBigInt(2n ** 64n - 1n).length, 120)
  })
})
