/**
 * Native floating point: the functions of vectorFloat.ts in WebAssembly's own arithmetic, where that gives the same to the bit.
 *
 * This changes how fast, never what. WebAssembly rounds to nearest and has no flags. So an answer counts only if MXCSR rounds to nearest and masks
 * the precision exception, if no operand is denormal or not a number, if the result is neither tiny nor beyond the largest number, and if it is
 * exact, or MXCSR.PE is set already: then the definition finds no flag that is not there. In every other case the definition is called.
 */
import type { Lane, Simd } from "../wasm/simd.ts"
import type { Truth, Value, Vector } from "./Graph.ts"
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

// ---- fused multiplication and addition

/** a times b plus c, of which the signs may be turned: those of a and c. */
type Fused = (x: Lanes, a: Vector, b: Vector, c: Vector) => Answer

/** A sum and its error, which together are exact: Møller, Knuth. */
const twoSum = (x: Lanes, a: Vector, b: Vector): readonly [sum: Vector, error: Vector] => {
  const result = x.of("add", a, b)
  const term = x.of("sub", result, a)
  return [result, x.of("add", x.of("sub", a, x.of("sub", result, term)), x.of("sub", b, term))]
}

/** A number as the sum of two of 26 bits: Veltkamp. */
const split = (x: Lanes, a: Vector): readonly [high: Vector, low: Vector] => {
  const scaled = x.of("mul", a, x.all(0n, 0x41a0_0000_0200_0000n)) // 2^27 + 1
  const high = x.of("sub", scaled, x.of("sub", scaled, a))
  return [high, x.of("sub", a, high)]
}

/** A product and its error, which together are exact where nothing is lost below: Dekker. */
const twoProduct = (x: Lanes, a: Vector, b: Vector): readonly [product: Vector, error: Vector] => {
  const result = x.of("mul", a, b)
  const [[ah, al], [bh, bl]] = [split(x, a), split(x, b)]
  const high = x.of("sub", x.of("mul", ah, bh), result)
  const middle = x.of("add", x.of("add", high, x.of("mul", ah, bl)), x.of("mul", al, bh))
  return [result, x.of("add", middle, x.of("mul", al, bl))]
}

/** 0, or between 2 to -450 and 2 to 450: no product of two such, and no part of it, is beyond what there is. */
const isModerate = (x: Lanes, a: Vector): Vector => {
  const magnitude = x.of("abs", a)
  const least = x.all(0n, (1023n - 450n) << 52n)
  const most = x.all(0n, (1023n + 450n) << 52n)
  return x.either(x.both(x.of("ge", magnitude, least), x.of("le", magnitude, most)), x.isZero(a))
}

/**
 * Of doubles: the exact result is the sum of three numbers. If the third is 0, or the sum of the first two is rounded to the same number with the most
 * and the least that it can be, that is the result.
 */
const fusedDouble: Fused = (x, a, b, c) => {
  const [product, lost] = twoProduct(x, a, b)
  const [sum, rest] = twoSum(x, product, c)
  const [small, error] = twoSum(x, rest, lost)
  const bound = x.of("mul", x.of("abs", small), x.all(0n, (1023n - 52n) << 52n))
  const [least, most] = [x.of("add", sum, x.of("sub", small, bound)), x.of("add", sum, x.of("add", small, bound))]
  const [result, inexact] = twoSum(x, sum, small)
  return {
    // What is added to a sum that is -0 would make it 0.
    result: x.graph.lanes("v128.bitselect", sum, result, x.isZero(small)),
    counts: x.both(
      isModerate(x, a),
      isModerate(x, b),
      isModerate(x, c),
      x.either(x.of("eq", least, most), x.isZero(error)),
      x.allowsInexact(x.both(x.isZero(inexact), x.isZero(error)))
    )
  }
}

// ---- what is not one operation on lanes of one shape

type Special = (graph: VectorGraph, a: Vector, b: Vector, inexact: Vector, c: Vector) => Answer

/** The signs of the product and of what is added, in even lanes and in odd ones. */
// biome-ignore format: an operation, a line
const fusions: Readonly<Record<string, readonly [product: bigint, even: bigint, odd: bigint]>> = {
  fmadd:    [0n, 0n, 0n],
  fmsub:    [0n, 1n, 1n],
  fnmadd:   [1n, 0n, 0n],
  fnmsub:   [1n, 1n, 1n],
  fmaddsub: [0n, 1n, 0n],
  fmsubadd: [0n, 0n, 1n]
}

const fusedOf = (shape: string, what: string): Special | undefined => {
  const signs = fusions[what]
  if (signs === undefined || (shape !== "f64x2" && shape !== "f64")) return undefined
  const [product, even, odd] = signs
  return (graph, a, b, inexact, c) => {
    const turned = (of: Vector, low: bigint, high: bigint) =>
      graph.lanes("v128.xor", of, graph.vectorConstant((low << 63n) | (high << 127n)))
    const x = new Lanes(graph, "f64x2", inexact)
    const { result, counts } = fusedDouble(x, turned(a, product, product), b, turned(c, even, odd))
    if (shape === "f64x2") return { result, counts }
    return {
      result: graph.shuffle(result, graph.vectorConstant(0n), places(64, [0, 2])),
      counts: firstLane(graph, "f64x2", counts)
    }
  }
}

