/**
 * Blocks: decoded code, kept by the page of memory that it lies in, and by mode.
 *
 * A block ends where its page ends, so that it is found again wherever that page is mapped, and dropped when the page is written. Of
 * an instruction that crosses into another page, the block is that instruction alone, and belongs to both.
 */
import { type Access, fault } from "../../memory/Access.ts"
import { pageBits, pageSize } from "../../memory/layout.ts"
import { decode } from "../decode.ts"
import type { Decoded, Instruction } from "../Instruction.ts"
import type { Mode } from "../Meaning.ts"
import { at, isLong, modeNumbers, modeOf, segment, segments } from "../State.ts"
import type { Generator } from "./generate.ts"
import { constantsOf, isWide, type KnownFlags } from "./Handler.ts"
import type { Wanted } from "./HandlerCode.ts"
import {
  arena,
  builtIn,
  codeSegmentNumbers,
  contextOf,
  field,
  header,
  headerBytes,
  jumpCache,
  link,
  microOperationBytes,
  outside,
  outside16,
  outside32,
  slot,
  unlinked
} from "./MicroOperation.ts"
import type { Facts, Shape, Shapes } from "./Shape.ts"

/** What is decoded from one page of host memory in one mode. */
interface CodePage {
  readonly page: number
  readonly mode: Mode
  /**
   * Wherever code of this mode sees the page, all of it is within its segment, and offsets in it do not wrap around. Else it is the page as
   * one code segment sees it.
   */
  readonly isWhole: boolean
  readonly key: number
  /** Blocks by where they begin in the page. */
  readonly blocks: Map<number, number>
  /** Blocks of an instruction that goes on in another page: that page too. */
  readonly crossing: Map<number, { readonly block: number; readonly second: CodePage }>
  /** Of crossing blocks that end in this page: where they begin. */
  readonly crossedFrom: Array<{ readonly first: CodePage; readonly offset: number }>
  /** The last micro-operations of all blocks: where the links are. */
  readonly ends: Array<number>
}

/** An instruction in its block, with what decides its handler. */
interface Place {
  readonly instruction: Instruction
  /** From the beginning of the page. */
  readonly here: number
  readonly next: number
  readonly shape: Shape
  readonly facts: Facts
  /** What is refused outright, plain execution refuses. */
  readonly isAllowed: boolean
}

/** Longer ones are cut: a block has to be covered by the countdown. */
const longest = 64
const longestInstruction = 15
const pagesOfMemory = 2 ** 20
const topOfMemory = 0xffff_ffff
/** So many code segments have numbers at one time. */
const mostSegments = 2 ** 14

export class Blocks {
  private readonly access: Access
  private readonly shapes: Shapes
  private readonly generator: Generator
  private readonly u8: Uint8Array
  private readonly u16: Uint16Array
  private readonly i32: Int32Array
  private readonly pages = new Map<number, CodePage>()
  /** The same by host page. */
  private readonly seen = new Map<number, CodePage[]>()
  /** Outside of 64-bit mode: where the code segment begins, its last offset, and the number of the two. */
  private codeBase = 0
  private codeLimit = topOfMemory
  private codeSegment = 0
  private readonly segmentNumbers = new Map<string, number>()
  /** Of those that the jump cache may know, their numbers there. */
  private readonly cachedSegments = new Map<number, number>([[0, 0]])
  /** A block for what plain execution refuses, in this epoch. */
  private refused = 0
  /** Micro-operations that wait for a handler, and its number. */
  private readonly waiting: Array<{ readonly microOperation: number; readonly handler: number }> = []
  /** Handlers below this number are there. */
  private handlers = 0
  private free: number = arena.at
  /** How often everything was dropped: addresses of micro-operations are good within one epoch. */
  epoch = 0
  private readonly heatAtFirst: number

  constructor(memory: WebAssembly.Memory, access: Access, shapes: Shapes, generator: Generator, heatAtFirst: number) {
    this.access = access
    this.shapes = shapes
    this.generator = generator
    this.u8 = new Uint8Array(memory.buffer)
    this.u16 = new Uint16Array(memory.buffer)
    this.i32 = new Int32Array(memory.buffer)
    this.heatAtFirst = heatAtFirst
    this.codeMapChanged()
  }

  // ---- finding

  /** Running begins: which code a RIP means is settled until it ends. */
  enter(): void {
    const { i32 } = this
    const mode = i32[at.mode >> 2]!
    const codeSegment = isLong(mode) ? 0 : this.cachedNumber(this.codeSegmentInForce())
    i32[slot.context >> 2] = contextOf(i32[at.executeTable >> 2]!, mode, codeSegment)
  }

