/**
 * Walker: the page walk of the ordinary case, and the entry that it leaves in the translation caches, as one function of WebAssembly.
 *
 * A guest's walk goes through its extended page tables as far as what was remembered of those (vmx/ept.ts) tells where: else it is left too.
 *
 * It is the fast twin of `walk` (paging.ts) and `Tlb.fill`: what it does is what those do, to the bit; what it does not take on (a fault, a
 * device, a format of legacy modes, something to be told of) it leaves, with nothing changed, to them. Formats, bits and rights are theirs:
 * the code is made of the tables of levels, and what `permits` says is put in a word for it.
 */
import { at } from "../processor/State.ts"
import { Code } from "../wasm/Code.ts"
import type { ValueType } from "../wasm/instructions.ts"
import { Module } from "../wasm/Module.ts"
import { fault } from "./Access.ts"
import {
  guestPhysical,
  largeBits,
  layout,
  logLength,
  note,
  pageBits,
  pageSize,
  remembered,
  tableBytes,
  translation
} from "./layout.ts"
import {
  bit,
  type Format,
  fiveLevel,
  fourLevel,
  keyMask,
  keyShift,
  type Level,
  linearBitsOf,
  reservedInLarge
} from "./paging.ts"
import { entry, largeShift, severalWriters, table } from "./Tlb.ts"

/** What it goes by, in the state block: i32 each. */
// biome-ignore format: a table
export const walking = {
  /** For each table a byte: its bit n says whether the access mode in force permits that to pages of kind n (`kindsOfPages`). 0: not for this function. */
  rights:   at.walking,
  /** The number of the format in `walkable`; of a guest whose addresses lead through a second level, as many more as there are. */
  format:   at.walking + 0x04,
  /** The physical address of the first table, in RAM; of a guest, its own. */
  root:     at.walking + 0x08,
  /** Bits of an entry's upper half that have to be 0. */
  reserved: at.walking + 0x0c,
  /** The number of a page that is guarded, or -1. */
  guarded:  at.walking + 0x10,
  ramBytes: at.walking + 0x14,
  /** Host addresses: of the notes of the context in force, and of the bytes and words for each page of RAM. */
  notes:    at.walking + 0x18,
  decoded:  at.walking + 0x1c,
  writers:  at.walking + 0x20,
  /** The host address of what is remembered of the second level, or 0: there is none. And what an entry has to be allowed there. */
  second:      at.walking + 0x24,
  entryRights: at.walking + 0x28
} as const

/** Formats that it walks. */
export const walkable: ReadonlyArray<Format> = [fourLevel, fiveLevel]

/** Of the number of a kind of pages: no XD. */
const executable = 4

/** Pages by all that `permits` asks of them: R/W and U/S of all entries on the way, and that no XD is there. Each has a number. */
export const kindsOfPages = [false, true].flatMap((isExecutable) =>
  [0, bit.RW, bit.US, bit.RW | bit.US].map((allowed) => ({
    allowed,
    isExecutable,
    number: (allowed >>> 1) | (isExecutable ? executable : 0)
  }))
)
export const rightsNumbers = kindsOfPages.length

/**
 * The host address of bytes that lie in one page of RAM, where no access is looked at: cached or found. `fault`: it is not as simple as that, and
 * nothing has changed.
 */
export type Find = (lo: number, hi: number, bytes: number, which: number) => number

// ---- the function

// biome-ignore format: a table
const local = {
  lo: 0, hi: 1, bytes: 2, which: 3, // the parameters
  at:      4,  // the entry of the translation caches
  low:     5,  // a paging-structure entry's halves
  high:    6,
  table:   7,  // the physical address of the table it is in
  allowed: 8,  // AND of all lower halves
  denied:  9,  // OR of all upper halves
  page:    10, // the number of the page that was found
  info:    11,
  large:   12, // the bit of `note.large`
  count:   13,
  last:    14, // the host address of the entry that maps the page
  address: 15  // i64
} as const
/** Host addresses of the paging-structure entries on the way; 0 where the way is not that long. */
const path = 16
const depth = Math.max(...walkable.map(({ levels }) => levels.length))
const locals: ReadonlyArray<ValueType> = [
  ...new Array<"i32">(local.address - local.at).fill("i32"),
  "i64",
  ...new Array<"i32">(depth).fill("i32")
]

