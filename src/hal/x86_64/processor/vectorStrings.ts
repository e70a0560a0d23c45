/** Comparison of strings: SDM vol. 2B, "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM". */
import { type ByteFunction, putWords } from "./ByteFunction.ts"
import { vectorBytes } from "./State.ts"

/** Elements of a string, and how many of them are valid. */
interface Text {
  readonly elements: Int32Array
  length: number
}
const emptyText = (): Text => ({ elements: new Int32Array(16), length: 0 })

/** What is compared now. */
const [one, other] = [emptyText(), emptyText()]
let [constant, count] = [0, 16]

/** The third input: the constant in byte 0; in bytes 1 and 2 the lengths, if byte 3 says that they are given, else each string ends before its first 0. */
const take = (view: DataView, inputs: number): void => {
  const control = inputs + 2 * vectorBytes
  constant = view.getUint8(control)
  count = constant & 1 ? 8 : 16
  const isGiven = view.getUint8(control + 3) === 1
  takeText(one, view, inputs, isGiven ? view.getUint8(control + 1) : -1)
  takeText(other, view, inputs + vectorBytes, isGiven ? view.getUint8(control + 2) : -1)
}

/** `given`: the length, or -1. */
const takeText = (text: Text, view: DataView, from: number, given: number): void => {
  let end = count
  for (let n = count - 1; n >= 0; n--) {
    const element = elementAt(view, from, n)
    text.elements[n] = element
    if (element === 0) end = n
  }
  text.length = given < 0 ? end : Math.min(given, count)
}

const elementAt = (view: DataView, from: number, n: number): number => {
  const isSigned = (constant & 2) !== 0
  if (constant & 1) return isSigned ? view.getInt16(from + 2 * n, true) : view.getUint16(from + 2 * n, true)
  return isSigned ? view.getInt8(from + n) : view.getUint8(from + n)
}

type Aggregation = (place: number) => boolean

const isIn: Aggregation = (place) => {
  if (place >= other.length) return false
  const value = other.elements[place]
  for (let n = 0; n < one.length; n++) if (one.elements[n] === value) return true
  return false
}

const isInRange: Aggregation = (place) => {
  if (place >= other.length) return false
  const value = other.elements[place]!
  for (let from = 0; from + 1 < one.length; from += 2)
    if (one.elements[from]! <= value && value <= one.elements[from + 1]!) return true
  return false
}

const isEqual: Aggregation = (place) => {
  const isOne = place < one.length
  const isOther = place < other.length
  return isOne && isOther ? one.elements[place] === other.elements[place] : isOne === isOther
}

const begins: Aggregation = (place) => {
  for (let n = 0; n < one.length && place + n < count; n++)
    if (place + n >= other.length || one.elements[n] !== other.elements[place + n]) return false
  return true
}

const aggregations = [isIn, isInRange, isEqual, begins] as const

/** "IntRes2": a bit for each place. */
const result = (): number => {
  const holds = aggregations[(constant >> 2) & 3]!
  let bits = 0
  for (let place = 0; place < count; place++) if (holds(place)) bits |= 1 << place
  if ((constant & 0x10) === 0) return bits
  return bits ^ ((1 << (constant & 0x20 ? other.length : count)) - 1)
}

const [CF, ZF, SF, OF] = [1, 1 << 6, 1 << 7, 1 << 11] as const

/** The index in the low 32 bits, the status flags above it. */
const index: ByteFunction = (view, inputs, into) => {
  take(view, inputs)
  const found = result()
  const lowest = 31 - Math.clz32(found & -found)
  const highest = 31 - Math.clz32(found)
  const place = found === 0 ? count : constant & 0x40 ? highest : lowest
  const flags =
    (found === 0 ? 0 : CF) | (other.length < count ? ZF : 0) | (one.length < count ? SF : 0) | (found & 1 ? OF : 0)
  putWords(view, into, place, flags, 0, 0)
}

/** A bit for each place, or an element of ones. */
const mask: ByteFunction = (view, inputs, into) => {
  take(view, inputs)
  const found = result()
  const each = constant & 1
  if (constant & 0x40) for (let n = 0; n < 16; n++) view.setInt8(into + n, -((found >> (n >> each)) & 1))
  else putWords(view, into, found, 0, 0, 0)
}

export const stringFunctions = {
  "strings.index": index,
  "strings.mask": mask
} as const satisfies Record<string, ByteFunction>
