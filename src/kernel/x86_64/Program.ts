/**
 * Program: the root task's program, and where it lies in its address space.
 *
 * A static ELF64 for this architecture, read where the loader put it in memory. What is wrong with one is said before
 * anything is made of it.
 */
import type { Region } from "../../hal/Boot.ts"
import type { ReadableMemory } from "../../types/Layout.ts"
import { FileHeader, FileType, Ident, machines, ProgramHeader, PT, SegmentFlag } from "../../types/x86_64/ElfFile.ts"
import { type BootError, badProgram } from "./BootError.ts"
import { pageBytes } from "./BootMemory.ts"

/**
 * A part of the program: [start, end) in its address space, of which the file has the first `fileBytes`, at physical
 * address `file`.
 */
export interface Part {
  readonly start: number
  readonly end: number
  readonly file: number
  readonly fileBytes: number
  readonly writable: boolean
  readonly executable: boolean
}

export interface Program {
  readonly entry: number
  /** By their addresses; no two share a byte. */
  readonly parts: readonly Part[]
}

/** What a program can be at most: its root CNode has no slot for more frames. */
export const maxPages = 6144

/** The program in a module. Addresses of the program end at `userEnd`. */
export const read = (
  memory: ReadableMemory,
  { name, at: file }: { readonly name: string; readonly at: Region },
  userEnd: number
): Program | BootError => {
  const bytes = file.end - file.start
  const wrong = (reason: string, at: number) => badProgram(name, reason, at)
  const u8 = (at: number) => memory.load8(file.start + at)
  const u16 = (at: number) => u8(at) + u8(at + 1) * 2 ** 8
  const u32 = (at: number) => u16(at) + u16(at + 2) * 2 ** 16
  /** Inexact above 2^53, where every bound is passed. */
  const u64 = (at: number) => u32(at) + u32(at + 4) * 2 ** 32

  if (bytes < FileHeader.size) return wrong("it is truncated: an ELF header has 64 bytes", bytes)
  if (u32(FileHeader.magic) !== Ident.magic) return wrong("it is no ELF file", FileHeader.magic)
  if (u8(FileHeader.class) !== Ident.class64) return wrong("it is not of 64 bits", FileHeader.class)
  if (u8(FileHeader.data) !== Ident.littleEndian) return wrong("it is not little-endian", FileHeader.data)
  if (u16(FileHeader.e_type) !== FileType.executable) return wrong("it is no static executable", FileHeader.e_type)
  if (u16(FileHeader.e_machine) !== machines["x86-64"])
    return wrong("it is for another machine than x86-64", FileHeader.e_machine)
  if (u16(FileHeader.e_phentsize) !== ProgramHeader.size)
    return wrong("its program headers have another size than 56 bytes", FileHeader.e_phentsize)
  const entry = u64(FileHeader.e_entry)
  if (entry >= userEnd) return wrong("its entry is no user address", FileHeader.e_entry)

  const headers = u64(FileHeader.e_phoff)
  const count = u16(FileHeader.e_phnum)
  if (headers + count * ProgramHeader.size > bytes)
    return wrong("it is truncated: its program headers end beyond it", FileHeader.e_phoff)

  const parts: Part[] = []
  for (let index = 0; index < count; index++) {
    const at = headers + index * ProgramHeader.size
    if (u32(at + ProgramHeader.p_type) !== PT.LOAD) continue
    const start = u64(at + ProgramHeader.p_vaddr)
    const end = start + u64(at + ProgramHeader.p_memsz)
    const offset = u64(at + ProgramHeader.p_offset)
    const fileBytes = u64(at + ProgramHeader.p_filesz)
    const flags = u32(at + ProgramHeader.p_flags)
    if (offset + fileBytes > bytes)
      return wrong("it is truncated: a segment ends beyond it", at + ProgramHeader.p_filesz)
    if (start + fileBytes > end)
      return wrong("a segment has more bytes in the file than in memory", at + ProgramHeader.p_memsz)
    if (end > userEnd - pageBytes) return wrong("a segment lies outside the user half", at + ProgramHeader.p_vaddr)
    if (parts.some((part) => part.start < end && start < part.end))
      return wrong("two segments overlap", at + ProgramHeader.p_vaddr)
    if (start === end) continue
    parts.push({
      start,
      end,
      file: file.start + offset,
      fileBytes,
      writable: (flags & SegmentFlag.write) !== 0,
      executable: (flags & SegmentFlag.execute) !== 0
    })
  }
  if (parts.length === 0) return wrong("it has nothing to load", FileHeader.e_phnum)
  parts.sort((a, b) => a.start - b.start)
  const program = { entry, parts }
  const { start, end } = extent(program)
  if ((end - start) / pageBytes > maxPages)
    return wrong(`it is too large: it spans more than ${maxPages} pages`, FileHeader.e_phoff)
  return program
}

/** The whole pages from the first part to the last. */
export const extent = ({ parts }: Program): Region => ({
  start: Math.floor(parts[0]!.start / pageBytes) * pageBytes,
  end: Math.ceil(parts.at(-1)!.end / pageBytes) * pageBytes
})

/** The parts that lie in the page at an address. */
export const inPage = ({ parts }: Program, page: number): readonly Part[] =>
  parts.filter(({ start, end }) => start < page + pageBytes && page < end)
