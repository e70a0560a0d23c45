import fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as BootInfo from "../../src/types/BootInfo.ts"
import { capOrBadge, IpcBuffer, messageWord } from "../../src/types/IpcBuffer.ts"
import { bits, layout, overBytes, u8, u16, u32, u64, word } from "../../src/types/Layout.ts"
import * as abi from "./abi.ts"
import { count, small } from "./words.ts"

const Example = layout(32, {
  flag: bits(0, 0, 0),
  size: bits(0, 6, 1),
  rest: bits(0, 31, 7),
  byte: u8(4),
  half: u16(6),
  whole: u32(8),
  time: u64(16),
  badge: word(24)
})

/** 32 bytes, all set, and the memory that they are. */
const memory = () => overBytes(new Uint8Array(32).fill(0xff))

describe("a field", () => {
  const most = {
    flag: 1,
    size: 63,
    rest: 2 ** 25 - 1,
    byte: 255,
    half: 2 ** 16 - 1,
    whole: 2 ** 32 - 1,
    time: Number.MAX_SAFE_INTEGER
  }

  it.each(Object.entries(most))("%s loads what was stored, up to %i", (name, largest) => {
    const field = Example[name as keyof typeof most]
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(0, 1, largest), small(largest)), (value) => {
        const where = memory()
        field.store(where, 0, value)
        assert.strictEqual(field.load(where, 0), value)
      })
    )
  })

  it("leaves what lies beside it as it is", () => {
    const where = memory()
    Example.size.store(where, 0, 0)
    Example.byte.store(where, 0, 0)
    assert.strictEqual(where.load32(0), ~0b111_1110)
    assert.strictEqual(where.load8(5), 0xff)
    assert.strictEqual(Example.flag.load(where, 0), 1)
  })

  it("of more bits than it has stores the ones that it has", () => {
    const where = memory()
    Example.size.store(where, 0, 0b1_000_000)
    assert.strictEqual(Example.size.load(where, 0), 0)
    assert.strictEqual(Example.rest.load(where, 0), 2 ** 25 - 1)
  })

  it("that is only moved is two halves", () => {
    const where = memory()
    Example.badge.store(where, 0, 1, -2)
    assert.deepStrictEqual([Example.badge.loadLo(where, 0), Example.badge.loadHi(where, 0)], [1, -2])
    assert.strictEqual(where.load32(28), -2)
  })

  it("is little-endian", () => {
    const bytes = new Uint8Array(32)
    fc.assert(
      fc.property(count, (value) => {
        Example.time.store(overBytes(bytes), 0, value)
        assert.strictEqual(new DataView(bytes.buffer).getBigUint64(16, true), BigInt(value))
      })
    )
  })

  it("is found from the base", () => {
    const bytes = new Uint8Array(64)
    Example.byte.store(overBytes(bytes), 32, 7)
    assert.strictEqual(bytes[36], 7)
  })
})

describe("a layout", () => {
  it("has no two fields in one place", () => {
    assert.throws(() => layout(8, { a: u32(0), b: u8(3) }), "b begins at bit 24")
    assert.throws(() => layout(8, { a: bits(0, 4, 0), b: bits(0, 7, 4) }), "b begins at bit 4")
  })

  it("has none outside", () => {
    assert.throws(() => layout(8, { a: u64(1) }), "a ends at bit 71 of 8 bytes")
  })
})

describe("BootInfo", () => {
  it.each(Object.entries(abi.bootInfo))("has %s at %i", (name, at) => {
    assert.strictEqual(BootInfo.BootInfo[name as keyof typeof abi.bootInfo].at, at)
  })

  it("has the end of each range after its start", () => {
    const fields: Readonly<Record<string, { readonly at: number }>> = BootInfo.BootInfo
    for (const [name, { at }] of Object.entries(fields)) {
      if (name.endsWith("Start")) assert.strictEqual(fields[name.replace("Start", "End")]?.at, at + 8, name)
    }
  })

  it("ends with the list of untyped memory", () => {
    assert.strictEqual(BootInfo.untypedEntry(0), 184)
    assert.strictEqual(BootInfo.untypedEntry(229), 184 + 229 * 16)
    assert.strictEqual(BootInfo.size, abi.bootInfoSize)
    assert.throws(() => BootInfo.untypedEntry(230))
  })
})

describe("IpcBuffer", () => {
  it("has its fields where the interface has them", () => {
    const { tag, userData, receiveCNode, receiveIndex, receiveDepth } = IpcBuffer
    assert.deepStrictEqual(
      [tag, userData, receiveCNode, receiveIndex, receiveDepth].map(({ at }) => at),
      [0, 968, 1000, 1008, 1016]
    )
  })

  it("has 120 words from 8, and three capabilities from 976", () => {
    assert.deepStrictEqual([messageWord(0), messageWord(119), capOrBadge(0), capOrBadge(2)], [8, 960, 976, 992])
    assert.throws(() => messageWord(120))
    assert.throws(() => capOrBadge(3))
  })
})
