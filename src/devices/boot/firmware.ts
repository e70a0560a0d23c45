/**
 * Firmware: what a PC's firmware has left in memory when a boot loader begins.
 *
 * The ACPI tables lie below 1 MiB, where software looks for them; the memory map says which RAM is whose. UEFI and BIOS
 * services are not there: nothing that a loader here starts may call them.
 */

import { type AcpiOptions, acpiTables } from "../acpiTables.ts"
import { serialPorts } from "../addresses.ts"
import { put32, type Ram, type Region } from "./Ram.ts"

/** A region of the memory map. ACPI Specification, "System Address Map Interfaces": 1 is memory, 2 is reserved. */
export interface MapEntry extends Region {
  readonly type: 1 | 2
}

/** Conventional memory ends here, and the extended BIOS data area begins. */
const conventional = { end: 0x9_fc00 } as const
/** "software looks for the RSDP on 16-byte boundaries in the BIOS read-only memory space between 0E0000h and 0FFFFFh". */
const bios = { start: 0xe_0000, end: 0x10_0000 } as const

/** RAM, lowest first; what is in no entry is no RAM. */
export const memoryMap = (ramBytes: number): readonly MapEntry[] => [
  { start: 0, end: conventional.end, type: 1 },
  { start: bios.start, end: bios.end, type: 2 },
  { start: bios.end, end: ramBytes, type: 1 }
]

/** The ACPI tables go into RAM. @returns where the RSDP is. */
export const leaveTables = (memory: Ram, options: AcpiOptions): number => {
  const { rsdp, image } = acpiTables(bios.start, options)
  memory.ram(bios.start, image.length).set(image)
  return rsdp
}

/** ACPI Specification, "Root System Description Pointer (RSDP) Structure". */
export const rsdpBytes = 36

/** The code behind the interrupt vectors of real mode, at the end of the BIOS. */
const handlers = { segment: 0xf000, offset: 0xff00 } as const
const [IRET, timer, firstSlave] = [0xcf, 0x08, 0x70]
// biome-ignore format: an instruction, a place
const code = {
  nothing: [IRET],
  // PUSH DS, AX; DS = 0; INC DWORD [46CH], which counts ticks; OUT 20H, 20H; POP AX, DS.
  tick:    [0x1e, 0x50, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x6c, 0x04, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0x1f, IRET],
  master:  [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, IRET],
  slave:   [0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58, IRET]
} as const

/** The BIOS data area: the ports of COM1 to COM4, or 0, the segment of the extended BIOS data area, and KiB of conventional memory. */
const biosData = { serial: 0x400, extended: 0x40e, memory: 0x413 } as const

/**
 * Interrupt vectors of real mode, whose handlers acknowledge hardware's interrupts and count the timer's, and what the BIOS data area
 * says of serial ports and memory.
 */
export const leaveVectors = (memory: Ram, serialCount: number): void => {
  const low = memory.ram(0, 0x500).fill(0)
  const at = new Map<string, number>()
  let offset: number = handlers.offset
  for (const [name, bytes] of Object.entries(code)) {
    memory.ram(handlers.segment * 16 + offset, bytes.length).set(bytes)
    at.set(name, offset)
    offset += bytes.length
  }
  for (let n = 0; n < 256; n++) {
    const isMaster = n > timer && n < timer + 8
    const isSlave = n >= firstSlave && n < firstSlave + 8
    const handler = n === timer ? "tick" : isMaster ? "master" : isSlave ? "slave" : "nothing"
    put32(low, n * 4, handlers.segment * 2 ** 16 + at.get(handler)!)
  }
  for (const [n, { base }] of serialPorts.slice(0, serialCount).entries())
    low.set([base & 0xff, base >>> 8], biosData.serial + 2 * n)
  low.set([(conventional.end >>> 4) & 0xff, conventional.end >>> 12], biosData.extended)
  low.set([(conventional.end >>> 10) & 0xff, conventional.end >>> 18], biosData.memory)
}
