/**
 * Tlb: the translation caches, as software can see them.
 *
 * A translation that was used stays in force until something invalidates it, whatever the tables in memory say by
 * then: this is the cache of SDM vol. 3A, "Caching Translation Information". It has one geometry for every reading,
 * and is filled by the accesses that instructions make, in program order; so what is stale in it is part of the
 * machine's state and the same in every run.
 *
 * A *context* holds what one address space (its owner: the host or a guest, and a PCID) looks like from one access mode; changing ring,
 * RFLAGS.AC or PCID, entering a guest or leaving it, just puts other tables in force. Each context has three tables, for reads, writes and instruction fetches, of 4096
 * entries of 16 bytes at index (address >> 12) & 4095:
 *
 *     0   tag     i64   the page's address. Bits 11:0 are 0 if it may be accessed inline; else the inline
 *                       comparison fails and the slow path looks closer: `entry.empty` and the flags after it.
 *     8   addend  i32   host address of a byte = the lower half of its address + addend
 *     12  info    i32   the physical page number (bits 27:0), the size of the page in the tables, `entry.global`
 *
 * Inline: ((address + bytes - 1) & ~FFFH) == tag. An entry for fetches always leads to host memory: its low bits are
 * 0, or it is empty.
 */
import {
  contextBytes,
  largeBits,
  logLength,
  note,
  notesOf,
  type ProcessorRoom,
  pageBits,
  tableBytes,
  translation
} from "./layout.ts"
import { type Owner, owners } from "./Owner.ts"
import type { PhysicalMemory } from "./PhysicalMemory.ts"

// biome-ignore format: a table
export const entry = {
  tag:    0,
  addend: 8,
  info:   12,
  bytes:  16,

  // In the tag.
  /** Nothing is here. An empty tag is all ones. */
  empty:  1,
  /** No RAM is here: a device, ROM, or nothing that answers. */
  slow:   2,
  /** Of writes: something is decoded from this page. */
  code:   4,
  /** Every access is looked at: its alignment matters, or a breakpoint is on the page. */
  checked: 8,

  // In the info.
  page:   0x0fff_ffff,
  /** A part of a page of 2 MiB, of 1 GiB, of 4 MiB. */
  large2M: 1 << 28,
  large1G: 1 << 29,
  large4M: 1 << 30,
  global: 1 << 31
} as const

/** The three tables of a context, in their order. */
export const table = { read: 0, write: 1, fetch: 2 } as const
export type Table = (typeof table)[keyof typeof table]

/**
 * From where an address space is looked at. RFLAGS.AC = 1 makes two more: it lifts SMAP for the supervisor (`open`),
 * and with CR0.AM it asks a program's accesses to be aligned.
 */
export const mode = { user: 0, supervisor: 1, open: 2, aligned: 3 } as const
export type AccessMode = (typeof mode)[keyof typeof mode]

/** Who wants to know that translations are gone. */
export interface Watcher {
  /** One for instruction fetches, in some context. */
  readonly codeMapChanged: () => void
  /** Global ones, of addresses of the upper half. */
  readonly globalsDropped: () => void
}

const none = -1
const modes = Object.keys(mode).length
/** A key is of the owner, the PCID and the mode, from its highest bit to its lowest. */
const [ownerShift, pcidShift] = [14, 2]
const pcids = 2 ** (ownerShift - pcidShift)
const keyOf = (owner: number, pcid: number, of: number): number => (owner << ownerShift) | (pcid << pcidShift) | of
const pcidOf = (key: number): number => (key >>> pcidShift) & (pcids - 1)
const ownerOf = (key: number): number => key >>> ownerShift
/** What a tag may have beside its page's address. */
const flags = entry.slow | entry.code | entry.checked

export class Tlb {
  private readonly i32: Int32Array
  private readonly u8: Uint8Array
  private readonly watcher: Watcher
  /** `keyOf` each context, or `none`. */
  private readonly keys = new Int32Array(translation.contexts).fill(none)
  /** The context of each key, or `none`. */
  private readonly ofKey = new Int8Array(owners * pcids * modes).fill(none)
  /** When each was chosen last, as a count of choices: the one least recently chosen makes room. */
  private readonly chosen = new Float64Array(translation.contexts)
  private choices = 0
  private owner = 0
  private vpid = 0
  private pcid = 0
  /** The VPID of each owner. */
  private readonly vpids = new Int32Array(owners)
  /** The contexts of the modes of the present PCID, once they were asked for. */
  private readonly present = new Int32Array(modes).fill(none)
  /** The protection keys of the pages that a context may hold, a bit for each. */
  private readonly keysSeen = new Uint16Array(translation.contexts)
  /** For each page of RAM the entry through which it can be written, 0 if there is none, or `severalWriters`. */
  private readonly writers: Int32Array
  /** A translation for instruction fetches is gone, and nobody has been told. */
  private isCodeDropped = false