/** Of single numbers, as doubles: the product is exact. Two lanes at a time. */
const fusedSingles = (x: Lanes, a: Vector, b: Vector, c: Vector): Answer => {
  const { graph } = x
  const [wideA, wideB, wideC] = [a, b, c].map((each) => graph.vectorOf("f64x2.promote_low_f32x4", [each])) as [
    Vector,
    Vector,
    Vector
  ]
  const [sum, rest] = twoSum(x, x.of("mul", wideA, wideB), wideC)
  const bound = x.of("mul", x.of("abs", sum), x.all(0n, (1023n - 52n) << 52n))
  const narrow = (wide: Vector) => graph.vectorOf("f32x4.demote_f64x2_zero", [wide])
  const [least, most] = [narrow(x.of("sub", sum, bound)), narrow(x.of("add", sum, bound))]
  const result = narrow(sum)
  const back = graph.vectorOf("f64x2.promote_low_f32x4", [result])
  const isSafe = graph.vectorOf("f64x2.promote_low_f32x4", [least])
  const isExact = x.both(x.isZero(rest), x.of("eq", back, sum))
  return {
    result,
    counts: x.both(
      x.either(x.of("eq", isSafe, graph.vectorOf("f64x2.promote_low_f32x4", [most])), x.isZero(rest)),
      x.isFinite(back),
      x.either(x.of("gt", x.of("abs", back), x.all(0n, (1023n - 126n) << 52n)), x.isZero(sum)),
      x.allowsInexact(isExact)
    )
  }
}

const fusedSingleOf = (shape: string, what: string): Special | undefined => {
  const signs = fusions[what]
  if (signs === undefined || (shape !== "f32x4" && shape !== "f32")) return undefined
  const [product, even, odd] = signs
  const pattern = (low: bigint, high: bigint) => ((low << 31n) | (high << 63n)) * ((1n << 64n) + 1n)
  return (graph, a, b, inexact, c) => {
    const turned = (of: Vector, low: bigint, high: bigint) =>
      graph.lanes("v128.xor", of, graph.vectorConstant(pattern(low, high)))
    const [x, singles] = [new Lanes(graph, "f64x2", inexact), new Lanes(graph, "f32x4", inexact)]
    const [factor, addend] = [turned(a, product, product), turned(c, even, odd)]
    const upper = (of: Vector) => graph.shuffle(of, of, places(64, [1, 1]))
    const isUsual = singles.both(singles.isUsual(a), singles.isUsual(b), singles.isUsual(c))
    const lower = fusedSingles(x, factor, b, addend)
    if (shape === "f32")
      return {
        result: graph.lanes("v128.and", lower.result, graph.vectorConstant(0xffff_ffffn)),
        counts: graph.lanes("v128.and", firstLane(graph, "f32x4", isUsual), firstLane(graph, "f64x2", lower.counts))
      }
    const above = fusedSingles(x, upper(factor), upper(b), upper(addend))
    return {
      result: graph.shuffle(lower.result, above.result, places(64, [0, 2])),
      counts: x.both(isUsual, lower.counts, above.counts)
    }
  }
}

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
/** Of 64 bits, if 32 of them say it: most are counts. */
const fromLongInteger: Special = (graph, a, b, inexact, c) => ({
  ...fromInteger(graph, a, b, inexact, c),
  counts: firstLane(graph, "f64x2", graph.lanes("i64x2.eq", graph.lanes("i64x2.extend_low_i32x4_s", b), b))
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
  "f64.from_i64": fromLongInteger,
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
export const nativeFloat = (name: VectorFunction): Special | undefined => {
  const [shape, what] = name.split(".") as [string, string | undefined]
  return specials[name] ?? ofLanes(name) ?? fusedOf(shape, what ?? "") ?? fusedSingleOf(shape, what ?? "")
}

/** How many inputs it has. */
export const nativeInputs = (name: VectorFunction): 2 | 3 => ((name.split(".")[1] ?? "") in fusions ? 3 : 2)

/** MXCSR says what native arithmetic does: RC is "to nearest", and PM masks the precision exception. */
export const isNativeMode = (graph: VectorGraph, mxcsr: Value): Truth =>
  graph.equal(graph.and(mxcsr, graph.constant(0x7000n)), graph.constant(0x1000n))
/** Ones if MXCSR.PE is set. */
export const inexactIn = (graph: VectorGraph, mxcsr: Value): Vector =>
  graph.splat("i64x2" satisfies Lane, graph.sar(graph.shl(mxcsr, graph.constant(58n)), graph.constant(63n)))