const findCode = (): Code => {
  const code = new Code(0x800)
  // All of it in the page.
  code
    .get(local.lo)
    .i32(pageSize - 1)
    .numeric("i32.and")
    .get(local.bytes)
    .numeric("i32.add")
    .i32(pageSize)
  giveUpIf(code.numeric("i32.gt_s"))
  word(code, walking.rights).numeric("i32.eqz")
  giveUpIf(code)
  seek(code)
  cached(code)
  code.get(local.lo).numeric("i64.extend_i32_u").get(local.hi).numeric("i64.extend_i32_u").i64(32n).numeric("i64.shl")
  code.numeric("i64.or").set(local.address)
  code.i32(-1).set(local.allowed)
  // A block for each format, and one to leave when the page is found.
  code.block()
  for (const isNested of [false, true]) {
    for (const [number, format] of walkable.entries()) {
      word(code, walking.format)
        .i32(isNested ? walkable.length + number : number)
        .numeric("i32.eq")
        .if()
      canonical(code, linearBitsOf(format))
      walkCode(code, format, isNested)
      code.end()
    }
  }
  code.i32(fault).return().end()
  permit(code)
  secondOfPage(code)
  place(code)
  mark(code)
  fill(code)
  hostOf(code)
  return code
}

const word = (code: Code, where: number): Code => code.i32(0).load("i32.load", where)

const giveUpIf = (code: Code): Code => code.if().i32(fault).return().end()

/** Where the translation of the page has its place. */
const seek = (code: Code) => {
  const indexShift = pageBits - Math.log2(translation.entryBytes)
  const indexMask = (translation.entries - 1) * translation.entryBytes
  word(code, at.readTable).get(local.which).i32(tableBytes).numeric("i32.mul").numeric("i32.add")
  code
    .get(local.lo)
    .i32(indexShift)
    .numeric("i32.shr_u")
    .i32(indexMask)
    .numeric("i32.and")
    .numeric("i32.add")
    .set(local.at)
}

/** It is there already: to be used, or with a reason not to. */
const cached = (code: Code) => {
  code.get(local.at).load("i32.load", entry.tag).get(local.lo).numeric("i32.xor").i32(-pageSize).numeric("i32.and")
  code
    .get(local.at)
    .load("i32.load", entry.tag + 4)
    .get(local.hi)
    .numeric("i32.xor")
    .numeric("i32.or")
    .numeric("i32.eqz")
  code
    .get(local.at)
    .load("i32.load", entry.tag)
    .i32(entry.empty)
    .numeric("i32.and")
    .numeric("i32.eqz")
    .numeric("i32.and")
    .if()
  code
    .get(local.at)
    .load("i32.load", entry.tag)
    .i32(pageSize - 1)
    .numeric("i32.and")
  giveUpIf(code)
  hostOf(code)
  code.return().end()
}

const hostOf = (code: Code) => {
  code.get(local.at).load("i32.load", entry.addend).get(local.lo).numeric("i32.add")
}

/** The upper half is the sign of what is translated. */
const canonical = (code: Code, linearBits: number) => {
  code
    .get(local.hi)
    .i32(linearBits - 33)
    .numeric("i32.shr_s")
    .i32(1)
    .numeric("i32.add")
    .i32(1)
    .numeric("i32.gt_u")
  giveUpIf(code)
}

/** Branches out of the block around it when a page is found. */
const walkCode = (code: Code, { levels }: Format, isNested: boolean) => {
  word(code, walking.root).set(local.table)
  for (const [n, level] of levels.entries()) {
    if (n > 0) code.get(local.low).i32(-pageSize).numeric("i32.and").set(local.table)
    if (isNested) {
      code.get(local.table).i32(pageBits).numeric("i32.shr_u").set(local.page)
      throughSecond(code, () => word(code, walking.entryRights))
      giveUpIf(outsideOrGuarded(code))
      code.get(local.page).i32(pageBits).numeric("i32.shl").set(local.table)
    } else if (n > 0) {
      // A table outside RAM has no entries. Nothing of an address is above 32 bits.
      code.get(local.table)
      word(code, walking.ramBytes).numeric("i32.lt_u").numeric("i32.eqz")
      giveUpIf(code)
    }
    const shift = BigInt(level.shift - Math.log2(entryBytes))
    code
      .get(local.address)
      .i64(shift)
      .numeric("i64.shr_u")
      .numeric("i32.wrap_i64")
      .i32(0x1ff * entryBytes)
      .numeric("i32.and")
    code
      .get(local.table)
      .numeric("i32.add")
      .i32(layout.ram)
      .numeric("i32.add")
      .tee(path + n)
      .load("i32.load")
      .tee(local.low)
    code.get(local.allowed).numeric("i32.and").set(local.allowed)
    code
      .get(path + n)
      .load("i32.load", 4)
      .tee(local.high)
      .get(local.denied)
      .numeric("i32.or")
      .set(local.denied)
    code.get(local.low).i32(bit.P).numeric("i32.and").numeric("i32.eqz")
    code.get(local.high)
    word(code, walking.reserved).numeric("i32.and").numeric("i32.or")
    giveUpIf(code)
    foundAt(code, level, path + n)
  }
}
const entryBytes = 8

