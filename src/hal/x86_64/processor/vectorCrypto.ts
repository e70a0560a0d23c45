/** AES (FIPS 197), SHA-1 and SHA-256 (FIPS 180-4), multiplication of polynomials. SDM vol. 2, the instructions' pages. */
import { lanesIn, vectorOf } from "./lanes.ts"
import type { FloatFunction } from "./vectorFloat.ts"

// ---- AES: the state is four columns of four bytes

/** Multiplication of polynomials modulo x^8 + x^4 + x^3 + x + 1. */
const times = (a: number, b: number): number => {
  let [product, factor] = [0, a]
  for (let bit = 0; bit < 8; bit++) {
    if ((b >> bit) & 1) product ^= factor
    factor = (factor << 1) ^ (factor & 0x80 ? 0x11b : 0)
  }
  return product
}

const rotated = (byte: number, by: number): number => ((byte << by) | (byte >> (8 - by))) & 0xff

const bytes = Array.from({ length: 256 }, (_, n) => n)
/** The inverse, then an affine map. */
const substitutes = bytes.map((byte) => {
  const inverse = bytes.find((other) => times(byte, other) === 1) ?? 0
  return inverse ^ rotated(inverse, 1) ^ rotated(inverse, 2) ^ rotated(inverse, 3) ^ rotated(inverse, 4) ^ 0x63
})
const originals = bytes.map((byte) => substitutes.indexOf(byte))

type State = ReadonlyArray<number>
const stateOf = (a: bigint): State => lanesIn(a, 8).map(Number)
const vectorOfState = (state: State): bigint => vectorOf(state.map(BigInt), 8)

const substituted = (state: State, by: ReadonlyArray<number>): State => state.map((byte) => by[byte]!)
/** Row n goes n columns to the left, or to the right. */
const shiftedRows = (state: State, direction: 1 | -1): State =>
  state.map((_, n) => state[(n + 4 * direction * (n % 4) + 16) % 16]!)
const mixedColumns = (state: State, factors: ReadonlyArray<number>): State =>
  state.map((_, n) => {
    const column = n - (n % 4)
    return factors.reduce((sum, factor, row) => sum ^ times(factor, state[column + ((n + row) % 4)]!), 0)
  })
const forward = [2, 3, 1, 1]
const backward = [14, 11, 13, 9]

const encrypt =
  (isLast: boolean): FloatFunction =>
  (_environment, a, key) => {
    const state = substituted(shiftedRows(stateOf(a), 1), substitutes)
    return vectorOfState(isLast ? state : mixedColumns(state, forward)) ^ key
  }
const decrypt =
  (isLast: boolean): FloatFunction =>
  (_environment, a, key) => {
    const state = substituted(shiftedRows(stateOf(a), -1), originals)
    return vectorOfState(isLast ? state : mixedColumns(state, backward)) ^ key
  }
const inverseMix: FloatFunction = (_environment, _, b) => vectorOfState(mixedColumns(stateOf(b), backward))

const keyAssist: FloatFunction = (_environment, _, b, constant) => {
  const words = lanesIn(vectorOfState(substituted(stateOf(b), substitutes)), 32)
  const turned = (word: bigint) => ((word >> 8n) | (word << 24n)) ^ constant
  return vectorOf([words[1]!, turned(words[1]!), words[3]!, turned(words[3]!)], 32)
}

// ---- polynomials

/** PCLMULQDQ: bits 0 and 4 of the constant choose the halves. */
const carryless: FloatFunction = (_environment, a, b, constant) => {
  const one = lanesIn(a, 64)[Number(constant & 1n)]!
  const other = lanesIn(b, 64)[Number((constant >> 4n) & 1n)]!
  let product = 0n
  for (let bit = 0n; bit < 64n; bit++) if ((other >> bit) & 1n) product ^= one << bit
  return product
}

// ---- SHA: words of 32 bits, the first of them the highest

const wordsOf = (a: bigint): ReadonlyArray<number> => lanesIn(a, 32).map(Number).reverse()
const vectorOfWords = (words: ReadonlyArray<number>): bigint =>
  vectorOf(words.map((word) => BigInt(word >>> 0)).reverse(), 32)
const left = (word: number, by: number): number => (word << by) | (word >>> (32 - by))
const right = (word: number, by: number): number => left(word, 32 - by)