  /** The host address of the pool of contexts. */
  private readonly pool: number

  constructor(memory: PhysicalMemory, watcher: Watcher, { translations, writers }: Omit<ProcessorRoom, "state">) {
    this.i32 = memory.i32
    this.u8 = memory.u8
    this.watcher = watcher
    this.pool = translations
    this.writers = memory.i32.subarray(writers >>> 2, (writers >>> 2) + (memory.ramBytes >>> pageBits))
    this.u8.fill(0xff, translations, translations + translation.contexts * contextBytes)
  }

  /** Another address space is in force. Nothing is dropped. */
  use({ number, vpid }: Owner, pcid: number): void {
    this.owner = number
    this.vpid = vpid
    this.vpids[number] = vpid
    this.pcid = pcid
    for (let of = 0; of < modes; of++) this.present[of] = none
  }

  /** Where the tables of a mode of the present address space begin. */
  context(of: AccessMode): number {
    return this.contextAt(this.numberOf(of))
  }

  /** The context of a mode of the present address space, by its number. */
  numberOf(of: AccessMode): number {
    const known = this.present[of]!
    if (known !== none) return known
    const key = keyOf(this.owner, this.pcid, of)
    let n = this.ofKey[key]!
    if (n === none) {
      n = this.leastChosen()
      this.empty(n)
      this.tell()
      if (this.keys[n] !== none) this.ofKey[this.keys[n]!] = none
      this.keys[n] = key
      this.ofKey[key] = n
    }
    this.chosen[n] = ++this.choices
    this.present[of] = n
    return n
  }

  contextAt(n: number): number {
    return this.pool + n * contextBytes
  }

  private contextNumber(context: number): number {
    return (context - this.pool) / contextBytes
  }

  /** Where the notes of a context are. */
  notesAt(n: number): number {
    return notesOf(this.pool) + n * note.bytes
  }

  private leastChosen(): number {
    let least = none
    for (let n = 0; n < translation.contexts; n++) {
      if (this.present.includes(n)) continue
      if (least === none || this.chosen[n]! < this.chosen[least]!) least = n
    }
    return least
  }

  /** The entry of a page in a context, or -1 if it is not there. */
  find(context: number, which: Table, lo: number, hi: number): number {
    return this.findIn(context + which * tableBytes, lo, hi)
  }

  /** The same in one of its tables. */
  findIn(table: number, lo: number, hi: number): number {
    const at = entryIn(table, lo)
    const word = at >>> 2
    return (this.i32[word]! & ~flags) === (lo & ~0xfff) && this.i32[word + 1] === hi ? at : -1
  }

  /** Put a translation in its place: the one that was there is gone. */
  fill(context: number, which: Table, lo: number, hi: number, flags: number, host: number, info: number): number {
    const at = entryAt(context, which, lo)
    const word = at >>> 2
    const n = this.contextNumber(context)
    if (!(this.i32[word]! & entry.empty)) {
      if (which === table.fetch) this.watcher.codeMapChanged()
    } else this.log(n, at)
    const page = lo & ~0xfff
    this.i32[word] = page | flags
    this.i32[word + 1] = hi
    this.i32[word + 2] = host - page
    this.i32[word + 3] = info
    if (info & anyLarge) this.noteLarge(n, largeIndex(info & anyLarge, lo, hi))
    if (which === table.write && !(flags & entry.slow)) this.noteWriter(info & entry.page, at)
    return at
  }

  /** A context holds a page with this protection key. */
  noteKey(context: number, key: number): void {
    this.keysSeen[this.contextNumber(context)]! |= 1 << key
  }

  /** Translations go whose key forbids something now: `forbidden` is as PKRU, with those bits that were 0. */
  dropKeys(forbidden: number): void {
    let keys = 0
    for (let key = 0; key < 16; key++) if ((forbidden >>> (2 * key)) & 3) keys |= 1 << key
    for (let n = 0; n < translation.contexts; n++) if (this.keysSeen[n]! & keys) this.empty(n)
    this.tell()
    this.watcher.globalsDropped()
  }

  /** A translation of code is gone, because another is in its place. */
  tellOfCode(): void {
    this.watcher.codeMapChanged()
  }

  /** Nothing is where the entry of this address has its place. */
  isVacant(context: number, which: Table, lo: number): boolean {
    return (this.i32[entryAt(context, which, lo) >>> 2]! & entry.empty) !== 0
  }