/** If this entry maps a page, that is the page. */
const foundAt = (code: Code, level: Level, pathAt: number) => {
  const isLast = level.shift === pageBits
  if (!isLast) code.get(local.low).i32(bit.PS).numeric("i32.and").if()
  if (level.maps === undefined) {
    code.i32(fault).return().end()
    return
  }
  if (!isLast) {
    code.get(local.low).i32(reservedInLarge(level)).numeric("i32.and")
    giveUpIf(code)
  }
  const within = 2 ** (level.shift - pageBits) - 1
  code.get(local.low).i32(pageBits).numeric("i32.shr_u").i32(~within).numeric("i32.and")
  code.get(local.lo).i32(pageBits).numeric("i32.shr_u").i32(within).numeric("i32.and").numeric("i32.or").set(local.page)
  code.get(pathAt).set(local.last)
  const size = [entry.large2M, entry.large1G].find((each) => largeShift(each) === level.shift) ?? 0
  code.i32(size).set(local.info)
  if (!isLast) {
    code.get(local.address).i64(BigInt(level.shift)).numeric("i64.shr_u").numeric("i32.wrap_i64").set(local.large)
    code.br(2).end()
  } else code.br(1)
}

/** `local.page` is a guest's page, and becomes the machine's, if it is remembered with all the rights that `rights` leaves on the stack. */
const throughSecond = (code: Code, rights: () => void) => {
  const where = local.count
  word(code, walking.second)
  code
    .get(local.page)
    .i32(guestPhysical.entries - 1)
    .numeric("i32.and")
    .i32(2)
    .numeric("i32.shl")
    .numeric("i32.add")
    .tee(where)
  code.load("i32.load", guestPhysical.pages).get(local.page).numeric("i32.ne")
  giveUpIf(code)
  rights()
  code.get(where).load("i32.load", guestPhysical.rights).i32(-1).numeric("i32.xor").numeric("i32.and")
  giveUpIf(code)
  code.get(where).load("i32.load", guestPhysical.frames).set(local.page)
}

/** What the page has to be allowed: the rights have the order of the tables. */
const secondOfPage = (code: Code) => {
  word(code, walking.second).if()
  throughSecond(code, () => {
    code.i32(remembered.read).get(local.which).numeric("i32.shl")
    ifWrite(code).i32(Math.log2(remembered.dirty)).numeric("i32.shl").numeric("i32.or")
  })
  code.end()
}

/** Rights, and that it has no protection key. */
const permit = (code: Code) => {
  word(code, walking.rights).get(local.which).i32(3).numeric("i32.shl").numeric("i32.shr_u")
  code
    .get(local.allowed)
    .i32(1)
    .numeric("i32.shr_u")
    .i32(executable - 1)
    .numeric("i32.and")
  code.i32(executable).i32(0).get(local.denied).i32(0).numeric("i32.ge_s").select().numeric("i32.or")
  code.numeric("i32.shr_u").i32(1).numeric("i32.and").numeric("i32.eqz")
  code
    .get(local.high)
    .i32(keyMask << keyShift)
    .numeric("i32.and")
    .numeric("i32.or")
  giveUpIf(code)
}

/** Whether `local.page`, the machine's, is not in RAM, or is guarded. */
const outsideOrGuarded = (code: Code): Code => {
  code.get(local.page)
  word(code, walking.ramBytes).i32(pageBits).numeric("i32.shr_u").numeric("i32.lt_u").numeric("i32.eqz")
  code.get(local.page)
  return word(code, walking.guarded).numeric("i32.eq").numeric("i32.or")
}

/** In RAM, not guarded; and for writes, nothing is decoded from it. */
const place = (code: Code) => {
  giveUpIf(outsideOrGuarded(code))
  code.get(local.which).i32(table.write).numeric("i32.eq").if()
  word(code, walking.decoded).get(local.page).numeric("i32.add").load("i32.load8_u")
  giveUpIf(code)
  code.end()
}

/** Accessed flags of all entries on the way, the dirty flag of the last. Somebody has to hear of it if a table is code too. */
const mark = (code: Code) => {
  // Few walks have anything to set.
  code.get(local.allowed).i32(bit.A).numeric("i32.and").numeric("i32.eqz")
  ifWrite(code)
    .get(local.low)
    .i32(bit.D)
    .numeric("i32.and")
    .numeric("i32.eqz")
    .numeric("i32.and")
    .numeric("i32.or")
    .if()
  // A guest's entries may have to be allowed to be written.
  word(code, walking.second)
  giveUpIf(code)
  for (let n = 0; n < depth; n++) {
    code.get(path + n).if()
    word(code, walking.decoded)
      .get(path + n)
      .i32(layout.ram)
      .numeric("i32.sub")
      .i32(pageBits)
      .numeric("i32.shr_u")
    code.numeric("i32.add").load("i32.load8_u")
    giveUpIf(code).end()
  }
  for (let n = 0; n < depth; n++) {
    code.get(path + n).if()
    set(code, path + n, bit.A).end()
  }
  ifWrite(code).if()
  set(code, local.last, bit.D).end().end()
}

