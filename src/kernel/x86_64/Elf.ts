/**
 * ELF64 files: "Tool Interface Standard, Executable and Linking Format", with the 64-bit layouts of "ELF-64 Object File
 * Format".
 *
 * As much as a static program for this architecture needs: the file header, and the segments to load.
 */

export const Ident = { magic: 0x464c_457f, class64: 2, littleEndian: 1 } as const
export const FileType = { executable: 2 } as const
export const machineX86_64 = 62
export const PT_LOAD = 1
export const SegmentFlag = { execute: 1, write: 2, read: 4 } as const

/** Offsets of the fields of the file header and of a program header, and the sizes of both. */
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

export interface Segment {
  readonly virtual: bigint
  readonly physical: bigint
  /** The file's part; zeros follow up to `memoryBytes`. */
  readonly bytes: Uint8Array
  readonly memoryBytes: number
  readonly writable: boolean
  readonly executable: boolean
}

const pageBytes = 0x1000

/** A file that has each segment at a page of its own. */
export const write = (program: { readonly entry: bigint; readonly segments: readonly Segment[] }): Uint8Array => {
  const { entry, segments } = program
  const places: number[] = []
  let end = FileHeader.size + segments.length * ProgramHeader.size
  for (const { bytes } of segments) {
    const place = bytes.length === 0 ? 0 : Math.ceil(end / pageBytes) * pageBytes
    places.push(place)
    end = Math.max(end, place + bytes.length)
  }
  const file = new Uint8Array(end)
  const view = new DataView(file.buffer)
  view.setUint32(FileHeader.magic, Ident.magic, true)
  view.setUint8(FileHeader.class, Ident.class64)
  view.setUint8(FileHeader.data, Ident.littleEndian)
  view.setUint8(FileHeader.version, 1)
  view.setUint16(FileHeader.e_type, FileType.executable, true)
  view.setUint16(FileHeader.e_machine, machineX86_64, true)
  view.setUint32(FileHeader.e_version, 1, true)
  view.setBigUint64(FileHeader.e_entry, entry, true)
  view.setBigUint64(FileHeader.e_phoff, BigInt(FileHeader.size), true)
  view.setUint16(FileHeader.e_ehsize, FileHeader.size, true)
  view.setUint16(FileHeader.e_phentsize, ProgramHeader.size, true)
  view.setUint16(FileHeader.e_phnum, segments.length, true)
  segments.forEach((segment, index) => {
    const place = places[index]
    if (place === undefined) throw new Error("every segment has its place")
    writeSegment(file, FileHeader.size + index * ProgramHeader.size, place, segment)
  })
  return file
}

const writeSegment = (file: Uint8Array, header: number, place: number, segment: Segment): void => {
  const view = new DataView(file.buffer, header, ProgramHeader.size)
  const flags =
    SegmentFlag.read | (segment.writable ? SegmentFlag.write : 0) | (segment.executable ? SegmentFlag.execute : 0)
  view.setUint32(ProgramHeader.p_type, PT_LOAD, true)
  view.setUint32(ProgramHeader.p_flags, flags, true)
  view.setBigUint64(ProgramHeader.p_offset, BigInt(place), true)
  view.setBigUint64(ProgramHeader.p_vaddr, segment.virtual, true)
  view.setBigUint64(ProgramHeader.p_paddr, segment.physical, true)
  view.setBigUint64(ProgramHeader.p_filesz, BigInt(segment.bytes.length), true)
  view.setBigUint64(ProgramHeader.p_memsz, BigInt(segment.memoryBytes), true)
  view.setBigUint64(ProgramHeader.p_align, BigInt(pageBytes), true)
  file.set(segment.bytes, place)
}
