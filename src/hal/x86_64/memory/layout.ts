/**
 * Where things lie in the machine's one WebAssembly memory. All offsets are host addresses, in bytes.
 *
 *     0                the state block (processor/State.ts)
 *     translations     the pool of translation caches (Tlb.ts)
 *     rom, ones        two pages that physical addresses outside RAM are fetched from
 *     readings         what interpreter and translator keep: micro-operations, jump caches
 *     ram              RAM: physical address p of it is at ram + p
 *     ram + size       of each processor, if there are several: its state block while another runs; and, but for the
 *                      first, its own pool of translation caches
 */
import { at } from "../processor/State.ts"

export const pageSize = 0x1000
export const pageBits = 12

/** Sizes of the translation caches: `contexts` contexts of three tables each. SDM knows none of these. */
export const translation = { contexts: 16, entries: 4096, entryBytes: 16 } as const
export const tableBytes = translation.entries * translation.entryBytes
export const contextBytes = 3 * tableBytes

// biome-ignore format: a table
export const layout = {
  state:        0,
  translations: at.end,
  /** The gate ROM (gate.ts). */
  rom:          0x0031_0000,
  /** A page of ones: what is fetched where nothing answers. Never written. */
  ones:         0x0031_1000,
  readings:     0x0032_0000,
  readingsEnd:  0x0200_0000,
  ram:          0x0200_0000
} as const

/** RAM is a multiple of 64 KiB; 3 GiB leaves the rest of a 32-bit memory to the tables above. */
export const ramLimit = 3 * 2 ** 30
const wasmPage = 0x1_0000

/** Where processor `n` of several has its state block while it does not run, and its translation caches. */
export const processorRoom = (
  ramBytes: number,
  n: number
): { readonly state: number; readonly translations: number } => {
  const state = layout.ram + ramBytes + n * roomBytes
  return { state, translations: n === 0 ? layout.translations : state + at.end }
}
const roomBytes = at.end + translation.contexts * contextBytes

/** @throws if `ramBytes` is no multiple of 64 KiB, or more than 3 GiB. */
export const makeMemory = (ramBytes: number, processors = 1): WebAssembly.Memory => {
  if (!(ramBytes > 0 && ramBytes <= ramLimit && ramBytes % wasmPage === 0))
    throw new RangeError(`RAM is a multiple of 64 KiB up to 3 GiB, not ${ramBytes} bytes`)
  const rooms = processors === 1 ? 0 : processors * roomBytes
  const pages = Math.ceil((layout.ram + ramBytes + rooms) / wasmPage)
  return new WebAssembly.Memory({ initial: pages, maximum: pages })
}
