/**
 * Mmu: accesses to linear addresses. It looks in the translation caches, walks the tables where they have nothing,
 * and finds who answers.
 */
import { at, isLong } from "../processor/State.ts"
import { type Access, bytesOf, fault, inStack, isCanonical, vmExit } from "./Access.ts"
import type { DecodedPages } from "./DecodedPages.ts"
import { decodedAt, layout, type ProcessorRoom, pageSize, tableBytes } from "./layout.ts"
import { anOwner, type Owner } from "./Owner.ts"
import type { PhysicalMemory } from "./PhysicalMemory.ts"
import {
  type AddressSpace,
  access,
  addressHigh,
  bit,
  type Format,
  fourLevel,
  linearBitsOf,
  newWalk,
  noRules,
  permits,
  type Rules,
  refusedBySecond,
  reservedHighOf,
  walk
} from "./paging.ts"
import { type AccessMode, entry, mode, type Table, Tlb, table, type Watcher } from "./Tlb.ts"
import { type Find, kindsOfPages, makeWalker, rightsNumbers, walkable, walking } from "./walker.ts"

/** The exceptions that an access raises. SDM vol. 3A, "Exception and Interrupt Reference". */
const vector = { SS: 12, GP: 13, PF: 14, AC: 17 } as const

/** Bytes of which accesses are noticed: a breakpoint on data. SDM vol. 3B, "Debug Registers". */
export interface Watchpoint {
  readonly number: number
  /** Halves of the address, a multiple of `bytes`. */
  readonly lo: number
  readonly hi: number
  readonly bytes: 1 | 2 | 4 | 8
  /** Reads as well as writes. */
  readonly reads: boolean
}

/** For each kind of access, what it is to a page walk, apart from whose it is. */
const kindOf: Readonly<Record<Table, number>> = {
  [table.read]: 0,
  [table.write]: access.write,
  [table.fetch]: access.fetch
}
const kindFor = (from: AccessMode, which: Table): number =>
  kindOf[which] | (from === mode.user || from === mode.aligned ? access.user : 0)

/** A translation was used that the tables in memory do not give any more. */
export interface StaleUse {
  readonly which: Table
  readonly lo: number
  readonly hi: number
  /** The page that was accessed, by its number. */
  readonly page: number
  /** What the tables say: another page, or the same without the accessed or the dirty flag; or the error code of the #PF that they would raise. */
  readonly now: { readonly page: number; readonly flags: number } | number
}

/** Why a guest-physical address was refused: what a VM exit says of it. */
export interface GuestPhysicalRefusal {
  /** The linear address that was to be accessed, unless there is none. */
  hasLinear: boolean
  linearLow: number
  linearHigh: number
  /** The access is the program's, and not one to a paging-structure entry on the way. */
  isOfPage: boolean
  /** What the guest's own tables allow of the page then, as `Walk` has it. */
  allowed: number
  isExecutable: boolean
}

/** A page that answers for itself: a guest's APIC-access page. */
export interface PageGuard {
  /** The physical address, in RAM, of what an access of so many bytes at this offset is to; undefined: the access is refused. */
  readonly place: (offset: number, bytes: number, isWrite: boolean) => number | undefined
  /** Something was written at this offset. */
  readonly written: (offset: number) => void
}

