/**
 * Graph: the values of a meaning as expressions, for the readings that make WebAssembly of them.
 *
 * A value is a node. Equal expressions are one node, and what nobody uses is never emitted: that is all there is to common subexpressions,
 * dead flags and fused comparisons. Constants are worked out here, and each node knows how many of its low bits can be other than 0, so that
 * a `low` of what is already narrow costs nothing.
 */
import { control, type Load, loads, type Numeric, numeric, type ValueType } from "../wasm/instructions.ts"
import { type Simd, simd } from "../wasm/simd.ts"
import type { Width } from "./Meaning.ts"

/** `bound`: what a step of the program left behind, a load from the guest's memory. `select` and `call` are WebAssembly's. */
export type Operation = Numeric | Load | Simd | "v128.load" | "select" | "call" | "const" | "local" | "bound"

export interface Node {
  readonly operation: Operation
  readonly type: ValueType
  readonly arguments: ReadonlyArray<Node>
  /** Of a constant. */
  readonly value: bigint
  /** A local's number, a load's offset, a called function's index. */
  readonly immediate: number
  /** All bits from this one on are 0. */
  readonly bits: number
  readonly id: number
}

/** 64 bits, and a truth: the `V` and `B` of meanings. */
export type Value = Node & { readonly type: "i64" }
export type Truth = Node & { readonly type: "i32" }
/** 128 bits: the `X`. */
export type Vector = Node & { readonly type: "v128" }

/** Ids and immediates have this many values, so that two of them and an opcode make a number. */
const room = 2 ** 20

const opcodes: Readonly<Record<string, number>> = {
  ...numeric,
  ...loads,
  ...Object.fromEntries(Object.entries({ ...simd, "v128.load": 0 }).map(([name, number]) => [name, 0x100 + number])),
  call: control.call,
  select: control.select,
  local: control["local.get"]
}

/** A truth's opposite, where one instruction says it. */
const opposites: Partial<Record<Operation, Numeric>> = {
  "i64.eqz": "i64.ne",
  "i64.eq": "i64.ne",
  "i64.ne": "i64.eq",
  "i64.lt_u": "i64.ge_u",
  "i64.ge_u": "i64.lt_u",
  "i64.lt_s": "i64.ge_s",
  "i64.ge_s": "i64.lt_s"
}

/** Whose lower half is that of their operands' lower halves. */
const halves: Partial<Record<Operation, Numeric>> = {
  "i64.add": "i32.add",
  "i64.sub": "i32.sub",
  "i64.mul": "i32.mul",
  "i64.and": "i32.and",
  "i64.or": "i32.or",
  "i64.xor": "i32.xor"
}

const loadBits: Partial<Record<Operation, number>> = {
  "i64.load8_u": 8,
  "i64.load16_u": 16,
  "i64.load32_u": 32,
  "i32.load8_u": 8,
  "i32.load16_u": 16
}

export const loadOf = {
  8: "i64.load8_u",
  16: "i64.load16_u",
  32: "i64.load32_u",
  64: "i64.load"
} as const satisfies Record<Width, Load>

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value)
const signed = (value: bigint): bigint => BigInt.asIntN(64, value)
const isConstant = (node: Node): boolean => node.operation === "const"
const isZero = (node: Node): boolean => node.operation === "const" && node.value === 0n
const lengthOf = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length)
const ones = (width: number): bigint => (1n << BigInt(width)) - 1n

export class Graph {
  private readonly nodes = new Map<number, Node>()
  private readonly wholes = new Map<bigint, Node>()
  private readonly pairs = new Map<number, number>()
  private count = 0

  // ---- nodes

  protected make(
    operation: Operation,
    type: ValueType,
    args: ReadonlyArray<Node>,
    immediate: number,
    bits: number,
    value = 0n
  ): Node {
    if (this.count === room) throw new Error("a graph has room for one more node")
    return { operation, type, arguments: args, value, immediate, bits, id: this.count++ }
  }

