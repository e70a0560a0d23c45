/**
 * Region: blocks of one page of code around a loop, and the shape of the ways between them.
 *
 * What leads out of the region is just an address: another page, an instruction that is not translated, blocks from which no loop is reached.
 */
import { pageSize } from "../../memory/layout.ts"
import { decode } from "../decode.ts"
import type { Instruction } from "../Instruction.ts"
import type { KnownFlags } from "../interpreter/Handler.ts"
import type { Facts, Shapes } from "../interpreter/Shape.ts"
import type { Mode } from "../Meaning.ts"

export interface Place {
  readonly instruction: Instruction
  readonly facts: Facts
  /** From the beginning of the page, as all addresses here. */
  readonly here: number
  readonly next: number
}

export class Block {
  readonly at: number
  readonly places: ReadonlyArray<Place>
  /** Where it goes on: taken and not taken, or one way. None: where its last instruction's value says. */
  readonly ways: ReadonlyArray<number>
  /** Blocks of the region that lead here. */
  readonly from: Array<Block> = []
  /** In reverse postorder. */
  order = -1
  /** All ways to this block go through it. The entry's is itself. */
  dominator: Block = this
  /** A way back leads here, from a block that it dominates. */
  isLoop = false
  /** The flags that hold at its beginning are asked for later, or may be looked at outside. */
  needsFlags = false
  /** Their rule, if all ways here agree. */
  known: KnownFlags | undefined = undefined
  /** The most instructions from here on to the next loop, or out. */
  longest = 0

  constructor(at: number, places: ReadonlyArray<Place>, ways: ReadonlyArray<number>) {
    this.at = at
    this.places = places
    this.ways = ways
  }
}

export interface Region {
  /** In reverse postorder: the entry first. */
  readonly blocks: ReadonlyArray<Block>
  /** The block that a way leads to, if it stays in the region. A way back to what does not dominate leaves it. */
  readonly successor: (from: Block, to: number) => Block | undefined
}

/** What is made a region of: what has a loop in it, or any block. */
export type Worth = "loops" | "anything"

const mostBlocks = 64
const longestBlock = 64

/** The region that is entered at `entry`; undefined if nothing there is worth it. */
export const regionAt = (
  bytes: Uint8Array,
  entry: number,
  mode: Mode,
  shapes: Shapes,
  worth: Worth
): Region | undefined => {
  const found = blocksFrom(bytes, entry, mode, shapes)
  const first = found.get(entry)
  if (first === undefined) return undefined
  orderBlocks(first, found)
  const looping = new Map(
    Array.from(found).filter(([, block]) => block.order >= 0 && (worth === "anything" || reachesLoop(block, found)))
  )
  if (!looping.has(entry)) return undefined
  const blocks = orderBlocks(first, looping)
  findDominators(blocks)
  const successor = (from: Block, to: number): Block | undefined => {
    const block = looping.get(to)
    return block !== undefined && (!isBack(from, block) || dominates(block, from)) ? block : undefined
  }
  for (const block of blocks) block.isLoop = block.from.some((each) => isBack(each, block) && dominates(block, each))
  findLongest(blocks, successor)
  findNeeds(blocks, successor)
  findKnown(blocks, successor)
  return { blocks, successor }
}

export const isBack = (from: Block, to: Block): boolean => to.order <= from.order

export const dominates = (a: Block, b: Block): boolean => {
  let block = b
  while (block.order > a.order) block = block.dominator
  return block === a
}

// ---- finding blocks

/** The instruction there, if the translator takes it. */
const placeAt = (bytes: Uint8Array, here: number, mode: Mode, shapes: Shapes): Place | undefined => {
  const instruction = decode(bytes, here, pageSize, mode)
  if (typeof instruction === "string") return undefined
  const facts = shapes.facts(shapes.of(instruction, mode), instruction)
  const isAllowed = !instruction.form.privileged || mode.privilege === 0
  return isAllowed && facts.isTranslated ? { instruction, facts, here, next: here + instruction.length } : undefined
}

const waysOf = ({ instruction, facts, next }: Place): ReadonlyArray<number> => {
  if (!facts.ends) return [next]
  const relative = instruction.operands.find((operand) => operand.kind === "rel")
  if (facts.jumps !== "relative" || relative?.kind !== "rel") return []
  const target = next + relative.disp
  return facts.isConditional ? [target, next] : [target]
}

/** Twice over the code: first to learn where blocks begin, then to cut there. */
const blocksFrom = (bytes: Uint8Array, entry: number, mode: Mode, shapes: Shapes): Map<number, Block> => {
  const starts = new Set([entry])
  let blocks = new Map<number, Block>()
  for (const _ of ["learn", "cut"]) {
    blocks = new Map()
    for (const start of starts) {
      if (blocks.size === mostBlocks) break
      if (start < 0 || start >= pageSize) continue
      const places = placesFrom(bytes, start, starts, mode, shapes)
      const last = places.at(-1)
      if (last === undefined) continue
      const ways = waysOf(last)
      blocks.set(start, new Block(start, places, ways))
      for (const way of ways) starts.add(way)
    }
  }
  return blocks
}