export class Mmu implements Access {
  readonly memory: PhysicalMemory
  readonly tlb: Tlb
  private readonly i32: Int32Array
  private readonly u8: Uint8Array
  private readonly code: DecodedPages
  private readonly found = newWalk()
  private readonly space: { -readonly [F in keyof AddressSpace]: AddressSpace[F] } = {
    format: fourLevel,
    root: 0,
    registers: new Int32Array(8),
    rules: noRules,
    keys: { user: 0, supervisor: 0 },
    second: undefined
  }
  /** Whose translations are made and used. */
  readonly hostOwner: Owner = anOwner(0, 0, undefined)
  private owner = this.hostOwner
  readonly refusal: GuestPhysicalRefusal = {
    hasLinear: false,
    linearLow: 0,
    linearHigh: 0,
    isOfPage: false,
    allowed: 0,
    isExecutable: false
  }
  /** The number of the guarded page, or -1; who guards it, and what was refused last. */
  private guarded = -1
  private pageGuard: PageGuard | undefined
  readonly guardRefusal: { offset: number; which: Table } = { offset: 0, which: table.read }
  private pcid = 0
  private inForce: AccessMode = mode.supervisor
  private watchpoints: readonly Watchpoint[] = []
  private onStale: ((use: StaleUse) => void) | undefined
  private readonly again = newWalk()
  /** Bit n: something has touched watchpoint n since this was 0. */
  touched = 0

  readonly find: Find
  readonly room: Omit<ProcessorRoom, "state">
  private isSlow = false
  /** For each access mode, `walking.rights`. */
  private readonly rights = new Int32Array(modes.length)

  constructor(memory: PhysicalMemory, code: DecodedPages, watcher: Watcher, room: Omit<ProcessorRoom, "state">) {
    this.memory = memory
    this.i32 = memory.i32
    this.u8 = memory.u8
    this.code = code
    this.room = room
    this.tlb = new Tlb(memory, watcher, room)
    this.find = makeWalker(memory.memory)
    code.attach(this.tlb)
  }

  // ---- what is in force

  /** The tables to walk, and the tag of the translations that come of them. */
  setRoot(root: number, pcid: number): void {
    this.space.root = root
    this.pcid = pcid
    this.tlb.use(this.owner, pcid)
    this.i32[walking.root >>> 2] = root
    // Where the tables began before, it may be that no walk was for the walker.
    if (root >= this.memory.ramBytes || this.rights[mode.supervisor] === 0) this.tellWalker()
    this.setMode(this.inForce)
  }

  /** Another way to translate; and of PAE paging, what is in the PDPTE registers. No translation outlives the change. */
  setFormat(format: Format, registers: Int32Array): void {
    this.space.format = format
    this.owner.format = format
    this.space.registers = registers
    this.tlb.flushAll()
    this.tellWalker()
  }

  /**
   * A guest is entered, or the host again: translations are `owner`'s from now on, and those are good that it had, if they were made in
   * the same format and by the same rules. A root and an access mode are to follow.
   */
  enter(owner: Owner, format: Format, registers: Int32Array, rules: Rules): void {
    const { space } = this
    this.owner = owner
    space.second = owner.second
    space.format = format
    space.registers = registers
    space.rules = rules
    this.tlb.use(owner, this.pcid)
    if (owner.format !== format || !isSame(owner.rules, rules)) this.tlb.flushAll()
    owner.format = format
    owner.rules = rules
    this.tellWalker()
  }

  /** Accesses to the page with this number are `by`'s to allow; or there is no such page. Software is to invalidate translations of it. */
  guard(page: number, by: PageGuard | undefined): void {
    this.guarded = page
    this.pageGuard = by
    this.space.second?.guard(page)
    this.tellWalker()
  }

  /** Where a doubleword is in RAM, in tables that the processor reads by a physical address; of a guest, by its own. @throws as a refused access */
  physicalEntry(address: number): number {
    const { second } = this.space
    if (second === undefined) return address
    const found = second.entryAt(address, false)
    if (found < 0) this.refuse(false, 0, 0, false)
    return found
  }

  get format(): Format {
    return this.space.format
  }

  /** What cached translations allow depends on the rules: none of them outlives a change. */
  setRules(rules: Rules): void {
    this.space.rules = rules
    this.owner.rules = rules
    this.tlb.flushAll()
    this.tellWalker()
  }

  /** PKRU and IA32_PKRS. They are looked at with every access: no translation outlives what forbids to use it. */
  setKeys(user: number, supervisor: number): void {
    const { keys } = this.space
    const forbidden = (user & ~keys.user) | (supervisor & ~keys.supervisor)
    keys.user = user
    keys.supervisor = supervisor
    if (forbidden !== 0) this.tlb.dropKeys(forbidden)
  }