  /** A number for the base and the limit of CS. */
  private codeSegmentInForce(): number {
    const [base, limit] = [this.i32[codeBaseAt >> 2]! >>> 0, this.i32[codeLimitAt >> 2]! >>> 0]
    if (base === this.codeBase && limit === this.codeLimit) return this.codeSegment
    this.codeBase = base
    this.codeLimit = limit
    this.codeSegment = base === 0 && limit === topOfMemory ? 0 : this.segmentNumber(`${base} ${limit}`)
    return this.codeSegment
  }

  private segmentNumber(name: string): number {
    const known = this.segmentNumbers.get(name)
    if (known !== undefined) return known
    if (this.segmentNumbers.size === mostSegments) {
      this.segmentNumbers.clear()
      this.cachedSegments.clear()
      this.cachedSegments.set(0, 0)
      this.dropAll()
    }
    const number = this.segmentNumbers.size + 1
    this.segmentNumbers.set(name, number)
    return number
  }

  private cachedNumber(segment: number): number {
    const known = this.cachedSegments.get(segment)
    if (known !== undefined) return known
    if (this.cachedSegments.size === codeSegmentNumbers) {
      this.cachedSegments.clear()
      this.cachedSegments.set(0, 0)
      this.codeMapChanged()
    }
    const number = this.cachedSegments.size
    this.cachedSegments.set(segment, number)
    return number
  }

  /** The block at RIP, or `fault`. `slot.page` is set for it. */
  locate(): number {
    const { i32, u16 } = this
    const lo = i32[at.rip >> 2]!
    const hi = i32[(at.rip >> 2) + 1]!
    const context = i32[slot.context >> 2]!
    const hash = lo ^ (lo >>> jumpCache.fold) ^ (context >>> jumpCache.contextFold)
    const cached = (jumpCache.at + (hash & (jumpCache.entries - 1)) * jumpCache.bytes) >> 2
    const isCached = i32[cached] === lo && i32[cached + 1] === hi && i32[cached + (jumpCache.context >> 2)] === context
    const block = isCached ? i32[cached + (jumpCache.block >> 2)]! : this.find(lo, hi)
    if (block === fault) return fault
    if (!isCached) {
      i32[cached] = lo
      i32[cached + 1] = hi
      i32[cached + (jumpCache.block >> 2)] = block
      i32[cached + (jumpCache.context >> 2)] = context
    }
    const page = (lo >>> 0) - u16[(block + field.here) >> 1]!
    i32[slot.page >> 2] = page
    i32[(slot.page >> 2) + 1] = page < 0 ? hi - 1 : hi
    return block
  }

  private find(lo: number, hi: number): number {
    const { isLong, linear, room } = this.codeAt(lo)
    if (room <= 0) return this.refusal()
    const host = this.access.execute(linear, hi)
    if (host === fault) return fault
    const offset = linear & (pageSize - 1)
    const page = this.pageOf(host >>> pageBits, isLong || this.isWhole((lo >>> 0) - offset))
    const known = page.blocks.get(offset)
    if (known !== undefined) return known
    const crossing = page.crossing.get(offset)
    if (crossing === undefined) {
      const places = this.places(page, host, room)
      if (places !== "incomplete") return this.make(page, offset, places)
      if (room < pageSize - offset) return this.refusal()
    }
    return this.findCrossing(page, offset, linear, hi)
  }

  /** Where the code at RIP is, and how many bytes of it the code segment has. */
  private codeAt(lo: number): { readonly isLong: boolean; readonly linear: number; readonly room: number } {
    if (isLong(this.i32[at.mode >> 2]!)) return { isLong: true, linear: lo, room: Number.POSITIVE_INFINITY }
    return { isLong: false, linear: (this.codeBase + lo) | 0, room: this.codeLimit - (lo >>> 0) + 1 }
  }

  /** All of the page that begins at this offset in the code segment is in the segment; and in 16-bit code, in its first 64 KiB. */
  private isWhole(start: number): boolean {
    const { bits } = modeOf(this.i32[at.mode >> 2]!)
    return start >= 0 && start + pageSize - 1 <= Math.min(this.codeLimit, bits === 16 ? 0xffff : topOfMemory)
  }

  /** No block: plain execution says which exception is raised. */
  private refusal(): number {
    if (this.refused !== 0) return this.refused
    if (this.isFull()) this.dropAll()
    this.refused = this.free + headerBytes
    this.free = this.refused
    this.i32[(this.refused + header.heat) >> 2] = -1
    this.i32[(this.refused + header.crossing) >> 2] = 1
    this.putPlain(0)
    return this.refused
  }

