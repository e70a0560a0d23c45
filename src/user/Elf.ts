/**
 * Elf: what a static program for x86-64 consists of. "ELF-64 Object File Format"; System V ABI, AMD64 supplement.
 */
import { layout, overBytes, u8, u16, u32, u64 } from "../types/Layout.ts"

/** `bytes` at `address`, and zeros after them up to `size`. */
export interface Segment {
  readonly address: number
  readonly bytes: Uint8Array
  readonly size: number
  readonly rights: ReadonlyArray<"read" | "write" | "execute">
}

export interface Program {
  readonly entry: number
  readonly segments: ReadonlyArray<Segment>
}

/** The bytes are those of no such program. */
export interface BadElf {
  readonly _tag: "BadElf"
  readonly why: string
}

// biome-ignore format: a field, a line
const FileHeader = layout(64, {
  magic:    u32(0),
  class:    u8(4),
  data:     u8(5),
  type:     u16(16),
  machine:  u16(18),
  entry:    u64(24),
  phoff:    u64(32),
  phnum:    u16(56)
})

// biome-ignore format: a field, a line
const ProgramHeader = layout(56, {
  type:     u32(0),
  flags:    u32(4),
  offset:   u64(8),
  vaddr:    u64(16),
  filesz:   u64(32),
  memsz:    u64(40)
})

const headerBytes = 64
const programHeaderBytes = 56
const magic = 0x464c_457f
const executable = 2
const x86_64 = 62
const load = 1
const flags = { execute: 1, write: 2, read: 4 } as const

/** Read a program. */
export const read = (file: Uint8Array): Program | BadElf => {
  const bad = (why: string): BadElf => ({ _tag: "BadElf", why })
  if (file.length < headerBytes) return bad("it is shorter than an ELF header")
  const memory = overBytes(file)
  const header = (field: keyof typeof FileHeader) => FileHeader[field].load(memory, 0)
  if (header("magic") !== magic) return bad("it is no ELF file")
  if (header("class") !== 2 || header("data") !== 1) return bad("it is not 64-bit and little-endian")
  if (header("type") !== executable) return bad("it is no static executable")
  if (header("machine") !== x86_64) return bad("it is for another machine than x86-64")
  const [at, count] = [header("phoff"), header("phnum")]
  if (at + count * programHeaderBytes > file.length) return bad("its program headers are cut off")
  const segments: Array<Segment> = []
  for (let index = 0; index < count; index++) {
    const field = (name: keyof typeof ProgramHeader) =>
      ProgramHeader[name].load(memory, at + index * programHeaderBytes)
    if (field("type") !== load || field("memsz") === 0) continue
    const [offset, filesz, memsz] = [field("offset"), field("filesz"), field("memsz")]
    if (offset + filesz > file.length) return bad("a segment is cut off")
    if (filesz > memsz) return bad("a segment is larger in the file than in memory")
    segments.push({
      address: field("vaddr"),
      bytes: file.subarray(offset, offset + filesz),
      size: memsz,
      rights: (["read", "write", "execute"] as const).filter((right) => (field("flags") & flags[right]) !== 0)
    })
  }
  return segments.length === 0 ? bad("it has nothing to load") : { entry: header("entry"), segments }
}
