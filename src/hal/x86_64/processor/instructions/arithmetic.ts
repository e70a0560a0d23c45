/** ADD, ADC, SUB, SBB, CMP, INC, DEC, NEG. SDM vol. 2, the pages of the same names. */

import type { Form } from "../Form.ts"
import { inst, sized } from "../Form.ts"
import { addition, additionWithCarry, decrement, increment, subtraction, subtractionWithBorrow } from "../flags.ts"
import type { Machine, Meaning } from "../Meaning.ts"
import { binary } from "./binary.ts"

/** CF as 0 or 1. */
const carry = <V, B>(x: Machine<V, B>): V => x.number(x.condition("B"))

const add: Meaning = (x, dest, src) => {
  const [a, b] = [x.read(dest), x.read(src)]
  x.write(dest, x.add(a, b))
  x.flags(addition, dest.width, [a, b])
}

const adc: Meaning = (x, dest, src) => {
  const [a, b, c] = [x.read(dest), x.read(src), carry(x)]
  x.write(dest, x.add(x.add(a, b), c))
  x.flags(additionWithCarry, dest.width, [a, b, c])
}

const sub: Meaning = (x, dest, src) => {
  const [a, b] = [x.read(dest), x.read(src)]
  x.write(dest, x.sub(a, b))
  x.flags(subtraction, dest.width, [a, b])
}

const sbb: Meaning = (x, dest, src) => {
  const [a, b, c] = [x.read(dest), x.read(src), carry(x)]
  x.write(dest, x.sub(x.sub(a, b), c))
  x.flags(subtractionWithBorrow, dest.width, [a, b, c])
}

/** SUB without the destination. */
const cmp: Meaning = (x, dest, src) => x.flags(subtraction, dest.width, [x.read(dest), x.read(src)])

const inc: Meaning = (x, dest) => {
  const result = x.low(x.add(x.read(dest), x.constant(1n)), dest.width)
  x.write(dest, result)
  x.flags(increment, dest.width, [result, carry(x)])
}

const dec: Meaning = (x, dest) => {
  const result = x.low(x.sub(x.read(dest), x.constant(1n)), dest.width)
  x.write(dest, result)
  x.flags(decrement, dest.width, [result, carry(x)])
}

/** 0 - DEST */
const neg: Meaning = (x, dest) => {
  const [zero, value] = [x.constant(0n), x.read(dest)]
  x.write(dest, x.sub(zero, value))
  x.flags(subtraction, dest.width, [zero, value])
}

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...binary(0, "add", add, { lock: true }),
  ...binary(2, "adc", adc, { lock: true }),
  ...binary(3, "sbb", sbb, { lock: true }),
  ...binary(5, "sub", sub, { lock: true }),
  ...binary(7, "cmp", cmp),

  inst("FE /0", "inc", ["rm8"], inc, { lock: true }),
  ...sized("FF /0", "inc", ["rm"], inc, { lock: true }),
  inst("FE /1", "dec", ["rm8"], dec, { lock: true }),
  ...sized("FF /1", "dec", ["rm"], dec, { lock: true }),
  inst("F6 /3", "neg", ["rm8"], neg, { lock: true }),
  ...sized("F7 /3", "neg", ["rm"], neg, { lock: true })
]