  private findCrossing(page: CodePage, offset: number, lo: number, hi: number): number {
    const { isLong, room } = this.codeAt(this.i32[at.rip >> 2]!)
    const next = ((lo & -pageSize) + pageSize) | 0
    const host = this.access.execute(next, isLong && next === 0 ? (hi + 1) | 0 : hi)
    if (host === fault) return fault
    const second = this.pageOf(host >>> pageBits, isLong)
    const known = page.crossing.get(offset)
    if (known?.second === second) return this.lengthOf(known.block) > room ? this.refusal() : known.block
    const first = pageSize - offset
    const bytes = new Uint8Array(longestInstruction)
    const from = (page.page << pageBits) >>> 0
    bytes.set(this.u8.subarray(from + offset, from + pageSize))
    bytes.set(this.u8.subarray(host >>> 0, (host >>> 0) + longestInstruction - first), first)
    const instruction = decode(bytes, 0, longestInstruction, page.mode)
    const places = typeof instruction === "string" ? [] : [this.place(instruction, offset, page.mode)]
    if (typeof instruction !== "string" && instruction.length > room) return this.refusal()
    return this.make(page, offset, places, second)
  }

  /** Of a block of one instruction. */
  private lengthOf(block: number): number {
    return this.u16[(block + field.next) >> 1]! - this.u16[(block + field.here) >> 1]!
  }

  /** The instructions of the block that begins at this host address. None: the first is no instruction. */
  private places(page: CodePage, host: number, room: number): ReadonlyArray<Place> | "incomplete" {
    const start = host >>> 0
    const pageAt = start - (start & (pageSize - 1))
    const end = Math.min(pageAt + pageSize, start + room)
    const places: Array<Place> = []
    for (let from = start; from < end && places.length < longest; ) {
      const instruction = decode(this.u8, from, end, page.mode)
      if (instruction === "incomplete" && places.length === 0) return "incomplete"
      if (typeof instruction === "string") break
      const place = this.place(instruction, from - pageAt, page.mode)
      places.push(place)
      if (place.facts.ends) break
      from += instruction.length
    }
    return places
  }

  private place(instruction: Instruction, here: number, mode: Mode): Place {
    const shape = this.shapes.of(instruction, mode)
    return {
      instruction,
      here,
      next: here + instruction.length,
      shape,
      facts: this.shapes.facts(shape, instruction),
      isAllowed: !instruction.form.privileged || mode.privilege === 0
    }
  }

  private pageOf(page: number, isWhole: boolean): CodePage {
    const mode = this.i32[at.mode >> 2]!
    const key = page * modeNumbers + mode + (isWhole ? 0 : (this.codeSegment + 1) * modeNumbers * pagesOfMemory)
    return this.pages.get(key) ?? this.newPage(page, mode, isWhole, key)
  }

  private newPage(page: number, mode: number, isWhole: boolean, key: number): CodePage {
    const found: CodePage = {
      page,
      mode: modeOf(mode),
      isWhole,
      key,
      blocks: new Map(),
      crossing: new Map(),
      crossedFrom: [],
      ends: []
    }
    this.pages.set(key, found)
    const seen = this.seen.get(page)
    if (seen === undefined) this.seen.set(page, [found])
    else seen.push(found)
    this.access.codeDecoded(page)
    return found
  }

  // ---- making

  private make(page: CodePage, offset: number, places: ReadonlyArray<Place>, second?: CodePage): number {
    if (this.isFull()) {
      this.dropAll()
      return this.find(this.i32[at.rip >> 2]!, this.i32[(at.rip >> 2) + 1]!)
    }
    if (second === undefined) {
      page.blocks.set(offset, this.free + headerBytes)
      return this.put(page, offset, places)
    }
    const block = this.put(page, offset, places, second)
    page.crossing.set(offset, { block, second })
    second.crossedFrom.push({ first: page, offset })
    return block
  }

  private put(page: CodePage, offset: number, places: ReadonlyArray<Place>, second?: CodePage): number {
    const block = this.free + headerBytes
    this.free = block
    this.i32[(block + header.heat) >> 2] = this.heatAtFirst
    this.i32[(block + header.crossing) >> 2] = Number(second !== undefined)
    if (places.length === 0) this.putPlain(offset)
    else this.putAll(page, places, second === undefined && page.isWhole)
    page.ends.push(this.free - microOperationBytes)
    return block
  }