  private log(n: number, at: number): void {
    const notes = this.notesAt(n) >>> 2
    const count = this.i32[notes + note.filled / 4]!
    if (count < logLength) this.i32[notes + note.log / 4 + count] = at
    if (count <= logLength) this.i32[notes + note.filled / 4] = count + 1
  }

  private noteLarge(n: number, index: number): void {
    this.u8[this.notesAt(n) + note.large + (index >>> 3)]! |= 1 << (index & 7)
  }

  private mayHoldLarge(n: number, index: number): boolean {
    return (this.u8[this.notesAt(n) + note.large + (index >>> 3)]! & (1 << (index & 7))) !== 0
  }

  private noteWriter(page: number, at: number): void {
    const before = this.writers[page]!
    const lives = before !== 0 && before >>> 0 !== at && this.writes(before, page)
    this.writers[page] = before === severalWriters || lives ? severalWriters : at
  }

  private writes(at: number, page: number): boolean {
    const word = at >>> 2
    return !(this.i32[word]! & entry.empty) && (this.i32[word + 3]! & entry.page) === page
  }

  /** From now on, a write to this page of RAM is never inline. */
  markCode(page: number): void {
    const writer = this.writers[page]!
    if (writer === 0) return
    if (writer !== severalWriters) {
      if (this.writes(writer, page)) this.i32[writer >>> 2]! |= entry.code
      return
    }
    for (let n = 0; n < translation.contexts; n++) this.markIn(n, page)
  }

  private markIn(n: number, page: number): void {
    const notes = this.notesAt(n) >>> 2
    const filled = this.i32[notes + note.filled / 4]!
    const isComplete = filled <= logLength
    const start = this.contextAt(n) + table.write * tableBytes
    for (let i = 0; i < (isComplete ? filled : translation.entries); i++) {
      const at = isComplete ? this.i32[notes + note.log / 4 + i]! >>> 0 : start + i * entry.bytes
      const isForWrites = at >= start && at < start + tableBytes
      if (isForWrites && this.writes(at, page)) this.i32[at >>> 2]! |= entry.code
    }
  }

  /** This entry may write inline again. */
  clearCode(at: number): void {
    this.i32[at >>> 2]! &= ~entry.code
  }

  /** It holds translations of this VPID: linear and combined ones, whatever the EPT. SDM vol. 3C, "Operations that Invalidate Cached Mappings". */
  private isOf(n: number, vpid: number): boolean {
    const key = this.keys[n]!
    return key !== none && this.vpids[ownerOf(key)] === vpid
  }

  /**
   * INVLPG: the page at this address, in the address space `pcid`; and global translations of it in all of the same VPID.
   * A part of a large page goes with all its other parts.
   */
  invalidate(pcid: number, lo: number, hi: number, vpid = this.vpid): void {
    for (let n = 0; n < translation.contexts; n++) {
      if (!this.isOf(n, vpid)) continue
      const everything = pcidOf(this.keys[n]!) === pcid
      for (const which of [table.read, table.write, table.fetch]) {
        const at = this.find(this.contextAt(n), which, lo, hi)
        if (at !== -1 && (everything || this.i32[(at + entry.info) >>> 2]! & entry.global)) this.drop(at, which)
      }
      this.invalidateLarge(n, lo, hi, everything)
    }
    this.tell()
    if (hi < 0 && vpid === 0) this.watcher.globalsDropped()
  }

  /** INVVPID of one address: in every address space of this VPID. */
  invalidateEverywhere(vpid: number, lo: number, hi: number): void {
    const pcidsOf = this.keys.filter((_, n) => this.isOf(n, vpid)).map(pcidOf)
    for (const pcid of new Set(pcidsOf)) this.invalidate(pcid, lo, hi, vpid)
  }

  private invalidateLarge(n: number, lo: number, hi: number, everything: boolean): void {
    for (const size of [entry.large2M, entry.large4M, entry.large1G]) {
      if (!this.mayHoldLarge(n, largeIndex(size, lo, hi))) continue
      const large = largeKey(size, lo, hi)
      this.dropWhere(n, (info, at) => this.isPart(at, info, large, everything))
    }
  }

  private isPart(at: number, info: number, large: number, everything: boolean): boolean {
    const word = at >>> 2
    return (
      (info & anyLarge) !== 0 &&
      largeKey(info, this.i32[word]! & ~0xfff, this.i32[word + 1]!) === large &&
      (everything || (info & entry.global) !== 0)
    )
  }

