/** MUL, IMUL, DIV, IDIV, and the conversions that go with them: CBW, CWDE, CDQE, CWD, CDQ, CQO. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { product } from "../flags.ts"
import { ah, al, implied } from "../Instruction.ts"
import type { Machine, Meaning, Operand, Width } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"

/** Where a double-width product or dividend lies: AX, or DX:AX, EDX:EAX, RDX:RAX. */
const halves = (width: Width): { readonly lo: Operand; readonly hi: Operand } =>
  width === 8 ? { lo: al, hi: ah } : { lo: implied("rax", width), hi: implied("rdx", width) }

const bits = <V, B>(x: Machine<V, B>, width: Width): V => x.constant(BigInt(width))

const mul: Meaning = (x, src) => {
  const width = src.width
  const { lo, hi } = halves(width)
  const [a, b] = [x.read(lo), x.read(src)]
  const low = x.mul(a, b)
  const high = width === 64 ? x.mulHighUnsigned(a, b) : x.shr(low, bits(x, width))
  x.write(lo, low)
  x.write(hi, high)
  x.flags(product, width, [x.low(low, width), x.number(x.not(x.equal(high, x.constant(0n))))])
}

/** The signed product: its lower 64 bits, all above `width`, and whether these are more than its sign. */
const signedProduct = <V, B>(x: Machine<V, B>, width: Width, one: V, two: V) => {
  const [a, b] = [x.signed(one, width), x.signed(two, width)]
  const low = x.mul(a, b)
  const high = width === 64 ? x.mulHighSigned(a, b) : x.sar(low, bits(x, width))
  const sign = x.sar(x.signed(low, width), x.constant(63n))
  return { low, high, overflowed: x.number(x.not(x.equal(high, sign))) }
}

const imul: Meaning = (x, src) => {
  const width = src.width
  const { lo, hi } = halves(width)
  const { low, high, overflowed } = signedProduct(x, width, x.read(lo), x.read(src))
  x.write(lo, low)
  x.write(hi, high)
  x.flags(product, width, [x.low(low, width), overflowed])
}

/** DEST := SRC1 * SRC2 */
const multiply = <V, B>(x: Machine<V, B>, dest: Operand, one: Operand, two: Operand): void => {
  const { low, overflowed } = signedProduct(x, dest.width, x.read(one), x.read(two))
  x.write(dest, low)
  x.flags(product, dest.width, [x.low(low, dest.width), overflowed])
}
const imul2: Meaning = (x, dest, src) => multiply(x, dest, dest, src)
const imul3: Meaning = (x, dest, src, factor) => multiply(x, dest, src, factor)

/** The dividend of at most 64 bits that two halves make. */
const dividend = <V, B>(x: Machine<V, B>, width: Width): V => {
  const { lo, hi } = halves(width)
  return x.or(x.shl(x.read(hi), bits(x, width)), x.read(lo))
}

/** #DE if the divisor is 0, or the quotient does not fit the lower half. */
const div: Meaning = (x, src) => {
  const width = src.width
  const { lo, hi } = halves(width)
  const divisor = x.read(src)
  // The quotient fits if and only if the upper half is less than the divisor.
  x.raise("#DE", x.not(x.below(x.read(hi), divisor)))
  if (width === 64) {
    const whole = [x.read(hi), x.read(lo), divisor]
    x.write(lo, x.apply("divide128Unsigned", ...whole))
    x.write(hi, x.apply("remainder128Unsigned", ...whole))
  } else {
    const whole = dividend(x, width)
    x.write(lo, x.divUnsigned(whole, divisor))
    x.write(hi, x.remUnsigned(whole, divisor))
  }
}

const idiv: Meaning = (x, src) => {
  const width = src.width
  const { lo, hi } = halves(width)
  const divisor = x.signed(x.read(src), width)
  if (width === 64) {
    const whole = [x.read(hi), x.read(lo), divisor]
    x.raise("#DE", x.equal(x.apply("quotient128SignedFits", ...whole), x.constant(0n)))
    x.write(lo, x.apply("divide128Signed", ...whole))
    x.write(hi, x.apply("remainder128Signed", ...whole))
  } else {
    const whole = width === 32 ? dividend(x, width) : x.signed(dividend(x, width), (width * 2) as Width)
    const smallest = x.equal(whole, x.constant(1n << 63n))
    x.raise("#DE", x.either(x.equal(divisor, x.constant(0n)), x.both(smallest, x.equal(divisor, x.constant(-1n)))))
    const quotient = x.divSigned(whole, divisor)
    x.raise("#DE", x.not(x.equal(quotient, x.signed(quotient, width))))
    x.write(lo, quotient)
    x.write(hi, x.remSigned(whole, divisor))
  }
}

/** The accumulator's lower half, sign-extended to all of it. */
const extend =
  (width: 16 | 32 | 64): Meaning =>
  (x) => {
    const half = (width / 2) as Width
    x.write(implied("rax", width), x.signed(x.read(implied("rax", half)), half))
  }

/** The accumulator's sign, in all of DX, EDX or RDX. */
const spread =
  (width: 16 | 32 | 64): Meaning =>
  (x) =>
    x.write(implied("rdx", width), x.sar(x.signed(x.read(implied("rax", width)), width), x.constant(63n)))

const afterProduct = { undefined: ["SF", "ZF", "AF", "PF"] } as const
const afterQuotient = { undefined: ["CF", "OF", "SF", "ZF", "AF", "PF"] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("F6 /4", "mul", ["rm8"], mul, afterProduct),
  ...sized("F7 /4", "mul", ["rm"], mul, afterProduct),
  inst("F6 /5", "imul", ["rm8"], imul, afterProduct),
  ...sized("F7 /5", "imul", ["rm"], imul, afterProduct),
  ...sized("0F AF /r", "imul", ["r", "rm"], imul2, afterProduct),
  ...sized("6B /r ib", "imul", ["r", "rm", "simm8"], imul3, afterProduct),
  ...sized("69 /r iz", "imul", ["r", "rm", "imm"], imul3, afterProduct),
  inst("F6 /6", "div", ["rm8"], div, afterQuotient),
  ...sized("F7 /6", "div", ["rm"], div, afterQuotient),
  inst("F6 /7", "idiv", ["rm8"], idiv, afterQuotient),
  ...sized("F7 /7", "idiv", ["rm"], idiv, afterQuotient),

  inst("98", "cbw", [], extend(16), { sizes: [16] }),
  inst("98", "cwde", [], extend(32), { sizes: [32] }),
  inst("REX.W + 98", "cdqe", [], extend(64)),
  inst("99", "cwd", [], spread(16), { sizes: [16] }),
  inst("99", "cdq", [], spread(32), { sizes: [32] }),
  inst("REX.W + 99", "cqo", [], spread(64))
]
