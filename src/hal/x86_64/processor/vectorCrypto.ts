/** AES (FIPS 197), SHA-1 and SHA-256 (FIPS 180-4), multiplication of polynomials. SDM vol. 2, the instructions' pages. */
import { type ByteFunction, putWords, wordAt } from "./ByteFunction.ts"
import { vectorBytes } from "./State.ts"

/** Where the second input is, and the third, from the first. */
const [second, third] = [vectorBytes, 2 * vectorBytes]

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
const substitutes = Uint8Array.from(bytes, (byte) => {
  const inverse = bytes.find((other) => times(byte, other) === 1) ?? 0
  return inverse ^ rotated(inverse, 1) ^ rotated(inverse, 2) ^ rotated(inverse, 3) ^ rotated(inverse, 4) ^ 0x63
})
const originals = Uint8Array.from(bytes, (byte) => substitutes.indexOf(byte))

/** What each byte of a column adds to the mixed column: its products with the factors, the row of the byte first. */
const products = (factors: ReadonlyArray<number>): Int32Array =>
  Int32Array.from(bytes, (byte) => factors.reduce((word, factor, row) => word | (times(factor, byte) << (8 * row)), 0))
const forward = products([2, 1, 1, 3])
const backward = products([14, 9, 13, 11])

const turnedLeft = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

/** Of the byte in each row, a column's. */
const mixed = (column: number, by: Int32Array): number =>
  by[column & 0xff]! ^
  turnedLeft(by[(column >>> 8) & 0xff]!, 8) ^
  turnedLeft(by[(column >>> 16) & 0xff]!, 16) ^
  turnedLeft(by[column >>> 24]!, 24)

const substituted = (word: number, by: Uint8Array): number =>
  by[word & 0xff]! | (by[(word >>> 8) & 0xff]! << 8) | (by[(word >>> 16) & 0xff]! << 16) | (by[word >>> 24]! << 24)

/** Column `n` once row r has gone r columns to the left (1), or to the right (-1). */
const shifted = (view: DataView, state: number, n: number, direction: 1 | -1): number => {
  const row = (r: number) => view.getUint8(state + 4 * ((n + direction * r + 4) & 3) + r) << (8 * r)
  return row(0) | row(1) | row(2) | row(3)
}

/** A round: rows shifted, bytes substituted, columns mixed unless it is the last, the key added. */
const round =
  (direction: 1 | -1, by: Uint8Array, mixing: Int32Array | undefined): ByteFunction =>
  (view, inputs, into) => {
    const column = (n: number) => {
      const word = substituted(shifted(view, inputs, n, direction), by)
      return (mixing === undefined ? word : mixed(word, mixing)) ^ wordAt(view, inputs + second, n)
    }
    putWords(view, into, column(0), column(1), column(2), column(3))
  }

const inverseMix: ByteFunction = (view, inputs, into) => {
  const column = (n: number) => mixed(wordAt(view, inputs + second, n), backward)
  putWords(view, into, column(0), column(1), column(2), column(3))
}

const keyAssist: ByteFunction = (view, inputs, into) => {
  const word = (n: number) => substituted(wordAt(view, inputs + second, n), substitutes)
  const turned = (n: number) => turnedLeft(word(n), 24) ^ wordAt(view, inputs + third, 0)
  putWords(view, into, word(1), turned(1), word(3), turned(3))
}

// ---- polynomials

/** PCLMULQDQ: bits 0 and 4 of the constant choose the halves. */
const carryless: ByteFunction = (view, inputs, into) => {
  const constant = view.getUint8(inputs + third)
  const [one, other] = [inputs + 8 * (constant & 1), inputs + second + 8 * ((constant >> 4) & 1)]
  const [low, high] = [wordAt(view, one, 0), wordAt(view, one, 1)]
  let [a, b, c, d] = [0, 0, 0, 0]
  // From the highest bit: the sum so far is doubled, and the one is added for each bit of the other.
  for (let bit = 63; bit >= 0; bit--) {
    d = (d << 1) | (c >>> 31)
    c = (c << 1) | (b >>> 31)
    b = (b << 1) | (a >>> 31)
    a <<= 1
    if ((wordAt(view, other, bit >> 5) >>> (bit & 31)) & 1) {
      a ^= low
      b ^= high
    }
  }
  putWords(view, into, a, b, c, d)
}

// ---- SHA: words of 32 bits, of a state the first of them the highest

