/** Functions of vectors of integers. */
import { lanesIn, vectorOf } from "./lanes.ts"
import type { FloatFunction } from "./vectorFloat.ts"

/** PHMINPOSUW: the least of eight, and the first place where it is. */
const least: FloatFunction = (_environment, _, b) => {
  const lanes = lanesIn(b, 16).map(Number)
  const smallest = Math.min(...lanes)
  return BigInt(smallest | (lanes.indexOf(smallest) << 16))
}

/** MPSADBW: four bytes of `b`, against those that begin at each of eight places of `a`: bits 1:0 of the constant say which four, bit 2 where the places begin. */
const sumsOfDifferences: FloatFunction = (_environment, a, b, constant) => {
  const [bytes, others] = [lanesIn(a, 8).map(Number), lanesIn(b, 8).map(Number)]
  const [from, of] = [Number((constant >> 2n) & 1n) * 4, Number(constant & 3n) * 4]
  const difference = (place: number) =>
    [0, 1, 2, 3].reduce((sum, n) => sum + Math.abs(bytes[from + place + n]! - others[of + n]!), 0)
  return vectorOf(
    Array.from({ length: 8 }, (_, place) => BigInt(difference(place))),
    16
  )
}

export const integerFunctions = {
  least,
  sumsOfDifferences
} as const satisfies Record<string, FloatFunction>