  /** With links to other blocks of the page, if `isLinked`. */
  private putAll(page: CodePage, places: ReadonlyArray<Place>, isLinked: boolean) {
    const links = isLinked ? page.blocks : noBlocks
    const { bits } = page.mode
    for (let index = 0; index < places.length; index++) {
      const place = places[index]!
      const jump = joined(places, index)
      const handler = this.generator.handler({
        shape: place.shape,
        ...flagsOf(places, index),
        known: knownAt(places, index),
        jump: jump?.shape
      })
      const last = jump ?? place
      this.putOne(place, last, handler, places.length - index, links, bits)
      if (jump !== undefined) index++
    }
    const end = places.at(-1)!
    if (!end.facts.ends) {
      const microOperation = this.take(builtIn.goOn, 0, end.next)
      this.putLink(microOperation + field.fallThrough, end.next, links, outsideOf(bits))
    }
  }

  /** One micro-operation; `last` is the jump that is joined to it, or the instruction itself. */
  private putOne(
    place: Place,
    last: Place,
    handler: number,
    remaining: number,
    links: CodePage["blocks"],
    bits: Mode["bits"]
  ) {
    const { instruction, here, facts } = place
    const relative = last.instruction.operands.find((operand) => operand.kind === "rel")
    const target = last.facts.jumps === "again" ? here : last.next + (relative?.kind === "rel" ? relative.disp : 0)
    const memory = instruction.operands.find((operand) => operand.kind === "mem" && !operand.implied)
    const disp = memory?.kind === "mem" ? memory.disp + (memory.ripRelative ? place.next : 0) : 0
    // Too far for a field: by a few bytes, at the end of what 32 bits reach.
    const fits = target === (target | 0) && disp === (disp | 0)
    const microOperation = this.take(fits && place.isAllowed ? handler : builtIn.plain, remaining, here)
    const { u8, u16, i32 } = this
    u16[(microOperation + field.next) >> 1] = last.next
    let register = (microOperation + field.registers) >> 1
    for (const operand of instruction.operands)
      if (operand.kind === "reg" && !operand.implied) u16[register++] = operand.offset
    if (memory?.kind === "mem") {
      u16[(microOperation + field.base) >> 1] = memory.base
      u16[(microOperation + field.index) >> 1] = memory.index
      u8[microOperation + field.scale] = memory.scale
      u8[microOperation + field.stack] = Number(memory.segment === segments.ss)
      i32[(microOperation + field.disp) >> 2] = disp
    }
    let constant = (microOperation + field.constants) >> 2
    for (const operand of constantsOf(instruction.operands)) {
      const [lo, hi] = halvesOf(operand)
      i32[constant++] = lo
      i32[constant++] = hi
    }
    const isTaken = last.facts.jumps !== undefined || relative !== undefined
    const outside = outsideOf(bits)
    if (isTaken) this.putLink(microOperation + field.taken, target, links, bits === 16 ? outside16 : outside)
    if (facts.ends || last !== place) this.putLink(microOperation + field.fallThrough, last.next, links, outside)
  }

  /** What is no instruction: plain execution says which exception it is. */
  private putPlain(here: number) {
    this.take(builtIn.plain, 1, here)
  }

  private take(handler: number, remaining: number, here: number): number {
    const microOperation = this.free
    this.free += microOperationBytes
    this.i32.fill(0, microOperation >> 2, this.free >> 2)
    const isThere = handler < builtIn.number || handler < this.handlers
    this.u16[(microOperation + field.handler) >> 1] = isThere ? handler : builtIn.plain
    this.u16[(microOperation + field.remaining) >> 1] = remaining
    this.u16[(microOperation + field.here) >> 1] = here
    if (!isThere) this.waiting.push({ microOperation, handler })
    return microOperation
  }

  private putLink(at: number, to: number, links: CodePage["blocks"], outside: number) {
    const isInside = links !== noBlocks && to >= 0 && to < pageSize
    this.i32[(at + link.block) >> 2] = isInside ? (links.get(to) ?? unlinked) : outside
    this.i32[(at + link.to) >> 2] = to
  }

  /** Handlers below this number have been generated: who waited for them gets them. */
  generated(handlers: number) {
    this.handlers = handlers
    for (const { microOperation, handler } of this.waiting) {
      const at = (microOperation + field.handler) >> 1
      if (this.u16[at] === builtIn.plain) this.u16[at] = handler
    }
    this.waiting.length = 0
  }

  // ---- regions

