/**
 * States: cases and outcomes as bytes, as native.c has them. For campaigns, where nearly all cases are compared and never looked at.
 */
import { effectsOf } from "../../../../src/hal/x86_64/processor/effects.ts"
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { setVectorAt, vectorAt } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { type Case, place, userMode } from "./cases.ts"
import { interestingMxcsr, interestingVector } from "./floats.ts"
import { comparedFlags, type Outcome } from "./outcome.ts"
import type { Random } from "./Random.ts"
import { imageBytes } from "./x87.ts"
import { interestingImage } from "./x87Cases.ts"

/** Offsets in a case. */
// biome-ignore format: a table
export const caseAt = { code: 0, registers: 16, rflags: 144, mxcsr: 152, vectors: 160, x87: 672, bytes: 672 + imageBytes } as const
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
  { code, registers, rflags, mxcsr, vectors, x87 }: Case
): void => {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, caseAt.bytes)
  bytes.fill(0xcc, 0, caseAt.registers)
  bytes.set(code)
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

/** Values to draw from: to make one costs more than to run it. */
export interface Pools {
  readonly words: Uint8Array
  readonly vectors: Uint8Array
  readonly images: ReadonlyArray<Uint8Array>
  readonly mxcsrs: ReadonlyArray<number>
}
const poolSize = 4096

export const poolsOf = (random: Random): Pools => {
  const words = new BigUint64Array(poolSize)
  const vectors = new DataView(new ArrayBuffer(16 * poolSize))
  for (let n = 0; n < poolSize; n++) {
    words[n] = random.interesting()
    setVectorAt(vectors, 16 * n, interestingVector(random))
  }
  return {
    words: new Uint8Array(words.buffer),
    vectors: new Uint8Array(vectors.buffer),
    images: Array.from({ length: 256 }, () => interestingImage(random)),
    mxcsrs: Array.from({ length: 256 }, () => interestingMxcsr(random))
  }
}

/** What of a case may be something else without its losing its point. */
export interface Freedom {
  /** Numbers of general registers. */
  readonly registers: ReadonlyArray<number>
  readonly vectors: ReadonlyArray<number>
  readonly hasX87: boolean
}

/** Registers that a repetition, a jump, a division or a bit string depends on are as they were made. */
const isDelicate = (form: Form, test: Case): boolean => {
  const { jump, skips } = effectsOf(form, test.instruction.operands, userMode)
  return jump !== undefined || skips || /^(?:i?div|bt[crs]?|enter|leave|xlatb|cmpxchg\w*)$/.test(form.name)
}

export const usesMmx = ({ operands }: Form): boolean => operands.some((operand) => /^p(?:32|64)?$/i.test(operand))

/** Undefined: nothing. */
export const freedomOf = (test: Case): Freedom | undefined => {
  const { form, operands } = test.instruction
  if (isDelicate(form, test)) return undefined
  const fixed = new Set<number>([4])
  for (const operand of operands)
    if (operand.kind === "mem") for (const part of [operand.base, operand.index]) fixed.add(part / 8)
  const { reads, writes } = effectsOf(form, operands, userMode)
  for (const each of [...reads, ...writes] as Array<(typeof operands)[number]>)
    if (each.kind === "mem") for (const part of [each.base, each.index]) fixed.add(part / 8)
  const numbers = Array.from({ length: 16 }, (_, n) => n)
  return {
    registers: numbers.filter((n) => !fixed.has(n)),
    vectors: numbers.filter((n) => !fixed.has((at.vectors + 16 * n) / 8)),
    hasX87: usesMmx(form)
  }
}

/** The case at `start` becomes another one. */
export const vary = (
  bytes: Uint8Array,
  view: DataView,
  start: number,
  free: Freedom,
  pools: Pools,
  random: Random
): void => {
  for (const n of free.registers) {
    if (random.bits() & 1) continue
    const to = start + caseAt.registers + 8 * n
    if (random.bits() & 1) {
      view.setUint32(to, random.bits(), true)
      view.setUint32(to + 4, random.bits(), true)
    } else {
      const from = 8 * (random.bits() % poolSize)
      bytes.set(pools.words.subarray(from, from + 8), to)
    }
  }
  for (const n of free.vectors)
    for (const half of [n, vectorCount + n]) {
      if (random.bits() & 1) continue
      const from = 16 * (random.bits() % poolSize)
      bytes.set(pools.vectors.subarray(from, from + 16), start + caseAt.vectors + 16 * half)
    }
  view.setUint32(start + caseAt.mxcsr, random.of(pools.mxcsrs), true)
  const status = random.bits() & 0x8d5
  view.setUint32(start + caseAt.rflags, (view.getUint32(start + caseAt.rflags, true) & ~0x8d5) | status, true)
  if (free.hasX87) bytes.set(random.of(pools.images), start + caseAt.x87)
}

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
  view.setBigUint64(start + outcomeAt.rflags, BigInt(rflags) & comparedFlags, true)
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