  /** From now on every access to data is looked at, and those by stale translations are reported. */
  watchStale(report: (use: StaleUse) => void): void {
    this.onStale = report
    this.tlb.flushAll()
    this.tellWalker()
  }

  /** From where programs look: the tables for inline accesses. */
  setMode(to: AccessMode): void {
    this.inForce = to
    const number = this.tlb.numberOf(to)
    const context = this.tlb.contextAt(number)
    this.i32[at.readTable >>> 2] = context
    this.i32[at.writeTable >>> 2] = context + table.write * tableBytes
    this.i32[at.executeTable >>> 2] = context + table.fetch * tableBytes
    this.i32[walking.notes >>> 2] = this.tlb.notesAt(number)
    this.i32[walking.rights >>> 2] = this.rights[to]!
  }

  watch(watchpoints: readonly Watchpoint[]): void {
    if (watchpoints.length === 0 && this.watchpoints.length === 0) return
    this.watchpoints = watchpoints
    this.tlb.flushAll()
    this.tellWalker()
  }

  /** From now on nothing is left to the walker. Only the host's time depends on it. */
  walkSlowly(): void {
    this.isSlow = true
    this.tellWalker()
  }

  /** The walker goes by what is in force; to be told as well when this processor's state block is put in place. */
  tellWalker(): void {
    const { i32, space, memory, rights } = this
    const { format, root, rules } = space
    const known = walkable.indexOf(format)
    const { second } = space
    const isOurs =
      !this.isSlow &&
      known !== -1 &&
      root < (second === undefined ? memory.ramBytes : 2 ** 32) &&
      (second === undefined || second.remembers !== undefined) &&
      !(rules.PKE || rules.PKS) &&
      this.watchpoints.length === 0 &&
      this.onStale === undefined
    const allowed = isOurs ? rightsOf(rules) : nothing
    for (let from = 0; from < rights.length; from++) rights[from] = allowed[from]!
    i32[walking.rights >>> 2] = rights[this.inForce]!
    i32[walking.format >>> 2] = second === undefined ? known : walkable.length + known
    i32[walking.second >>> 2] = second?.remembers?.at ?? 0
    i32[walking.entryRights >>> 2] = second?.remembers?.entryRights ?? 0
    i32[walking.root >>> 2] = root
    // Where RAM may be, an address has 32 bits.
    i32[walking.reserved >>> 2] = reservedHighOf(format, rules) | addressHigh
    i32[walking.guarded >>> 2] = this.guarded
    i32[walking.ramBytes >>> 2] = memory.ramBytes
    i32[walking.decoded >>> 2] = decodedAt(memory.ramBytes)
    i32[walking.writers >>> 2] = this.room.writers
  }

  // ---- accesses of programs

  read = (lo: number, hi: number, width: number): number => this.readAs(this.inForce, lo, hi, width)

  modify = (lo: number, hi: number, width: number): number =>
    this.look(this.inForce, table.write, entry.slow | entry.code, lo, hi, width)

  write = (lo: number, hi: number, width: number): number => this.writeAs(this.inForce, lo, hi, width)

  execute = (lo: number, hi: number): number => {
    const found = this.executable(lo, hi)
    return found === fault ? fault : this.host(found, lo)
  }

  /** The entry that translates an address of code; or `fault`. */
  executable(lo: number, hi: number): number {
    const cached = this.tlb.findIn(this.i32[at.executeTable >>> 2]!, lo, hi)
    if (cached !== -1 && this.onStale === undefined) return cached
    return this.translate(this.inForce, table.fetch, lo, hi, 0)
  }

  codeDecoded = (page: number): void => this.code.add(page)

  // ---- accesses from any mode

