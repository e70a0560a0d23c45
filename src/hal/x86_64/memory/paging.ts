/**
 * Paging: from a linear address to a physical page, by the tables in memory.
 *
 * SDM vol. 3A, "32-Bit Paging", "PAE Paging", "4-Level Paging and 5-Level Paging". An entry is two halves (low, high); the manual's names are kept.
 */
import { type PhysicalMemory, physicalBits } from "./PhysicalMemory.ts"

/**
 * Bits of the lower half of an entry; XD is bit 63, the sign of the upper half. Figure "Formats of CR3 and
 * Paging-Structure Entries".
 */
// biome-ignore format: a table
export const bit = {
  P:   1 << 0,
  RW:  1 << 1,
  US:  1 << 2,
  PWT: 1 << 3,
  PCD: 1 << 4,
  A:   1 << 5,
  D:   1 << 6,
  PS:  1 << 7,
  PAT: 1 << 7,
  largePAT: 1 << 12,
  G:   1 << 8
} as const
export const XD = 0x8000_0000 | 0

export interface Level {
  readonly entry: string
  /** The lowest bit of the address that selects an entry. */
  readonly shift: number
  /** What an entry maps that has PS = 1, or that is a PTE; without it, PS is reserved. */
  readonly maps?: string
  /** PS says nothing. */
  readonly ignoresSize?: true
  /** PSE-36: of an entry that maps a page, bits 20:13 are bits 39:32 of the page's address. */
  readonly extendsAddress?: true
}

/** A way to translate: its levels from the root down. */
export interface Format {
  readonly name: string
  readonly levels: readonly Level[]
  /** Entries of 8 bytes are selected by 9 bits of the address, of 4 bytes by 10. */
  readonly entryBytes: 4 | 8
  /** Bits of an entry's upper half that are reserved. */
  readonly reservedHigh: number
  /** The tables are those of four registers, by bits 31:30 of the address. */
  readonly hasRegisters: boolean
  /** Entries that map pages have protection keys. */
  readonly hasKeys?: true
}

/** How many bits of an address are translated; of formats outside of IA-32e mode fewer are looked at. */
export const linearBitsOf = (format: Format): 48 | 57 => (format === fiveLevel ? 57 : 48)

/** Bits 51:32 of an entry are an address's. */
export const addressHigh = 0xf_ffff
/** Bits 62:59 of an entry that maps a page are its protection key. */
export const keyShift = 27
export const keyMask = 15
const aboveMaximum = ~(2 ** (physicalBits - 32) - 1)

// biome-ignore format: a table
export const fourLevel: Format = {
  name: "4-level paging",
  levels: [
    { entry: "PML4E", shift: 39 },
    { entry: "PDPTE", shift: 30, maps: "1-GByte page" },
    { entry: "PDE",   shift: 21, maps: "2-MByte page" },
    { entry: "PTE",   shift: 12, maps: "4-KByte page" }
  ],
  entryBytes: 8,
  reservedHigh: addressHigh & aboveMaximum,
  hasRegisters: false,
  hasKeys: true
}

/** CR4.LA57 = 1: a table more, for 9 bits more of the address. */
export const fiveLevel: Format = {
  ...fourLevel,
  name: "5-level paging",
  levels: [{ entry: "PML5E", shift: 48 }, ...fourLevel.levels]
}

// biome-ignore format: a table
export const pae: Format = {
  name: "PAE paging",
  levels: [
    { entry: "PDE",   shift: 21, maps: "2-MByte page" },
    { entry: "PTE",   shift: 12, maps: "4-KByte page" }
  ],
  entryBytes: 8,
  reservedHigh: 0x7fff_ffff & aboveMaximum,
  hasRegisters: true
}

/** With CR4.PSE; without it, PDE.PS is ignored. */
// biome-ignore format: a table
export const thirtyTwoBit: Format = {
  name: "32-bit paging",
  levels: [
    { entry: "PDE",   shift: 22, maps: "4-MByte page", extendsAddress: true },
    { entry: "PTE",   shift: 12, maps: "4-KByte page" }
  ],
  entryBytes: 4,
  reservedHigh: 0,
  hasRegisters: false
}
export const thirtyTwoBitSmall: Format = {
  ...thirtyTwoBit,
  levels: [{ entry: "PDE", shift: 22, ignoresSize: true }, thirtyTwoBit.levels[1]!]
}

/** CR0.PG = 0: a linear address is the physical one. */
export const noPaging: Format = {
  name: "no paging",
  levels: [],
  entryBytes: 4,
  reservedHigh: 0,
  hasRegisters: false
}

