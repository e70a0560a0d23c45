/**
 * Native floating point: the functions of vectorFloat.ts in WebAssembly's own arithmetic, where that gives the same to the bit.
 *
 * This changes how fast, never what. WebAssembly rounds to nearest and has no flags. So an answer counts only if MXCSR rounds to nearest and masks
 * the precision exception, if no operand is denormal or not a number, if the result is neither tiny nor beyond the largest number, and if it is
 * exact, or MXCSR.PE is set already: then the definition finds no flag that is not there. In every other case the definition is called.
 */
import type { Lane, Simd } from "../wasm/simd.ts"
import type { Node, Value, Vector } from "./Graph.ts"
import { places } from "./instructions/vector/vector.ts"
import type { VectorGraph } from "./VectorGraph.ts"
import type { VectorFunction } from "./vectorFunctions.ts"

type Shape = "f32x4" | "f64x2"
type Named<S extends Shape> = Extract<Simd, `${S}.${string}`> extends `${S}.${infer Name}` ? Name : never

/** Operations on lanes of one shape. Truths are lanes of ones. */
class Lanes {
  readonly graph: VectorGraph
  readonly shape: Shape
  /** Ones if MXCSR.PE is set. */
  private readonly inexact: Vector

  constructor(graph: VectorGraph, shape: Shape, inexact: Vector) {
    this.graph = graph
    this.shape = shape
    this.inexact = inexact
  }

  of(name: Named<"f32x4"> & Named<"f64x2">, ...inputs: ReadonlyArray<Vector>): Vector {
    return this.graph.vectorOf(`${this.shape}.${name}`, inputs)
  }
  both(...truths: readonly [Vector, ...ReadonlyArray<Vector>]): Vector {
    return truths.reduce((all, each) => this.graph.lanes("v128.and", all, each))
  }
  either(a: Vector, b: Vector): Vector {
    return this.graph.lanes("v128.or", a, b)
  }
  all(lane32: bigint, lane64: bigint): Vector {
    const bits = this.shape === "f32x4" ? lane32 * 0x1_00000001_00000001_00000001n : lane64 * 0x1_00000000_00000001n
    return this.graph.vectorConstant(bits)
  }

  isZero(a: Vector): Vector {
    return this.of("eq", a, this.all(0n, 0n))
  }
  /** Neither infinite nor not a number. */
  isFinite(a: Vector): Vector {
    return this.of("lt", this.of("abs", a), this.all(0x7f80_0000n, 0x7ff0_0000_0000_0000n))
  }
  /** 0, or not denormal. A NaN is not. */
  isUsual(a: Vector): Vector {
    const isNormal = this.of("ge", this.of("abs", a), this.all(0x0080_0000n, 0x0010_0000_0000_0000n))
    return this.either(isNormal, this.isZero(a))
  }
  /** More than the least normal number, to which a tiny one may have been rounded. */
  isLarge(a: Vector): Vector {
    return this.of("gt", this.of("abs", a), this.all(0x0080_0000n, 0x0010_0000_0000_0000n))
  }
  /** So short that the product of two of them is exact. */
  isShort(a: Vector): Vector {
    const rest = this.graph.lanes("v128.and", a, this.all(0xfffn, 0x7ff_ffffn))
    return this.graph.vectorOf(this.shape === "f32x4" ? "i32x4.eq" : "i64x2.eq", [rest, this.all(0n, 0n)])
  }
  /** The result is exact, or that it is not is known already. */
  allowsInexact(isExact: Vector): Vector {
    return this.either(isExact, this.inexact)
  }
}

/** An answer, and whether it counts, lane by lane. */
interface Answer {
  readonly result: Vector
  readonly counts: Vector
}
type Operation = (x: Lanes, a: Vector, b: Vector) => Answer

/** The sum's error, by differences that are exact: Møller, Knuth. */
const sum =
  (name: "add" | "sub"): Operation =>
  (x, a, b) => {
    const result = x.of(name, a, b)
    const [term, back] = [x.of("sub", result, a), name]
    const rest = x.of("sub", a, x.of("sub", result, term))
    const error = back === "add" ? x.of("add", rest, x.of("sub", b, term)) : x.of("sub", rest, x.of("add", b, term))
    return {
      result,
      counts: x.both(
        x.isUsual(a),
        x.isUsual(b),
        x.isFinite(result),
        x.either(x.isLarge(result), x.isZero(result)),
        x.allowsInexact(x.isZero(error))
      )
    }
  }

