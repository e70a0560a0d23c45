import { Context } from "effect"

/**
 * The tables that the processor walks from an address to the page behind it: their geometry, and what an entry means.
 *
 * A kernel builds and reads tables by this description, and knows no bit of an entry itself.
 */
export interface PageLevel {
  /** The manual's name for an entry at this level. */
  readonly entry: string
  /** The lowest bit of the address that selects an entry. */
  readonly shift: number
  /** An entry here may map a page of 2^shift bytes. */
  readonly maps: boolean
}

/** What a page allows, as the bits of a small number: `Allow.write | Allow.user`... Reading is always allowed. */
export const Allow = { write: 1, execute: 2, user: 4, global: 8 } as const

export interface PagingService {
  /** From the root down. Each table has `entries` entries of `entryBytes` bytes. */
  readonly levels: readonly PageLevel[]
  readonly entries: number
  readonly entryBytes: number
  /** User addresses end here. */
  readonly userEnd: number
  /** The halves of an entry that maps the page at `page`. `memoryType` is the architecture's number for how it is cached. */
  readonly pageLow: (level: number, page: number, allow: number, memoryType: number) => number
  readonly pageHigh: (level: number, page: number, allow: number, memoryType: number) => number
  /** The halves of an entry that leads to the table at `table`, for user pages or for the kernel's. */
  readonly tableLow: (table: number, user: boolean) => number
  readonly tableHigh: (table: number, user: boolean) => number
  readonly present: (low: number) => boolean
  /** The entry maps a page: it does not lead to a table. */
  readonly mapsPage: (level: number, low: number) => boolean
  /** The physical address in an entry. */
  readonly address: (level: number, low: number, high: number) => number
}

export class Paging extends Context.Service<Paging, PagingService>()("skyscope/hal/Paging") {}
