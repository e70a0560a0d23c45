/** SHLD, SHRD: shifts in which the bits of a second operand move in. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { doubleShift } from "../flags.ts"
import type { Machine, Meaning, Width } from "../Meaning.ts"
import { sized } from "../notation.ts"
import { bits, isZero, masked } from "./count.ts"

/** The result, and the last bit that moved out. */
type Moved<V> = { readonly result: V; readonly carry: V }

/** A count above 16 of a 16-bit operand is undefined: here the second one's bits move in once more. */
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

const movedLeft = <V, B>(x: Machine<V, B>, width: Width, value: V, filler: V, count: V): Moved<V> => {
  const rest = x.sub(bits(x, width), count)
  if (width !== 16) {
    const carry = x.and(x.shr(value, rest), bits(x, 1))
    return { result: x.low(x.or(x.shl(value, count), x.shr(filler, rest)), width), carry }
  }
  const whole = x.or(x.shl(value, bits(x, 32)), x.or(x.shl(filler, bits(x, 16)), filler))
  const moved = x.shl(whole, count)
  return { result: x.low(x.shr(moved, bits(x, 32)), 16), carry: x.number(x.bit(moved, 48)) }
}

const movedRight = <V, B>(x: Machine<V, B>, width: Width, value: V, filler: V, count: V): Moved<V> => {
  const last = x.sub(count, bits(x, 1))
  if (width !== 16) {
    const carry = x.and(x.shr(value, last), bits(x, 1))
    return { result: x.low(x.or(x.shr(value, count), x.shl(filler, x.sub(bits(x, width), count))), width), carry }
  }
  const whole = x.or(x.shl(filler, bits(x, 32)), x.or(x.shl(filler, bits(x, 16)), value))
  return { result: x.low(x.shr(whole, count), 16), carry: x.and(x.shr(whole, last), bits(x, 1)) }
}

const byCount = { undefined: ["AF", "OF if count > 1", "all if count > width"] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...sized("0F A4 /r ib", "shld", ["rm", "r", "imm8"], double("left"), byCount),
  ...sized("0F A5 /r", "shld", ["rm", "r", "cl"], double("left"), byCount),
  ...sized("0F AC /r ib", "shrd", ["rm", "r", "imm8"], double("right"), byCount),
  ...sized("0F AD /r", "shrd", ["rm", "r", "cl"], double("right"), byCount)
]
