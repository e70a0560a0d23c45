import { assert, describe, it } from "@effect/vitest"
import { type ElfError, describe as inWords } from "../../../src/devices/boot/BootError.ts"
import { type Elf, parse } from "../../../src/devices/boot/elf.ts"

interface Part {
  readonly at: number
  readonly bytes: readonly number[]
  readonly size?: number
}

/** A file with these parts, each a segment. */
const aFile = (parts: readonly Part[], entry = parts[0]?.at ?? 0): Uint8Array => {
  const table = 64
  const start = table + parts.length * 56
  const file = new Uint8Array(start + parts.reduce((sum, { bytes }) => sum + bytes.length, 0))
  const view = new DataView(file.buffer)
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, 2, true)
  view.setUint16(18, 62, true)
  view.setBigUint64(24, BigInt(entry), true)
  view.setBigUint64(32, BigInt(table), true)
  view.setUint16(54, 56, true)
  view.setUint16(56, parts.length, true)
  let offset = start
  parts.forEach(({ at, bytes, size = bytes.length }, n) => {
    const header = table + n * 56
    view.setUint32(header, 1, true)
    view.setBigUint64(header + 8, BigInt(offset), true)
    view.setBigUint64(header + 24, BigInt(at), true)
    view.setBigUint64(header + 32, BigInt(bytes.length), true)
    view.setBigUint64(header + 40, BigInt(size), true)
    file.set(bytes, offset)
    offset += bytes.length
  })
  return file
}

const memory = { start: 0x10_0000, end: 0x20_0000 }
const parsed = (file: Uint8Array): Elf | ElfError => parse("kernel.elf", file, memory)
const tag = (result: Elf | ElfError) => ("_tag" in result ? result._tag : "loaded")

describe("an ELF file", () => {
  it("says what goes where", () => {
    const result = parsed(
      aFile([
        { at: 0x10_0000, bytes: [1, 2] },
        { at: 0x10_1000, bytes: [3], size: 0x2000 }
      ])
    )

    assert.deepStrictEqual(result, {
      bits: 64,
      notes: [],
      entry: 0x10_0000,
      segments: [
        { physical: { start: 0x10_0000, end: 0x10_0002 }, bytes: new Uint8Array([1, 2]) },
        { physical: { start: 0x10_1000, end: 0x10_3000 }, bytes: new Uint8Array([3]) }
      ]
    })
  })

  it("that is none is told from one", () => {
    assert.strictEqual(tag(parsed(new TextEncoder().encode("#!/bin/sh"))), "NotElf")
    assert.strictEqual(tag(parsed(new Uint8Array())), "NotElf")
  })

  it("cut off anywhere is never loaded", () => {
    const whole = aFile([{ at: 0x10_0000, bytes: [1, 2, 3, 4] }])
    for (let length = 0; length < whole.length; length++) {
      assert.include(["NotElf", "Truncated"], tag(parsed(whole.subarray(0, length))), `${length} bytes`)
    }
  })

  it.each([
    [4, 1, "32 bits"],
    [5, 2, "big-endian"],
    [16, 1, "an object file"],
    [16, 3, "a shared object"],
    [18, 3, "for a 386"],
    [54, 32, "with other program headers"]
  ])("with %s = %s (%s) is of the wrong kind", (at, value) => {
    const file = aFile([{ at: 0x10_0000, bytes: [1] }])
    file[at] = value

    assert.strictEqual(tag(parsed(file)), "WrongKind")
  })

  it("does not go outside memory", () => {
    assert.strictEqual(tag(parsed(aFile([{ at: 0x0f_ffff, bytes: [1, 2] }]))), "OutsideMemory")
    assert.strictEqual(tag(parsed(aFile([{ at: 0x1f_ffff, bytes: [1, 2] }]))), "OutsideMemory")
    assert.strictEqual(tag(parsed(aFile([{ at: 0x10_0000, bytes: [1], size: 2 ** 40 }]))), "OutsideMemory")
    assert.strictEqual(tag(parsed(aFile([{ at: 0x10_0000, bytes: [1] }], 0x11_0000))), "OutsideMemory", "nor its entry")
  })

  it("does not put two things in one place", () => {
    const result = parsed(
      aFile([
        { at: 0x10_0000, bytes: [1, 2, 3] },
        { at: 0x10_0002, bytes: [4] }
      ])
    )

    assert.strictEqual(
      "_tag" in result && inWords(result),
      "kernel.elf: the segment at offset 78H goes to 100002H to 100003H, where 100000H to 100003H is already"
    )
  })

  it("with nothing in it is not loaded", () => {
    assert.strictEqual(tag(parsed(aFile([]))), "Empty")
  })

  it("has its error in a sentence", () => {
    const sentence = (file: Uint8Array) => {
      const result = parsed(file)
      return "_tag" in result ? inWords(result) : ""
    }
    assert.strictEqual(sentence(new Uint8Array([1])), "kernel.elf is no ELF file: it does not begin with 7F 45 4C 46")
    const file = aFile([{ at: 0x10_0000, bytes: [1, 2, 3, 4] }])
    assert.strictEqual(
      sentence(file.subarray(0, file.length - 1)),
      "kernel.elf is cut off: segment 0 at offset 78H needs 4 bytes"
    )
    file[18] = 3
    assert.strictEqual(sentence(file), "kernel.elf: the machine (x86-64) at offset 12H is 3H, not 3EH")
  })
})
