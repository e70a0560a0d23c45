/** SAL/SHL, SHR, SAR, ROL, ROR, RCL, RCR, SHLD, SHRD. SDM vol. 2, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD". */

import type { Form, Remarks } from "../Form.ts"
import { inst, sized } from "../Form.ts"
import { arithmeticShift, doubleShift, leftRotation, leftShift, rightRotation, rightShift } from "../flags.ts"
import type { FlagRule, Machine, Meaning, Operand, Width } from "../Meaning.ts"

/** "The count is masked to 5 bits (or 6 bits with a 64-bit operand)." A count of 0 leaves the flags alone. */
const masked = <V, B>(x: Machine<V, B>, width: Width, count: Operand): V =>
  x.and(x.read(count), x.constant(width === 64 ? 63n : 31n))
const isZero = <V, B>(x: Machine<V, B>, value: V): B => x.equal(value, x.constant(0n))
const bits = <V, B>(x: Machine<V, B>, n: number): V => x.constant(BigInt(n))

type Shifted = <V, B>(x: Machine<V, B>, value: V, count: V, width: Width) => V

const shift =
  (shifted: Shifted, rule: FlagRule): Meaning =>
  (x, dest, src) => {
    const count = masked(x, dest.width, src)
    const value = x.read(dest)
    x.write(dest, shifted(x, value, count, dest.width))
    x.flags(rule, dest.width, [value, count], isZero(x, count))
  }
const shl = shift((x, value, count) => x.shl(value, count), leftShift)
const shr = shift((x, value, count) => x.shr(value, count), rightShift)
const sar = shift((x, value, count, width) => x.sar(x.signed(value, width), count), arithmeticShift)

/** CF is the bit that moved round the end: the lowest of the result (ROL), the highest (ROR). */
const rotate =
  (rotated: Shifted, rule: FlagRule, carryBit: (width: Width) => number): Meaning =>
  (x, dest, src) => {
    const width = dest.width
    const count = masked(x, width, src)
    const result = rotated(x, x.read(dest), count, width)
    x.write(dest, result)
    const carry = x.number(x.bit(result, carryBit(width)))
    x.flags(rule, width, [result, carry, x.status()], isZero(x, count))
  }

const rol = rotate(
  (x, value, count, width) => {
    if (width === 64) return x.rotl(value, count)
    const places = x.and(count, bits(x, width - 1))
    return x.low(x.or(x.shl(value, places), x.shr(value, x.sub(bits(x, width), places))), width)
  },
  leftRotation,
  () => 0
)
const ror = rotate(
  (x, value, count, width) => {
    if (width === 64) return x.rotr(value, count)
    const places = x.and(count, bits(x, width - 1))
    return x.low(x.or(x.shr(value, places), x.shl(value, x.sub(bits(x, width), places))), width)
  },
  rightRotation,
  (width) => width - 1
)

type Turned<V> = { readonly result: V; readonly carry: V }
type Turn = <V, B>(x: Machine<V, B>, value: V, carry: V, count: V, width: Width) => Turned<V>

/** RCL, RCR: rotation of the operand and CF above it together. The count is taken modulo their bits. */
const rotateThroughCarry =
  (turn: Turn, rule: FlagRule): Meaning =>
  (x, dest, src) => {
    const width = dest.width
    const count = masked(x, width, src)
    const places = width < 32 ? x.remUnsigned(count, bits(x, width + 1)) : count
    const { result, carry } = turn(x, x.read(dest), x.number(x.condition("B")), places, width)
    x.write(dest, result)
    x.flags(rule, width, [result, carry, x.status()], isZero(x, count))
  }

const rcl = rotateThroughCarry((x, value, carry, count, width) => {
  if (width === 64) {
    const still = isZero(x, count)
    // A shift by 64 is none: the last place is shifted apart.
    const wrapped = x.shr(x.shr(value, bits(x, 1)), x.sub(bits(x, 64), count))
    const above = x.or(x.shl(value, count), x.shl(carry, x.sub(count, bits(x, 1))))
    return {
      result: x.choose(still, value, x.or(above, wrapped)),
      carry: x.choose(still, carry, x.and(x.shr(value, x.sub(bits(x, 64), count)), bits(x, 1)))
    }
  }
  const whole = x.or(value, x.shl(carry, bits(x, width)))
  const turned = x.or(x.shl(whole, count), x.shr(whole, x.sub(bits(x, width + 1), count)))
  return { result: x.low(turned, width), carry: x.number(x.bit(turned, width)) }
}, leftRotation)

