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
import { at, modeOf, segments } from "../State.ts"
import type { Generator } from "./generate.ts"
import { constantsOf, isWide, type KnownFlags } from "./Handler.ts"
import type { Wanted } from "./HandlerCode.ts"
import {
  arena,
  builtIn,
  contextOf,
  field,
  header,
  headerBytes,
  jumpCache,
  link,
  microOperationBytes,
  outside,
  slot,
  unlinked
} from "./MicroOperation.ts"
import type { Facts, Shape, Shapes } from "./Shape.ts"

/** What is decoded from one page of host memory in one mode. */
interface CodePage {
  readonly page: number
  readonly mode: Mode
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
/** `modeNumber` of 64-bit mode is less. */
const modes = 16

export class Blocks {
  private readonly access: Access
  private readonly shapes: Shapes
  private readonly generator: Generator
  private readonly u8: Uint8Array
  private readonly u16: Uint16Array
  private readonly i32: Int32Array
  private readonly pages = new Map<number, CodePage>()
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

  /** The block at RIP, or `fault`. `slot.page` is set for it. */
  locate(): number {
    const { i32 } = this
    const lo = i32[at.rip >> 2]!
    const hi = i32[(at.rip >> 2) + 1]!
    i32[slot.page >> 2] = lo & -pageSize
    i32[(slot.page >> 2) + 1] = hi
    const context = contextOf(i32[at.executeTable >> 2]!, i32[at.mode >> 2]!)
    const hash = lo ^ (lo >>> jumpCache.fold) ^ (context >>> jumpCache.contextFold)
    const cached = (jumpCache.at + (hash & (jumpCache.entries - 1)) * jumpCache.bytes) >> 2
    if (i32[cached] === lo && i32[cached + 1] === hi && i32[cached + (jumpCache.context >> 2)] === context)
      return i32[cached + (jumpCache.block >> 2)]!
    const block = this.find(lo, hi)
    if (block === fault) return fault
    i32[cached] = lo
    i32[cached + 1] = hi
    i32[cached + (jumpCache.block >> 2)] = block
    i32[cached + (jumpCache.context >> 2)] = context
    return block
  }

  private find(lo: number, hi: number): number {
    const host = this.access.execute(lo, hi)
    if (host === fault) return fault
    const page = this.pageOf(host >>> pageBits)
    const offset = lo & (pageSize - 1)
    const known = page.blocks.get(offset)
    if (known !== undefined) return known
    const crossing = page.crossing.get(offset)
    if (crossing === undefined) {
      const places = this.places(page, host)
      if (places !== "incomplete") return this.make(page, offset, places)
    }
    return this.findCrossing(page, offset, lo, hi)
  }

  private findCrossing(page: CodePage, offset: number, lo: number, hi: number): number {
    const next = ((lo & -pageSize) + pageSize) | 0
    const host = this.access.execute(next, next === 0 ? (hi + 1) | 0 : hi)
    if (host === fault) return fault
    const second = this.pageOf(host >>> pageBits)
    const known = page.crossing.get(offset)
    if (known?.second === second) return known.block
    const room = pageSize - offset
    const bytes = new Uint8Array(longestInstruction)
    const from = (page.page << pageBits) >>> 0
    bytes.set(this.u8.subarray(from + offset, from + pageSize))
    bytes.set(this.u8.subarray(host >>> 0, (host >>> 0) + longestInstruction - room), room)
    const instruction = decode(bytes, 0, longestInstruction, page.mode)
    const places = typeof instruction === "string" ? [] : [this.place(instruction, offset, page.mode)]
    return this.make(page, offset, places, second)
  }

  /** The instructions of the block that begins at this host address. None: the first is no instruction. */
  private places(page: CodePage, host: number): ReadonlyArray<Place> | "incomplete" {
    const start = host >>> 0
    const pageAt = start - (start & (pageSize - 1))
    const places: Array<Place> = []
    for (let from = start; from < pageAt + pageSize && places.length < longest; ) {
      const instruction = decode(this.u8, from, pageAt + pageSize, page.mode)
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

  private pageOf(page: number): CodePage {
    const mode = this.i32[at.mode >> 2]!
    const key = page * modes + mode
    let found = this.pages.get(key)
    if (found === undefined) {
      found = { page, mode: modeOf(mode), blocks: new Map(), crossing: new Map(), crossedFrom: [], ends: [] }
      this.pages.set(key, found)
      this.access.codeDecoded(page)
    }
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
    else this.putAll(second === undefined ? page : undefined, places)
    page.ends.push(this.free - microOperationBytes)
    return block
  }

  private putAll(page: CodePage | undefined, places: ReadonlyArray<Place>) {
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
      this.putOne(place, last, handler, places.length - index, page)
      if (jump !== undefined) index++
    }
    const end = places.at(-1)!
    if (!end.facts.ends) {
      const microOperation = this.take(builtIn.goOn, 0, end.next)
      this.putLink(microOperation + field.fallThrough, end.next, page)
    }
  }

  /** One micro-operation; `last` is the jump that is joined to it, or the instruction itself. */
  private putOne(place: Place, last: Place, handler: number, remaining: number, page: CodePage | undefined) {
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
    if (last.facts.jumps !== undefined) this.putLink(microOperation + field.taken, target, page)
    if (facts.ends || last !== place) this.putLink(microOperation + field.fallThrough, last.next, page)
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

  private putLink(at: number, to: number, page: CodePage | undefined) {
    const isInside = page !== undefined && to >= 0 && to < pageSize
    this.i32[(at + link.block) >> 2] = isInside ? (page.blocks.get(to) ?? unlinked) : outside
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
    const host = this.access.execute(this.i32[at.rip >> 2]!, this.i32[(at.rip >> 2) + 1]!)
    return { page: host >>> pageBits, offset: host & (pageSize - 1), mode: modeOf(this.i32[at.mode >> 2]!) }
  }

  /** A region begins with this block, which is at RIP. A second block is made of the same code, for running it without. */
  beginRegion(block: number): number {
    const { page, offset } = this.here()
    const code = this.pageOf(page)
    const places = this.places(code, page * pageSize + offset)
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
    for (let mode = 0; mode < modes; mode++) {
      const dropped = this.pages.get(page * modes + mode)
      if (dropped === undefined) continue
      this.pages.delete(page * modes + mode)
      for (const microOperation of dropped.ends) this.unlink(microOperation)
      for (const { first, offset } of dropped.crossedFrom) first.crossing.delete(offset)
      this.codeMapChanged()
    }
  }

  /** Whoever comes by this way asks anew. */
  private unlink(microOperation: number) {
    for (const way of [field.taken, field.fallThrough]) {
      const at = (microOperation + way + link.block) >> 2
      if (this.i32[at] !== outside) this.i32[at] = unlinked
    }
  }

  codeMapChanged() {
    this.u8.fill(0xff, jumpCache.at, jumpCache.at + jumpCache.entries * jumpCache.bytes)
  }

  private dropAll() {
    this.pages.clear()
    this.waiting.length = 0
    this.free = arena.at
    this.epoch++
    this.codeMapChanged()
  }
}

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
