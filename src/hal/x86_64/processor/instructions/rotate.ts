/** ROL, ROR, RCL, RCR. SDM vol. 2, "RCL/RCR/ROL/ROR". */
import type { Form } from "../Form.ts"
import { leftRotation, rightRotation } from "../flags.ts"
import type { FlagRule, Machine, Meaning, Width } from "../Meaning.ts"
import { bits, isZero, masked, type Shifted, shifts } from "./count.ts"

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

const byCount = { undefined: ["OF if count > 1"] } as const

export const forms: ReadonlyArray<Form> = [
  ...shifts(0, "rol", rol, {}, byCount),
  ...shifts(1, "ror", ror, {}, byCount),
  ...shifts(2, "rcl", rcl, {}, byCount),
  ...shifts(3, "rcr", rcr, {}, byCount)
]
