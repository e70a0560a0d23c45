/**
 * Entries: the paging structures as a kernel builds and reads them. SDM vol. 3A, "4-Level Paging and 5-Level Paging",
 * formats of entries; for guests, vol. 3C, "The Extended Page Table Mechanism (EPT)", formats of entries.
 */
import { virtAddrLimit } from "../../types/Address.ts"
import { EptEntry } from "../../types/x86_64/VmxControls.ts"
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

const everything = EptEntry.READ | EptEntry.WRITE | EptEntry.EXECUTE
/** Bits 5:3 of an entry that maps a page. */
const memoryTypeShift = 3

const mapsGuestPage = (level: number, low: number): boolean => level === PTE || (low & EptEntry.PAGE) !== 0

/** What a page allows in an entry of EPT, where a page that can be written or executed can be read. */
const guestAllows = (allow: number): number =>
  allow & Allow.user
    ? EptEntry.READ | (allow & Allow.write ? EptEntry.WRITE : 0) | (allow & Allow.execute ? EptEntry.EXECUTE : 0)
    : 0

/** The tables of a guest's physical memory: four levels, with pages of 4 KiB, 2 MiB and 1 GiB. */
export const guestPaging: PagingService = {
  levels: paging.levels,
  entries: paging.entries,
  entryBytes: paging.entryBytes,
  userEnd: virtAddrLimit,

  pageLow: (level, page, allow, memoryType) =>
    page | 0 | guestAllows(allow) | (memoryType << memoryTypeShift) | (level === PTE ? 0 : EptEntry.PAGE),
  pageHigh: (_level, page) => high(page),
  tableLow: (table) => table | 0 | everything,
  tableHigh: (table) => high(table),
  present: (low) => (low & everything) !== 0,
  mapsPage: mapsGuestPage,
  address: (_level, low, high) => (high & 0xf_ffff) * 2 ** 32 + ((low & ~0xfff) >>> 0)
}