  /**
   * As `read`. The processor's own accesses to its tables are `mode.supervisor`, whoever runs: "implicit
   * supervisor-mode accesses".
   */
  readAs(from: AccessMode, lo: number, hi: number, width: number): number {
    return this.look(from, table.read, entry.slow, lo, hi, width)
  }

  /** As `write`. */
  writeAs(from: AccessMode, lo: number, hi: number, width: number): number {
    const bytes = bytesOf(width)
    const first = this.translate(from, table.write, lo, hi, width & inStack)
    if (first === fault) return fault
    const room = pageSize - (lo & 0xfff)
    if (bytes <= room) {
      const flags = this.i32[first >>> 2]!
      if (flags & entry.checked && !this.check(from, table.write, lo, hi, bytes)) return fault
      if (flags & entry.slow && this.isGuarded(first)) return this.writeGuarded(lo & 0xfff, bytes)
      this.put(first, lo, bytes, at.bounce)
      return 0
    }
    const second = this.second(from, table.write, lo, hi, width)
    if (second === fault || !this.check(from, table.write, lo, hi, bytes)) return fault
    if (this.isGuarded(first)) return this.refuseGuarded(lo & 0xfff, table.write)
    if (this.isGuarded(second)) return this.refuseGuarded(0, table.write)
    this.put(first, lo, room, at.bounce)
    this.put(second, 0, bytes - room, at.bounce + room)
    return 0
  }

  /**
   * The host address of bytes that lie in one page of RAM whose translation is cached, where no access is looked at;
   * `fault` if it is not as simple as that, with nothing said about why.
   */
  cached(from: AccessMode, which: Table, lo: number, hi: number, bytes: number): number {
    const found = this.tlb.find(this.tlb.context(from), which, lo, hi)
    return found === -1 || (lo & 0xfff) + bytes > pageSize || this.i32[found >>> 2]! & 0xfff
      ? fault
      : this.host(found, lo)
  }

  /** Bytes for the host, all in one page: `length` of them at `lo`, `hi`. False if the access raises an exception. */
  /** Of one page. A device hears the largest aligned parts. */
  readBytes(from: AccessMode, lo: number, hi: number, into: Uint8Array): boolean {
    const found = this.translate(from, table.read, lo, hi, 0)
    if (found === fault) return false
    if (this.i32[found >>> 2]! & entry.slow) {
      for (let n = 0; n < into.length; ) {
        const bytes = Math.min(8 - ((lo + n) & 7), into.length - n)
        this.take(found, lo + n, bytes, at.bounce)
        for (let part = 0; part < bytes; part++) into[n++] = this.u8[at.bounce + part]!
      }
    } else {
      const host = this.host(found, lo)
      into.set(this.u8.subarray(host, host + into.length))
    }
    return true
  }

  writeBytes(from: AccessMode, lo: number, hi: number, bytes: Uint8Array): boolean {
    const found = this.translate(from, table.write, lo, hi, 0)
    if (found === fault) return false
    if (this.i32[found >>> 2]! & entry.slow) {
      for (let n = 0; n < bytes.length; ) {
        const count = Math.min(8 - ((lo + n) & 7), bytes.length - n)
        this.u8.set(bytes.subarray(n, n + count), at.bounce)
        this.put(found, lo + n, count, at.bounce)
        n += count
      }
    } else {
      this.beforeWrite(found)
      this.u8.set(bytes, this.host(found, lo))
    }
    return true
  }

  /** Which page an address leads to for the supervisor, and which entry of IA32_PAT is for it. Undefined: to none, or it is a guest's. Nothing changes. */
  peek(lo: number, hi: number): { readonly page: number; readonly patIndex: number } | undefined {
    const { again, space } = this
    if (space.second !== undefined) return undefined
    return walk(this.memory, space, lo, hi, 0, true, again, false) ? again : undefined
  }

  // ---- parts

