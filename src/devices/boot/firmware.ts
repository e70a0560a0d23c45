/**
 * Firmware: what a PC's firmware has left in memory when a boot loader begins.
 *
 * The ACPI tables lie below 1 MiB, where software looks for them; the memory map says which RAM is whose. UEFI and BIOS
 * services are not there: nothing that a loader here starts may call them.
 */
import { acpiTables } from "../acpiTables.ts"
import type { Ram, Region } from "./Ram.ts"

/** A region of the memory map. ACPI Specification, "System Address Map Interfaces": 1 is memory, 2 is reserved. */
export interface MapEntry extends Region {
  readonly type: 1 | 2
}

/** The BIOS data area ends here, and conventional memory begins. */
const conventional = { start: 0x1000, end: 0x9_fc00 } as const
/** "software looks for the RSDP on 16-byte boundaries in the BIOS read-only memory space between 0E0000h and 0FFFFFh". */
const bios = { start: 0xe_0000, end: 0x10_0000 } as const

/** RAM, lowest first; what is in no entry is no RAM. */
export const memoryMap = (ramBytes: number): readonly MapEntry[] => [
  { start: 0, end: conventional.end, type: 1 },
  { start: bios.start, end: bios.end, type: 2 },
  { start: bios.end, end: ramBytes, type: 1 }
]

/** The ACPI tables go into RAM. @returns where the RSDP is. */
export const leaveTables = (memory: Ram, processors: number): number => {
  const { rsdp, image } = acpiTables(bios.start, { processors })
  memory.ram(bios.start, image.length).set(image)
  return rsdp
}
