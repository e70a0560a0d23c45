/** The pages that a guest's monitor shares with the servers of its devices: what is where in them. */

/** With the console server: two rings. */
// biome-ignore format: a table
export const consolePage = {
  /** From the guest. */
  output: { at: 0x000, bytes: 0x808 },
  /** To the guest. */
  input:  { at: 0x810, bytes: 0x408 }
} as const

/** With the disk server, in a large page: what the disk is, a request, its answer, and data. A request is told from the last by its number. */
// biome-ignore format: a table
export const diskWindow = {
  sectors:    0x00,
  sectorsHigh: 0x04,
  isReadOnly: 0x08,
  request: { number: 0x10, kind: 0x14, sector: 0x18, sectorHigh: 0x1c, bytes: 0x20 },
  answer:  { number: 0x30, isDone: 0x34 },
  data:    { at: 0x1000, bytes: 0x10_0000 }
} as const
/** Requests by their number there. */
export const diskRequests = ["read", "write", "flush"] as const

/** With the network: two rings of frames, in a large page. */
// biome-ignore format: a table
export const cable = {
  fromGuest: { at: 0x0_0000, bytes: 0x2_0008 },
  toGuest:   { at: 0x8_0000, bytes: 0x2_0008 }
} as const

/** The bits by which a monitor is told what happened: badges of its notification. */
// biome-ignore format: a table
export const signal = {
  alarm:   1n << 0n,
  console: 1n << 1n,
  disk:    1n << 2n,
  network: 1n << 3n,
  /** Another thread of the same guest. */
  kick:    1n << 4n,
  /** The guest may begin. */
  start:   1n << 5n
} as const
