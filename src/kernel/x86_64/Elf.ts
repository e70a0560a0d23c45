/** Elf: the kernel's image as a file, a static ELF64. */
import { FileHeader, FileType, Ident, machines, ProgramHeader, PT, SegmentFlag } from "../../types/x86_64/ElfFile.ts"

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
  view.setUint16(FileHeader.e_machine, machines["x86-64"], true)
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
  view.setUint32(ProgramHeader.p_type, PT.LOAD, true)
  view.setUint32(ProgramHeader.p_flags, flags, true)
  view.setBigUint64(ProgramHeader.p_offset, BigInt(place), true)
  view.setBigUint64(ProgramHeader.p_vaddr, segment.virtual, true)
  view.setBigUint64(ProgramHeader.p_paddr, segment.physical, true)
  view.setBigUint64(ProgramHeader.p_filesz, BigInt(segment.bytes.length), true)
  view.setBigUint64(ProgramHeader.p_memsz, BigInt(segment.memoryBytes), true)
  view.setBigUint64(ProgramHeader.p_align, BigInt(pageBytes), true)
  file.set(segment.bytes, place)
}