  /**
   * Where the bytes are; a copy in `at.bounce` if they lie in two pages, or in one whose entry has a flag of `apart`.
   */
  private look(from: AccessMode, which: Table, apart: number, lo: number, hi: number, width: number): number {
    const bytes = bytesOf(width)
    const first = this.translate(from, which, lo, hi, width & inStack)
    if (first === fault) return fault
    const room = pageSize - (lo & 0xfff)
    if (bytes <= room) {
      const flags = this.i32[first >>> 2]!
      if (flags & entry.checked && !this.check(from, which, lo, hi, bytes)) return fault
      if (!(flags & apart)) return this.host(first, lo)
      if (flags & entry.slow && this.isGuarded(first)) return this.readGuarded(which, lo & 0xfff, bytes)
      this.take(first, lo, bytes, at.bounce)
      return at.bounce
    }
    const second = this.second(from, which, lo, hi, width)
    if (second === fault || !this.check(from, which, lo, hi, bytes)) return fault
    if (this.isGuarded(first)) return this.refuseGuarded(lo & 0xfff, which)
    if (this.isGuarded(second)) return this.refuseGuarded(0, which)
    this.take(first, lo, room, at.bounce)
    this.take(second, 0, bytes - room, at.bounce + room)
    return at.bounce
  }

  private isGuarded(found: number): boolean {
    return (this.i32[(found + entry.info) >>> 2]! & entry.page) === this.guarded
  }

  /** What is at this offset, in `at.bounce`; for an instruction that will write it as well, if it may. */
  private readGuarded(which: Table, offset: number, bytes: number): number {
    const guard = this.pageGuard!
    const place = guard.place(offset, bytes, false)
    if (place === undefined) return this.refuseGuarded(offset, table.read)
    if (which === table.write && guard.place(offset, bytes, true) === undefined)
      return this.refuseGuarded(offset, table.write)
    this.copy(at.bounce, layout.ram + place, bytes)
    return at.bounce
  }

  private writeGuarded(offset: number, bytes: number): number {
    const place = this.pageGuard!.place(offset, bytes, true)
    if (place === undefined) return this.refuseGuarded(offset, table.write)
    this.memory.written(Math.floor(place / pageSize))
    this.copy(layout.ram + place, at.bounce, bytes)
    this.pageGuard!.written(offset)
    return 0
  }

  private refuseGuarded(offset: number, which: Table): number {
    this.guardRefusal.offset = offset
    this.guardRefusal.which = which
    this.i32[at.vector >>> 2] = vmExit.apicAccess
    return fault
  }

  /** Notices what touches a watchpoint. False if the access had to be aligned. */
  private check(from: AccessMode, which: Table, lo: number, hi: number, bytes: number): boolean {
    if (from === mode.aligned && lo & (bytes - 1)) {
      this.raise(vector.AC, 0, lo, hi)
      return false
    }
    for (const point of this.watchpoints) {
      if ((which === table.write || point.reads) && overlaps(point, lo, hi, bytes)) {
        this.touched |= 1 << point.number
        this.i32[at.attention >>> 2] = 1
      }
    }
    return true
  }

  /** The second page of an access that crosses into it. */
  private second(from: AccessMode, which: Table, lo: number, hi: number, width: number): number {
    const next = ((lo & ~0xfff) + pageSize) | 0
    // Outside of 64-bit mode, the byte after the last of 4 GiB is the first.
    const carries = next === 0 && isLong(this.i32[at.mode >>> 2]!)
    return this.translate(from, which, next, carries ? (hi + 1) | 0 : hi, width & inStack)
  }

  /** The entry that translates an address, from the cache or from the tables; or `fault`. */
  translate(from: AccessMode, which: Table, lo: number, hi: number, stack: number): number {
    const context = this.tlb.context(from)
    const found = this.tlb.find(context, which, lo, hi)
    if (found === -1) return this.fill(context, from, which, lo, hi, stack)
    if (this.onStale !== undefined) this.lookAgain(this.onStale, found, from, which, lo, hi)
    return found
  }