  /** The one node for this expression. The key of more than two parts is made of pairs of parts. */
  protected node(operation: Operation, type: ValueType, args: ReadonlyArray<Node>, immediate = 0, bits = 64): Node {
    const [a, b] = args
    let left = a?.id ?? 0
    let right = b?.id ?? immediate
    if (args.length > 2 || (b !== undefined && immediate !== 0)) {
      left = args.reduce((sum, each) => this.pair(sum, each.id), 0)
      right = immediate
    }
    const key = (opcodes[operation]! * room + left) * room + right
    let node = this.nodes.get(key)
    if (node === undefined) {
      node = this.make(operation, type, args, immediate, bits)
      this.nodes.set(key, node)
    }
    return node
  }

  private pair(a: number, b: number): number {
    const key = a * room + b
    let number = this.pairs.get(key)
    if (number === undefined) {
      number = room - 1 - this.pairs.size
      this.pairs.set(key, number)
    }
    return number
  }

  private value(operation: Operation, args: ReadonlyArray<Node>, bits: number): Value {
    return this.node(operation, "i64", args, 0, bits) as Value
  }

  private compare(operation: Numeric, ...args: ReadonlyArray<Node>): Truth {
    return this.node(operation, "i32", args, 0, 1) as Truth
  }

  /** A node like no other: what a step leaves behind. */
  bound(bits: number): Value {
    return this.make("bound", "i64", [], 0, bits) as Value
  }
  boundHost(): Node {
    return this.make("bound", "i32", [], 0, 32)
  }

  local(index: number): Value {
    return this.node("local", "i64", [], index) as Value
  }
  local32(index: number): Node {
    return this.node("local", "i32", [], index, 32)
  }

  /** The machine's own memory: the state block, a micro-operation. `address` is an i32. */
  loadValue(load: Load, address: Node, offset: number): Value {
    return this.node(load, "i64", [address], offset, loadBits[load] ?? 64) as Value
  }
  loadHalf(load: Load, address: Node, offset: number): Node {
    return this.node(load, "i32", [address], offset, loadBits[load] ?? 32)
  }

  call(functionIndex: number, args: ReadonlyArray<Node>): Value {
    return this.node("call", "i64", args, functionIndex) as Value
  }
  callTruth(functionIndex: number, args: ReadonlyArray<Node>): Truth {
    return this.node("call", "i32", args, functionIndex, 1) as Truth
  }

  // ---- values

  constant(value: bigint): Value {
    const whole = unsigned(value)
    let node = this.wholes.get(whole)
    if (node === undefined) {
      node = this.make("const", "i64", [], 0, lengthOf(whole), whole)
      this.wholes.set(whole, node)
    }
    return node as Value
  }

  add(a: Value, b: Value): Value {
    if (isConstant(a)) return isConstant(b) ? this.constant(a.value + b.value) : this.add(b, a)
    if (isZero(b)) return a
    const [inner, by] = a.arguments
    if (isConstant(b) && a.operation === "i64.add" && isConstant(by!))
      return this.add(inner as Value, this.constant(by!.value + b.value))
    return this.value("i64.add", [a, b], Math.min(64, Math.max(a.bits, b.bits) + 1))
  }
  sub(a: Value, b: Value): Value {
    if (isConstant(b)) return this.add(a, this.constant(-b.value))
    return a === b ? this.constant(0n) : this.value("i64.sub", [a, b], 64)
  }
  mul(a: Value, b: Value): Value {
    if (isConstant(a) && isConstant(b)) return this.constant(a.value * b.value)
    return this.value("i64.mul", [a, b], Math.min(64, a.bits + b.bits))
  }

  /** By halves: of the four products, the middle two carry into the upper half. */
  mulHighUnsigned(a: Value, b: Value): Value {
    const half = this.constant(32n)
    const [a0, a1, b0, b1] = [this.low(a, 32), this.shr(a, half), this.low(b, 32), this.shr(b, half)]
    const first = this.add(this.mul(a1, b0), this.shr(this.mul(a0, b0), half))
    const second = this.add(this.mul(a0, b1), this.low(first, 32))
    return this.add(this.add(this.mul(a1, b1), this.shr(first, half)), this.shr(second, half))
  }
  mulHighSigned(a: Value, b: Value): Value {
    const half = this.constant(32n)
    const [a0, a1, b0, b1] = [this.low(a, 32), this.sar(a, half), this.low(b, 32), this.sar(b, half)]
    const first = this.add(this.mul(a1, b0), this.shr(this.mul(a0, b0), half))
    const second = this.add(this.mul(a0, b1), this.low(first, 32))
    return this.add(this.add(this.mul(a1, b1), this.sar(first, half)), this.sar(second, half))
  }