/**
 * What an access is, in the bits of the error code that it would raise. Figure "Page-Fault Error Code".
 */
export const access = { write: 1 << 1, user: 1 << 2, fetch: 1 << 4 } as const
const error = { present: 1 << 0, reserved: 1 << 3, protectionKey: 1 << 5 } as const

/** What of the control registers decides about accesses. */
export interface Rules {
  /** CR0.WP: supervisor writes heed R/W. */
  readonly WP: boolean
  /** CR4.SMEP: supervisor fetches from user pages are refused. */
  readonly SMEP: boolean
  /** CR4.SMAP: supervisor reads and writes of user pages are refused, unless RFLAGS.AC = 1. */
  readonly SMAP: boolean
  /** IA32_EFER.NXE: XD is no reserved bit. */
  readonly NXE: boolean
  /** CR4.PKE: PKRU says what may be done with user pages, by their protection keys. */
  readonly PKE: boolean
  /** CR4.PKS: IA32_PKRS says it of supervisor pages. */
  readonly PKS: boolean
}

/** As after power-up. */
export const noRules: Rules = { WP: false, SMEP: false, SMAP: false, NXE: false, PKE: false, PKS: false }

/** What may not be done with the pages of each protection key: bit 2i, any access; bit 2i + 1, writes. Figure "Protection Key Rights Register". */
export interface Keys {
  /** PKRU. */
  user: number
  /** IA32_PKRS. */
  supervisor: number
}

/**
 * What the addresses that a walk finds lead through, if they are a guest's. Each answers -1 if the access is refused: not with #PF, and
 * it keeps why.
 */
export interface SecondLevel {
  /** The machine's address of a paging-structure entry that the processor reads; and writes, to set a flag in it. */
  readonly entryAt: (address: number, isWritten: boolean) => number
  /** The host address of what it remembers, and what entries that the processor reads have to be allowed there: layout.ts, `remembered`. */
  readonly remembers?: { readonly at: number; readonly entryRights: number }
  /** The machine's page of the guest's page with this number, for an access (`access` bits) to what is at `address`. */
  readonly pageOf: (page: number, address: number, kind: number) => number
  /** From now on it refuses paging-structure entries that are on the machine's page with this number; -1: on none for that. */
  readonly guard: (page: number) => void
}

/** What a walk begins with. */
export interface AddressSpace {
  readonly format: Format
  /** The physical address of the first table. */
  readonly root: number
  /** Of PAE paging the PDPTE registers, in halves. */
  readonly registers: Int32Array
  readonly rules: Rules
  readonly keys: Keys
  readonly second?: SecondLevel | undefined
}

/** Where a walk came to. One object, reused: a walk allocates nothing. */
export interface Walk {
  /** If the page is not accessible: the error code of the #PF, or `refusedBySecond`, and nothing else. */
  errorCode: number
  /** That the second level refused: the page itself, and not an entry on the way to it. */
  isOfPage: boolean
  /** What all entries on the way to the page allow: `bit.RW` and `bit.US`; and to fetch from it. */
  allowed: number
  isExecutable: boolean
  /** The number of the 4-KByte page. */
  page: number
  /** The size of the page that the entry maps, as a power of two. */
  bits: number
  global: boolean
  /** PAT, PCD and PWT of the entry that maps it: an entry of IA32_PAT. */
  patIndex: number
  /** Its protection key. */
  key: number
  /** The accessed and the dirty flag of the entry that maps it, as they were before the walk. */
  flags: number
}

/** No error code of a #PF is negative. */
export const refusedBySecond = -1

export const newWalk = (): Walk => ({
  errorCode: 0,
  isOfPage: false,
  allowed: 0,
  isExecutable: false,
  page: 0,
  bits: 12,
  global: false,
  patIndex: 0,
  key: 0,
  flags: 0
})

/** For reports and tests: an entry that a walk looked at. */
export interface Step {
  readonly entry: string
  readonly address: number
  readonly low: number
  readonly high: number
}

/**
 * "Reserved bits in a paging-structure entry": above MAXPHYADDR, XD without NXE, PS where nothing is mapped, the
 * address below a large page (bit 12 is its PAT).
 */
const isReserved = (format: Format, level: Level, low: number, high: number, rules: Rules): boolean =>
  (high & reservedHighOf(format, rules)) !== 0 ||
  (level.shift > 12 &&
    (low & bit.PS) !== 0 &&
    !level.ignoresSize &&
    (level.maps === undefined || (low & reservedInLarge(level)) !== 0))

