/**
 * ELF: what a file of machine code says about where its parts go in physical memory.
 *
 * System V ABI, "Object Files", "Program Header"; AMD64 supplement. Only executables for this machine; sections,
 * symbols and relocations do not matter to a loader.
 */
import { Data } from "effect"
import type { Region } from "../Boot.ts"

/** A part of the file that is loaded; what is behind `bytes` in memory is 0. */
export interface Segment {
  readonly physical: Region
  readonly bytes: Uint8Array
}

export interface Elf {
  /** Where execution begins: a physical address. */
  readonly entry: number
  readonly segments: readonly Segment[]
}

/** Why a file cannot be loaded. `at` is the offset in the file of what is wrong. */
export type ElfError = Data.TaggedEnum<{
  NotElf: { readonly name: string }
  Truncated: { readonly name: string; readonly at: number; readonly needs: number; readonly what: string }
  WrongKind: {
    readonly name: string
    readonly at: number
    readonly what: string
    readonly found: number
    readonly wanted: number
  }
  OutsideMemory: { readonly name: string; readonly at: number; readonly region: Region; readonly memory: Region }
  Overlapping: { readonly name: string; readonly at: number; readonly region: Region; readonly other: Region }
  Empty: { readonly name: string }
}>
export const ElfError = Data.taggedEnum<ElfError>()

const hex = (n: number): string => `${n.toString(16).toUpperCase()}H`
const span = ({ start, end }: Region): string => `${hex(start)} to ${hex(end)}`

/** The error as a sentence for whoever gave the file. */
export const describe = (error: ElfError): string => {
  const { name } = error
  switch (error._tag) {
    case "NotElf":
      return `${name} is no ELF file: it does not begin with 7F 45 4C 46`
    case "Truncated":
      return `${name} is cut off: ${error.what} at offset ${hex(error.at)} needs ${error.needs} bytes`
    case "WrongKind":
      return `${name}: ${error.what} at offset ${hex(error.at)} is ${hex(error.found)}, not ${hex(error.wanted)}`
    case "OutsideMemory":
      return `${name}: the segment at offset ${hex(error.at)} goes to ${span(error.region)}; memory for it is ${span(error.memory)}`
    case "Overlapping":
      return `${name}: the segment at offset ${hex(error.at)} goes to ${span(error.region)}, where ${span(error.other)} is already`
    case "Empty":
      return `${name} has nothing to load: it has no PT_LOAD segment with memory`
  }
}

/** The fields of the file header that a loader checks. Figure "ELF Header". */
// biome-ignore format: a field, a line
const header = {
  class:     { at: 4,  bytes: 1, wanted: 2,  what: "the class (64-bit)" },
  data:      { at: 5,  bytes: 1, wanted: 1,  what: "the data encoding (little-endian)" },
  type:      { at: 16, bytes: 2, wanted: 2,  what: "the object file type (executable)" },
  machine:   { at: 18, bytes: 2, wanted: 62, what: "the machine (x86-64)" },
  phentsize: { at: 54, bytes: 2, wanted: 56, what: "the size of a program header" }
} as const
const headerBytes = 64
const programHeaderBytes = 56
const PT_LOAD = 1

/** What is in the file, or what is wrong with it. `memory`: where segments may go. */
export const parse = (name: string, file: Uint8Array, memory: Region): Elf | ElfError => {
  const magic = [0x7f, 0x45, 0x4c, 0x46]
  if (magic.some((byte, n) => file[n] !== byte)) return ElfError.NotElf({ name })
  if (file.length < headerBytes) return ElfError.Truncated({ name, at: 0, needs: headerBytes, what: "the file header" })
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  for (const { at, bytes, wanted, what } of Object.values(header)) {
    const found = bytes === 1 ? view.getUint8(at) : view.getUint16(at, true)
    if (found !== wanted) return ElfError.WrongKind({ name, at, what, found, wanted })
  }

  const [table, count] = [word(view, 32), view.getUint16(56, true)]
  if (table + count * programHeaderBytes > file.length)
    return ElfError.Truncated({ name, at: table, needs: count * programHeaderBytes, what: "the program header table" })
  const segments: Segment[] = []
  for (let n = 0; n < count; n++) {
    const at = table + n * programHeaderBytes
    if (view.getUint32(at, true) !== PT_LOAD || word(view, at + 40) === 0) continue
    const [offset, fileBytes, memoryBytes] = [word(view, at + 8), word(view, at + 32), word(view, at + 40)]
    if (offset + fileBytes > file.length || fileBytes > memoryBytes)
      return ElfError.Truncated({ name, at: offset, needs: fileBytes, what: `segment ${n}` })
    const physical = { start: word(view, at + 24), end: word(view, at + 24) + memoryBytes }
    if (physical.start < memory.start || physical.end > memory.end)
      return ElfError.OutsideMemory({ name, at, region: physical, memory })
    const other = segments.find((segment) => overlap(segment.physical, physical))
    if (other) return ElfError.Overlapping({ name, at, region: physical, other: other.physical })
    segments.push({ physical, bytes: file.subarray(offset, offset + fileBytes) })
  }
  const first = segments[0]
  if (first === undefined) return ElfError.Empty({ name })
  const entry = word(view, 24)
  if (!segments.some(({ physical }) => entry >= physical.start && entry < physical.end))
    return ElfError.OutsideMemory({ name, at: 24, region: { start: entry, end: entry + 1 }, memory: first.physical })
  return { entry, segments }
}

export const overlap = (a: Region, b: Region): boolean => a.start < b.end && b.start < a.end

/** A 64-bit field. Above 2^53 it is inexact, but still beyond every file and memory. */
const word = (view: DataView, at: number): number => view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
