/** ADD, ADC, ADCX, ADOX, SUB, SBB, CMP, INC, DEC, NEG. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import {
  addition,
  additionWithCarry,
  carryFlag,
  decrement,
  increment,
  overflowFlag,
  subtraction,
  subtractionWithBorrow
} from "../flags.ts"
import type { Machine, Meaning, Width } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"
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

/** a + b + carry, and the carry that comes of it. */
const sumAndCarry = <V, B>(x: Machine<V, B>, width: Width, a: V, b: V, carry: B) => {
  const sum = x.low(x.add(x.add(a, b), x.number(carry)), width)
  return { sum, carry: x.number(x.either(x.below(sum, a), x.both(carry, x.equal(sum, a)))) }
}

/** ADC that changes no flag but CF. */
const adcx: Meaning = (x, dest, src) => {
  const { sum, carry } = sumAndCarry(x, dest.width, x.read(dest), x.read(src), x.condition("B"))
  x.write(dest, sum)
  x.flags(carryFlag, dest.width, [carry, x.status()])
}
/** The same with OF for CF. */
const adox: Meaning = (x, dest, src) => {
  const { sum, carry } = sumAndCarry(x, dest.width, x.read(dest), x.read(src), x.condition("O"))
  x.write(dest, sum)
  x.flags(overflowFlag, dest.width, [carry, x.status()])
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

  inst("66 0F 38 F6 /r", "adcx", ["r32", "rm32"], adcx),
  inst("66 REX.W + 0F 38 F6 /r", "adcx", ["r64", "rm64"], adcx),
  inst("F3 0F 38 F6 /r", "adox", ["r32", "rm32"], adox, { sizes: [16, 32] }),
  inst("F3 REX.W + 0F 38 F6 /r", "adox", ["r64", "rm64"], adox),

  inst("FE /0", "inc", ["rm8"], inc, { lock: true }),
  ...sized("FF /0", "inc", ["rm"], inc, { lock: true }),
  inst("FE /1", "dec", ["rm8"], dec, { lock: true }),
  ...sized("FF /1", "dec", ["rm"], dec, { lock: true }),
  inst("40+rw", "inc", ["r16"], inc, { long: false }),
  inst("40+rd", "inc", ["r32"], inc, { long: false }),
  inst("48+rw", "dec", ["r16"], dec, { long: false }),
  inst("48+rd", "dec", ["r32"], dec, { long: false }),
  inst("F6 /3", "neg", ["rm8"], neg, { lock: true }),
  ...sized("F7 /3", "neg", ["rm"], neg, { lock: true })
]
