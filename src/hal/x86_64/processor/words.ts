/** Values as bigints from 0 to 2^64 - 1, truths as booleans: each operation as plainly as it can be said. */
import { functions } from "./functions.ts"
import type { Values } from "./Meaning.ts"

export const word = (value: bigint): bigint => BigInt.asUintN(64, value)
const int = (value: bigint): bigint => BigInt.asIntN(64, value)
/** As a string of 64 binary digits. */
const digits = (value: bigint): string => value.toString(2).padStart(64, "0")
const onesIn = (value: bigint): number => digits(value).replaceAll("0", "").length

/** Of each byte: it has an even number of ones. */
const isEven = Array.from({ length: 256 }, (_, byte) => onesIn(BigInt(byte)) % 2 === 0)

export const words: Values<bigint, boolean> = {
  constant: word,
  add: (a, b) => word(a + b),
  sub: (a, b) => word(a - b),
  mul: (a, b) => word(a * b),
  mulHighUnsigned: (a, b) => (a * b) >> 64n,
  mulHighSigned: (a, b) => word((int(a) * int(b)) >> 64n),
  divUnsigned: (a, b) => a / b,
  remUnsigned: (a, b) => a % b,
  divSigned: (a, b) => word(int(a) / int(b)),
  remSigned: (a, b) => word(int(a) % int(b)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, count) => word(a << (count & 63n)),
  shr: (a, count) => a >> (count & 63n),
  sar: (a, count) => word(int(a) >> (count & 63n)),
  rotl: (a, count) => word((a << (count & 63n)) | (a >> (64n - (count & 63n)))),
  rotr: (a, count) => word((a >> (count & 63n)) | (a << (64n - (count & 63n)))),
  leadingZeros: (a) => BigInt(digits(a).padEnd(65, "1").indexOf("1")),
  trailingZeros: (a) => BigInt(64 - digits(a).padStart(65, "1").lastIndexOf("1")),
  ones: (a) => BigInt(onesIn(a)),
  low: (a, width) => BigInt.asUintN(width, a),
  signed: (a, width) => word(BigInt.asIntN(width, a)),
  choose: (when, then, otherwise) => (when ? then : otherwise),
  apply: (name, ...inputs) => functions[name](...inputs),
  truth: (value) => value,
  equal: (a, b) => a === b,
  below: (a, b) => a < b,
  less: (a, b) => int(a) < int(b),
  bit: (a, n) => ((a >> BigInt(n)) & 1n) === 1n,
  evenParity: (a) => isEven[Number(a & 0xffn)]!,
  not: (a) => !a,
  both: (a, b) => a && b,
  either: (a, b) => a || b,
  differ: (a, b) => a !== b,
  number: (a) => (a ? 1n : 0n)
}
