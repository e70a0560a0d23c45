/**
 * DAA, DAS, AAA, AAS, AAM, AAD and BOUND: what 64-bit mode has no opcodes for. SDM vol. 2, the pages of the same names.
 */
import type { Form } from "../Form.ts"
import { explicit, logic } from "../flags.ts"
import { ah, al, implied } from "../Instruction.ts"
import { type Flag, flagPositions, type Machine, type Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"

const ax = implied("rax", 16)

/** CF and AF as given, SF, ZF and PF of a result in AL, OF as it was. */
const setFlags = <V, B>(x: Machine<V, B>, result: V, carry: B, adjusted: B): void => {
  const flag = (name: Flag, value: B): V => x.shl(x.number(value), x.constant(BigInt(flagPositions[name])))
  const overflow = x.and(x.status(), x.constant(1n << BigInt(flagPositions.OF)))
  const parts = [
    flag("CF", carry),
    flag("AF", adjusted),
    flag("SF", x.bit(result, 7)),
    flag("ZF", x.equal(result, x.constant(0n))),
    flag("PF", x.evenParity(result))
  ]
  x.flags(explicit, 64, [parts.reduce((sum, part) => x.or(sum, part), overflow)])
}

/** AF as it was. */
const wasAdjusted = <V, B>(x: Machine<V, B>): B => x.bit(x.status(), flagPositions.AF)
/** The lower digit is none, or has overflown. */
const isOver = <V, B>(x: Machine<V, B>, value: V): B =>
  x.either(x.below(x.constant(9n), x.and(value, x.constant(15n))), wasAdjusted(x))

/** After ADD of two digits each in a byte: 6 for the lower digit, 60H for the upper. */
const daa: Meaning = (x) => {
  const old = x.read(al)
  const low = isOver(x, old)
  const high = x.either(x.below(x.constant(0x99n), old), x.condition("B"))
  const by = x.add(x.choose(low, x.constant(6n), x.constant(0n)), x.choose(high, x.constant(0x60n), x.constant(0n)))
  const result = x.low(x.add(old, by), 8)
  x.write(al, result)
  setFlags(x, result, high, low)
}

/** The borrow of the lower digit is a carry too. */
const das: Meaning = (x) => {
  const old = x.read(al)
  const low = isOver(x, old)
  const high = x.either(x.below(x.constant(0x99n), old), x.condition("B"))
  const by = x.add(x.choose(low, x.constant(6n), x.constant(0n)), x.choose(high, x.constant(0x60n), x.constant(0n)))
  const result = x.low(x.sub(old, by), 8)
  x.write(al, result)
  setFlags(x, result, x.either(high, x.both(low, x.below(old, x.constant(6n)))), low)
}

/** AAA, AAS: a digit in AL, and what is carried in AH. */
const unpacked =
  (direction: "add" | "sub"): Meaning =>
  (x) => {
    const old = x.read(ax)
    const over = isOver(x, old)
    const result = x.and(x.choose(over, x[direction](old, x.constant(0x106n)), old), x.constant(0xff0fn))
    x.write(ax, result)
    setFlags(x, x.low(result, 8), over, over)
  }

/** The base is 10 unless the instruction says otherwise. */
const aam: Meaning = (x, base) => {
  const [value, divisor] = [x.read(al), x.read(base)]
  x.raise("#DE", x.equal(divisor, x.constant(0n)))
  const rest = x.remUnsigned(value, divisor)
  x.write(ah, x.divUnsigned(value, divisor))
  x.write(al, rest)
  x.flags(logic, 8, [rest])
}

const aad: Meaning = (x, base) => {
  const result = x.low(x.add(x.read(al), x.mul(x.read(ah), x.read(base))), 8)
  x.write(ax, result)
  x.flags(logic, 8, [result])
}

/** #BR if a signed index is not between the two bounds in memory. */
const bound =
  (width: 16 | 32): Meaning =>
  (x, index, bounds) => {
    const value = x.signed(x.read(index), width)
    const lower = x.signed(x.load(bounds, width), width)
    const upper = x.signed(x.load(bounds, width, x.constant(BigInt(width / 8))), width)
    x.raise("#BR", x.either(x.less(value, lower), x.less(upper, value)))
  }

const legacy = { long: false } as const
const afterDigits = { ...legacy, undefined: ["OF"] } as const
const afterDigit = { ...legacy, undefined: ["OF", "SF", "ZF", "PF"] } as const
const afterBase = { ...legacy, undefined: ["OF", "AF", "CF"] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("27", "daa", [], daa, afterDigits),
  inst("2F", "das", [], das, afterDigits),
  inst("37", "aaa", [], unpacked("add"), afterDigit),
  inst("3F", "aas", [], unpacked("sub"), afterDigit),
  inst("D4 ib", "aam", ["imm8"], aam, afterBase),
  inst("D5 ib", "aad", ["imm8"], aad, afterBase),
  inst("62 /r", "bound", ["r16", "m16&16"], bound(16), legacy),
  inst("62 /r", "bound", ["r32", "m32&32"], bound(32), legacy)
]