/** Of an entry's upper half, as the rules are. */
export const reservedHighOf = ({ reservedHigh }: Format, { NXE }: Rules): number => reservedHigh | (NXE ? 0 : XD)
/** Of the lower half of an entry that maps a large page. */
export const reservedInLarge = ({ shift, extendsAddress }: Level): number =>
  (2 ** shift - 1) & ~(extendsAddress ? 0x1f_ffff : 0x1fff)

const physical = (low: number, high: number): number => (high & addressHigh) * 2 ** 32 + ((low & ~0xfff) >>> 0)

/** Where the entry at a level is from the beginning of its table, of an address given by halves. */
const offsetOf = ({ entryBytes }: Format, shift: number, lo: number, hi: number): number =>
  entryBytes === 4
    ? ((lo >>> shift) & 0x3ff) * 4
    : ((shift >= 32 ? hi >>> (shift - 32) : shift > 23 ? (hi << (32 - shift)) | (lo >>> shift) : lo >>> shift) &
        0x1ff) *
      8

/**
 * Walk to the page at a canonical address, for an access of this kind (`access` bits; `isOpen`: RFLAGS.AC = 1 lifts
 * SMAP).
 *
 * "The processor uses a paging-structure entry ... it sets the accessed flag in that entry": here in all entries of a
 * walk that succeeds, and in none of one that faults; the dirty flag of the last entry when the access is a write.
 *
 * @param marks no flag is set without it, and what second-level tables say is not asked: the walk is only to see
 * @returns whether the page is accessible: `result` says where it is, or why not.
 */
export const walk = (
  memory: PhysicalMemory,
  { format, root, registers, rules, keys, second }: AddressSpace,
  lo: number,
  hi: number,
  kind: number,
  isOpen: boolean,
  result: Walk,
  marks = true
): boolean => {
  // "Determination of Access Rights": a page allows what every entry on the way to it allows.
  let allowed = bit.RW | bit.US
  let isExecutable = true
  let table = root
  if (format.hasRegisters) {
    const register = (lo >>> 30) * 2
    if (!(registers[register]! & bit.P)) return refuse(result, format, rules, kind, 0)
    table = physical(registers[register]!, registers[register + 1]!)
  }
  if (format.levels.length === 0) {
    untranslated(result, lo)
    return second === undefined || translated(second, result, lo, kind)
  }
  for (let n = 0; n < format.levels.length; n++) {
    const level = format.levels[n]!
    const own = table + offsetOf(format, level.shift, lo, hi)
    const at = second === undefined ? own : second.entryAt(own, false)
    if (at < 0) return refuseBySecond(result, false)
    path[n] = at
    ownPath[n] = own
    const low = memory.load32(at)
    const high = format.entryBytes === 8 ? memory.load32(at + 4) : 0
    if (!(low & bit.P)) return refuse(result, format, rules, kind, 0)
    if (isReserved(format, level, low, high, rules))
      return refuse(result, format, rules, kind, error.present | error.reserved)
    allowed &= low
    isExecutable &&= high >= 0
    if (mapsPage(level, low)) {
      result.key = format.hasKeys ? (high >>> keyShift) & keyMask : 0
      const byKey = isKeyRefused(format, rules, keys, result.key, kind, (allowed & bit.US) !== 0)
      if (byKey || !permits(rules, kind, isOpen, allowed, isExecutable))
        return refuse(result, format, rules, kind, error.present | (byKey ? error.protectionKey : 0))
      result.flags = low & (bit.A | bit.D)
      result.allowed = allowed
      result.isExecutable = isExecutable
      found(result, level, low, high, lo, hi)
      if (!marks) return true
      const isWrite = (kind & access.write) !== 0
      if (
        second !== undefined &&
        !(translated(second, result, lo, kind) && canMark(memory, second, result, n, isWrite))
      )
        return false
      mark(memory, n, isWrite)
      return true
    }
    table = physical(low, high)
  }
  throw new Error("the last level maps pages")
}

/** Where the entries of the walk under way are: for the machine, and for the guest whose they are. */
const path = new Float64Array(5)
const ownPath = new Float64Array(5)

const refuseBySecond = (result: Walk, isOfPage: boolean): false => {
  result.errorCode = refusedBySecond
  result.isOfPage = isOfPage
  return false
}

const translated = (second: SecondLevel, result: Walk, lo: number, kind: number): boolean => {
  const page = second.pageOf(result.page, result.page * 0x1000 + (lo & 0xfff), kind)
  if (page < 0) return refuseBySecond(result, true)
  result.page = page
  return true
}

