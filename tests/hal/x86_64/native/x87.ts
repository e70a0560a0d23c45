/** The x87 FPU's state before and after a case, and what of it is compared. */
import { x87 } from "../../../../src/hal/x86_64/processor/x87.ts"
import type { Case } from "./cases.ts"

/** Of the FXSAVE image: control, status, tags, pointers, and the registers from byte 32 on. */
export const imageBytes = 160

export const viewOf = (image: Uint8Array): DataView => new DataView(image.buffer, image.byteOffset, image.byteLength)

/** As FNINIT leaves it. */
export const initialX87: Uint8Array = Uint8Array.from({ length: imageBytes }, (_, i) =>
  i === 0 ? 0x7f : i === 1 ? 3 : 0
)

// ---- in a state block

const [control, registers] = [x87.control >> 2, x87.registers >> 2]
const wordsOfRegister = x87.registerBytes >> 2

/** From an image, in words, to the state block. */
export const putX87State = (state: Int32Array, image: Int32Array, from: number): void => {
  // Control, status, tags and pointers lie there as they lie here.
  for (let i = 0; i < 6; i++) state[control + i] = image[from + i]!
  const top = (image[from]! >>> 27) & 7
  for (let i = 0; i < 8; i++) {
    const [to, first] = [registers + wordsOfRegister * ((top + i) & 7), from + 8 + 4 * i]
    state[to] = image[first]!
    state[to + 1] = image[first + 1]!
    state[to + 2] = image[first + 2]! & 0xffff
  }
}

/** The other way, without the pointers of the last instruction. */
export const takeX87State = (state: Int32Array, image: Int32Array, into: number): void => {
  image.fill(0, into, into + imageBytes / 4)
  image[into] = state[control]!
  image[into + 1] = state[control + 1]! & 0xff
  const top = (state[control]! >>> 27) & 7
  for (let i = 0; i < 8; i++) {
    const [from, to] = [registers + wordsOfRegister * ((top + i) & 7), into + 8 + 4 * i]
    image[to] = state[from]!
    image[to + 1] = state[from + 1]!
    image[to + 2] = state[from + 2]! & 0xffff
  }
}

// ---- what is compared

const C1 = 0x0200
const comparisonCodes = 0x4500
/** PE, ES, B. */
const inexact = 0x80a0

/**
 * Of two images, what the manual defines. Pointers and the opcode are kept by some processors only after an exception that is not masked, and an empty
 * register's value is nobody's. Where an exception before the operation is not masked, FCOM and its like leave the codes alone, and FLD pushes nothing
 * (the manual says), or not. FCOMI clears C1 (the manual says), or does not.
 */
export const x87Parts = (test: Case, image: Uint8Array): Readonly<Record<string, number | bigint>> => {
  const view = viewOf(image)
  const status = view.getUint16(2, true)
  const { name } = test.instruction.form
  const isStopped = stops(image)
  if (isStopped && name === "fld") return { fcw: view.getUint16(0, true), flags: status & 0xff }
  const ignored = /^fu?comi/.test(name) ? C1 : isStopped && /^f(?:u|i)?com|^ftst/.test(name) ? comparisonCodes : 0
  const parts: Record<string, number | bigint> = {
    fcw: view.getUint16(0, true),
    fsw: status & ~(ignored | roundingOf(name)),
    ftw: view.getUint8(4)
  }
  for (let i = 0; i < 8; i++)
    if ((view.getUint8(4) >> (((status >> 11) + i) & 7)) & 1) parts[`st${i}`] = registerAt(view, i)
  return parts
}

/** An invalid or denormal operand is signalled, and not masked. */
export const stops = (image: Uint8Array): boolean => {
  const view = viewOf(image)
  return (view.getUint16(2, true) & 3 & ~view.getUint16(0, true)) !== 0
}

const registerAt = (view: DataView, i: number): bigint =>
  (BigInt(view.getUint16(40 + 16 * i, true)) << 64n) | view.getBigUint64(32 + 16 * i, true)

/** Instructions whose results the manual gives an error bound: 1 ulp. */
const isApproximate = (name: string): boolean => /^f(?:2xm1|yl2x|yl2xp1|ptan|patan|sin|cos|sincos)$/.test(name)
/** Whether such a result was rounded up differs with its last bit, and whether it was rounded at all. */
const roundingOf = (name: string): number => (isApproximate(name) ? C1 | inexact : 0)

/** Two values of a part are as good as each other. */
export const isSamePart = (test: Case, name: string, one: unknown, other: unknown): boolean =>
  one === other ||
  (isApproximate(test.instruction.form.name) &&
    name.startsWith("st") &&
    typeof one === "bigint" &&
    typeof other === "bigint" &&
    areNeighbours(one, other))

/** One ulp apart at most. */
export const areNeighbours = (one: bigint, other: bigint): boolean => (ordinal(one) - ordinal(other)) ** 2n <= 1n

/** Numbers of one sign, counted: neighbours differ by 1. */
const ordinal = (register: bigint): bigint => ((register >> 64n) << 63n) + (register & 0x7fff_ffff_ffff_ffffn)

/** F2XM1 of more than 1, FYL2XP1 of more than its range: the result is undefined. */
export const isDefinedFor = (name: string, image: DataView): boolean => {
  if (name !== "f2xm1" && name !== "fyl2xp1") return true
  const exponent = image.getUint16(40, true) & 0x7fff
  return exponent < (name === "f2xm1" ? 0x3fff : 0x3ffd) || exponent === 0x7fff
}
