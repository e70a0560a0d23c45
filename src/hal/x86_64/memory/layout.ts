/**
 * Where things lie in the machine's one WebAssembly memory. All offsets are host addresses, in bytes.
 *
 *     0                the state block (processor/State.ts)
 *     translations     the pool of translation caches, and what is known of what is in them (Tlb.ts)
 *     rom, ones        two pages that physical addresses outside RAM are fetched from
 *     readings         what interpreter and translator keep: micro-operations, jump caches
 *     ram              RAM: physical address p of it is at ram + p
 *     ram + size       for each page of RAM a byte: whether something is decoded from it (DecodedPages.ts); then, of each processor,
 *                      where each page is written through (Tlb.ts), and the guest-physical translations that are remembered
 *                      (vmx/ept.ts); and if there are several, its state block while another runs, and, but
 *                      for the first, its own pool of translation caches
 */
import { at } from "../processor/State.ts"

export const pageSize = 0x1000
export const pageBits = 12

/** Sizes of the translation caches: `contexts` contexts of three tables each. SDM knows none of these. */
export const translation = { contexts: 16, entries: 4096, entryBytes: 16 } as const
export const tableBytes = translation.entries * translation.entryBytes
export const contextBytes = 3 * tableBytes

/**
 * What is known of the entries of a context, behind the pool: how many are filled since it was empty, which large pages they may be parts
 * of (a bit for each remainder), and where they are. So many fills are remembered: emptying a context then costs no more than they did.
 */
// biome-ignore format: a table
export const note = {
  filled: 0,     // i32; more than `logLength`: the log is not complete
  large:  0x40,  // `largeBits` bits
  log:    0x240, // i32 each
  bytes:  0xa40
} as const
export const largeBits = 4096
export const logLength = 512
const translationBytes = translation.contexts * (contextBytes + note.bytes)
/** Where the notes of the contexts of a pool are. */
export const notesOf = (translations: number): number => translations + translation.contexts * contextBytes

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

/**
 * Guest-physical translations that are remembered, of so many guests' memories: by the low bits of a page's number the number, or -1; then the
 * machine's pages; then what they allow (`remembered`). i32 each.
 */
// biome-ignore format: a table
export const guestPhysical = { memories: 32, entries: 1024, pages: 0, frames: 0x1000, rights: 0x2000, bytes: 0x3000 } as const
/** Bits of `rights`: as in the exit qualification of an EPT violation; and that a write leaves no dirty flag to be set. */
export const remembered = { read: 1 << 0, write: 1 << 1, fetch: 1 << 2, dirty: 1 << 3 } as const

/** RAM is a multiple of 64 KiB; 3 GiB leaves the rest of a 32-bit memory to the tables above. */
export const ramLimit = 3 * 2 ** 30
const wasmPage = 0x1_0000

/** For each page of RAM, 1 if something is decoded from it. */
export const decodedAt = (ramBytes: number): number => layout.ram + ramBytes

export interface ProcessorRoom {
  /** For each page of RAM, an i32. */
  readonly writers: number
  /** `guestPhysical`, of one memory after another. */
  readonly guestPhysical: number
  /** There, if there are several processors, the state block is while another runs. */
  readonly state: number
  readonly translations: number
}

/** What processor `n` has of memory. */
export const processorRoom = (ramBytes: number, n: number): ProcessorRoom => {
  const pages = ramBytes >>> pageBits
  const writersBytes = wholePages(pages * 4)
  const writers = decodedAt(ramBytes) + wholePages(pages) + n * (writersBytes + roomBytes)
  const guestPhysicalAt = writers + writersBytes
  const state = guestPhysicalAt + guestPhysicalBytes
  return {
    writers,
    guestPhysical: guestPhysicalAt,
    state,
    translations: n === 0 ? layout.translations : state + at.end
  }
}
const wholePages = (bytes: number): number => Math.ceil(bytes / pageSize) * pageSize
const guestPhysicalBytes = guestPhysical.memories * guestPhysical.bytes
const roomBytes = guestPhysicalBytes + at.end + wholePages(translationBytes)

/** @throws if `ramBytes` is no multiple of 64 KiB, or more than 3 GiB. */
export const makeMemory = (ramBytes: number, processors = 1): WebAssembly.Memory => {
  if (!(ramBytes > 0 && ramBytes <= ramLimit && ramBytes % wasmPage === 0))
    throw new RangeError(`RAM is a multiple of 64 KiB up to 3 GiB, not ${ramBytes} bytes`)
  const end = processors === 1 ? processorRoom(ramBytes, 0).state : processorRoom(ramBytes, processors).writers
  const pages = Math.ceil(end / wasmPage)
  if (pages > 2 ** 16) throw new RangeError(`${ramBytes} bytes of RAM leave no room for ${processors} processors`)
  return new WebAssembly.Memory({ initial: pages, maximum: pages })
}