const placesFrom = (bytes: Uint8Array, start: number, starts: ReadonlySet<number>, mode: Mode, shapes: Shapes) => {
  const places: Array<Place> = []
  for (let here = start; here < pageSize && places.length < longestBlock; ) {
    if (places.length > 0 && starts.has(here)) break
    const place = placeAt(bytes, here, mode, shapes)
    if (place === undefined) break
    places.push(place)
    if (place.facts.ends) break
    here = place.next
  }
  return places
}

/** Of a cycle's blocks each reaches itself. */
const reachesLoop = (from: Block, blocks: ReadonlyMap<number, Block>): boolean => {
  const seen = new Set<Block>()
  const todo = [from]
  for (let block = todo.pop(); block !== undefined; block = todo.pop())
    for (const way of block.ways) {
      const next = blocks.get(way)
      if (next === undefined) continue
      if (next.order <= block.order) return true
      if (!seen.has(next)) todo.push(next)
      seen.add(next)
    }
  return false
}

// ---- the graph

/** Reverse postorder, and where each block is reached from. */
const orderBlocks = (entry: Block, blocks: ReadonlyMap<number, Block>): ReadonlyArray<Block> => {
  const order: Array<Block> = []
  const visited = new Set<Block>()
  const visit = (block: Block) => {
    visited.add(block)
    for (const way of block.ways) {
      const next = blocks.get(way)
      if (next !== undefined && !visited.has(next)) visit(next)
    }
    order.push(block)
  }
  visit(entry)
  order.reverse()
  for (const [index, block] of order.entries()) {
    block.order = index
    block.from.length = 0
  }
  for (const block of order) for (const way of block.ways) blocks.get(way)?.from.push(block)
  return order
}

/** Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm". */
const findDominators = (blocks: ReadonlyArray<Block>) => {
  const done = new Set([blocks[0]!])
  const meet = (one: Block, other: Block): Block => {
    let [a, b] = [one, other]
    while (a !== b) {
      while (a.order > b.order) a = a.dominator
      while (b.order > a.order) b = b.dominator
    }
    return a
  }
  for (let changed = true; changed; ) {
    changed = false
    for (const block of blocks.slice(1)) {
      const dominator = block.from.filter((each) => done.has(each)).reduce(meet)
      changed ||= !done.has(block) || block.dominator !== dominator
      block.dominator = dominator
      done.add(block)
    }
  }
}

type Successor = Region["successor"]

const successorsOf = (block: Block, successor: Successor): ReadonlyArray<Block | undefined> =>
  block.ways.map((way) => successor(block, way))

const findLongest = (blocks: ReadonlyArray<Block>, successor: Successor) => {
  for (const block of blocks.toReversed()) {
    const onward = successorsOf(block, successor).map((next) => (next === undefined || next.isLoop ? 0 : next.longest))
    block.longest = block.places.length + Math.max(0, ...onward)
  }
}

/** Flags are looked at by conditions, and wherever the region may be left. */
const findNeeds = (blocks: ReadonlyArray<Block>, successor: Successor) => {
  const inside = (block: Block): boolean | undefined => {
    // A loop may be left as it begins.
    if (block.isLoop || block.order === 0) return true
    for (const { facts } of block.places) {
      if (facts.asksFlags || facts.mayStop) return true
      if (facts.sets !== undefined) return false
    }
    return undefined
  }
  for (let changed = true; changed; ) {
    changed = false
    for (const block of blocks) {
      const ways = successorsOf(block, successor)
      const needs = inside(block) ?? (ways.length === 0 || ways.some((next) => next === undefined || next.needsFlags))
      changed ||= needs !== block.needsFlags
      block.needsFlags = needs
    }
  }
}

/** Forward, from the hope that all agree: until nothing changes. */
const findKnown = (blocks: ReadonlyArray<Block>, successor: Successor) => {
  type Rule = KnownFlags | "any" | undefined
  const before = new Map<Block, Rule>(blocks.map((block) => [block, block.order === 0 ? undefined : "any"]))
  const after = (block: Block): Rule =>
    block.places.reduce<Rule>((rule, { facts }) => (facts.changesFlags ? facts.sets : rule), before.get(block))
  const agree = (a: Rule, b: Rule): Rule => {
    if (a === "any" || b === "any") return a === "any" ? b : a
    return a !== undefined && b !== undefined && a.rule === b.rule && a.width === b.width ? a : undefined
  }
  for (let changed = true; changed; ) {
    changed = false
    for (const block of blocks) {
      const rule = after(block)
      for (const next of successorsOf(block, successor)) {
        if (next === undefined) continue
        const met = agree(before.get(next), rule)
        changed ||= met !== before.get(next)
        before.set(next, met)
      }
    }
  }
  for (const block of blocks) {
    const rule = before.get(block)
    block.known = rule === "any" ? undefined : rule
  }
}
