/**
 * Configuration space of a PCI function: 256 bytes, of which tables say what software can change.
 *
 * PCI Local Bus Specification 3.0, "Configuration Space Organization", "Capabilities List".
 */
import { mask, ro, rw, rw1c, type Table } from "./registers.ts"
import { ones } from "./Wires.ts"

/** "Type 00h Configuration Space Header". */
// biome-ignore format: a register, a line
export const header = {
  VENDOR_ID:        { offset: 0x00, width: 16, fields: { ID: ro(15, 0) } },
  DEVICE_ID:        { offset: 0x02, width: 16, fields: { ID: ro(15, 0) } },
  COMMAND:          { offset: 0x04, width: 16, fields: { INTX_DISABLE: rw(10), SERR: rw(8), PARITY: rw(6), MASTER: rw(2), MEMORY: rw(1), IO: rw(0) } },
  STATUS:           { offset: 0x06, width: 16, fields: { ERRORS: rw1c(15, 11), DATA_PARITY: rw1c(8), CAP_LIST: ro(4), INTERRUPT: ro(3) } },
  REVISION_ID:      { offset: 0x08, width: 8,  fields: { ID: ro(7, 0) } },
  CACHE_LINE_SIZE:  { offset: 0x0c, width: 8,  fields: { SIZE: rw(7, 0) } },
  LATENCY_TIMER:    { offset: 0x0d, width: 8,  fields: { TIMER: ro(7, 0) } },
  HEADER_TYPE:      { offset: 0x0e, width: 8,  fields: { TYPE: ro(7, 0) } },
  SUBSYSTEM_VENDOR: { offset: 0x2c, width: 16, fields: { ID: ro(15, 0) } },
  SUBSYSTEM_ID:     { offset: 0x2e, width: 16, fields: { ID: ro(15, 0) } },
  CAP_PTR:          { offset: 0x34, width: 8,  fields: { POINTER: ro(7, 0) } },
  INTERRUPT_LINE:   { offset: 0x3c, width: 8,  fields: { LINE: rw(7, 0) } },
  INTERRUPT_PIN:    { offset: 0x3d, width: 8,  fields: { PIN: ro(7, 0) } }
} as const satisfies Table

/** The class code has three bytes, from here. */
const CLASS_CODE = 0x09

/** Six doublewords. */
export const BAR = 0x10

const size = 256

export interface Identity {
  readonly vendor: number
  readonly device: number
  readonly revision?: number
  /** Base class, sub-class, interface: 24 bits. */
  readonly classCode: number
  readonly subsystemVendor?: number
  readonly subsystem?: number
  /** INTA# is 1; 0: it has none. */
  readonly interruptPin?: number
}

export class ConfigSpace {
  private readonly bytes = new Uint8Array(size)
  private readonly view = new DataView(this.bytes.buffer)
  /** Bits that software writes, and bits that it clears by writing 1. */
  private readonly writable = new Uint8Array(size)
  private readonly clearable = new Uint8Array(size)
  /** What `reset` brings back. */
  private initial = new Uint8Array(size)
  /** Where the pointer to the next capability goes, and where that may lie. */
  private pointer: number = header.CAP_PTR.offset
  private free = 0x40

  constructor(identity: Identity) {
    this.declare(header)
    this.put(header.VENDOR_ID.offset, 16, identity.vendor)
    this.put(header.DEVICE_ID.offset, 16, identity.device)
    this.put(header.REVISION_ID.offset, 8, identity.revision ?? 0)
    this.put(CLASS_CODE, 8, identity.classCode & 0xff)
    this.put(CLASS_CODE + 1, 16, identity.classCode >>> 8)
    this.put(header.SUBSYSTEM_VENDOR.offset, 16, identity.subsystemVendor ?? identity.vendor)
    this.put(header.SUBSYSTEM_ID.offset, 16, identity.subsystem ?? identity.device)
    this.put(header.INTERRUPT_PIN.offset, 8, identity.interruptPin ?? 0)
    this.keep()
  }

  /** Registers are at `base` plus their offsets, with their reset values. */
  declare(table: Table, base = 0): void {
    for (const { offset, width = 32, reset = 0, fields } of Object.values(table)) {
      this.put(base + offset, width, reset)
      for (const field of Object.values(fields)) {
        const into = field.access === "RW" ? this.writable : field.access === "RW1C" ? this.clearable : undefined
        if (into === undefined) continue
        for (let n = 0; n < width / 8; n++) into[base + offset + n]! |= (mask(field) >>> (8 * n)) & 0xff
      }
    }
    this.keep()
  }

  /** "Capabilities List": an ID, a pointer to the next, and what the table says from there on. Answers where it is. */
  addCapability(id: number, bytes: number, table: Table): number {
    const at = this.free
    this.free = (at + bytes + 3) & ~3
    if (this.free > size) throw new Error(`a capability of ${bytes} bytes does not fit configuration space`)
    this.put(this.pointer, 8, at)
    this.put(at, 8, id)
    this.put(header.STATUS.offset, 16, this.get(header.STATUS.offset, 16) | mask(header.STATUS.fields.CAP_LIST))
    this.pointer = at + 1
    this.declare(table, at)
    return at
  }

  reset(): void {
    this.bytes.set(this.initial)
  }

  get(offset: number, width: number): number {
    return width === 8
      ? this.bytes[offset]!
      : width === 16
        ? this.view.getUint16(offset, true)
        : this.view.getUint32(offset, true)
  }

  /** The device's own write. */
  put(offset: number, width: number, value: number): void {
    if (width === 8) this.bytes[offset] = value
    else if (width === 16) this.view.setUint16(offset, value, true)
    else this.view.setUint32(offset, value, true)
  }

  read(offset: number, width: number): number {
    return offset + width / 8 <= size ? this.get(offset, width) : ones(width)
  }

  /** Software's write. */
  write(offset: number, width: number, value: number): void {
    for (let n = 0; n < width / 8 && offset + n < size; n++) {
      const [at, byte] = [offset + n, (value >>> (8 * n)) & 0xff]
      const kept = this.bytes[at]! & ~this.writable[at]! & ~(this.clearable[at]! & byte)
      this.bytes[at] = kept | (byte & this.writable[at]!)
    }
  }

  private keep(): void {
    this.initial = this.bytes.slice()
  }
}
