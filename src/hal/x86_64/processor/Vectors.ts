import type { Bitmask, Lane, LaneOperation, LaneShift } from "../wasm/simd.ts"

/**
 * Values of 128 bits: `X`, beside `V` and `B` (Meaning.ts).
 *
 * Operations on lanes have the names and meanings of WebAssembly's vector instructions, so that a reading as WebAssembly says each in one.
 * Lane 0, and byte 0, are the lowest.
 */
export interface Vectors<V, B, X> {
  vectorConstant(value: bigint): X
  lanes(name: LaneOperation, ...inputs: readonly X[]): X
  /** Every lane is shifted by the same count, which is less than the lanes' width. */
  shiftLanes(name: LaneShift, a: X, count: V): X
  /** All lanes are the low bits of `value`. */
  splat(lane: Lane, value: V): X
  /** One lane, zero-extended; and the vector with other bits in that lane. */
  lane(lane: Lane, a: X, index: number): V
  withLane(lane: Lane, a: X, index: number, value: V): X
  /** 16 bytes chosen from the 32 of two vectors, `b`'s from 16 on. */
  shuffle(a: X, b: X, bytes: readonly number[]): X
  /** The highest bit of each lane. */
  bitmask(name: Bitmask, a: X): V
  isZero(a: X): B
  chooseVector(when: B, then: X, otherwise: X): X
}
