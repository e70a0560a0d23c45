/**
 * ELF: what a file of machine code says about where its parts go in physical memory.
 *
 * System V ABI, "Object Files", "Program Header"; Intel386 and AMD64 supplements. Only executables for this machine; sections,
 * symbols and relocations do not matter to a loader.
 */
import {
  FileHeader,
  FileHeader32,
  FileType,
  Ident,
  machines,
  ProgramHeader,
  ProgramHeader32,
  PT
} from "../../types/x86_64/ElfFile.ts"
import { BootError, type ElfError } from "./BootError.ts"
import { overlap, type Region } from "./Ram.ts"

/** A part of the file that is loaded; what is behind `bytes` in memory is 0. */
export interface Segment {
  readonly physical: Region
  readonly bytes: Uint8Array
}

export interface Elf {
  readonly bits: 32 | 64
  /** Where execution begins: a physical address. */
  readonly entry: number
  readonly segments: readonly Segment[]
  /** The contents of PT_NOTE segments. */
  readonly notes: readonly Uint8Array[]
}

/** Where the fields of a class of files are. Figures "ELF Header" and "Program Header". */
interface Layout {
  readonly bits: 32 | 64
  readonly headerBytes: number
  readonly entry: number
  readonly phoff: number
  readonly phentsize: number
  readonly phnum: number
  readonly programHeaderBytes: number
  readonly offset: number
  readonly vaddr: number
  readonly paddr: number
  readonly filesz: number
  readonly memsz: number
  readonly word: (view: DataView, at: number) => number
}

// biome-ignore format: a table
const layouts = {
  32: {
    bits: 32,
    headerBytes: FileHeader32.size, entry: FileHeader32.e_entry, phoff: FileHeader32.e_phoff,
    phentsize: FileHeader32.e_phentsize, phnum: FileHeader32.e_phnum,
    programHeaderBytes: ProgramHeader32.size, offset: ProgramHeader32.p_offset, vaddr: ProgramHeader32.p_vaddr,
    paddr: ProgramHeader32.p_paddr, filesz: ProgramHeader32.p_filesz, memsz: ProgramHeader32.p_memsz,
    word: (view, at) => view.getUint32(at, true)
  },
  64: {
    bits: 64,
    headerBytes: FileHeader.size, entry: FileHeader.e_entry, phoff: FileHeader.e_phoff,
    phentsize: FileHeader.e_phentsize, phnum: FileHeader.e_phnum,
    programHeaderBytes: ProgramHeader.size, offset: ProgramHeader.p_offset, vaddr: ProgramHeader.p_vaddr,
    paddr: ProgramHeader.p_paddr, filesz: ProgramHeader.p_filesz, memsz: ProgramHeader.p_memsz,
    // Above 2^53 it is inexact, but still beyond every file and memory.
    word: (view, at) => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  }
} as const satisfies Record<number, Layout>

const magic = [0x7f, 0x45, 0x4c, 0x46]
/** Does a file begin as ELF files do? */
export const isElf = (file: Uint8Array): boolean => magic.every((byte, n) => file[n] === byte)

/**
 * What is in the file, or what is wrong with it.
 *
 * @param memory where segments may go
 * @param classes which files are taken: those of 64 bits are for x86-64; those of 32 bits may hold code for either
 */
