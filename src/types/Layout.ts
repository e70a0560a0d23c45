/**
 * Layout: where the fields of something in memory lie, written as the figure in its manual and read by the same words.
 *
 *     const Refill = layout(16, {
 *       time:   u64(0),
 *       amount: u64(8)
 *     })
 *     Refill.amount.load(memory, refill)
 *
 * Memory is little-endian. A field is its offset, known when the layout is made, and a load and a store of its width.
 */

/** What a layout needs of memory to read it. 32-bit values are signed, smaller ones unsigned. */
export interface ReadableMemory {
  readonly load8: (address: number) => number
  readonly load16: (address: number) => number
  readonly load32: (address: number) => number
}

/** What it needs to write as well. */
export interface Memory extends ReadableMemory {
  readonly store8: (address: number, value: number) => void
  readonly store16: (address: number, value: number) => void
  readonly store32: (address: number, value: number) => void
}

export interface Field {
  /** Its offset in bytes. */
  readonly at: number
  /** The bits that it has, counted from bit 0 of byte `at`. */
  readonly high: number
  readonly low: number
  readonly load: (memory: ReadableMemory, base: number) => number
  readonly store: (memory: Memory, base: number, value: number) => void
}

/** 64 bits that are only moved: by halves. */
export interface WordField {
  readonly at: number
  readonly high: 63
  readonly low: 0
  readonly loadLo: (memory: ReadableMemory, base: number) => number
  readonly loadHi: (memory: ReadableMemory, base: number) => number
  readonly store: (memory: Memory, base: number, lo: number, hi: number) => void
}

/** A field of 0 to 255. */
export const u8 = (at: number): Field => ({
  at,
  high: 7,
  low: 0,
  load: (memory, base) => memory.load8(base + at),
  store: (memory, base, value) => memory.store8(base + at, value)
})

/** A field of 0 to 2^16 - 1. */
export const u16 = (at: number): Field => ({
  at,
  high: 15,
  low: 0,
  load: (memory, base) => memory.load16(base + at),
  store: (memory, base, value) => memory.store16(base + at, value)
})

/** A field of 0 to 2^32 - 1. */
export const u32 = (at: number): Field => ({
  at,
  high: 31,
  low: 0,
  load: (memory, base) => memory.load32(base + at) >>> 0,
  store: (memory, base, value) => memory.store32(base + at, value | 0)
})

/** A field of 0 to 2^53 - 1 in 64 bits: an address, a size, a time. */
export const u64 = (at: number): Field => ({
  at,
  high: 63,
  low: 0,
  load: (memory, base) => (memory.load32(base + at + 4) >>> 0) * 2 ** 32 + (memory.load32(base + at) >>> 0),
  store: (memory, base, value) => {
    memory.store32(base + at, value | 0)
    memory.store32(base + at + 4, Math.floor(value / 2 ** 32) | 0)
  }
})

/** Bits `high` to `low` of the 32-bit word at `at`; fewer than 32 of them. A store leaves the other bits as they are. */
export const bits = (at: number, high: number, low: number): Field => {
  const mask = 2 ** (high - low + 1) - 1
  return {
    at,
    high,
    low,
    load: (memory, base) => (memory.load32(base + at) >>> low) & mask,
    store: (memory, base, value) =>
      memory.store32(base + at, (memory.load32(base + at) & ~(mask << low)) | ((value & mask) << low))
  }
}

/** A field of 64 bits that are only moved. */
export const word = (at: number): WordField => ({
  at,
  high: 63,
  low: 0,
  loadLo: (memory, base) => memory.load32(base + at),
  loadHi: (memory, base) => memory.load32(base + at + 4),
  store: (memory, base, lo, hi) => {
    memory.store32(base + at, lo)
    memory.store32(base + at + 4, hi)
  }
})

/**
 * The layout of `size` bytes.
 *
 * @throws if two of its fields share a bit or one lies outside: then the table is wrong.
 */
export const layout = <const F extends Readonly<Record<string, Field | WordField>>>(size: number, fields: F): F => {
  const inOrder = Object.entries(fields)
    .map(([name, { at, high, low }]) => ({ name, first: at * 8 + low, last: at * 8 + high }))
    .sort((a, b) => a.first - b.first)
  let free = 0
  for (const { name, first, last } of inOrder) {
    if (first < free) throw new Error(`layout: ${name} begins at bit ${first}, which another field has`)
    if (last >= size * 8) throw new Error(`layout: ${name} ends at bit ${last} of ${size} bytes`)
    free = last + 1
  }
  return fields
}

/** Bytes as the memory of a layout whose base is their beginning. */
export const overBytes = (bytes: Uint8Array): Memory => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    load8: (address) => view.getUint8(address),
    load16: (address) => view.getUint16(address, true),
    load32: (address) => view.getInt32(address, true),
    store8: (address, value) => view.setUint8(address, value),
    store16: (address, value) => view.setUint16(address, value, true),
    store32: (address, value) => view.setInt32(address, value, true)
  }
}
