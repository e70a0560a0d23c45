/** ANDN, BEXTR, BLSI, BLSMSK, BLSR, BZHI, MULX, PDEP, PEXT, RORX, SARX, SHLX, SHRX. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { resultWithCarry } from "../flags.ts"
import { implied } from "../Instruction.ts"
import type { FunctionName, Machine, Meaning, Operand, Width } from "../Meaning.ts"
import { vexSized } from "../notation.ts"

const andn: Meaning = (x, dest, inverted, src) => {
  const result = x.and(x.xor(x.read(inverted), x.constant((1n << BigInt(dest.width)) - 1n)), x.read(src))
  x.write(dest, result)
  x.flags(resultWithCarry, dest.width, [result, x.constant(0n)])
}

/** The lowest `count` bits; all of them if there are fewer. */
const lowest = <V, B>(x: Machine<V, B>, value: V, count: V, width: Width): V => {
  const mask = x.sub(x.shl(x.constant(1n), count), x.constant(1n))
  return x.choose(x.below(count, x.constant(BigInt(width))), x.and(value, mask), value)
}

/** Bits 7:0 of the last operand say where the bits begin, 15:8 how many they are. */
const bextr: Meaning = (x, dest, src, control) => {
  const width = dest.width
  const start = x.low(x.read(control), 8)
  const count = x.low(x.shr(x.read(control), x.constant(8n)), 8)
  const moved = x.choose(x.below(start, x.constant(BigInt(width))), x.shr(x.read(src), start), x.constant(0n))
  const result = lowest(x, moved, count, width)
  x.write(dest, result)
  x.flags(resultWithCarry, width, [result, x.constant(0n)])
}

const bzhi: Meaning = (x, dest, src, index) => {
  const width = dest.width
  const count = x.low(x.read(index), 8)
  const result = lowest(x, x.read(src), count, width)
  x.write(dest, result)
  x.flags(resultWithCarry, width, [result, x.number(x.not(x.below(count, x.constant(BigInt(width)))))])
}

type OfLowest = <V, B>(x: Machine<V, B>, value: V) => V

/** What is made of the lowest one. CF says that there is one (BLSI), or none. */
const ofLowest =
  (made: OfLowest, carryIf: "zero" | "not zero"): Meaning =>
  (x, dest, src) => {
    const value = x.read(src)
    const result = x.low(made(x, value), dest.width)
    const zero = x.equal(value, x.constant(0n))
    x.write(dest, result)
    x.flags(resultWithCarry, dest.width, [result, x.number(carryIf === "zero" ? zero : x.not(zero))])
  }
const below = <V, B>(x: Machine<V, B>, value: V): V => x.sub(value, x.constant(1n))
const blsi = ofLowest((x, value) => x.and(x.sub(x.constant(0n), value), value), "not zero")
const blsmsk = ofLowest((x, value) => x.xor(below(x, value), value), "zero")
const blsr = ofLowest((x, value) => x.and(below(x, value), value), "zero")

/** Of one register twice, the upper half wins. */
const mulx: Meaning = (x, high, low, src) => {
  const [a, b] = [x.read(implied("rdx", src.width)), x.read(src)]
  const product = x.mul(a, b)
  x.write(low, product)
  x.write(high, src.width === 64 ? x.mulHighUnsigned(a, b) : x.shr(product, x.constant(32n)))
}

const scattered =
  (name: FunctionName): Meaning =>
  (x, dest, src, mask) =>
    x.write(dest, x.apply(name, x.read(src), x.read(mask)))

/** The count is masked as a shift masks it. No flag changes. */
const count = <V, B>(x: Machine<V, B>, operand: Operand, width: Width): V =>
  x.and(x.read(operand), x.constant(BigInt(width - 1)))

const rorx: Meaning = (x, dest, src, by) => {
  const [value, places] = [x.read(src), count(x, by, dest.width)]
  if (dest.width === 64) x.write(dest, x.rotr(value, places))
  else x.write(dest, x.shr(x.or(value, x.shl(value, x.constant(32n))), places))
}
const sarx: Meaning = (x, dest, src, by) =>
  x.write(dest, x.sar(x.signed(x.read(src), src.width), count(x, by, dest.width)))
const shlx: Meaning = (x, dest, src, by) => x.write(dest, x.shl(x.read(src), count(x, by, dest.width)))
const shrx: Meaning = (x, dest, src, by) => x.write(dest, x.shr(x.read(src), count(x, by, dest.width)))

const signed = { undefined: ["AF", "PF"] } as const
const extracted = { undefined: ["AF", "SF", "PF"] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...vexSized("VEX.LZ.0F38.W F2 /r", "andn", ["r", "rb", "rm"], andn, signed),
  ...vexSized("VEX.LZ.0F38.W F7 /r", "bextr", ["r", "rm", "rb"], bextr, extracted),
  ...vexSized("VEX.LZ.0F38.W F3 /1", "blsr", ["rb", "rm"], blsr, signed),
  ...vexSized("VEX.LZ.0F38.W F3 /2", "blsmsk", ["rb", "rm"], blsmsk, signed),
  ...vexSized("VEX.LZ.0F38.W F3 /3", "blsi", ["rb", "rm"], blsi, signed),

  ...vexSized("VEX.LZ.0F38.W F5 /r", "bzhi", ["r", "rm", "rb"], bzhi, signed),
  ...vexSized("VEX.LZ.F2.0F38.W F6 /r", "mulx", ["r", "rb", "rm"], mulx),
  ...vexSized("VEX.LZ.F2.0F38.W F5 /r", "pdep", ["r", "rb", "rm"], scattered("depositBits")),
  ...vexSized("VEX.LZ.F3.0F38.W F5 /r", "pext", ["r", "rb", "rm"], scattered("extractBits")),
  ...vexSized("VEX.LZ.F2.0F3A.W F0 /r ib", "rorx", ["r", "rm", "imm8"], rorx),
  ...vexSized("VEX.LZ.F3.0F38.W F7 /r", "sarx", ["r", "rm", "rb"], sarx),
  ...vexSized("VEX.LZ.66.0F38.W F7 /r", "shlx", ["r", "rm", "rb"], shlx),
  ...vexSized("VEX.LZ.F2.0F38.W F7 /r", "shrx", ["r", "rm", "rb"], shrx)
]
