import { assert, describe, it } from "@effect/vitest"
import { type Segment, write } from "../../../src/kernel/x86_64/Elf.ts"
import { extent, inPage, read } from "../../../src/kernel/x86_64/Program.ts"
import { FileHeader, ProgramHeader } from "../../../src/types/x86_64/ElfFile.ts"
import { memoryOf } from "./machine.ts"

const userEnd = 2 ** 47
const segment = (virtual: bigint, more: Partial<Segment> = {}): Segment => ({
  virtual,
  physical: 0n,
  bytes: new Uint8Array([1, 2, 3, 4]),
  memoryBytes: 0x1800,
  writable: true,
  executable: false,
  ...more
})

const file = (...segments: readonly Segment[]) => write({ entry: 0x40_0000n, segments })

/** What a kernel reads in a file that stands in memory at 1000H. */
const readBytes = (bytes: Uint8Array) => {
  const memory = new Uint8Array(0x1000 + bytes.length)
  memory.set(bytes, 0x1000)
  return read(memoryOf(memory), { name: "root", at: { start: 0x1000, end: memory.length } }, userEnd)
}
const accepted = (bytes: Uint8Array) => {
  const program = readBytes(bytes)
  assert(!("_tag" in program))
  return program
}
/** A file with some bytes overwritten. */
const changed = (bytes: Uint8Array, at: number, ...values: readonly number[]) => {
  const copy = bytes.slice()
  copy.set(values, at)
  return copy
}
const refused = (bytes: Uint8Array) => {
  const error = readBytes(bytes)
  assert("_tag" in error && error._tag === "BadProgram")
  return { reason: error.reason, at: error.at }
}

describe("a root task's program", () => {
  const good = file(segment(0x40_2000n), segment(0x40_0000n, { memoryBytes: 0x10, executable: true, writable: false }))

  it("is its parts in the order of their addresses", () => {
    const { entry, parts } = accepted(good)
    assert.strictEqual(entry, 0x40_0000)
    assert.deepStrictEqual(
      parts.map(({ start, end, fileBytes, writable, executable }) => ({ start, end, fileBytes, writable, executable })),
      [
        { start: 0x40_0000, end: 0x40_0010, fileBytes: 4, writable: false, executable: true },
        { start: 0x40_2000, end: 0x40_3800, fileBytes: 4, writable: true, executable: false }
      ]
    )
  })

  it("spans whole pages", () => {
    const program = accepted(good)
    assert.deepStrictEqual(extent(program), { start: 0x40_0000, end: 0x40_4000 })
    assert.strictEqual(inPage(program, 0x40_1000).length, 0)
    assert.strictEqual(inPage(program, 0x40_3000).length, 1)
  })

  it("is refused with what is wrong, and where", () => {
    const first = FileHeader.size
    assert.deepStrictEqual(refused(good.slice(0, 63)).at, 63)
    assert.match(refused(good.slice(0, 63)).reason, /truncated/)
    assert.match(refused(changed(good, 0, 0)).reason, /no ELF/)
    assert.deepStrictEqual(refused(changed(good, FileHeader.class, 1)), { reason: "it is not of 64 bits", at: 4 })
    assert.match(refused(changed(good, FileHeader.data, 2)).reason, /little-endian/)
    assert.match(refused(changed(good, FileHeader.e_type, 3)).reason, /static/)
    assert.match(refused(changed(good, FileHeader.e_machine, 183)).reason, /another machine/)
    assert.match(refused(changed(good, FileHeader.e_phentsize, 32)).reason, /program headers/)
    assert.match(refused(changed(good, FileHeader.e_entry + 7, 0x80)).reason, /entry/)
    assert.match(refused(good.slice(0, 0x1002)).reason, /truncated: a segment/)
    assert.match(refused(changed(good, FileHeader.e_phoff + 6, 1)).reason, /truncated: its program headers/)
    assert.match(refused(changed(good, first + ProgramHeader.p_vaddr + 6, 1)).reason, /user half/)
    assert.match(refused(changed(good, first + ProgramHeader.p_filesz, 0, 0, 1)).reason, /truncated: a segment/)
    assert.match(refused(changed(good, first + ProgramHeader.p_memsz, 2, 0)).reason, /more bytes in the file/)
  })

  it("is refused if two parts overlap, if there is none, or if they are too far apart", () => {
    assert.match(refused(file(segment(0x40_0000n), segment(0x40_1000n))).reason, /overlap/)
    assert.match(refused(file()).reason, /nothing to load/)
    assert.match(refused(file(segment(0x40_0000n), segment(0x4000_0000n))).reason, /too large/)
  })
})
