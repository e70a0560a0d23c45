/**
 * PhysicalMemory: what a physical address leads to.
 *
 * RAM begins at address 0. Outside it the bus says who answers; where nobody does, reads give ones and writes vanish.
 * Addresses are plain numbers below 2^`physicalBits`.
 */
import { layout, pageBits, pageSize } from "./layout.ts"

/** MAXPHYADDR: CPUID reports it, and page-table entries reserve the bits above it. */
export const physicalBits = 40

/** Who answers outside RAM (Bus.ts). Accesses are aligned to their width, which is in bits; values are unsigned. */
export interface MemoryBus {
  readonly read: (address: number, width: 8 | 16 | 32) => number
  readonly write: (address: number, width: 8 | 16 | 32, value: number) => void
}

/** A page of host memory that can be fetched from at a physical page outside RAM, and is never written. */
export interface RomPage {
  readonly physicalPage: number
  readonly host: number
}

export class PhysicalMemory {
  readonly memory: WebAssembly.Memory
  readonly u8: Uint8Array
  readonly u16: Uint16Array
  readonly i32: Int32Array
  readonly u64: BigUint64Array
  readonly view: DataView
  /** RAM is at physical addresses 0 to `ramBytes`. */
  readonly ramBytes: number
  private readonly roms: readonly RomPage[]
  readonly bus: MemoryBus
  /** RAM of this page is written by another way than the MMU: by the processor in its page tables, by a device. */
  written: (physicalPage: number) => void = () => {}

  constructor(memory: WebAssembly.Memory, ramBytes: number, bus: MemoryBus, roms: readonly RomPage[]) {
    this.memory = memory
    this.u8 = new Uint8Array(memory.buffer)
    this.u16 = new Uint16Array(memory.buffer)
    this.i32 = new Int32Array(memory.buffer)
    this.u64 = new BigUint64Array(memory.buffer)
    this.view = new DataView(memory.buffer)
    this.ramBytes = ramBytes
    this.bus = bus
    this.roms = roms
    this.u8.fill(0xff, layout.ones, layout.ones + pageSize)
  }

  isRam(physicalPage: number): boolean {
    return physicalPage < this.ramBytes >>> pageBits
  }

  /** The host address of a physical page that can be read in place: RAM, ROM, or the page of ones. */
  hostPage(physicalPage: number): number {
    if (this.isRam(physicalPage)) return layout.ram + physicalPage * pageSize
    return this.roms.find((rom) => rom.physicalPage === physicalPage)?.host ?? layout.ones
  }

  /** An aligned doubleword, for page walks and loaders. Devices are not asked. */
  load32(address: number): number {
    return address < this.ramBytes ? this.i32[(layout.ram + address) >>> 2]! : -1
  }

  store32(address: number, value: number): void {
    if (address >= this.ramBytes) return
    this.written(address >>> pageBits)
    this.i32[(layout.ram + address) >>> 2] = value
  }

  /** Bytes of RAM, in place. @throws if not all of them are RAM: the caller has checked. */
  ram(address: number, length: number): Uint8Array {
    if (address < 0 || address + length > this.ramBytes)
      throw new Error(`no RAM at ${address.toString(16)}H to ${(address + length).toString(16)}H`)
    return this.u8.subarray(layout.ram + address, layout.ram + address + length)
  }

  /**
   * One access of at most 64 bits outside RAM, its bytes at the host address `to`. It may be unaligned, but stays in
   * its page.
   */
  readBus(address: number, bytes: number, to: number): void {
    const rom = this.roms.find((page) => page.physicalPage === Math.floor(address / pageSize))
    if (rom) {
      this.u8.copyWithin(to, rom.host + (address % pageSize), rom.host + (address % pageSize) + bytes)
      return
    }
    for (const part of parts(address, bytes)) {
      const value = this.bus.read(address + part.offset, part.width)
      if (part.width === 32) this.view.setUint32(to + part.offset, value, true)
      else if (part.width === 16) this.view.setUint16(to + part.offset, value, true)
      else this.u8[to + part.offset] = value
    }
  }

  writeBus(address: number, bytes: number, from: number): void {
    if (this.roms.some((page) => page.physicalPage === Math.floor(address / pageSize))) return
    for (const part of parts(address, bytes)) {
      const value =
        part.width === 32
          ? this.view.getUint32(from + part.offset, true)
          : part.width === 16
            ? this.view.getUint16(from + part.offset, true)
            : this.u8[from + part.offset]!
      this.bus.write(address + part.offset, part.width, value)
    }
  }
}

/** What an access is to a bus of 32 bits: the largest aligned parts, lowest first. */
const parts = (address: number, bytes: number): readonly { readonly offset: number; readonly width: 8 | 16 | 32 }[] => {
  const list: { offset: number; width: 8 | 16 | 32 }[] = []
  for (let offset = 0; offset < bytes; ) {
    const at = address + offset
    const size = at % 4 === 0 && bytes - offset >= 4 ? 4 : at % 2 === 0 && bytes - offset >= 2 ? 2 : 1
    list.push({ offset, width: (size * 8) as 8 | 16 | 32 })
    offset += size
  }
  return list
}
