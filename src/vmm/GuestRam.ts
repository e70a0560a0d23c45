/**
 * GuestRam: a guest's memory as its monitor reaches it: mapped in the monitor's own address space.
 *
 * Nothing that a guest says of an address is believed: what is no memory of it is refused.
 */
import type { Ram } from "../devices/boot/Ram.ts"
import type { Dma } from "../devices/Wires.ts"
import type { ThreadMemory } from "../types/Gate.ts"

/** Where in the address space of its monitor. */
export const memoryAt = 0x4000_0000_0000

export class GuestRam implements Dma {
  readonly ramBytes: number
  private readonly base: number
  private readonly memory: ThreadMemory

  constructor(memory: ThreadMemory, base: number, ramBytes: number) {
    this.memory = memory
    this.base = base
    this.ramBytes = ramBytes
  }

  read = (address: number, bytes: Uint8Array): boolean =>
    this.isRam(address, bytes.length) && this.memory.read(this.base + address, bytes)

  write = (address: number, bytes: Uint8Array): boolean =>
    this.isRam(address, bytes.length) && this.memory.write(this.base + address, bytes)

  private isRam(address: number, length: number): boolean {
    return Number.isSafeInteger(address) && address >= 0 && address + length <= this.ramBytes
  }

  /** What a loader puts into memory that is all zeros, written when it is done. @returns what it says; false if memory was refused. */
  load<T>(loader: (ram: Ram) => T): T | false {
    const pieces: Array<{ readonly start: number; readonly bytes: Uint8Array }> = []
    const result = loader({
      ramBytes: this.ramBytes,
      ram: (start, length) => {
        if (!this.isRam(start, length))
          throw new Error(`a loader asked for ${length} bytes at ${start}, which is no RAM`)
        const inside = pieces.find(
          (piece) => piece.start <= start && start + length <= piece.start + piece.bytes.length
        )
        if (inside !== undefined) return inside.bytes.subarray(start - inside.start, start - inside.start + length)
        const piece = { start, bytes: new Uint8Array(length) }
        pieces.push(piece)
        return piece.bytes
      }
    })
    return pieces.every(({ start, bytes }) => this.write(start, bytes)) && result
  }
}

const present = 1n
const large = 1n << 7n
const addressBits = 0x000f_ffff_ffff_f000n

/**
 * The physical address that a guest's page tables lead a linear address to, with no check but that it is mapped: the processor has
 * made the access that is looked up here. SDM vol. 3A, "4-Level Paging"; "PAE Paging", "32-Bit Paging".
 */
export const translate = (
  ram: GuestRam,
  linear: bigint,
  { cr3, mode }: { readonly cr3: bigint; readonly mode: PagingMode }
): number | undefined => {
  if (mode === "none") return Number(linear & 0xffff_ffffn)
  const { levels, entryBytes, root } = modes[mode]
  const indexBits = entryBytes === 8 ? 9n : 10n
  let table = Number(cr3 & root)
  for (let level = levels - 1; level >= 0; level--) {
    const shift = 12n + indexBits * BigInt(level)
    const bits = mode === "PAE" && level === 2 ? 2n : indexBits
    const index = Number((linear >> shift) & ((1n << bits) - 1n))
    const entry = readEntry(ram, table + index * entryBytes, entryBytes)
    if (entry === undefined || (entry & present) === 0n) return undefined
    if (level === 0 || (level < 3 && entry & large && !(mode === "PAE" && level === 2))) {
      const offset = (1n << shift) - 1n
      const wide = entryBytes === 8 ? addressBits : 0xffff_f000n
      return Number((entry & wide & ~offset) | (linear & offset))
    }
    table = Number(entry & (entryBytes === 8 ? addressBits : 0xffff_f000n))
  }
  return undefined
}

export type PagingMode = "none" | "32-bit" | "PAE" | "4-level" | "5-level"
// biome-ignore format: a table
const modes = {
  "32-bit":  { levels: 2, entryBytes: 4, root: 0xffff_f000n },
  PAE:       { levels: 3, entryBytes: 8, root: 0xffff_ffe0n },
  "4-level": { levels: 4, entryBytes: 8, root: addressBits },
  "5-level": { levels: 5, entryBytes: 8, root: addressBits }
} as const

const readEntry = (ram: GuestRam, address: number, bytes: number): bigint | undefined => {
  const entry = new Uint8Array(8)
  if (!ram.read(address, entry.subarray(0, bytes))) return undefined
  return new DataView(entry.buffer).getBigUint64(0, true)
}
