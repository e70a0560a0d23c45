/** From one case to many: the same instruction with other registers, flags and vectors, made of what lies ready. */

import type { Decoded } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import type { Operand } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { at, vectorBytes } from "../../../../src/hal/x86_64/processor/State.ts"
import { setVectorAt } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { type Case, codePointer, effectsIn, place } from "./cases.ts"
import { interestingMxcsr, interestingVector } from "./floats.ts"
import { type Kind, usesX87 } from "./kinds.ts"
import type { Random } from "./Random.ts"
import { caseAt, copyWords, type States } from "./states.ts"
import { isDefinedFor, viewOf } from "./x87.ts"
import { interestingExtended, interestingImage } from "./x87Cases.ts"

/** Values to draw from: to make one costs more than to run it. Vectors and numbers of the FPU have 16 bytes each. */
export interface Pools {
  readonly words: Int32Array
  readonly vectors: Int32Array
  readonly numbers: Int32Array
  readonly images: ReadonlyArray<Uint8Array>
  readonly mxcsrs: ReadonlyArray<number>
}
const poolSize = 4096

export const poolsOf = (random: Random): Pools => {
  const words = new BigUint64Array(poolSize)
  const [vectors, numbers] = [
    new DataView(new ArrayBuffer(16 * poolSize)),
    new DataView(new ArrayBuffer(16 * poolSize))
  ]
  for (let n = 0; n < poolSize; n++) {
    words[n] = random.interesting()
    setVectorAt(vectors, 16 * n, interestingVector(random))
    setVectorAt(numbers, 16 * n, interestingExtended(random))
  }
  return {
    words: new Int32Array(words.buffer),
    vectors: new Int32Array(vectors.buffer),
    numbers: new Int32Array(numbers.buffer),
    images: Array.from({ length: 1024 }, () => interestingImage(random)),
    mxcsrs: Array.from({ length: 256 }, () => interestingMxcsr(random))
  }
}

/** What the data pages hold at first: words of all kinds, among them places in the code. */
export const dataFrom = (pools: Pools, random: Random): Uint8Array => {
  const words = new Int32Array(place.readable / 4)
  for (let i = 0; i < words.length; i += 2) {
    const n = random.bits()
    if (n % 4 === 0) words[i] = Number(codePointer(random))
    else copyWords(n & 4 ? pools.vectors : pools.words, 2 * ((n >>> 3) % poolSize), words, i, 2)
  }
  return new Uint8Array(words.buffer)
}

/** What of a case may be something else without its losing its point. */
export interface Freedom {
  /** Numbers of general registers that may have any value. */
  readonly registers: ReadonlyArray<number>
  readonly vectors: ReadonlyArray<number>
  readonly hasX87: boolean
  /** All general registers, where they depend on each other; undefined: as they were. */
  readonly others: (random: Random) => ReadonlyArray<bigint> | undefined
}

/** Instructions that touch all vector registers. */
const isOfAllVectors = /^(?:f?x(?:save|rstor)|vzero)/
/** Registers of a division or a bit string depend on each other; and those of a repetition, of what jumps, and of operations. */
const isDelicate = (kind: Kind, { instruction }: Case): boolean => {
  const { jump, skips } = effectsIn(instruction)
  const isNamed = /^(?:i?div|bt[crs]?|leave|xlatb|cmpxchg\w*|f?x(?:save|rstor).*)$/.test(instruction.form.name)
  return kind.isDelicate || isNamed || skips || jump !== undefined
}

export const freedomOf = (kind: Kind, test: Case): Freedom => {
  const { instruction } = test
  const { form, operands } = instruction
  const { reads, writes } = effectsIn(instruction)
  const fixed = new Set<number>([4])
  const vectors = new Set<number>()
  const all: ReadonlyArray<Operand> = [...operands, ...reads, ...writes]
  const numbers = Array.from({ length: 16 }, (_, n) => n)
  for (const operand of all as ReadonlyArray<Decoded>) {
    if (operand.kind === "mem") for (const part of [operand.base, operand.index]) fixed.add(part / 8)
    if (operand.kind === "reg" && operand.offset >= at.vectors) vectors.add((operand.offset - at.vectors) / vectorBytes)
  }
  const index = (n: number) => fixed.has((at.vectors + vectorBytes * n) / 8)
  const delicate = isDelicate(kind, test)
  return {
    registers: delicate ? [] : numbers.filter((n) => !fixed.has(n)),
    vectors: numbers.filter((n) => (vectors.has(n) || isOfAllVectors.test(form.name)) && !index(n)),
    hasX87: usesX87(kind),
    others: delicate ? (random) => kind.registersFor(instruction, random) : () => undefined
  }
}

const status = 0x8d5

/** The case at `start`, made from `like`, becomes another one. */
export const vary = (
  { bytes, words, view }: States,
  start: number,
  like: Case,
  free: Freedom,
  pools: Pools,
  random: Random
): void => {
  for (const n of free.registers) {
    const chance = random.bits()
    if (chance & 1) continue
    const to = (start + caseAt.registers + 8 * n) / 4
    if (chance & 2) {
      words[to] = random.bits()
      words[to + 1] = random.bits()
    } else copyWords(pools.words, 2 * ((chance >>> 2) % poolSize), words, to, 2)
  }
  free.others(random)?.forEach((value, n) => {
    view.setBigUint64(start + caseAt.registers + 8 * n, value, true)
  })
  for (const n of free.vectors)
    for (const half of [n, 16 + n]) {
      const chance = random.bits()
      if (chance & 1) continue
      copyWords(pools.vectors, 4 * ((chance >>> 1) % poolSize), words, (start + caseAt.vectors + 16 * half) / 4, 4)
    }
  view.setUint32(start + caseAt.mxcsr, random.of(pools.mxcsrs), true)
  const kept = view.getUint32(start + caseAt.rflags, true) & ~status
  view.setUint32(start + caseAt.rflags, kept | (random.bits() & status), true)
  if (!free.hasX87) return
  const image = bytes.subarray(start + caseAt.x87, start + caseAt.bytes)
  do {
    image.set(random.of(pools.images))
    for (let i = 0; i < 8; i++) {
      const chance = random.bits()
      if (chance & 1) continue
      const to = (start + caseAt.x87 + 32 + 16 * i) / 4
      copyWords(pools.numbers, 4 * ((chance >>> 1) % poolSize), words, to, 4)
    }
  } while (!isDefinedFor(like.instruction.form.name, viewOf(image)))
}