const rcr = rotateThroughCarry((x, value, carry, count, width) => {
  if (width === 64) {
    const still = isZero(x, count)
    const wrapped = x.shl(x.shl(value, bits(x, 1)), x.sub(bits(x, 64), count))
    const below = x.or(x.shr(value, count), x.shl(carry, x.sub(bits(x, 64), count)))
    return {
      result: x.choose(still, value, x.or(below, wrapped)),
      carry: x.choose(still, carry, x.and(x.shr(value, x.sub(count, bits(x, 1))), bits(x, 1)))
    }
  }
  const whole = x.or(value, x.shl(carry, bits(x, width)))
  const turned = x.or(x.shr(whole, count), x.shl(whole, x.sub(bits(x, width + 1), count)))
  return { result: x.low(turned, width), carry: x.number(x.bit(turned, width)) }
}, rightRotation)

/** Bits of a second operand move in from one end. A count above 16 of a 16-bit operand is undefined: here they move in once more. */
const double =
  (towards: "left" | "right"): Meaning =>
  (x, dest, src, by) => {
    const width = dest.width
    const count = masked(x, width, by)
    const [value, filler] = [x.read(dest), x.read(src)]
    const moved =
      towards === "left" ? movedLeft(x, width, value, filler, count) : movedRight(x, width, value, filler, count)
    const still = isZero(x, count)
    const result = x.choose(still, value, moved.result)
    x.write(dest, result)
    x.flags(doubleShift, width, [result, value, moved.carry], still)
  }

const movedLeft = <V, B>(x: Machine<V, B>, width: Width, value: V, filler: V, count: V): Turned<V> => {
  const rest = x.sub(bits(x, width), count)
  if (width !== 16) {
    const carry = x.and(x.shr(value, rest), bits(x, 1))
    return { result: x.low(x.or(x.shl(value, count), x.shr(filler, rest)), width), carry }
  }
  const whole = x.or(x.shl(value, bits(x, 32)), x.or(x.shl(filler, bits(x, 16)), filler))
  const moved = x.shl(whole, count)
  return { result: x.low(x.shr(moved, bits(x, 32)), 16), carry: x.number(x.bit(moved, 48)) }
}

const movedRight = <V, B>(x: Machine<V, B>, width: Width, value: V, filler: V, count: V): Turned<V> => {
  const last = x.sub(count, bits(x, 1))
  if (width !== 16) {
    const carry = x.and(x.shr(value, last), bits(x, 1))
    return { result: x.low(x.or(x.shr(value, count), x.shl(filler, x.sub(bits(x, width), count))), width), carry }
  }
  const whole = x.or(x.shl(filler, bits(x, 32)), x.or(x.shl(filler, bits(x, 16)), value))
  return { result: x.low(x.shr(whole, count), 16), carry: x.and(x.shr(whole, last), bits(x, 1)) }
}

const byOne = { undefined: ["AF"] } as const
const byCount = { undefined: ["AF", "OF if count > 1", "CF if count >= width"] } as const
const sarByCount = { undefined: ["AF", "OF if count > 1"] } as const
const rotateByCount = { undefined: ["OF if count > 1"] } as const
const doubleByCount = { undefined: ["AF", "OF if count > 1", "all if count > width"] } as const

/** The six lines of a shift or rotation; /`n` of C0, C1 and D0 to D3. */
// biome-ignore format: one form, one line
const shifts = (n: number, name: string, meaning: Meaning, once: Remarks, often: Remarks): ReadonlyArray<Form> => [
  inst(`D0 /${n}`, name, ["rm8", "1"], meaning, once),
  inst(`D2 /${n}`, name, ["rm8", "cl"], meaning, often),
  inst(`C0 /${n} ib`, name, ["rm8", "imm8"], meaning, often),
  ...sized(`D1 /${n}`, name, ["rm", "1"], meaning, once),
  ...sized(`D3 /${n}`, name, ["rm", "cl"], meaning, often),
  ...sized(`C1 /${n} ib`, name, ["rm", "imm8"], meaning, often)
]

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...shifts(0, "rol", rol, {}, rotateByCount),
  ...shifts(1, "ror", ror, {}, rotateByCount),
  ...shifts(2, "rcl", rcl, {}, rotateByCount),
  ...shifts(3, "rcr", rcr, {}, rotateByCount),
  ...shifts(4, "shl", shl, byOne, byCount),
  ...shifts(5, "shr", shr, byOne, byCount),
  ...shifts(6, "shl", shl, byOne, byCount), // Not on the manual's page; processors take it for /4.
  ...shifts(7, "sar", sar, byOne, sarByCount),

  ...sized("0F A4 /r ib", "shld", ["rm", "r", "imm8"], double("left"), doubleByCount),
  ...sized("0F A5 /r", "shld", ["rm", "r", "cl"], double("left"), doubleByCount),
  ...sized("0F AC /r ib", "shrd", ["rm", "r", "imm8"], double("right"), doubleByCount),
  ...sized("0F AD /r", "shrd", ["rm", "r", "cl"], double("right"), doubleByCount)
]