  /** Walks the tables for what the cache has, and reports the difference. A guest's tables are its own business. */
  private lookAgain(
    report: (use: StaleUse) => void,
    cached: number,
    from: AccessMode,
    which: Table,
    lo: number,
    hi: number
  ): void {
    if (this.space.second !== undefined) return
    const { again } = this
    const isThere = walk(this.memory, this.space, lo, hi, kindFor(from, which), from === mode.open, again, false)
    const page = this.i32[(cached + entry.info) >>> 2]! & entry.page
    const flags = which === table.write ? bit.A | bit.D : bit.A
    if (isThere && again.page === page && (again.flags & flags) === flags) return
    report({ which, lo, hi, page, now: isThere ? { page: again.page, flags: again.flags } : again.errorCode })
  }

  private fill(context: number, from: AccessMode, which: Table, lo: number, hi: number, stack: number): number {
    const { found } = this
    if (!isCanonical(hi, linearBitsOf(this.space.format))) return this.raise(stack ? vector.SS : vector.GP, 0, lo, hi)
    if (from === this.inForce && this.findAs(context, which, lo, hi)) return this.tlb.find(context, which, lo, hi)
    const kind = kindFor(from, which)
    if (!walk(this.memory, this.space, lo, hi, kind, from === mode.open, found)) {
      // "A page-fault exception ... will invalidate any TLB entries that are for a page number corresponding to that
      // linear address".
      this.tlb.invalidate(this.pcid, lo, hi)
      return found.errorCode === refusedBySecond
        ? this.refuse(true, lo, hi, found.isOfPage)
        : this.raise(vector.PF, found.errorCode, lo, hi)
    }
    const { page } = found
    if (page === this.guarded && which === table.fetch) return this.refuseGuarded(lo & 0xfff, which)
    if (found.key !== 0 || this.space.rules.PKE || this.space.rules.PKS) this.tlb.noteKey(context, found.key)
    const large =
      found.bits === 21 ? entry.large2M : found.bits === 22 ? entry.large4M : found.bits === 30 ? entry.large1G : 0
    const info = page | large | (found.global ? entry.global : 0)
    return this.tlb.fill(
      context,
      which,
      lo,
      hi,
      this.flagsOf(from, which, page, lo, hi),
      this.memory.hostPage(page),
      info
    )
  }

  /** The walker finds it. What it replaces of fetches, somebody is to hear of. */
  private findAs(context: number, which: Table, lo: number, hi: number): boolean {
    const replaces = which === table.fetch && !this.tlb.isVacant(context, which, lo)
    if (this.find(lo, hi, 1, which) === fault) return false
    if (replaces) this.tlb.tellOfCode()
    return true
  }

  /** What keeps an inline access from this page. */
  private flagsOf(from: AccessMode, which: Table, page: number, lo: number, hi: number): number {
    if (which === table.fetch) return 0
    const isChecked =
      this.onStale !== undefined || from === mode.aligned || this.watchpoints.some((point) => isOnPage(point, lo, hi))
    const checked = isChecked ? entry.checked : 0
    if (page === this.guarded || !this.memory.isRam(page)) return entry.slow | checked
    return which === table.write && this.code.has(page) ? entry.code | checked : checked
  }

  /** No exception: the guest's turn ends. */
  private refuse(hasLinear: boolean, lo: number, hi: number, isOfPage: boolean): number {
    const { refusal } = this
    refusal.hasLinear = hasLinear
    refusal.linearLow = lo
    refusal.linearHigh = hi
    refusal.isOfPage = isOfPage
    refusal.allowed = this.found.allowed
    refusal.isExecutable = this.found.isExecutable
    this.i32[at.vector >>> 2] = vmExit.guestPhysical
    return fault
  }

  private raise(vector: number, errorCode: number, lo: number, hi: number): number {
    this.i32[at.vector >>> 2] = vector
    this.i32[at.errorCode >>> 2] = errorCode
    this.i32[at.faultAddress >>> 2] = lo
    this.i32[(at.faultAddress + 4) >>> 2] = hi
    return fault
  }

