/**
 * States: cases and outcomes as bytes, as native.c has them. For campaigns, where nearly all cases are compared and never looked at.
 */
import { setVectorAt, vectorAt } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { type Case, goesElsewhere, place } from "./cases.ts"
import { comparedFlags, type Outcome } from "./outcome.ts"
import { imageBytes } from "./x87.ts"

/** Offsets in a case. `length` is the instruction's, if it goes on to the next or raises an exception; else 0. */
// biome-ignore format: a table
export const caseAt = {
  code: 0, length: 16, registers: 24, rflags: 152, mxcsr: 160, vectors: 168, x87: 680, bytes: 680 + imageBytes
} as const
/** Offsets in an outcome; how many runs of changed bytes follow is its last word. */
// biome-ignore format: a table
export const outcomeAt = {
  registers: 0, rflags: 128, rip: 136, vector: 144, error: 152, cr2: 160, mxcsr: 168, vectors: 176, x87: 688,
  runs: 688 + imageBytes, bytes: 696 + imageBytes
} as const
const vectorCount = 16

/** Cases or outcomes, one behind the other: the same bytes in three ways. */
export interface States {
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly view: DataView
}
export const statesOf = (bytes: number): States => {
  const buffer = new ArrayBuffer(bytes)
  return { bytes: new Uint8Array(buffer), words: new Int32Array(buffer), view: new DataView(buffer) }
}

/** So many words, from one place to another. */
export const copyWords = (from: Int32Array, first: number, to: Int32Array, at: number, words: number): void => {
  for (let i = 0; i < words; i++) to[at + i] = from[first + i]!
}
/** A number of 32 bits in 64. */
export const putWord = (words: Int32Array, at: number, value: number): void => {
  words[at] = value
  words[at + 1] = 0
}
export const areWordsSame = (one: Int32Array, first: number, other: Int32Array, at: number, words: number): boolean => {
  for (let i = 0; i < words; i++) if (one[first + i] !== other[at + i]) return false
  return true
}

// ---- cases

export const putCase = (
  view: DataView,
  start: number,
  { instruction, code, registers, rflags, mxcsr, vectors, x87 }: Case
): void => {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, caseAt.bytes)
  bytes.fill(0xcc, 0, caseAt.length)
  bytes.set(code)
  view.setBigUint64(start + caseAt.length, goesElsewhere(instruction) ? 0n : BigInt(code.length), true)
  registers.forEach((value, i) => {
    view.setBigUint64(start + caseAt.registers + 8 * i, value, true)
  })
  view.setBigUint64(start + caseAt.rflags, rflags, true)
  view.setBigUint64(start + caseAt.mxcsr, BigInt(mxcsr), true)
  vectors.forEach((value, i) => {
    setVectorAt(view, start + caseAt.vectors + 16 * i, BigInt.asUintN(128, value))
    setVectorAt(view, start + caseAt.vectors + 16 * (vectorCount + i), value >> 128n)
  })
  bytes.set(x87, caseAt.x87)
}

const vectorsAt = (view: DataView, start: number): ReadonlyArray<bigint> =>
  Array.from(
    { length: vectorCount },
    (_, i) => (vectorAt(view, start + 16 * (vectorCount + i)) << 128n) | vectorAt(view, start + 16 * i)
  )

/** The case at this place, which was made from `like`. */
export const caseIn = (view: DataView, start: number, like: Case): Case => ({
  ...like,
  registers: Array.from({ length: 16 }, (_, i) => view.getBigUint64(start + caseAt.registers + 8 * i, true)),
  rflags: view.getBigUint64(start + caseAt.rflags, true),
  mxcsr: view.getUint32(start + caseAt.mxcsr, true),
  vectors: vectorsAt(view, start + caseAt.vectors),
  x87: new Uint8Array(view.buffer, view.byteOffset + start + caseAt.x87, imageBytes)
})

// ---- outcomes

const [BP, GP, PF] = [3, 13, 14]
/** The vector of an instruction that was completed. */
export const completed = 0xffff_ffff
const isCompleted = completed | 0

// What follows sees every outcome, so it sees words: offsets in them are `at`.

const at = {
  rflags: outcomeAt.rflags >> 2,
  rip: outcomeAt.rip >> 2,
  vector: outcomeAt.vector >> 2,
  error: outcomeAt.error >> 2,
  cr2: outcomeAt.cr2 >> 2,
  x87: outcomeAt.x87 >> 2
} as const

/**
 * An outcome of the real processor in the form in which outcomes are compared: INT3 stands wherever an instruction can end; elsewhere the next fetch
 * faults, which is no matter of this instruction. What lies above user programs' addresses is the operating system's.
 */
export const normalise = (words: Int32Array, start: number): void => {
  const from = start >> 2
  const [vector, low, high] = [words[from + at.vector]!, words[from + at.rip]!, words[from + at.rip + 1]!]
  const isElsewhere = low !== place.start || high !== 0
  if (vector === BP) {
    words[from + at.rip] = low - 1
    if (low === 0) words[from + at.rip + 1] = high - 1
  }
  if (vector === BP || (isElsewhere && (vector === PF || vector === GP))) words[from + at.vector] = isCompleted
  putRest(words, start)
}

/** Without what an exception of this kind does not have. In the place of every address that is the operating system's are ones. */
export const putRest = (words: Int32Array, start: number): void => {
  const from = start >> 2
  const vector = words[from + at.vector]
  const isForeign = words[from + at.cr2 + 1]! >>> 0 >= 0x8000
  if (vector === isCompleted || (vector === PF && isForeign)) {
    words[from + at.error] = 0
    words[from + at.error + 1] = 0
  }
  if (vector !== PF || isForeign) {
    words[from + at.cr2] = vector === PF ? -1 : 0
    words[from + at.cr2 + 1] = vector === PF ? -1 : 0
  }
  words[from + at.rflags]! &= comparedFlags
}

/** Without what of the FPU's state is nobody's: pointers, and registers that are empty. */
export const putFpuRest = (words: Int32Array, start: number): void => {
  const image = (start >> 2) + at.x87
  const valid = words[image + 1]! & 0xff
  words[image + 1]! &= 0xffff
  words.fill(0, image + 2, image + 8)
  const top = (words[image]! >>> 27) & 7
  for (let i = 0; i < 8; i++)
    if (!((valid >> ((top + i) & 7)) & 1)) words.fill(0, image + 8 + 4 * i, image + 12 + 4 * i)
}

/** The outcome at this place, to be looked at. */
export const outcomeIn = (view: DataView, start: number, changes: ReadonlyMap<number, number>): Outcome => {
  const word = (offset: number) => view.getBigUint64(start + offset, true)
  const vector = view.getUint32(start + outcomeAt.vector, true)
  return {
    registers: Array.from({ length: 16 }, (_, i) => word(8 * i)),
    vectors: vectorsAt(view, start + outcomeAt.vectors),
    mxcsr: view.getUint32(start + outcomeAt.mxcsr, true),
    x87: new Uint8Array(view.buffer, view.byteOffset + start + outcomeAt.x87, imageBytes),
    rflags: word(outcomeAt.rflags),
    rip: word(outcomeAt.rip),
    exception:
      vector === completed
        ? undefined
        : { vector, errorCode: Number(word(outcomeAt.error)), address: word(outcomeAt.cr2) },
    changes
  }
}
