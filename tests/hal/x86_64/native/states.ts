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

/**
 * An outcome of the real processor in the form in which outcomes are compared: INT3 stands wherever an instruction can end; elsewhere the next fetch
 * faults, which is no matter of this instruction. What lies above user programs' addresses is the operating system's.
 */
export const normalise = (view: DataView, start: number): void => {
  const [vector, rip] = [view.getUint32(start + outcomeAt.vector, true), view.getBigUint64(start + outcomeAt.rip, true)]
  const isElsewhere = rip !== BigInt(place.start)
  if (vector === BP) view.setBigUint64(start + outcomeAt.rip, rip - 1n, true)
  if (vector === BP || (isElsewhere && (vector === PF || vector === GP)))
    view.setUint32(start + outcomeAt.vector, completed, true)
  putRest(view, start)
}

/** In the place of every address that is the operating system's. */
const foreign = 0xffff_ffff_ffff_ffffn

/** Without what an exception of this kind does not have. */
export const putRest = (view: DataView, start: number): void => {
  const vector = view.getUint32(start + outcomeAt.vector, true)
  const isForeign = view.getUint32(start + outcomeAt.cr2 + 4, true) >= 0x8000
  if (vector === completed || (vector === PF && isForeign)) view.setBigUint64(start + outcomeAt.error, 0n, true)
  if (vector !== PF || isForeign) view.setBigUint64(start + outcomeAt.cr2, vector === PF ? foreign : 0n, true)
  const rflags = view.getUint32(start + outcomeAt.rflags, true)
  view.setUint32(start + outcomeAt.rflags, rflags & comparedFlags, true)
}

/** Without what of the FPU's state is nobody's: pointers, and registers that are empty. */
export const putFpuRest = (view: DataView, start: number): void => {
  const image = start + outcomeAt.x87
  view.setUint16(image + 6, 0, true)
  for (let offset = 8; offset < 32; offset += 8) view.setBigUint64(image + offset, 0n, true)
  const [top, valid] = [(view.getUint16(image + 2, true) >> 11) & 7, view.getUint8(image + 4)]
  for (let i = 0; i < 8; i++) {
    if ((valid >> ((top + i) & 7)) & 1) continue
    view.setBigUint64(image + 32 + 16 * i, 0n, true)
    view.setBigUint64(image + 40 + 16 * i, 0n, true)
  }
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