  /** Divisions are left alone: WebAssembly's trap where the meaning has promised not to come. */
  divUnsigned(a: Value, b: Value): Value {
    return this.value("i64.div_u", [a, b], a.bits)
  }
  remUnsigned(a: Value, b: Value): Value {
    return this.value("i64.rem_u", [a, b], Math.min(a.bits, b.bits))
  }
  divSigned(a: Value, b: Value): Value {
    return this.value("i64.div_s", [a, b], 64)
  }
  remSigned(a: Value, b: Value): Value {
    return this.value("i64.rem_s", [a, b], 64)
  }

  and(a: Value, b: Value): Value {
    if (isConstant(a)) return isConstant(b) ? this.constant(a.value & b.value) : this.and(b, a)
    if (a === b || isZero(b)) return b
    if (isConstant(b) && (b.value & ones(a.bits)) === ones(a.bits)) return a
    return this.value("i64.and", [a, b], Math.min(a.bits, b.bits))
  }
  or(a: Value, b: Value): Value {
    if (isConstant(a)) return isConstant(b) ? this.constant(a.value | b.value) : this.or(b, a)
    if (a === b || isZero(b)) return a
    return this.value("i64.or", [a, b], Math.max(a.bits, b.bits))
  }
  xor(a: Value, b: Value): Value {
    if (isConstant(a)) return isConstant(b) ? this.constant(a.value ^ b.value) : this.xor(b, a)
    if (isZero(b)) return a
    return a === b ? this.constant(0n) : this.value("i64.xor", [a, b], Math.max(a.bits, b.bits))
  }

  shl(a: Value, count: Value): Value {
    if (isZero(count) || isZero(a)) return a
    if (!isConstant(count)) return this.value("i64.shl", [a, count], 64)
    if (isConstant(a)) return this.constant(a.value << count.value)
    return this.value("i64.shl", [a, count], Math.min(64, a.bits + Number(count.value)))
  }
  shr(a: Value, count: Value): Value {
    if (isZero(count) || isZero(a)) return a
    if (!isConstant(count)) return this.value("i64.shr_u", [a, count], a.bits)
    if (isConstant(a)) return this.constant(a.value >> count.value)
    return this.value("i64.shr_u", [a, count], Math.max(0, a.bits - Number(count.value)))
  }
  sar(a: Value, count: Value): Value {
    if (a.bits < 64) return this.shr(a, count)
    if (isZero(count)) return a
    if (isConstant(a) && isConstant(count)) return this.constant(signed(a.value) >> count.value)
    return this.value("i64.shr_s", [a, count], 64)
  }
  rotl(a: Value, count: Value): Value {
    return isZero(count) ? a : this.value("i64.rotl", [a, count], 64)
  }
  rotr(a: Value, count: Value): Value {
    return isZero(count) ? a : this.value("i64.rotr", [a, count], 64)
  }
  leadingZeros(a: Value): Value {
    return this.value("i64.clz", [a], 7)
  }
  trailingZeros(a: Value): Value {
    return this.value("i64.ctz", [a], 7)
  }
  ones(a: Value): Value {
    return this.value("i64.popcnt", [a], 7)
  }

  low(a: Value, width: Width): Value {
    if (a.bits <= width) return a
    if (width === 32 && !isConstant(a)) return this.value("i64.extend_i32_u", [this.wrap(a)], 32)
    return this.and(a, this.constant(ones(width)))
  }
  signed(a: Value, width: Width): Value {
    if (width === 64 || a.bits < width) return a
    if (isConstant(a)) return this.constant(BigInt.asIntN(width, a.value))
    return this.value(`i64.extend${width}_s`, [a], 64)
  }
  choose(when: Truth, then: Value, otherwise: Value): Value {
    if (isConstant(when)) return when.value === 0n ? otherwise : then
    if (then === otherwise) return then
    return this.value("select", [then, otherwise, when], Math.max(then.bits, otherwise.bits))
  }

