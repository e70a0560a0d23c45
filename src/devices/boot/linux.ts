/**
 * Linux: a bzImage in memory, started by the 64-bit boot protocol.
 *
 * Linux kernel documentation, "The Linux/x86 Boot Protocol", "64-bit Boot Protocol"; the zero page is struct boot_params,
 * "Zero Page". The kernel is entered 200H bytes behind its load address in 64-bit mode, with memory mapped one to one,
 * interrupts off, and the address of the zero page in RSI.
 */
import type { AcpiOptions } from "../acpiTables.ts"
import { BootError } from "./BootError.ts"
import { leaveTables, memoryMap } from "./firmware.ts"
import { writeMap } from "./identityMap.ts"
import type { File, Payload, Started } from "./Payload.ts"
import { type Ram, type Region, text } from "./Ram.ts"
import { pageBytes } from "./Room.ts"

/** Fields of the setup header that are read, by their offsets in the file. "The Real-Mode Kernel Header". */
// biome-ignore format: a table
const header = {
  setup_sects:      0x1f1,
  syssize:          0x1f4,
  jump:             0x200,
  magic:            0x202,
  version:          0x206,
  xloadflags:       0x236,
  cmdline_size:     0x238,
  pref_address:     0x258,
  init_size:        0x260
} as const

/** Fields that a loader writes: of the header, and of the rest of the zero page. */
// biome-ignore format: a table
const zeroPage = {
  acpi_rsdp_addr:   0x070,
  e820_entries:     0x1e8,
  type_of_loader:   0x210,
  loadflags:        0x211,
  ramdisk_image:    0x218,
  ramdisk_size:     0x21c,
  cmd_line_ptr:     0x228,
  e820_table:       0x2d0
} as const

const magic = 0x5372_6448 // "HdrS"
const [firstWith64Bits, has64BitEntry] = [0x20c, 1]
const sectorBytes = 512
const entryOffset = 0x200
/** "0xFF": a boot loader with no number of its own. */
const undefinedLoader = 0xff
/** LOADED_HIGH: the kernel is above 1 MiB. */
const loadedHigh = 1

/** What the loader keeps in conventional memory. */
const low = { zeroPage: 0x1_0000, commandLine: 0x2_0000, map: 0x3_0000 } as const

/** Does a file have the setup header of a Linux kernel? */
export const isLinux = (file: Uint8Array): boolean =>
  file.length >= header.init_size + 4 &&
  new DataView(file.buffer, file.byteOffset, file.byteLength).getUint32(header.magic, true) === magic

/** @returns where to begin, or what is wrong with the files. */
export const loadLinux = (
  memory: Ram,
  { kernel, initrd, commandLine }: Payload,
  board: AcpiOptions
): Started | BootError => {
  const { name, bytes: file } = kernel
  if (!isLinux(file)) return BootError.Unknown({ name })
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const version = view.getUint16(header.version, true)
  if (version < firstWith64Bits) return BootError.TooOld({ name, version })
  if ((view.getUint16(header.xloadflags, true) & has64BitEntry) === 0) return BootError.Not64Bit({ name })

  // "If it contains 0, the real value is 4."
  const setupBytes = ((view.getUint8(header.setup_sects) || 4) + 1) * sectorBytes
  const needs = view.getUint32(header.syssize, true) * 16
  if (setupBytes + needs > file.length + 15)
    return BootError.Truncated({ name, at: setupBytes, needs, what: "the kernel behind its setup" })
  const most = view.getUint32(header.cmdline_size, true)
  if (commandLine.length > most) return BootError.LongCommandLine({ length: commandLine.length, most })

  const start = view.getUint32(header.pref_address, true)
  const room: Region = { start, end: memory.ramBytes }
  const initBytes = view.getUint32(header.init_size, true)
  if (start + initBytes > room.end) return BootError.NoRoom({ name, needs: initBytes, memory: room })
  const image = file.subarray(setupBytes)
  memory.ram(start, image.length).set(image)

  const disk = initrd === undefined ? undefined : placeInitrd(memory, initrd, start + initBytes)
  if (disk !== undefined && "_tag" in disk) return disk

  const setup = file.subarray(header.setup_sects, header.magic + view.getUint8(header.jump + 1))
  writeZeroPage(memory, setup, commandLine, disk, board)
  writeMap(memory, low.map)
  return { mode: "64-bit", entry: start + entryOffset, pml4: low.map, rsi: low.zeroPage }
}

/** As high as it fits. */
const placeInitrd = (memory: Ram, { name, bytes }: File, above: number): Region | BootError => {
  const start = Math.floor((memory.ramBytes - bytes.length) / pageBytes) * pageBytes
  if (start < above)
    return BootError.NoRoom({ name, needs: bytes.length, memory: { start: above, end: memory.ramBytes } })
  memory.ram(start, bytes.length).set(bytes)
  return { start, end: start + bytes.length }
}

/** "The setup header is copied"; all else that is not said is 0. */
const writeZeroPage = (
  memory: Ram,
  setup: Uint8Array,
  commandLine: string,
  initrd: Region | undefined,
  board: AcpiOptions
): void => {
  const line = text(commandLine)
  memory.ram(low.commandLine, line.length).set(line)

  const page = memory.ram(low.zeroPage, pageBytes).fill(0)
  page.set(setup, header.setup_sects)
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  view.setUint8(zeroPage.type_of_loader, undefinedLoader)
  view.setUint8(zeroPage.loadflags, view.getUint8(zeroPage.loadflags) | loadedHigh)
  view.setUint32(zeroPage.cmd_line_ptr, low.commandLine, true)
  view.setUint32(zeroPage.ramdisk_image, initrd?.start ?? 0, true)
  view.setUint32(zeroPage.ramdisk_size, initrd === undefined ? 0 : initrd.end - initrd.start, true)
  view.setUint32(zeroPage.acpi_rsdp_addr, leaveTables(memory, board), true)
  const map = memoryMap(memory.ramBytes)
  view.setUint8(zeroPage.e820_entries, map.length)
  for (const [n, { start, end, type }] of map.entries()) {
    const at = zeroPage.e820_table + 20 * n
    view.setUint32(at, start, true)
    view.setUint32(at + 8, end - start, true)
    view.setUint32(at + 16, type, true)
  }
}