  /** Bytes of one page, from where its entry leads to the host address `to`. */
  private take(found: number, lo: number, bytes: number, to: number): void {
    if (this.isOutside(found)) this.memory.readBus(this.physical(found, lo), bytes, to)
    else {
      this.copy(to, this.host(found, lo), bytes)
    }
  }

  private put(found: number, lo: number, bytes: number, from: number): void {
    if (this.isOutside(found)) this.memory.writeBus(this.physical(found, lo), bytes, from)
    else {
      this.beforeWrite(found)
      this.copy(this.host(found, lo), from, bytes)
    }
  }

  /** The page is not RAM. One that was guarded may be. */
  private isOutside(found: number): boolean {
    return (
      (this.i32[found >>> 2]! & entry.slow) !== 0 &&
      !this.memory.isRam(this.i32[(found + entry.info) >>> 2]! & entry.page)
    )
  }

  /** Few bytes: a call of `copyWithin` takes longer than they do. */
  private copy(to: number, from: number, bytes: number): void {
    const { view } = this.memory
    let done = 0
    for (; done + 4 <= bytes; done += 4) view.setInt32(to + done, view.getInt32(from + done))
    for (; done < bytes; done++) this.u8[to + done] = this.u8[from + done]!
  }

  /** Whoever decoded something from the page of this entry hears of it. */
  beforeWrite(found: number): void {
    if (!(this.i32[found >>> 2]! & entry.code)) return
    this.code.changes(this.i32[(found + entry.info) >>> 2]! & entry.page)
    this.tlb.clearCode(found)
  }

  /** Where a byte is, by its offset in the page that the entry translates. */
  host(found: number, lo: number): number {
    return ((this.i32[found >>> 2]! & ~0xfff) + this.i32[(found + entry.addend) >>> 2]! + (lo & 0xfff)) >>> 0
  }

  physical(found: number, lo: number): number {
    return (this.i32[(found + entry.info) >>> 2]! & entry.page) * pageSize + (lo & 0xfff)
  }
}

const modes = Object.values(mode)
const nothing: readonly number[] = modes.map(() => 0)

/** For each access mode `walking.rights`, by the rules that they depend on: those change with every entry of a guest, and exit. */
const rightsByRules = new Map<number, readonly number[]>()
const rightsOf = (rules: Rules): readonly number[] => {
  const number = (rules.WP ? 1 : 0) | (rules.SMEP ? 2 : 0) | (rules.SMAP ? 4 : 0)
  const known = rightsByRules.get(number)
  if (known !== undefined) return known
  const rights = modes.map((from) => (from === mode.aligned ? 0 : rightsIn(rules, from)))
  rightsByRules.set(number, rights)
  return rights
}

/** What `permits` says of each kind of page. */
const rightsIn = (rules: Rules, from: AccessMode): number => {
  let rights = 0
  for (const which of Object.values(table))
    for (const { allowed, isExecutable, number } of kindsOfPages)
      if (permits(rules, kindFor(from, which), from === mode.open, allowed, isExecutable))
        rights |= 1 << (which * rightsNumbers + number)
  return rights
}

const isSame = (a: Rules, b: Rules): boolean => a === b || RULES.every((rule) => a[rule] === b[rule])
const RULES = ["WP", "SMEP", "SMAP", "NXE", "PKE", "PKS"] as const satisfies readonly (keyof Rules)[]

const isOnPage = (point: Watchpoint, lo: number, hi: number): boolean =>
  (point.lo & ~0xfff) === (lo & ~0xfff) && point.hi === hi

/** How far the access begins before or behind the point, modulo 2^64: only short distances matter. */
const overlaps = (point: Watchpoint, lo: number, hi: number, bytes: number): boolean => {
  const distance = (hi - point.hi) * 2 ** 32 + ((lo >>> 0) - (point.lo >>> 0))
  return distance < point.bytes && distance > -bytes
}