  /** The lower half, as an i32. */
  wrap(a: Value): Node {
    if (a.operation === "i64.extend_i32_u") return a.arguments[0]!
    if (isConstant(a)) return this.half(Number(BigInt.asIntN(32, a.value)))
    const narrow = halves[a.operation]
    if (narrow !== undefined) {
      const [left, right] = a.arguments.map((each) => this.wrap(each as Value))
      return this.node(narrow, "i32", [left!, right!], 0, 32)
    }
    return this.node("i32.wrap_i64", "i32", [a], 0, Math.min(32, a.bits))
  }

  private half(value: number): Node {
    let node = this.halfConstants.get(value)
    if (node === undefined) {
      node = this.make("const", "i32", [], 0, 32, BigInt(value))
      this.halfConstants.set(value, node)
    }
    return node
  }
  private readonly halfConstants = new Map<number, Node>()

  // ---- truths

  truth(value: boolean): Truth {
    return this.truths[value ? 1 : 0]!
  }
  private readonly truths = [0n, 1n].map((value) => this.make("const", "i32", [], 0, 1, value) as Truth)

  equal(a: Value, b: Value): Truth {
    if (a === b) return this.truth(true)
    if (isConstant(a)) return isConstant(b) ? this.truth(false) : this.equal(b, a)
    if (isConstant(b) && b.bits > a.bits) return this.truth(false)
    return isZero(b) ? this.compare("i64.eqz", a) : this.compare("i64.eq", a, b)
  }
  below(a: Value, b: Value): Truth {
    if (a === b || isZero(b)) return this.truth(false)
    if (isConstant(a) && isConstant(b)) return this.truth(a.value < b.value)
    return this.compare("i64.lt_u", a, b)
  }
  less(a: Value, b: Value): Truth {
    if (a === b || (a.bits < 64 && isZero(b))) return this.truth(false)
    if (isConstant(a) && isConstant(b)) return this.truth(signed(a.value) < signed(b.value))
    return this.compare("i64.lt_s", a, b)
  }
  bit(a: Value, n: number): Truth {
    if (n >= a.bits) return this.truth(false)
    if (n === 0 && a.bits === 1) return this.wrapTruth(a)
    if (n === 63) return this.less(a, this.constant(0n))
    return this.not(this.equal(this.and(a, this.constant(1n << BigInt(n))), this.constant(0n)))
  }
  evenParity(a: Value): Truth {
    const byte = this.low(a, 8)
    return this.equal(this.and(this.ones(byte), this.constant(1n)), this.constant(0n))
  }
  not(a: Truth): Truth {
    if (isConstant(a)) return this.truth(a.value === 0n)
    if (a.operation === "i32.eqz") return a.arguments[0] as Truth
    const opposite = opposites[a.operation]
    if (opposite === undefined) return this.compare("i32.eqz", a)
    return a.operation === "i64.eqz"
      ? this.compare(opposite, a.arguments[0]!, this.constant(0n))
      : this.compare(opposite, ...a.arguments)
  }
  both(a: Truth, b: Truth): Truth {
    if (isConstant(a)) return a.value === 0n ? a : b
    if (isConstant(b)) return this.both(b, a)
    return a === b ? a : this.compare("i32.and", a, b)
  }
  either(a: Truth, b: Truth): Truth {
    if (isConstant(a)) return a.value === 0n ? b : a
    if (isConstant(b)) return this.either(b, a)
    return a === b ? a : this.compare("i32.or", a, b)
  }
  differ(a: Truth, b: Truth): Truth {
    if (isConstant(a)) return a.value === 0n ? b : this.not(b)
    if (isConstant(b)) return this.differ(b, a)
    return a === b ? this.truth(false) : this.compare("i32.xor", a, b)
  }
  number(a: Truth): Value {
    return isConstant(a) ? this.constant(a.value) : this.value("i64.extend_i32_u", [a], 1)
  }
  private wrapTruth(a: Value): Truth {
    return isConstant(a) ? this.truth(a.value === 1n) : (this.wrap(a) as Truth)
  }
}