const product: Operation = (x, a, b) => {
  const result = x.of("mul", a, b)
  const isNothing = x.either(x.isZero(a), x.isZero(b))
  return {
    result,
    counts: x.both(
      x.isUsual(a),
      x.isUsual(b),
      x.isFinite(result),
      x.either(x.isLarge(result), isNothing),
      x.allowsInexact(x.either(x.both(x.isShort(a), x.isShort(b)), isNothing))
    )
  }
}

const quotient: Operation = (x, a, b) => {
  const result = x.of("div", a, b)
  const isExact = x.both(x.isShort(result), x.isShort(b), x.of("eq", x.of("mul", result, b), a))
  return {
    result,
    counts: x.both(
      x.isUsual(a),
      x.isUsual(b),
      x.isFinite(result),
      x.either(x.isLarge(result), x.isZero(a)),
      x.allowsInexact(x.either(isExact, x.isZero(a)))
    )
  }
}

/** Of the second operand. */
const root: Operation = (x, _, b) => {
  const result = x.of("sqrt", b)
  const isExact = x.both(x.isShort(result), x.of("eq", x.of("mul", result, result), b))
  return { result, counts: x.both(x.isUsual(b), x.isFinite(result), x.allowsInexact(isExact)) }
}

/** The second operand if both are 0. */
const extreme =
  (holds: "lt" | "gt"): Operation =>
  (x, a, b) => ({
    result: x.graph.lanes("v128.bitselect", a, b, x.of(holds, a, b)),
    counts: x.both(x.isUsual(a), x.isUsual(b))
  })

/** A comparison of numbers, and whether it is negated. */
const predicate =
  (name: "eq" | "ne" | "lt" | "le" | "gt" | "ge"): Operation =>
  (x, a, b) => ({ result: x.of(name, a, b), counts: x.both(x.isUsual(a), x.isUsual(b)) })
const always =
  (value: boolean): Operation =>
  (x, a, b) => ({
    result: value ? x.all(0xffff_ffffn, 0xffff_ffff_ffff_ffffn) : x.all(0n, 0n),
    counts: x.both(x.isUsual(a), x.isUsual(b))
  })

// biome-ignore format: an operation, a line
const operations: Readonly<Record<string, Operation>> = {
  add:      sum("add"),
  sub:      sum("sub"),
  mul:      product,
  div:      quotient,
  sqrt:     root,
  min:      extreme("lt"),
  max:      extreme("gt"),
  eq_oq:    predicate("eq"),
  lt_os:    predicate("lt"),
  le_os:    predicate("le"),
  unord_q:  always(false),
  neq_uq:   predicate("ne"),
  nlt_us:   predicate("ge"),
  nle_us:   predicate("gt"),
  ord_q:    always(true),
  ge_os:    predicate("ge"),
  gt_os:    predicate("gt"),
  lt_oq:    predicate("lt"),
  le_oq:    predicate("le"),
  ge_oq:    predicate("ge"),
  gt_oq:    predicate("gt")
}

// ---- what is not one operation on lanes of one shape

type Special = (graph: VectorGraph, a: Vector, b: Vector, inexact: Vector) => Answer

const lowest = (graph: VectorGraph, shape: Shape, into: Vector, from: Vector): Vector =>
  graph.shuffle(into, from, shape === "f32x4" ? places(32, [4, 1, 2, 3]) : places(64, [2, 1]))

/** CF, PF and ZF as COMISS sets them, in the lowest lane: greater, less, equal. */
const order =
  (shape: Shape): Special =>
  (graph, a, b, inexact) => {
    const x = new Lanes(graph, shape, inexact)
    const less = x.both(x.of("lt", a, b), x.all(1n, 1n))
    const equal = x.both(x.of("eq", a, b), x.all(0x40n, 0x40n))
    return {
      result: lowest(graph, shape, a, x.either(less, equal)),
      counts: firstLane(graph, shape, x.both(x.isUsual(a), x.isUsual(b)))
    }
  }

/** The others do not matter: all are as the lowest. */
const firstLane = (graph: VectorGraph, shape: Shape, truth: Vector): Vector =>
  graph.shuffle(truth, truth, shape === "f32x4" ? places(32, [0, 0, 0, 0]) : places(64, [0, 0]))

/** An integer of 32 bits becomes a double: always exact. */
const fromInteger: Special = (graph, a, b) => ({
  result: lowest(graph, "f64x2", a, graph.vectorOf("f64x2.convert_low_i32x4_s", [b])),
  counts: ones(graph)
})
const fromIntegers: Special = (graph, _, b) => ({
  result: graph.vectorOf("f64x2.convert_low_i32x4_s", [b]),
  counts: ones(graph)
})
const ones = (graph: VectorGraph): Vector => graph.vectorConstant((1n << 128n) - 1n)