const turnedRight = (word: number, by: number): number => turnedLeft(word, 32 - by)

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

const sha1Rounds: ByteFunction = (view, inputs, into) => {
  const { f, k } = stages[view.getUint8(inputs + third) & 3]!
  let [a, b, c, d, e] = [
    wordAt(view, inputs, 3),
    wordAt(view, inputs, 2),
    wordAt(view, inputs, 1),
    wordAt(view, inputs, 0),
    0
  ]
  for (let n = 3; n >= 0; n--) {
    const next = (f(b, c, d) + turnedLeft(a, 5) + wordAt(view, inputs + second, n) + e + k) | 0
    e = d
    d = c
    c = turnedLeft(b, 30)
    b = a
    a = next
  }
  putWords(view, into, d, c, b, a)
}

const sha1NextE: ByteFunction = (view, inputs, into) => {
  const word = (n: number) => wordAt(view, inputs + second, n)
  putWords(view, into, word(0), word(1), word(2), (word(3) + turnedLeft(wordAt(view, inputs, 3), 30)) | 0)
}

const sha1Message1: ByteFunction = (view, inputs, into) => {
  const before = (n: number) => wordAt(view, inputs, n)
  const after = (n: number) => wordAt(view, inputs + second, n)
  putWords(view, into, before(0) ^ after(2), before(1) ^ after(3), before(2) ^ before(0), before(3) ^ before(1))
}

const sha1Message2: ByteFunction = (view, inputs, into) => {
  const before = (n: number) => wordAt(view, inputs, n)
  const after = (n: number) => wordAt(view, inputs + second, n)
  const w16 = turnedLeft(before(3) ^ after(2), 1)
  const w17 = turnedLeft(before(2) ^ after(1), 1)
  const w18 = turnedLeft(before(1) ^ after(0), 1)
  putWords(view, into, turnedLeft(before(0) ^ w16, 1), w18, w17, w16)
}

const sigma = (word: number, one: number, two: number, three: number): number =>
  turnedRight(word, one) ^ turnedRight(word, two) ^ turnedRight(word, three)
const small = (word: number, one: number, two: number, by: number): number =>
  turnedRight(word, one) ^ turnedRight(word, two) ^ (word >>> by)

/** Two rounds; the low half of the third input is the words, with their constants added. */
const sha256Rounds: ByteFunction = (view, inputs, into) => {
  let [h, g, d, c] = [
    wordAt(view, inputs, 0),
    wordAt(view, inputs, 1),
    wordAt(view, inputs, 2),
    wordAt(view, inputs, 3)
  ]
  const state = inputs + second
  let [f, e, b, a] = [wordAt(view, state, 0), wordAt(view, state, 1), wordAt(view, state, 2), wordAt(view, state, 3)]
  for (let n = 0; n < 2; n++) {
    const first = (h + sigma(e, 6, 11, 25) + choice(e, f, g) + wordAt(view, inputs + third, n)) | 0
    const next = (first + sigma(a, 2, 13, 22) + majority(a, b, c)) | 0
    h = g
    g = f
    f = e
    e = (d + first) | 0
    d = c
    c = b
    b = a
    a = next
  }
  putWords(view, into, f, e, b, a)
}

// From here on in the order of the lanes.

const sha256Message1: ByteFunction = (view, inputs, into) => {
  const next = (n: number) => {
    const after = n === 3 ? wordAt(view, inputs + second, 0) : wordAt(view, inputs, n + 1)
    return (wordAt(view, inputs, n) + small(after, 7, 18, 3)) | 0
  }
  putWords(view, into, next(0), next(1), next(2), next(3))
}

const sha256Message2: ByteFunction = (view, inputs, into) => {
  const next = (n: number, word: number) => (wordAt(view, inputs, n) + small(word, 17, 19, 10)) | 0
  const [w16, w17] = [next(0, wordAt(view, inputs + second, 2)), next(1, wordAt(view, inputs + second, 3))]
  putWords(view, into, w16, w17, next(2, w16), next(3, w17))
}

export const cryptoFunctions = {
  "aes.encrypt": round(1, substitutes, forward),
  "aes.encryptLast": round(1, substitutes, undefined),
  "aes.decrypt": round(-1, originals, backward),
  "aes.decryptLast": round(-1, originals, undefined),
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
} as const satisfies Record<string, ByteFunction>
