/** The kernel's image read back from its file, by offsets from its start. */

import { Selector } from "../../../src/kernel/x86_64/Descriptors.ts"
import { elf, loadAddress, Offset } from "../../../src/kernel/x86_64/Image.ts"
import { FileHeader, ProgramHeader } from "../../../src/types/x86_64/ElfFile.ts"

export const selectors = Selector

export interface LoadedImage {
  readonly entry: bigint
  readonly segments: readonly { readonly virtual: bigint; readonly physical: bigint; readonly flags: number }[]
  readonly bytes: Uint8Array
  readonly at: (offset: number, length: number) => Uint8Array
  readonly view: (offset: number, length: number) => DataView
}

export const theImage = (): LoadedImage => {
  const file = elf()
  const view = new DataView(file.buffer)
  const headers = Array.from({ length: view.getUint16(FileHeader.e_phnum, true) }, (_, index) => {
    const at = Number(view.getBigUint64(FileHeader.e_phoff, true)) + index * ProgramHeader.size
    return {
      flags: view.getUint32(at + ProgramHeader.p_flags, true),
      virtual: view.getBigUint64(at + ProgramHeader.p_vaddr, true),
      physical: view.getBigUint64(at + ProgramHeader.p_paddr, true),
      offset: Number(view.getBigUint64(at + ProgramHeader.p_offset, true)),
      fileBytes: Number(view.getBigUint64(at + ProgramHeader.p_filesz, true)),
      memoryBytes: Number(view.getBigUint64(at + ProgramHeader.p_memsz, true))
    }
  })
  const last = headers.at(-1)
  if (last === undefined) throw new Error("an image has segments")
  const bytes = new Uint8Array(Number(last.physical) - loadAddress + last.memoryBytes)
  for (const { physical, offset, fileBytes } of headers) {
    bytes.set(file.subarray(offset, offset + fileBytes), Number(physical) - loadAddress)
  }
  return {
    entry: view.getBigUint64(FileHeader.e_entry, true),
    segments: headers,
    bytes,
    at: (offset, length) => bytes.subarray(offset, offset + length),
    view: (offset, length) => new DataView(bytes.buffer, offset, length)
  }
}

/** A vector's stub, found as the processor finds it: through the IDT. */
export const stubAt = (image: LoadedImage, vector: number): { readonly code: string; readonly jumpsTo: number } => {
  const gate = image.view(Offset.idt + vector * 16, 16)
  const high = BigInt(gate.getUint32(8, true))
  const address = BigInt(gate.getUint16(0, true)) | (BigInt(gate.getUint16(6, true)) << 16n) | (high << 32n)
  const start = Number(address - 0xffff_ffff_8000_0000n)
  const code = image.at(start, 18)
  const jump = code.lastIndexOf(0xe9, 13)
  const jumpsTo = start + jump + 5 + image.view(start + jump + 1, 4).getInt32(0, true)
  return { code: [...code].map((byte) => byte.toString(16).padStart(2, "0")).join(" "), jumpsTo }
}
