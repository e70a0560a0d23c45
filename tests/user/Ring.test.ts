import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { ThreadMemory } from "../../src/types/Gate.ts"
import { Ring } from "../../src/user/Ring.ts"

const aPage = () => {
  const bytes = new Uint8Array(4096)
  const inside = (address: number, length: number) => address >= 0 && address + length <= bytes.length
  const memory: ThreadMemory = {
    read: (address, into) => {
      if (!inside(address, into.length)) return false
      into.set(bytes.subarray(address, address + into.length))
      return true
    },
    write: (address, from) => {
      if (!inside(address, from.length)) return false
      bytes.set(from, address)
      return true
    }
  }
  return { bytes, memory }
}

describe("a ring", () => {
  it("gives what was put into it, in order, however it is put and taken", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(40)), { maxLength: 200 }), (steps) => {
        const { memory } = aPage()
        const [from, to] = [new Ring(memory, 0, 40), new Ring(memory, 0, 40)]
        let [put, taken] = [0, 0]
        for (const [isPut, count] of steps) {
          if (isPut) put += from.put(Uint8Array.from({ length: count }, (_, n) => (put + n) & 0xff))
          else for (const byte of to.take(count)) assert.strictEqual(byte, taken++ & 0xff)
          assert.isAtMost(put - taken, 32)
        }
        for (const byte of to.take()) assert.strictEqual(byte, taken++ & 0xff)
        assert.strictEqual(taken, put)
      })
    )
  })

  it("takes no more than there is room for, and says so", () => {
    const { memory } = aPage()
    const ring = new Ring(memory, 0, 40)
    assert.strictEqual(ring.room, 32)
    assert.strictEqual(ring.put(new Uint8Array(30)), 30)
    assert.strictEqual(ring.put(new Uint8Array(30)), 2)
    assert.strictEqual(ring.room, 0)
  })

  it("shows what would be taken, and leaves it", () => {
    const { memory } = aPage()
    const ring = new Ring(memory, 0, 40)
    ring.put(Uint8Array.of(1, 2, 3))
    assert.deepStrictEqual([...ring.peek(2)], [1, 2])
    assert.deepStrictEqual([...ring.take()], [1, 2, 3])
  })

  it("is not led astray by what the other writes where its counts are", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (a, b) => {
        const { bytes, memory } = aPage()
        const ring = new Ring(memory, 0, 40)
        new DataView(bytes.buffer).setInt32(0, a, true)
        new DataView(bytes.buffer).setInt32(4, b, true)
        assert.isAtMost(ring.take().length, 32)
        assert.isAtMost(ring.put(new Uint8Array(100)), 32)
        assert.isTrue(bytes.subarray(40).every((byte) => byte === 0))
      })
    )
  })
})
