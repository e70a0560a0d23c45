/** Reference: a field that names an object, or a slot. 0 is none. */
import type { Field } from "../types/Layout.ts"

const reference =
  (unit: number) =>
  (at: number): Field => ({
    at,
    high: 31,
    low: 0,
    load: (memory, base) => (memory.load32(base + at) >>> 0) * unit,
    store: (memory, base, value) => memory.store32(base + at, (value / unit) | 0)
  })

/** The address of a kernel object. They lie below 2^36, at multiples of 16. */
export const ref = reference(16)

/** The address of a slot. They lie below 2^37, at multiples of 32. */
export const slotRef = reference(32)
