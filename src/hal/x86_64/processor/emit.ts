/**
 * Emitter: nodes become WebAssembly. A node that is used twice gets a local the first time.
 *
 * Locals are handed out again after `recycle`: without that, a function of many handlers has so many that the engine's allocation of registers breaks down.
 */

import { translation } from "../memory/layout.ts"
import { entry } from "../memory/Tlb.ts"
import { Code } from "../wasm/Code.ts"
import { type Load, loads, type Numeric, type Store, type ValueType } from "../wasm/instructions.ts"
import { type Simd, simd } from "../wasm/simd.ts"
import { loadOf, type Node, type Value } from "./Graph.ts"
import type { Bits } from "./lower.ts"
import type { Width } from "./Meaning.ts"
import { shuffleBytes } from "./VectorGraph.ts"

export const storeOf = {
  8: "i64.store8",
  16: "i64.store16",
  32: "i64.store32",
  64: "i64.store"
} as const satisfies Record<Width, Store>

/** Stores a value of this width to the address before it on the stack; of 256 bits the lower half. */
export const storeWidth = (code: Code, width: Bits, offset = 0): Code =>
  width >= 128 ? code.storeVector(offset) : code.store(storeOf[width as Width], offset)
export const loadWidth = (code: Code, width: Bits, offset = 0): Code =>
  width >= 128 ? code.loadVector(offset) : code.load(loadOf[width as Width], offset)

const isLoad = (operation: string): operation is Load => operation in loads
const isSimd = (operation: string): operation is Simd => operation in simd
/** Those that name a lane. */
const namesLane = /_lane/

/** What an emitter knows on one path of the code: where nodes are, and which locals are free. */
export interface Known {
  readonly places: Map<Node, number>
  readonly free: Readonly<Record<ValueType, ReadonlyArray<number>>>
}

export class Emitter {
  /** What is being written. */
  code = new Code()
  /** Types of the locals that were needed so far; they are numbered from `firstLocal`. */
  readonly locals: Array<ValueType> = []
  private readonly firstLocal: number
  private free: Record<ValueType, Array<number>> = { i32: [], i64: [], v128: [] }
  private places = new Map<Node, number>()
  private uses = new Map<Node, number>()

  constructor(firstLocal: number) {
    this.firstLocal = firstLocal
  }

  newLocal(type: ValueType): number {
    const free = this.free[type].pop()
    if (free !== undefined) return free
    return this.firstLocal + this.locals.push(type) - 1
  }

  /** The local is not needed any more. */
  release(type: ValueType, local: number) {
    this.free[type].push(local)
  }

  /** What follows shares nothing with what came before: it will emit what these nodes are made of. */
  begin(roots: Iterable<Node>) {
    this.free = { i32: [], i64: [], v128: [] }
    for (let index = this.locals.length - 1; index >= 0; index--)
      this.free[this.locals[index]!].push(this.firstLocal + index)
    this.places = new Map()
    this.uses = new Map()
    const use = (node: Node) => {
      const uses = this.uses.get(node) ?? 0
      this.uses.set(node, uses + 1)
      if (uses === 0) node.arguments.forEach(use)
    }
    for (const root of roots) use(root)
  }

  /** For a path that branches off: emit one way, then `restore` and emit the other. */
  save(): Known {
    return { places: new Map(this.places), free: copyOf(this.free) }
  }
  restore({ places, free }: Known) {
    this.places = new Map(places)
    this.free = copyOf(free)
  }

  /** The value is left on the stack, and in a local if it is used again. */
  value(node: Node) {
    if (this.atHand(node)) return
    for (const each of node.arguments) this.value(each)
    this.instruction(node)
    if ((this.uses.get(node) ?? 0) > 1) this.code.tee(this.place(node))
  }

  /** The same on a path of its own, whose locals nobody else may count on. */
  valueAside(node: Node) {
    if (this.atHand(node)) return
    for (const each of node.arguments) this.valueAside(each)
    this.instruction(node)
  }

  /** The value is worked out now, into a local: whatever changes later, it stays. */
  bind(node: Node): number {
    if (node.operation === "local") return node.immediate
    const known = this.places.get(node)
    if (known !== undefined) return known
    this.value(node)
    const place = this.places.get(node)
    if (place === undefined) return this.take(node)
    this.code.drop()
    return place
  }

  /** As `bind`, and into a local of its own if it is now in one that is about to change. */
  bindCopy(node: Node) {
    if (node.operation !== "local") this.bind(node)
    else if (!this.places.has(node)) {
      this.code.get(node.immediate)
      this.take(node)
    }
  }

  /** What is on the stack is this node's value. */
  take(node: Node): number {
    const place = this.place(node)
    this.code.set(place)
    return place
  }

  /** The node's value is in this local from here on. */
  isIn(node: Node, local: number) {
    if (node.operation !== "const") this.places.set(node, local)
  }

  /**
   * Where the guest's bytes at an address are, by the translation cache. On a hit `hit` continues with the host address on the stack; else `miss`
   * does. Both leave `result`, or `miss` leaves the code.
   */
  lookUp(address: Value, width: Bits, table: number, hit: () => void, miss: () => void, result?: ValueType) {
    const { code } = this
    const guest = this.bind(address)
    const found = this.newLocal("i32")
    const indexShift = 12 - Math.log2(translation.entryBytes)
    const indexMask = (translation.entries - 1) * translation.entryBytes
    code.get(guest).numeric("i32.wrap_i64").i32(indexShift).numeric("i32.shr_u").i32(indexMask).numeric("i32.and")
    code.get(table).numeric("i32.add").tee(found).load("i64.load", entry.tag).get(guest)
    if (width > 8) code.i64(BigInt(width / 8 - 1)).numeric("i64.add")
    code.i64(-4096n).numeric("i64.and").numeric("i64.eq").if(result)
    code.get(found).load("i32.load", entry.addend).get(guest).numeric("i32.wrap_i64").numeric("i32.add")
    hit()
    code.else()
    miss()
    code.end()
    this.release("i32", found)
  }

  private place(node: Node): number {
    const local = this.newLocal(node.type)
    this.places.set(node, local)
    return local
  }

  private atHand(node: Node): boolean {
    const place = this.places.get(node)
    if (place !== undefined) this.code.get(place)
    else if (node.operation === "local") this.code.get(node.immediate)
    else if (node.operation !== "const") return false
    else if (node.type === "i64") this.code.i64(node.value)
    else if (node.type === "v128") this.code.v128(node.value)
    else this.code.i32(Number(node.value))
    return true
  }

  private instruction({ operation, immediate }: Node) {
    switch (operation) {
      case "call":
        this.code.call(immediate)
        break
      case "select":
        this.code.select()
        break
      case "i8x16.shuffle":
        this.code.shuffle(shuffleBytes(immediate))
        break
      case "v128.load":
        this.code.loadVector(immediate)
        break
      case "bound":
      case "local":
      case "const":
        throw new Error(`a ${operation} is at hand before it is used`)
      default:
        if (isLoad(operation)) this.code.load(operation, immediate)
        else if (isSimd(operation)) this.code.simd(operation, namesLane.test(operation) ? immediate : undefined)
        else this.code.numeric(operation satisfies Numeric)
    }
  }
}

type Locals = Readonly<Record<ValueType, ReadonlyArray<number>>>
const copyOf = ({ i32, i64, v128 }: Locals): Record<ValueType, Array<number>> => ({
  i32: [...i32],
  i64: [...i64],
  v128: [...v128]
})
