/**
 * MSI and MSI-X: a function's interrupts as memory writes.
 *
 * PCI Local Bus Specification 3.0, "Message Signaled Interrupts": "MSI Capability Structure", "MSI-X Capability & Table Structures",
 * "Per-vector Masking and Function Masking".
 */
import type { ConfigSpace } from "./pciConfig.ts"
import { ro, rw, type Table } from "./registers.ts"
import { ones, type Target } from "./Wires.ts"

/** A message leaves; whether it may is the function's to say. */
export type Send = (address: number, data: number) => void

const MSI = 0x05

const msiTable = (log2Vectors: number) =>
  // biome-ignore format: a table
  ({
    CONTROL:       { offset: 0x02, width: 16, reset: 0x180 | (log2Vectors << 1),
                     fields: { PVM: ro(8), C64: ro(7), MME: rw(6, 4), MMC: ro(3, 1), ENABLE: rw(0) } },
    ADDRESS:       { offset: 0x04, fields: { ADDRESS: rw(31, 2) } },
    UPPER_ADDRESS: { offset: 0x08, fields: { ADDRESS: rw(31, 0) } },
    DATA:          { offset: 0x0c, width: 16, fields: { DATA: rw(15, 0) } },
    MASK:          { offset: 0x10, fields: { MASK: rw(2 ** log2Vectors - 1, 0) } },
    PENDING:       { offset: 0x14, fields: { PENDING: ro(31, 0) } }
  }) as const satisfies Table

/** The MSI capability with 64-bit addresses and a mask for each vector. */
export class Msi {
  private readonly config: ConfigSpace
  private readonly send: Send
  private readonly at: number

  constructor(config: ConfigSpace, log2Vectors: number, send: Send) {
    this.config = config
    this.send = send
    this.at = config.addCapability(MSI, 0x18, msiTable(log2Vectors))
  }

  isEnabled(): boolean {
    return (this.config.get(this.at + 2, 16) & 1) === 1
  }

  /** The low bits of the data are the vector's, as many as software has allowed. */
  signal(vector: number): void {
    const allowed = 1 << ((this.config.get(this.at + 2, 16) >>> 4) & 7)
    const which = vector % allowed
    if ((this.config.get(this.at + 0x10, 32) >>> which) & 1) {
      this.config.put(this.at + 0x14, 32, this.config.get(this.at + 0x14, 32) | (1 << which))
      return
    }
    const address = this.config.get(this.at + 4, 32) + this.config.get(this.at + 8, 32) * 2 ** 32
    this.send(address, (this.config.get(this.at + 0xc, 16) & ~(allowed - 1)) | which)
  }

  /** Software has written configuration space: what is pending and not masked any more is sent. */
  written(): void {
    const ready = this.config.get(this.at + 0x14, 32) & ~this.config.get(this.at + 0x10, 32)
    if (!this.isEnabled() || ready === 0) return
    this.config.put(this.at + 0x14, 32, this.config.get(this.at + 0x14, 32) & ~ready)
    for (let vector = 0; vector < 32; vector++) if ((ready >>> vector) & 1) this.signal(vector)
  }
}

const MSIX = 0x11

const entryBytes = 16

const msixTable = (vectors: number, bar: number, pendingAt: number) =>
  // biome-ignore format: a table
  ({
    CONTROL: { offset: 0x02, width: 16, reset: vectors - 1, fields: { ENABLE: rw(15), FUNCTION_MASK: rw(14), TABLE_SIZE: ro(10, 0) } },
    TABLE:   { offset: 0x04, reset: bar,             fields: { OFFSET: ro(31, 3), BIR: ro(2, 0) } },
    PBA:     { offset: 0x08, reset: pendingAt + bar, fields: { OFFSET: ro(31, 3), BIR: ro(2, 0) } }
  }) as const satisfies Table

/** The MSI-X capability. The table and, at `pendingAt`, the pending bits are the whole of a BAR of their own: this object. */
export class Msix implements Target {
  private readonly config: ConfigSpace
  private readonly send: Send
  private readonly vectors: number
  private readonly at: number
  /** Address, upper address, data, vector control of each vector. */
  private readonly table: Uint32Array
  private readonly pending: Uint32Array
  static readonly pendingAt = 0x800
  static readonly bytes = 0x1000

  constructor(config: ConfigSpace, bar: number, vectors: number, send: Send) {
    if (vectors * entryBytes > Msix.pendingAt) throw new Error(`${vectors} vectors do not fit the table`)
    this.config = config
    this.send = send
    this.vectors = vectors
    this.at = config.addCapability(MSIX, 12, msixTable(vectors, bar, Msix.pendingAt))
    this.table = new Uint32Array(vectors * 4)
    this.pending = new Uint32Array(Math.ceil(vectors / 32))
    this.reset()
  }

  /** Every vector is masked. */
  reset(): void {
    this.table.fill(0)
    this.pending.fill(0)
    for (let vector = 0; vector < this.vectors; vector++) this.table[vector * 4 + 3] = 1
  }

  isEnabled(): boolean {
    return (this.config.get(this.at + 2, 16) & 0x8000) !== 0
  }

  signal(vector: number): void {
    if (vector >= this.vectors) return
    const [word, bit] = [vector >>> 5, 1 << (vector & 31)]
    if (this.isMasked(vector)) this.pending[word]! |= bit
    else {
      this.pending[word]! &= ~bit
      const entry = vector * 4
      this.send(this.table[entry]! + this.table[entry + 1]! * 2 ** 32, this.table[entry + 2]!)
    }
  }

  /** Masks may have changed: what is pending and not masked any more is sent. */
  written(): void {
    if (!this.isEnabled()) return
    for (let vector = 0; vector < this.vectors; vector++) {
      if ((this.pending[vector >>> 5]! >>> (vector & 31)) & 1 && !this.isMasked(vector)) this.signal(vector)
    }
  }

  private isMasked(vector: number): boolean {
    return (this.config.get(this.at + 2, 16) & 0x4000) !== 0 || (this.table[vector * 4 + 3]! & 1) === 1
  }

  read(offset: number, width: number): number {
    const words = offset >= Msix.pendingAt ? this.pending : this.table
    const word = words[(offset % Msix.pendingAt) >>> 2] ?? 0
    return ((word >>> ((offset & 3) * 8)) & ones(width)) >>> 0
  }

  /** Entries are written as doublewords; the pending bits are read only. */
  write(offset: number, width: number, value: number): void {
    const index = offset >>> 2
    if (width !== 32 || index >= this.table.length) return
    this.table[index] = index % 4 === 3 ? value & 1 : value
    this.written()
  }
}