/** "I/D flag (bit 4)" is set for fetches only where there is something that forbids fetching. */
const refuse = (result: Walk, { entryBytes }: Format, { SMEP, NXE }: Rules, kind: number, why: number): false => {
  result.errorCode = (SMEP || (NXE && entryBytes === 8) ? kind : kind & ~access.fetch) | why
  return false
}

/**
 * "Protection Keys": what the key of a page forbids, of data. Of writes by the supervisor only with CR0.WP.
 */
const isKeyRefused = (
  { hasKeys }: Format,
  { PKE, PKS, WP }: Rules,
  { user, supervisor }: Keys,
  key: number,
  kind: number,
  isUserPage: boolean
): boolean => {
  if (!hasKeys || kind & access.fetch || !(isUserPage ? PKE : PKS)) return false
  const rights = (isUserPage ? user : supervisor) >>> (2 * key)
  const isWrite = (kind & access.write) !== 0 && (WP || (kind & access.user) !== 0)
  return (rights & 1) !== 0 || (isWrite && (rights & 2) !== 0)
}

const mapsPage = ({ maps, shift }: Level, low: number): boolean =>
  maps !== undefined && (shift === 12 || (low & bit.PS) !== 0)

const untranslated = (result: Walk, lo: number): void => {
  result.allowed = bit.RW | bit.US
  result.isExecutable = true
  result.page = lo >>> 12
  result.bits = 12
  result.global = false
  result.patIndex = 0
  result.key = 0
  result.flags = bit.A | bit.D
}

const found = (
  result: Walk,
  { shift, extendsAddress }: Level,
  low: number,
  high: number,
  lo: number,
  hi: number
): void => {
  const size = 2 ** shift
  const frame = Math.floor(physical(low, extendsAddress ? (low >>> 13) & 0xff : high) / size) * size
  const within = ((hi & 0xffff) * 2 ** 32 + (lo >>> 0)) % size
  result.page = Math.floor((frame + within) / 0x1000)
  result.bits = shift
  result.global = (low & bit.G) !== 0
  result.patIndex = ((low >>> 3) & 3) | (low & (shift === 12 ? bit.PAT : bit.largePAT) ? 4 : 0)
}

/** Whether `allowed` (R/W and U/S of all entries) is enough. */
export const permits = (
  rules: Rules,
  kind: number,
  isOpen: boolean,
  allowed: number,
  isExecutable: boolean
): boolean => {
  const isUser = (allowed & bit.US) !== 0
  const isWritable = (allowed & bit.RW) !== 0
  if (kind & access.user) {
    return isUser && (kind & access.fetch ? isExecutable : kind & access.write ? isWritable : true)
  }
  if (kind & access.fetch) return isExecutable && !(isUser && rules.SMEP)
  if (isUser && rules.SMAP && !isOpen) return false
  return !(kind & access.write) || isWritable || !rules.WP
}

/** Whether every entry in which a flag is to be set may be written. */
const canMark = (
  memory: PhysicalMemory,
  second: SecondLevel,
  result: Walk,
  last: number,
  isWrite: boolean
): boolean => {
  for (let n = 0; n <= last; n++) {
    const flags = flagsAt(n, last, isWrite)
    if ((memory.load32(path[n]!) & flags) !== flags && second.entryAt(ownPath[n]!, true) < 0)
      return refuseBySecond(result, false)
  }
  return true
}

const flagsAt = (n: number, last: number, isWrite: boolean): number => (n === last && isWrite ? bit.A | bit.D : bit.A)

/** Accessed flags of the entries on the path to the last, which is dirty after a write. */
const mark = (memory: PhysicalMemory, last: number, isWrite: boolean): void => {
  for (let n = 0; n <= last; n++) {
    const flags = flagsAt(n, last, isWrite)
    const low = memory.load32(path[n]!)
    if ((low & flags) !== flags) memory.store32(path[n]!, low | flags)
  }
}

/** The entries that a walk to this address would look at, down to the first that leads nowhere. Changes nothing. */
export const trace = (
  memory: PhysicalMemory,
  format: Format,
  root: number,
  lo: number,
  hi: number
): readonly Step[] => {
  const steps: Step[] = []
  let table = root
  for (const level of format.levels) {
    const address = table + offsetOf(format, level.shift, lo, hi)
    const [low, high] = [memory.load32(address), format.entryBytes === 8 ? memory.load32(address + 4) : 0]
    steps.push({ entry: level.entry, address, low, high })
    if (!(low & bit.P) || mapsPage(level, low)) break
    table = physical(low, high)
  }
  return steps
}