const ifWrite = (code: Code): Code => code.get(local.which).i32(table.write).numeric("i32.eq")

const set = (code: Code, where: number, flag: number): Code =>
  code.get(where).get(where).load("i32.load").i32(flag).numeric("i32.or").store("i32.store")

/** As `Tlb.fill`. */
const fill = (code: Code) => {
  const size = local.info
  code.get(local.at).load("i32.load", entry.tag).i32(entry.empty).numeric("i32.and").if()
  log(code)
  code.end()
  code.get(size).if()
  noteLarge(code)
  code.end()
  code.get(local.at).get(local.lo).i32(-pageSize).numeric("i32.and").store("i32.store", entry.tag)
  code
    .get(local.at)
    .get(local.hi)
    .store("i32.store", entry.tag + 4)
  code.get(local.at).get(local.page).i32(pageBits).numeric("i32.shl").i32(layout.ram).numeric("i32.add")
  code.get(local.lo).i32(-pageSize).numeric("i32.and").numeric("i32.sub").store("i32.store", entry.addend)
  code.get(local.at).get(local.page).get(size).numeric("i32.or")
  code.i32(entry.global).i32(0).get(local.low).i32(bit.G).numeric("i32.and").select().numeric("i32.or")
  code.store("i32.store", entry.info)
  ifWrite(code).if()
  noteWriter(code)
  code.end()
}

const log = (code: Code) => {
  word(code, walking.notes).load("i32.load", note.filled).tee(local.count).i32(logLength).numeric("i32.lt_s").if()
  word(code, walking.notes).get(local.count).i32(2).numeric("i32.shl").numeric("i32.add")
  code.get(local.at).store("i32.store", note.log).end()
  code.get(local.count).i32(logLength).numeric("i32.gt_s").numeric("i32.eqz").if()
  word(code, walking.notes).get(local.count).i32(1).numeric("i32.add").store("i32.store", note.filled).end()
}

/** The bit that `largeIndex` (Tlb.ts) says. */
const noteLarge = (code: Code) => {
  code.get(local.large).get(local.large).i32(Math.log2(largeBits)).numeric("i32.shr_u").numeric("i32.xor")
  code
    .i32(largeBits - 1)
    .numeric("i32.and")
    .set(local.large)
  const byte = () => word(code, walking.notes).get(local.large).i32(3).numeric("i32.shr_u").numeric("i32.add")
  byte()
  byte().load("i32.load8_u", note.large)
  code.i32(1).get(local.large).i32(7).numeric("i32.and").numeric("i32.shl").numeric("i32.or")
  code.store("i32.store8", note.large)
}

const noteWriter = (code: Code) => {
  const where = local.large
  word(code, walking.writers).get(local.page).i32(2).numeric("i32.shl").numeric("i32.add").tee(where)
  code.load("i32.load").tee(local.count).get(local.at).numeric("i32.ne")
  code.get(local.count).i32(0).numeric("i32.ne").numeric("i32.and").if()
  // Another entry, which may have led here only once.
  code.get(local.count).i32(severalWriters).numeric("i32.eq").if("i32").i32(1).else()
  code.get(local.count).load("i32.load", entry.tag).i32(entry.empty).numeric("i32.and").numeric("i32.eqz")
  code
    .get(local.count)
    .load("i32.load", entry.info)
    .i32(entry.page)
    .numeric("i32.and")
    .get(local.page)
    .numeric("i32.eq")
  code.numeric("i32.and").end().if()
  code.get(where).i32(severalWriters).store("i32.store")
  code.else().get(where).get(local.at).store("i32.store").end()
  code.else().get(where).get(local.at).store("i32.store").end()
}

let module: WebAssembly.Module | undefined

/** The function over this memory. */
export const makeWalker = (memory: WebAssembly.Memory): Find => {
  module ??= new WebAssembly.Module(moduleBytes())
  return new WebAssembly.Instance(module, { machine: { memory } }).exports.find as Find
}

const moduleBytes = (): Uint8Array<ArrayBuffer> => {
  const found = new Module()
  found.importMemory("machine", "memory")
  const parameters = ["i32", "i32", "i32", "i32"] as const
  found.exportFunction("find", found.addFunction({ parameters, results: ["i32"] }, locals, findCode()))
  return found.bytes()
}