  /** Every translation of an address space, but for global ones. */
  flush(pcid: number, vpid = this.vpid): void {
    for (let n = 0; n < translation.contexts; n++) {
      if (this.isOf(n, vpid) && pcidOf(this.keys[n]!) === pcid) this.dropWhere(n, (info) => !(info & entry.global))
    }
    this.tell()
  }

  /** The same of all address spaces. */
  flushLocal(vpid = this.vpid): void {
    for (let n = 0; n < translation.contexts; n++) {
      if (this.isOf(n, vpid)) this.dropWhere(n, (info) => !(info & entry.global))
    }
    this.tell()
  }

  /** Global ones too. */
  flushAll(vpid = this.vpid): void {
    for (let n = 0; n < translation.contexts; n++) if (this.isOf(n, vpid)) this.empty(n)
    this.tell()
    if (vpid === 0) this.watcher.globalsDropped()
  }

  /** Every translation of these owners. */
  flushOwners(goes: (owner: number) => boolean): void {
    for (let n = 0; n < translation.contexts; n++) {
      const key = this.keys[n]!
      if (key !== none && goes(ownerOf(key))) this.empty(n)
    }
    this.tell()
    if (goes(0)) this.watcher.globalsDropped()
  }

  /** Drop what `goes` says of the info at an entry, and keep the log of the rest. */
  private dropWhere(n: number, goes: (info: number, at: number) => boolean): void {
    const notes = this.notesAt(n) >>> 2
    const filled = this.i32[notes + note.filled / 4]!
    const logs = notes + note.log / 4
    const whole = filled > logLength
    const first = this.contextAt(n)
    const count = whole ? contextBytes / entry.bytes : filled
    let kept = 0
    for (let i = 0; i < count; i++) {
      const at = whole ? first + i * entry.bytes : this.i32[logs + i]! >>> 0
      const word = at >>> 2
      if (this.i32[word]! & entry.empty) continue
      if (goes(this.i32[word + 3]!, at)) this.drop(at, Math.floor((at - first) / tableBytes) as Table)
      else if (kept++ < logLength) this.i32[logs + kept - 1] = at
    }
    this.i32[notes + note.filled / 4] = Math.min(kept, logLength + 1)
  }

  private drop(at: number, which: Table): void {
    this.i32.fill(-1, at >>> 2, (at >>> 2) + entry.bytes / 4)
    if (which === table.fetch) this.isCodeDropped = true
  }

  /** Whoever keeps what it found by an address of code hears of it, once. */
  private tell(): void {
    if (!this.isCodeDropped) return
    this.isCodeDropped = false
    this.watcher.codeMapChanged()
  }

  private empty(n: number): void {
    const notes = this.notesAt(n)
    const count = this.i32[(notes + note.filled) >>> 2]!
    if (count > logLength) {
      this.u8.fill(0xff, this.contextAt(n), this.contextAt(n) + contextBytes)
    } else {
      for (let i = 0; i < count; i++) {
        const word = this.i32[((notes + note.log) >>> 2) + i]! >>> 2
        this.i32.fill(-1, word, word + entry.bytes / 4)
      }
    }
    if (count > 0) this.isCodeDropped = true
    this.u8.fill(0, notes, notes + note.log)
    this.keysSeen[n] = 0
  }
}

/** Of the entries through which a page of RAM can be written: there may be more than one. */
export const severalWriters = -1
const anyLarge = entry.large2M | entry.large4M | entry.large1G

const entryIn = (table: number, lo: number): number => table + (((lo >>> pageBits) & (translation.entries - 1)) << 4)
const entryAt = (context: number, which: Table, lo: number): number => entryIn(context + which * tableBytes, lo)

/** A large page as a number: its size, and its place among those of its size. */
const largeKey = (info: number, lo: number, hi: number): number =>
  info & entry.large1G
    ? -1 - ((hi >>> 0) * 4 + (lo >>> 30))
    : // Pages of 4 MiB are found in the lowest 4 GiB alone.
      info & entry.large4M
      ? 2 ** 43 + (lo >>> 22)
      : (hi >>> 0) * 2048 + (lo >>> 21)

/** The lowest bit of an address that selects a large page of this size. */
export const largeShift = (size: number): number => (size === entry.large2M ? 21 : size === entry.large4M ? 22 : 30)

/** Which bit of `note.large` is for a large page: those of several pages may be the same. */
const largeIndex = (size: number, lo: number, hi: number): number => {
  const shift = largeShift(size)
  const number = (lo >>> shift) | (hi << (32 - shift))
  return (number ^ (number >>> Math.log2(largeBits))) & (largeBits - 1)
}
