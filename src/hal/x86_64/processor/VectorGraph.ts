import type { Bitmask, Lane, LaneOperation, LaneShift, Simd } from "../wasm/simd.ts"
import { Graph, type Node, type Truth, type Value, type Vector } from "./Graph.ts"
import { laneWidth } from "./lanes.ts"
import type { Vectors } from "./Vectors.ts"

/** Vectors as expressions: an operation, an instruction. */
export class VectorGraph extends Graph implements Vectors<Value, Truth, Vector> {
  private readonly constants = new Map<bigint, Vector>()

  localVector(index: number): Vector {
    return this.node("local", "v128", [], index, 128) as Vector
  }
  boundVector(): Vector {
    return this.make("bound", "v128", [], 0, 128) as Vector
  }
  /** The machine's own memory. `address` is an i32. */
  loadVector(address: Node, offset: number): Vector {
    return this.node("v128.load", "v128", [address], offset, 128) as Vector
  }

  vectorConstant(value: bigint): Vector {
    const known = this.constants.get(value)
    if (known !== undefined) return known
    const made = this.make("const", "v128", [], 0, 128, value) as Vector
    this.constants.set(value, made)
    return made
  }
  lanes(name: LaneOperation, ...inputs: ReadonlyArray<Vector>): Vector {
    return this.vectorOf(name, inputs)
  }
  shiftLanes(name: LaneShift, a: Vector, count: Value): Vector {
    return this.vectorOf(name, [a, this.wrap(count)])
  }
  splat(lane: Lane, value: Value): Vector {
    return this.vectorOf(`${lane}.splat`, [this.ofLane(lane, value)])
  }
  lane(lane: Lane, a: Vector, index: number): Value {
    if (lane === "i64x2") return this.node("i64x2.extract_lane", "i64", [a], index) as Value
    const name = lane === "i32x4" ? "i32x4.extract_lane" : (`${lane}.extract_lane_u` as const)
    return this.unwrap(this.node(name, "i32", [a], index, laneWidth(lane)))
  }
  withLane(lane: Lane, a: Vector, index: number, value: Value): Vector {
    return this.node(`${lane}.replace_lane`, "v128", [a, this.ofLane(lane, value)], index, 128) as Vector
  }
  shuffle(a: Vector, b: Vector, bytes: ReadonlyArray<number>): Vector {
    return this.node("i8x16.shuffle", "v128", [a, b], shuffleNumber(bytes), 128) as Vector
  }
  bitmask(name: Bitmask, a: Vector): Value {
    return this.unwrap(this.node(name, "i32", [a], 0, 16))
  }
  isZero(a: Vector): Truth {
    return this.not(this.node("v128.any_true", "i32", [a], 0, 1) as Truth)
  }
  chooseVector(when: Truth, then: Vector, otherwise: Vector): Vector {
    if (when.operation === "const") return when.value === 0n ? otherwise : then
    return this.node("select", "v128", [then, otherwise, when], 0, 128) as Vector
  }

  /** An instruction from vectors to a vector. */
  vectorOf(name: Simd, inputs: ReadonlyArray<Node>): Vector {
    return this.node(name, "v128", inputs, 0, 128) as Vector
  }
  private ofLane(lane: Lane, value: Value): Node {
    return lane === "i64x2" ? value : this.wrap(value)
  }
  private unwrap(half: Node): Value {
    return this.node("i64.extend_i32_u", "i64", [half], 0, half.bits) as Value
  }
}

// ---- the bytes of a shuffle, as a number that a node can have

const shuffles: Array<ReadonlyArray<number>> = []
const numbers = new Map<string, number>()

const shuffleNumber = (bytes: ReadonlyArray<number>): number => {
  const key = bytes.join(" ")
  const known = numbers.get(key)
  if (known !== undefined) return known
  numbers.set(key, shuffles.push(bytes))
  return shuffles.length
}
export const shuffleBytes = (number: number): ReadonlyArray<number> => shuffles[number - 1]!
