/**
 * ElfFile: the headers of ELF files, as loaders of this architecture read and write them.
 *
 * "Tool Interface Standard, Executable and Linking Format"; "ELF-64 Object File Format"; System V ABI, AMD64 and Intel386
 * supplements.
 */

export const Ident = { magic: 0x464c_457f, class32: 1, class64: 2, littleEndian: 1 } as const
export const FileType = { executable: 2 } as const
/** Values of e_machine. */
export const machines = { 386: 3, "x86-64": 62 } as const
/** Values of p_type. */
export const PT = { LOAD: 1, NOTE: 4 } as const
/** Bits of p_flags. */
export const SegmentFlag = { execute: 1, write: 2, read: 4 } as const

/** Offsets of the fields of the file header and of a program header, and the sizes of both: of a file of 64 bits. */
// biome-ignore format: a table
export const FileHeader = {
  magic: 0, class: 4, data: 5, version: 6,
  e_type: 16, e_machine: 18, e_version: 20, e_entry: 24, e_phoff: 32, e_ehsize: 52, e_phentsize: 54, e_phnum: 56,
  size: 64
} as const
// biome-ignore format: a table
export const ProgramHeader = {
  p_type: 0, p_flags: 4, p_offset: 8, p_vaddr: 16, p_paddr: 24, p_filesz: 32, p_memsz: 40, p_align: 48, size: 56
} as const

/** The same of a file of 32 bits: the fields before e_entry are where they are in the other. */
// biome-ignore format: a table
export const FileHeader32 = { e_entry: 24, e_phoff: 28, e_phentsize: 42, e_phnum: 44, size: 52 } as const
// biome-ignore format: a table
export const ProgramHeader32 = { p_offset: 4, p_vaddr: 8, p_paddr: 12, p_filesz: 16, p_memsz: 20, size: 32 } as const