/** "Truncated" to 32 bits, with zeros above: within the range. */
const truncated: Special = (graph, _, b, inexact) => {
  const x = new Lanes(graph, "f64x2", inexact)
  const whole = graph.vectorOf("f64x2.trunc", [b])
  const fits = x.both(
    x.of("gt", b, x.all(0n, 0xc1e0_0000_0020_0000n)),
    x.of("lt", b, x.all(0n, 0x41e0_0000_0000_0000n))
  )
  const integers = graph.vectorOf("i32x4.trunc_sat_f64x2_s_zero", [b])
  return {
    result: graph.lanes("v128.and", integers, graph.vectorConstant(0xffff_ffffn)),
    counts: firstLane(graph, "f64x2", x.both(fits, x.allowsInexact(x.of("eq", whole, b))))
  }
}

const widened =
  (isScalar: boolean): Special =>
  (graph, a, b, inexact) => {
    const x = new Lanes(graph, "f32x4", inexact)
    const wide = graph.vectorOf("f64x2.promote_low_f32x4", [b])
    const usual = x.isUsual(b)
    const lanes = isScalar ? [0, 0, 0, 0] : [0, 1, 0, 1]
    return {
      result: isScalar ? lowest(graph, "f64x2", a, wide) : wide,
      counts: graph.shuffle(usual, usual, places(32, lanes))
    }
  }

const narrowed: Special = (graph, a, b, inexact) => {
  const [wide, narrow] = [new Lanes(graph, "f64x2", inexact), new Lanes(graph, "f32x4", inexact)]
  const result = graph.vectorOf("f32x4.demote_f64x2_zero", [b])
  const back = graph.vectorOf("f64x2.promote_low_f32x4", [result])
  const fits = narrow.both(narrow.isFinite(result), narrow.either(narrow.isLarge(result), narrow.isZero(result)))
  const notLost = wide.either(wide.isZero(b), wide.of("ne", back, wide.all(0n, 0n)))
  const exact = wide.allowsInexact(wide.of("eq", back, b))
  return {
    result: lowest(graph, "f32x4", a, result),
    counts: graph.lanes(
      "v128.and",
      firstLane(graph, "f32x4", fits),
      firstLane(graph, "f64x2", wide.both(wide.isUsual(b), notLost, exact))
    )
  }
}

const specials: Readonly<Partial<Record<VectorFunction, Special>>> = {
  "f32.comi": order("f32x4"),
  "f64.comi": order("f64x2"),
  "f32.ucomi": order("f32x4"),
  "f64.ucomi": order("f64x2"),
  "f64.from_i32": fromInteger,
  "f64x2.from_i32x2": fromIntegers,
  "i32.truncated_f64": truncated,
  "f64.from_f32": widened(true),
  "f64x2.from_f32x2": widened(false),
  "f32.from_f64": narrowed
}

/** A packed operation is its scalar one in every lane: that is done in all, and counts in the lowest. */
const ofLanes = (name: VectorFunction): Special | undefined => {
  const [shape, what] = name.split(".") as [Shape | "f32" | "f64", string]
  const operation = operations[what]
  if (operation === undefined) return undefined
  if (shape === "f32x4" || shape === "f64x2")
    return (graph, a, b, inexact) => operation(new Lanes(graph, shape, inexact), a, b)
  if (shape !== "f32" && shape !== "f64") return undefined
  const packed = shape === "f32" ? "f32x4" : "f64x2"
  return (graph, a, b, inexact) => {
    const { result, counts } = operation(new Lanes(graph, packed, inexact), a, b)
    return { result: lowest(graph, packed, a, result), counts: firstLane(graph, packed, counts) }
  }
}

/** The function of this name in native arithmetic, if there is one. */
export const nativeFloat = (name: VectorFunction): Special | undefined => specials[name] ?? ofLanes(name)

/** MXCSR says what native arithmetic does: RC is "to nearest", and PM masks the precision exception. */
export const isNativeMode = (graph: VectorGraph, mxcsr: Value): Node =>
  graph.equal(graph.and(mxcsr, graph.constant(0x7000n)), graph.constant(0x1000n))
/** Ones if MXCSR.PE is set. */
export const inexactIn = (graph: VectorGraph, mxcsr: Value): Vector =>
  graph.splat("i64x2" satisfies Lane, graph.sar(graph.shl(mxcsr, graph.constant(58n)), graph.constant(63n)))