const choice = (b: number, c: number, d: number): number => (b & c) ^ (~b & d)
const parity = (b: number, c: number, d: number): number => b ^ c ^ d
const majority = (b: number, c: number, d: number): number => (b & c) ^ (b & d) ^ (c & d)

/** By 20 rounds. */
const stages = [
  { f: choice, k: 0x5a82_7999 },
  { f: parity, k: 0x6ed9_eba1 },
  { f: majority, k: 0x8f1b_bcdc },
  { f: parity, k: 0xca62_c1d6 }
] as const

const sha1Rounds: FloatFunction = (_environment, one, two, constant) => {
  const { f, k } = stages[Number(constant & 3n)]!
  let [a, b, c, d] = wordsOf(one) as [number, number, number, number]
  let e = 0
  for (const word of wordsOf(two)) {
    const next = (f(b, c, d) + left(a, 5) + word + e + k) | 0
    ;[a, b, c, d, e] = [next, a, left(b, 30), c, d]
  }
  return vectorOfWords([a, b, c, d])
}

const sha1NextE: FloatFunction = (_environment, one, two) => {
  const [w, ...rest] = wordsOf(two)
  return vectorOfWords([w! + left(wordsOf(one)[0]!, 30), ...rest])
}

const sha1Message1: FloatFunction = (_environment, one, two) => {
  const w = [...wordsOf(one), ...wordsOf(two)]
  return vectorOfWords([0, 1, 2, 3].map((n) => w[n + 2]! ^ w[n]!))
}

const sha1Message2: FloatFunction = (_environment, one, two) => {
  const [, w13, w14, w15] = wordsOf(two)
  const before = wordsOf(one)
  const w16 = left(before[0]! ^ w13!, 1)
  return vectorOfWords([w16, left(before[1]! ^ w14!, 1), left(before[2]! ^ w15!, 1), left(before[3]! ^ w16, 1)])
}

const sigma = (word: number, one: number, two: number, three: number): number =>
  right(word, one) ^ right(word, two) ^ right(word, three)
const small = (word: number, one: number, two: number, by: number): number =>
  right(word, one) ^ right(word, two) ^ (word >>> by)

/** Two rounds; the low half of the third input is the words, with their constants added. */
const sha256Rounds: FloatFunction = (_environment, one, two, words) => {
  let [c, d, g, h] = wordsOf(one) as [number, number, number, number]
  let [a, b, e, f] = wordsOf(two) as [number, number, number, number]
  for (const word of lanesIn(words, 32).slice(0, 2)) {
    const first = (h + sigma(e, 6, 11, 25) + choice(e, f, g) + Number(word)) | 0
    const second = (sigma(a, 2, 13, 22) + majority(a, b, c)) | 0
    ;[a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g]
  }
  return vectorOfWords([a, b, e, f])
}

/** From here on in the order of the lanes. */
const lanes32 = (a: bigint): ReadonlyArray<number> => lanesIn(a, 32).map(Number)
const vectorOfLanes = (lanes: ReadonlyArray<number>): bigint =>
  vectorOf(
    lanes.map((lane) => BigInt(lane >>> 0)),
    32
  )

const sha256Message1: FloatFunction = (_environment, one, two) => {
  const w = [...lanes32(one), ...lanes32(two)]
  return vectorOfLanes([0, 1, 2, 3].map((n) => w[n]! + small(w[n + 1]!, 7, 18, 3)))
}

const sha256Message2: FloatFunction = (_environment, one, two) => {
  const [, , w14, w15] = lanes32(two)
  const before = lanes32(one)
  const next = (n: number, word: number) => (before[n]! + small(word, 17, 19, 10)) | 0
  const [w16, w17] = [next(0, w14!), next(1, w15!)]
  return vectorOfLanes([w16, w17, next(2, w16), next(3, w17)])
}

export const cryptoFunctions = {
  "aes.encrypt": encrypt(false),
  "aes.encryptLast": encrypt(true),
  "aes.decrypt": decrypt(false),
  "aes.decryptLast": decrypt(true),
  "aes.inverseMix": inverseMix,
  "aes.keyAssist": keyAssist,
  carryless,
  "sha1.rounds": sha1Rounds,
  "sha1.nextE": sha1NextE,
  "sha1.message1": sha1Message1,
  "sha1.message2": sha1Message2,
  "sha256.rounds": sha256Rounds,
  "sha256.message1": sha256Message1,
  "sha256.message2": sha256Message2
} as const satisfies Record<string, FloatFunction>
