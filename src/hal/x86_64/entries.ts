/**
 * Entries: the paging structures as a kernel builds and reads them. SDM vol. 3A, "4-Level Paging and 5-Level Paging",
 * formats of entries.
 */
import { virtAddrLimit } from "../../types/Address.ts"
import { Allow, type PagingService } from "../Paging.ts"
import { bit, fourLevel, XD } from "./memory/paging.ts"

const PTE = fourLevel.levels.length - 1

/**
 * How a page is cached: bits PWT, PCD and PAT, which select an entry of IA32_PAT; PAT is bit 12 of a large page,
 * where a PTE has bit 7.
 */
const memoryTypeBits = (level: number, type: number): number =>
  (type & 1 ? bit.PWT : 0) | (type & 2 ? bit.PCD : 0) | (type & 4 ? (level === PTE ? 1 << 7 : 1 << 12) : 0)

/** The address of a large page begins above bit 12. */
const pageMask = (level: number): number => (level === PTE ? ~0xfff : ~0x1fff)

const high = (address: number): number => Math.floor(address / 2 ** 32)

export const paging: PagingService = {
  levels: fourLevel.levels.map(({ entry, shift, maps }) => ({ entry, shift, maps: maps !== undefined })),
  entries: 512,
  entryBytes: 8,
  userEnd: virtAddrLimit,

  pageLow: (level, page, allow, memoryType) =>
    page |
    0 |
    bit.P |
    (allow & Allow.write ? bit.RW : 0) |
    (allow & Allow.user ? bit.US : 0) |
    (allow & Allow.global ? bit.G : 0) |
    (level === PTE ? 0 : bit.PS) |
    memoryTypeBits(level, memoryType),
  pageHigh: (_level, page, allow) => high(page) | (allow & Allow.execute ? 0 : XD),

  tableLow: (table, user) => table | 0 | bit.P | bit.RW | (user ? bit.US : 0),
  tableHigh: (table) => high(table),

  present: (low) => (low & bit.P) !== 0,
  mapsPage: (level, low) => level === PTE || (low & bit.PS) !== 0,
  address: (level, low, high) => (high & 0xf_ffff) * 2 ** 32 + ((low & bitsOfAddress(level, low)) >>> 0)
}

/** Of an entry that leads to a table, all from bit 12 on. */
const bitsOfAddress = (level: number, low: number): number => (low & bit.PS ? pageMask(level) : ~0xfff)