  /** The code around RIP, where a block was located: its page (host address >>> 12), and where in it RIP is. */
  here(): { readonly page: number; readonly offset: number; readonly mode: Mode } {
    const host = this.access.execute(this.codeAt(this.i32[at.rip >> 2]!).linear, this.i32[(at.rip >> 2) + 1]!)
    return { page: host >>> pageBits, offset: host & (pageSize - 1), mode: modeOf(this.i32[at.mode >> 2]!) }
  }

  /** A region begins with this block, which is at RIP. A second block is made of the same code, for running it without. */
  beginRegion(block: number): number {
    const { page, offset } = this.here()
    const code = this.pageOf(page, true)
    const places = this.places(code, page * pageSize + offset, pageSize)
    if (places === "incomplete" || this.isFull()) throw new Error("a region begins with a whole block")
    const aside = this.put(code, offset, places)
    this.u16[(block + field.handler) >> 1] = builtIn.region
    return aside
  }

  /** The block is itself again: what the other one begins with. */
  endRegion(block: number, aside: number) {
    this.u16[(block + field.handler) >> 1] = this.u16[(aside + field.handler) >> 1]!
  }

  isFull(): boolean {
    return this.free + headerBytes + (longest + 1) * microOperationBytes > arena.end
  }

  // ---- dropping

  /** The bytes of a page change. What runs ends by itself, as it leaves its block. */
  codeWritten(page: number) {
    for (const dropped of this.seen.get(page) ?? []) {
      this.pages.delete(dropped.key)
      for (const microOperation of dropped.ends) this.unlink(microOperation)
      for (const { first, offset } of dropped.crossedFrom) first.crossing.delete(offset)
      this.codeMapChanged()
    }
    this.seen.delete(page)
  }

  /** Whoever comes by this way asks anew. */
  private unlink(microOperation: number) {
    for (const way of [field.taken, field.fallThrough]) {
      const at = (microOperation + way + link.block) >> 2
      if (this.i32[at]! > 0) this.i32[at] = unlinked
    }
  }

  codeMapChanged() {
    this.u8.fill(0xff, jumpCache.at, jumpCache.at + jumpCache.entries * jumpCache.bytes)
  }

  private dropAll() {
    this.pages.clear()
    this.seen.clear()
    this.waiting.length = 0
    this.free = arena.at
    this.refused = 0
    this.epoch++
    this.codeMapChanged()
  }
}

const [codeBaseAt, codeLimitAt] = [segment.base, segment.limit].map(
  (part) => at.segment + segments.cs * segment.bytes + part
) as [number, number]

const noBlocks: CodePage["blocks"] = new Map()
const outsideOf = (bits: Mode["bits"]): number => (bits === 64 ? outside : outside32)

// ---- what stands around an instruction decides its handler

/** The branch on the flags that this instruction sets, if it ends the block and nothing can come between the two. */
const joined = (places: ReadonlyArray<Place>, index: number): Place | undefined => {
  const { facts } = places[index]!
  const next = places[index + 1]
  return next?.facts.onlyBranches && facts.sets !== undefined && !facts.mayStop && !facts.ends ? next : undefined
}

/**
 * Flags are not worth setting if the next that sets them all comes before anyone who could look: a condition, a fault, the end of the
 * block. An access to memory may end it too, after its instruction.
 */
const flagsOf = (places: ReadonlyArray<Place>, index: number): Pick<Wanted, "flags"> => {
  const { facts, shape } = places[index]!
  if (shape.byConstant !== undefined && !facts.changesFlags) return { flags: "quiet" }
  for (let later = index + 1; facts.changesFlags && !facts.mayStop && later < places.length; later++) {
    const { asksFlags, mayStop, ends, sets } = places[later]!.facts
    if (asksFlags || mayStop || ends) break
    if (sets !== undefined) return { flags: "quiet" }
  }
  return { flags: shape.byConstant !== undefined && facts.sets !== undefined ? "always" : "said" }
}

/** Which rule set the flags that this instruction asks for. */
const knownAt = (places: ReadonlyArray<Place>, index: number): KnownFlags | undefined => {
  if (!places[index]!.facts.asksFlags) return undefined
  for (let earlier = index - 1; earlier >= 0; earlier--) {
    const { sets, changesFlags } = places[earlier]!.facts
    if (changesFlags) return sets
  }
  return undefined
}

const halvesOf = (operand: Decoded): readonly [number, number] => {
  if (operand.kind === "imm") return [operand.lo, operand.hi]
  if (operand.kind === "mem" && isWide(operand)) return [operand.disp, operand.dispHigh]
  throw new Error(`a ${operand.kind} operand is no constant`)
}
