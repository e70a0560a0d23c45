/**
 * Elf: what a static program for x86-64 consists of. "ELF-64 Object File Format"; System V ABI, AMD64 supplement.
 */
import { layout, overBytes, u8, u16, u32, u64 } from "../types/Layout.ts"
import { FileHeader, FileType, Ident, machines, ProgramHeader, PT, SegmentFlag } from "../types/x86_64/ElfFile.ts"

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
const Header = layout(FileHeader.size, {
  magic:    u32(FileHeader.magic),
  class:    u8(FileHeader.class),
  data:     u8(FileHeader.data),
  type:     u16(FileHeader.e_type),
  machine:  u16(FileHeader.e_machine),
  entry:    u64(FileHeader.e_entry),
  phoff:    u64(FileHeader.e_phoff),
  phnum:    u16(FileHeader.e_phnum)
})

// biome-ignore format: a field, a line
const SegmentHeader = layout(ProgramHeader.size, {
  type:     u32(ProgramHeader.p_type),
  flags:    u32(ProgramHeader.p_flags),
  offset:   u64(ProgramHeader.p_offset),
  vaddr:    u64(ProgramHeader.p_vaddr),
  filesz:   u64(ProgramHeader.p_filesz),
  memsz:    u64(ProgramHeader.p_memsz)
})

/** Read a program. */
export const read = (file: Uint8Array): Program | BadElf => {
  const bad = (why: string): BadElf => ({ _tag: "BadElf", why })
  if (file.length < FileHeader.size) return bad("it is shorter than an ELF header")
  const memory = overBytes(file)
  const header = (field: keyof typeof Header) => Header[field].load(memory, 0)
  if (header("magic") !== Ident.magic) return bad("it is no ELF file")
  if (header("class") !== Ident.class64 || header("data") !== Ident.littleEndian)
    return bad("it is not 64-bit and little-endian")
  if (header("type") !== FileType.executable) return bad("it is no static executable")
  if (header("machine") !== machines["x86-64"]) return bad("it is for another machine than x86-64")
  const [at, count] = [header("phoff"), header("phnum")]
  if (at + count * ProgramHeader.size > file.length) return bad("its program headers are cut off")
  const segments: Array<Segment> = []
  for (let index = 0; index < count; index++) {
    const field = (name: keyof typeof SegmentHeader) =>
      SegmentHeader[name].load(memory, at + index * ProgramHeader.size)
    if (field("type") !== PT.LOAD || field("memsz") === 0) continue
    const [offset, filesz, memsz] = [field("offset"), field("filesz"), field("memsz")]
    if (offset + filesz > file.length) return bad("a segment is cut off")
    if (filesz > memsz) return bad("a segment is larger in the file than in memory")
    segments.push({
      address: field("vaddr"),
      bytes: file.subarray(offset, offset + filesz),
      size: memsz,
      rights: (["read", "write", "execute"] as const).filter((right) => (field("flags") & SegmentFlag[right]) !== 0)
    })
  }
  return segments.length === 0 ? bad("it has nothing to load") : { entry: header("entry"), segments }
}
