/**
 * Registers as tables of fields, as data sheets print them. What a write does follows from the access words; only a command needs
 * code of its own. This file knows no register by name.
 */

export interface Field {
  readonly hi: number
  readonly lo: number
  readonly access: "RO" | "RW" | "RW1C" | "WO"
}

const field =
  (access: Field["access"]) =>
  (hi: number, lo = hi): Field => ({ hi, lo, access })

/** Software reads it; only the device changes it. */
export const ro = field("RO")
/** Software reads and writes it. */
export const rw = field("RW")
/** The device sets it; software clears it by writing 1. */
export const rw1c = field("RW1C")
/** Software writes it to ask for something; it reads as 0. */
export const wo = field("WO")

export interface Register {
  readonly offset: number
  /** In bits: 8, 16 or 32; 32 if not said. */
  readonly width?: number
  /** What it holds after reset; 0 if not said. */
  readonly reset?: number
  readonly fields: Readonly<Record<string, Field>>
}

export type Table = Readonly<Record<string, Register>>

/** The bits of a field, where they are in the register. */
export const mask = ({ hi, lo }: Field): number => ((2 ** (hi - lo + 1) - 1) << lo) >>> 0

export const get = (field: Field, value: number): number => (value & mask(field)) >>> field.lo

export const set = (field: Field, value: number, to: number): number =>
  ((value & ~mask(field)) | ((to << field.lo) & mask(field))) >>> 0

/** What a register holds after software writes `written` over `old`, to the bits of `lanes`. Bits that no field names do not change. */
export const afterWrite = (register: Register, old: number, written: number, lanes = 0xffff_ffff): number => {
  let value = old
  for (const field of Object.values(register.fields)) {
    const bits = mask(field) & lanes
    if (field.access === "RW") value = (value & ~bits) | (written & bits)
    else if (field.access === "RW1C") value &= ~(written & bits)
  }
  return value >>> 0
}

/**
 * The registers of a table, each with what it holds, at their offsets. Bytes between registers read as 0.
 * An access may be of part of a register, or of several.
 */
export class RegisterFile<const T extends Table> {
  private readonly table: T
  private readonly names: readonly (keyof T & string)[]
  private readonly values: Map<string, number> = new Map()

  constructor(table: T) {
    this.table = table
    this.names = Object.keys(table)
    this.reset()
  }

  reset(): void {
    for (const name of this.names) this.values.set(name, this.table[name]!.reset ?? 0)
  }

  value(register: keyof T & string): number {
    return this.values.get(register)!
  }

  /** The device's own write: of every bit, whatever the fields say. */
  put(register: keyof T & string, value: number): void {
    this.values.set(register, value >>> 0)
  }

  get<R extends keyof T & string>(register: R, name: keyof T[R]["fields"] & string): number {
    return get(this.table[register]!.fields[name]!, this.value(register))
  }

  set<R extends keyof T & string>(register: R, name: keyof T[R]["fields"] & string, to: number): void {
    this.put(register, set(this.table[register]!.fields[name]!, this.value(register), to))
  }

  read(offset: number, width: number): number {
    let value = 0
    for (const name of this.names) {
      const shift = (this.table[name]!.offset - offset) * 8
      if (overlaps(this.table[name]!, shift, width)) value |= shifted(this.readable(name), shift)
    }
    return (width === 32 ? value : value & (2 ** width - 1)) >>> 0
  }

  /** Software's write. For each register that it reaches, `written` is called with the bits that it got there, after they took effect. */
  write(
    offset: number,
    width: number,
    value: number,
    written?: (register: keyof T & string, bits: number) => void
  ): void {
    const all = 2 ** width - 1
    for (const name of this.names) {
      const register = this.table[name]!
      const shift = (register.offset - offset) * 8
      if (!overlaps(register, shift, width)) continue
      const bits = (shifted((value & all) >>> 0, -shift) & (2 ** (register.width ?? 32) - 1)) >>> 0
      this.put(name, afterWrite(register, this.value(name), bits, shifted(all, -shift)))
      written?.(name, bits)
    }
  }

  private readable(name: keyof T & string): number {
    let value = this.value(name)
    for (const field of Object.values(this.table[name]!.fields)) if (field.access === "WO") value &= ~mask(field)
    return value >>> 0
  }
}

const overlaps = (register: Register, shift: number, width: number): boolean =>
  shift < width && shift + (register.width ?? 32) > 0

/** To the left by `shift` bits, or to the right. */
const shifted = (value: number, shift: number): number => (shift >= 0 ? value << shift : value >>> -shift) >>> 0