export const parse = (
  name: string,
  file: Uint8Array,
  memory: Region,
  classes: readonly (32 | 64)[] = [64]
): Elf | ElfError => {
  if (!isElf(file)) return BootError.NotElf({ name })
  const layout = layouts[classes.includes(32) && file[FileHeader.class] === 1 ? 32 : 64]
  if (file.length < layout.headerBytes)
    return BootError.Truncated({ name, at: 0, needs: layout.headerBytes, what: "the file header" })
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const wrong = wrongField(name, view, layout, classes.includes(32))
  if (wrong) return wrong

  const { word, programHeaderBytes } = layout
  const [table, count] = [word(view, layout.phoff), view.getUint16(layout.phnum, true)]
  const needs = count * programHeaderBytes
  if (table + needs > file.length)
    return BootError.Truncated({ name, at: table, needs, what: "the program header table" })
  const segments: Segment[] = []
  const notes: Uint8Array[] = []
  const virtual: Region[] = []
  for (let n = 0; n < count; n++) {
    const at = table + n * programHeaderBytes
    const type = view.getUint32(at, true)
    const memoryBytes = word(view, at + layout.memsz)
    const isLoaded = type === PT.LOAD && memoryBytes !== 0
    if (!isLoaded && type !== PT.NOTE) continue
    const [offset, fileBytes] = [word(view, at + layout.offset), word(view, at + layout.filesz)]
    if (offset + fileBytes > file.length || (isLoaded && fileBytes > memoryBytes))
      return BootError.Truncated({ name, at: offset, needs: fileBytes, what: `segment ${n}` })
    const bytes = file.subarray(offset, offset + fileBytes)
    if (!isLoaded) {
      notes.push(bytes)
      continue
    }
    const [start, from] = [word(view, at + layout.paddr), word(view, at + layout.vaddr)]
    const physical = { start, end: start + memoryBytes }
    if (physical.start < memory.start || physical.end > memory.end)
      return BootError.OutsideMemory({ name, at, region: physical, memory })
    const other = segments.find((segment) => overlap(segment.physical, physical))
    if (other) return BootError.Overlapping({ name, at, region: physical, other: other.physical })
    segments.push({ physical, bytes })
    virtual.push({ start: from, end: from + memoryBytes })
  }
  const first = segments[0]
  if (first === undefined) return BootError.Empty({ name })
  const entry = physicalEntry(word(view, layout.entry), segments, virtual)
  if (entry === undefined) {
    const start = word(view, layout.entry)
    return BootError.OutsideMemory({ name, at: 24, region: { start, end: start + 1 }, memory: first.physical })
  }
  return { bits: layout.bits, entry, segments, notes }
}

const wrongField = (name: string, view: DataView, layout: Layout, takes32: boolean): ElfError | undefined => {
  const machine =
    takes32 && view.getUint16(FileHeader.e_machine, true) === machines[386] ? machines[386] : machines["x86-64"]
  // biome-ignore format: a field, a line
  const fields = [
    { at: FileHeader.class,         found: view.getUint8(FileHeader.class),                 wanted: layout.bits / 32,          what: `the class (${layout.bits}-bit)` },
    { at: FileHeader.data,          found: view.getUint8(FileHeader.data),                  wanted: Ident.littleEndian,              what: "the data encoding (little-endian)" },
    { at: FileHeader.e_type,           found: view.getUint16(FileHeader.e_type, true),            wanted: FileType.executable,                what: "the object file type (executable)" },
    { at: FileHeader.e_machine,        found: view.getUint16(FileHeader.e_machine, true),         wanted: machine,                   what: "the machine (x86-64)" },
    { at: layout.phentsize, found: view.getUint16(layout.phentsize, true),  wanted: layout.programHeaderBytes, what: "the size of a program header" }
  ]
  const wrong = fields.find(({ found, wanted }) => found !== wanted)
  return wrong && BootError.WrongKind({ name, ...wrong })
}

/** Some files give their entry as a virtual address, some as a physical one. */
const physicalEntry = (entry: number, segments: readonly Segment[], virtual: readonly Region[]): number | undefined => {
  const at = virtual.findIndex(({ start, end }) => entry >= start && entry < end)
  if (at >= 0) return segments[at]!.physical.start + (entry - virtual[at]!.start)
  return segments.some(({ physical }) => entry >= physical.start && entry < physical.end) ? entry : undefined
}

/** What notes of this name and type say. "Note Section". */
export const noteOf = ({ notes }: Elf, name: string, type: number): Uint8Array | undefined => {
  for (const bytes of notes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at + 12 <= bytes.length; ) {
      const [nameBytes, contentBytes] = [view.getUint32(at, true), view.getUint32(at + 4, true)]
      const content = at + 12 + Math.ceil(nameBytes / 4) * 4
      const called = String.fromCharCode(...bytes.subarray(at + 12, at + 12 + Math.min(nameBytes, 64)))
      if (called === `${name}\0` && view.getUint32(at + 8, true) === type)
        return bytes.subarray(content, content + contentBytes)
      at = content + Math.ceil(contentBytes / 4) * 4
    }
  }
  return undefined
}
