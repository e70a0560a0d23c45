/** Comparison of strings: SDM vol. 2B, "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM". */
import { lanesIn, vectorOf } from "./lanes.ts"
import type { FloatFunction } from "./vectorFloat.ts"

/** What the constant says, and the two strings: elements, and how many of them are valid. */
interface Comparison {
  readonly constant: number
  readonly count: number
  readonly width: 8 | 16
  readonly one: Text
  readonly other: Text
}
interface Text {
  readonly elements: ReadonlyArray<bigint>
  readonly length: number
}

/** The third input: the constant in byte 0; in bytes 1 and 2 the lengths, if byte 3 says that they are given, else each string ends before its first 0. */
const comparisonOf = (a: bigint, b: bigint, control: bigint): Comparison => {
  const [constant, ...lengths] = lanesIn(control, 8).map(Number)
  const width = constant! & 1 ? 16 : 8
  const count = 128 / width
  const text = (vector: bigint, given: number): Text => {
    const lanes = lanesIn(vector, width)
    const end = lanes.indexOf(0n)
    const isSigned = (constant! & 2) !== 0
    return {
      elements: isSigned ? lanes.map((lane) => BigInt.asIntN(width, lane)) : lanes,
      length: lengths[2] === 1 ? Math.min(given, count) : end < 0 ? count : end
    }
  }
  return { constant: constant!, count, width, one: text(a, lengths[0]!), other: text(b, lengths[1]!) }
}

type Aggregation = (of: Comparison, place: number) => boolean

const isIn: Aggregation = ({ one, other }, place) =>
  place < other.length && one.elements.slice(0, one.length).includes(other.elements[place]!)

const isInRange: Aggregation = ({ one, other }, place) => {
  const value = other.elements[place]!
  for (let from = 0; from + 1 < one.length; from += 2)
    if (place < other.length && one.elements[from]! <= value && value <= one.elements[from + 1]!) return true
  return false
}

const isEqual: Aggregation = ({ one, other }, place) => {
  const [isOne, isOther] = [place < one.length, place < other.length]
  return isOne && isOther ? one.elements[place] === other.elements[place] : isOne === isOther
}

const begins: Aggregation = ({ one, other, count }, place) => {
  for (let n = 0; n < one.length && place + n < count; n++)
    if (place + n >= other.length || one.elements[n] !== other.elements[place + n]) return false
  return true
}

const aggregations = [isIn, isInRange, isEqual, begins] as const

/** "IntRes2": a bit for each place. */
const resultOf = (of: Comparison): number => {
  const { constant, count, other } = of
  const holds = aggregations[(constant >> 2) & 3]!
  const places = Array.from({ length: count }, (_, place) => place)
  const negated = (place: number) => (constant & 0x10) !== 0 && ((constant & 0x20) === 0 || place < other.length)
  return places.reduce((bits, place) => (holds(of, place) !== negated(place) ? bits | (1 << place) : bits), 0)
}

const [CF, ZF, SF, OF] = [1, 1 << 6, 1 << 7, 1 << 11] as const

/** The index in the low 32 bits, the status flags above it. */
const index: FloatFunction = (_environment, a, b, control) => {
  const of = comparisonOf(a, b, control)
  const result = resultOf(of)
  const lowest = 31 - Math.clz32(result & -result)
  const highest = 31 - Math.clz32(result)
  const place = result === 0 ? of.count : of.constant & 0x40 ? highest : lowest
  const flags =
    (result === 0 ? 0 : CF) |
    (of.other.length < of.count ? ZF : 0) |
    (of.one.length < of.count ? SF : 0) |
    (result & 1 ? OF : 0)
  return BigInt(place) | (BigInt(flags) << 32n)
}

const mask: FloatFunction = (_environment, a, b, control) => {
  const of = comparisonOf(a, b, control)
  const result = resultOf(of)
  if (!(of.constant & 0x40)) return BigInt(result)
  return vectorOf(
    Array.from({ length: of.count }, (_, place) => ((result >> place) & 1 ? -1n : 0n)),
    of.width
  )
}

export const stringFunctions = {
  "strings.index": index,
  "strings.mask": mask
} as const satisfies Record<string, FloatFunction>
