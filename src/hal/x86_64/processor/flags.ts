/**
 * Flag rules: how the status flags follow from what an instruction worked with.
 *
 * The flags of the processor are held as the rule that was used last, the width, and at most three inputs; each flag is worked out when somebody
 * asks. SDM vol. 1, "Status Flags". Where the manual leaves a flag undefined, a rule gives what is simple.
 *
 * Inputs are values of the rule's width, carries and truths 0 or 1, `status` what `Machine.status` gives.
 */
import { type Condition, type Flag, type FlagRule, flagPositions, type Values, type Width } from "./Meaning.ts"

type Value = <V, B>(x: Values<V, B>, width: Width, ...inputs: Array<V>) => V
type Truth = <V, B>(x: Values<V, B>, width: Width, ...inputs: Array<V>) => B

/** `result`: what ZF, SF and PF are about, in every rule alike. */
interface Parts {
  readonly result: Value
  readonly CF: Truth
  readonly OF: Truth
  readonly AF: Truth
}

type Shortcuts = Partial<Readonly<Record<Condition, Truth>>>

const ofResult = (name: string, inputs: FlagRule["inputs"], parts: Parts, shortcuts: Shortcuts = {}): FlagRule => ({
  name,
  inputs,
  flag: (x, flag, width, values) => {
    switch (flag) {
      case "CF":
      case "OF":
      case "AF":
        return parts[flag](x, width, ...values)
      case "ZF":
        return x.equal(parts.result(x, width, ...values), x.constant(0n))
      case "SF":
        return x.bit(parts.result(x, width, ...values), width - 1)
      case "PF":
        return x.evenParity(parts.result(x, width, ...values))
    }
  },
  shortcut: (x, condition, width, values) => shortcuts[condition]?.(x, width, ...values)
})

/** Some flags change, the others stay as they are in `status`, the rule's last input. */
const keeping = (
  name: string,
  inputs: FlagRule["inputs"],
  changed: Partial<Readonly<Record<Flag, Truth>>>
): FlagRule => ({
  name,
  inputs,
  flag: (x, flag, width, values) =>
    changed[flag]?.(x, width, ...values) ?? x.bit(values[inputs - 1]!, flagPositions[flag])
})

const never: Truth = (x) => x.truth(false)
const first: Value = (_x, _width, result) => result
const top = <V, B>(x: Values<V, B>, width: Width, value: V): B => x.bit(value, width - 1)
const minus1 = <V, B>(x: Values<V, B>, count: V): V => x.sub(count, x.constant(1n))

/** RFLAGS itself. */
export const explicit = keeping("explicit", 1, {})

// ---- arithmetic

const sum: Value = (x, width, a, b) => x.low(x.add(a, b), width)
const difference: Value = (x, width, a, b) => x.low(x.sub(a, b), width)
/** The operands agree in sign, and the sum does not. */
const sumOverflows = <V, B>(x: Values<V, B>, width: Width, a: V, b: V, r: V): B =>
  top(x, width, x.and(x.xor(a, r), x.xor(b, r)))
/** The operands differ in sign, and the difference differs from the first. */
const differenceOverflows = <V, B>(x: Values<V, B>, width: Width, a: V, b: V, r: V): B =>
  top(x, width, x.and(x.xor(a, b), x.xor(a, r)))
/** The carry into bit 4, of a sum as of a difference. */
const carryInto4 = <V, B>(x: Values<V, B>, a: V, b: V, r: V): B => x.bit(x.xor(x.xor(a, b), r), 4)

/** a + b */
export const addition = ofResult("addition", 2, {
  result: sum,
  CF: (x, width, a, b) => x.below(sum(x, width, a, b), a),
  OF: (x, width, a, b) => sumOverflows(x, width, a, b, sum(x, width, a, b)),
  AF: (x, width, a, b) => carryInto4(x, a, b, sum(x, width, a, b))
})

/** a - b */
export const subtraction = ofResult(
  "subtraction",
  2,
  {
    result: difference,
    CF: (x, _width, a, b) => x.below(a, b),
    OF: (x, width, a, b) => differenceOverflows(x, width, a, b, difference(x, width, a, b)),
    AF: (x, width, a, b) => carryInto4(x, a, b, difference(x, width, a, b))
  },
  {
    E: (x, _width, a, b) => x.equal(a, b),
    BE: (x, _width, a, b) => x.not(x.below(b, a)),
    L: (x, width, a, b) => x.less(x.signed(a, width), x.signed(b, width)),
    LE: (x, width, a, b) => x.not(x.less(x.signed(b, width), x.signed(a, width)))
  }
)

const sumWithCarry: Value = (x, width, a, b, carry) => x.low(x.add(x.add(a, b), carry), width)
const differenceWithBorrow: Value = (x, width, a, b, carry) => x.low(x.sub(x.sub(a, b), carry), width)

/** a + b + carry */
export const additionWithCarry = ofResult("additionWithCarry", 3, {
  result: sumWithCarry,
  CF: (x, width, a, b, carry) => {
    const r = sumWithCarry(x, width, a, b, carry)
    return x.either(x.below(r, a), x.both(x.bit(carry, 0), x.equal(r, a)))
  },
  OF: (x, width, a, b, carry) => sumOverflows(x, width, a, b, sumWithCarry(x, width, a, b, carry)),
  AF: (x, width, a, b, carry) => carryInto4(x, a, b, sumWithCarry(x, width, a, b, carry))
})

/** a - (b + carry) */
export const subtractionWithBorrow = ofResult("subtractionWithBorrow", 3, {
  result: differenceWithBorrow,
  CF: (x, _width, a, b, carry) => x.either(x.below(a, b), x.both(x.bit(carry, 0), x.equal(a, b))),
  OF: (x, width, a, b, carry) => differenceOverflows(x, width, a, b, differenceWithBorrow(x, width, a, b, carry)),
  AF: (x, width, a, b, carry) => carryInto4(x, a, b, differenceWithBorrow(x, width, a, b, carry))
})

/** INC, DEC: of the result. CF stays, so it is an input. */
export const increment = ofResult("increment", 2, {
  result: first,
  CF: (x, _width, _r, carry) => x.bit(carry, 0),
  OF: (x, width, r) => x.equal(r, x.constant(1n << BigInt(width - 1))),
  AF: (x, _width, r) => x.equal(x.and(r, x.constant(15n)), x.constant(0n))
})
export const decrement = ofResult("decrement", 2, {
  result: first,
  CF: (x, _width, _r, carry) => x.bit(carry, 0),
  OF: (x, width, r) => x.equal(r, x.constant((1n << BigInt(width - 1)) - 1n)),
  AF: (x, _width, r) => x.equal(x.and(r, x.constant(15n)), x.constant(15n))
})

/** AND, OR, XOR, TEST: of the result. AF is undefined. */
export const logic = ofResult(
  "logic",
  1,
  { result: first, CF: never, OF: never, AF: never },
  {
    BE: (x, _width, r) => x.equal(r, x.constant(0n)),
    L: (x, width, r) => top(x, width, r)
  }
)

/** MUL, IMUL: of the lower half of the product, and whether it needs the upper one. ZF, SF, PF and AF are undefined. */
export const product = ofResult("product", 2, {
  result: first,
  CF: (x, _width, _r, overflowed) => x.bit(overflowed, 0),
  OF: (x, _width, _r, overflowed) => x.bit(overflowed, 0),
  AF: never
})

// ---- shifts: of the value and a count that is not 0. AF is undefined, and OF unless the count is 1

/** value << (count - 1): its top bit is the one that the shift moves into CF. */
const beforeLast: Value = (x, width, value, count) => x.low(x.shl(value, minus1(x, count)), width)
const shiftedLeft: Value = (x, width, value, count) =>
  x.low(x.shl(beforeLast(x, width, value, count), x.constant(1n)), width)

export const leftShift = ofResult("leftShift", 2, {
  result: shiftedLeft,
  CF: (x, width, value, count) => top(x, width, beforeLast(x, width, value, count)),
  OF: (x, width, value, count) => {
    const before = beforeLast(x, width, value, count)
    return x.differ(x.bit(before, width - 1), x.bit(before, width - 2))
  },
  AF: never
})

export const rightShift = ofResult("rightShift", 2, {
  result: (x, _width, value, count) => x.shr(value, count),
  CF: (x, _width, value, count) => x.bit(x.shr(value, minus1(x, count)), 0),
  OF: (x, width, value) => top(x, width, value),
  AF: never
})

export const arithmeticShift = ofResult("arithmeticShift", 2, {
  result: (x, width, value, count) => x.low(x.sar(x.signed(value, width), count), width),
  CF: (x, width, value, count) => x.bit(x.sar(x.signed(value, width), minus1(x, count)), 0),
  OF: never,
  AF: never
})

/** SHLD, SHRD: of the result, the value before and the last bit shifted out. OF is a change of sign. */
export const doubleShift = ofResult("doubleShift", 3, {
  result: first,
  CF: (x, _width, _r, _value, carry) => x.bit(carry, 0),
  OF: (x, width, r, value) => top(x, width, x.xor(r, value)),
  AF: never
})

// ---- rotations: of the result, CF and `status`

export const leftRotation = keeping("leftRotation", 3, {
  CF: (x, _width, _r, carry) => x.bit(carry, 0),
  OF: (x, width, r, carry) => x.differ(top(x, width, r), x.bit(carry, 0))
})
export const rightRotation = keeping("rightRotation", 3, {
  CF: (x, _width, _r, carry) => x.bit(carry, 0),
  OF: (x, width, r) => x.differ(x.bit(r, width - 1), x.bit(r, width - 2))
})

// ---- one flag, and `status`

export const overflowFlag = keeping("overflowFlag", 2, { OF: (x, _width, carry) => x.bit(carry, 0) })
export const carryFlag = keeping("carryFlag", 2, { CF: (x, _width, carry) => x.bit(carry, 0) })
export const zeroFlag = keeping("zeroFlag", 2, { ZF: (x, _width, zero) => x.bit(zero, 0) })

// ---- bits

/** POPCNT, BSF, BSR: whether the source is 0. */
export const sourceZero: FlagRule = {
  name: "sourceZero",
  inputs: 1,
  flag: (x, flag, _width, [source]) => (flag === "ZF" ? x.equal(source!, x.constant(0n)) : x.truth(false))
}

/** ANDN, BEXTR, BLSI and the like: of the result, and CF. AF and PF are undefined. */
export const resultWithCarry = ofResult("resultWithCarry", 2, {
  result: first,
  CF: (x, _width, _r, carry) => x.bit(carry, 0),
  OF: never,
  AF: never
})

/** TZCNT, LZCNT: of the result, and the source, which CF says is 0. OF, SF, PF, AF are undefined. */
export const zeroCount: FlagRule = {
  name: "zeroCount",
  inputs: 2,
  flag: (x, flag, _width, [result, source]) =>
    flag === "ZF" || flag === "CF" ? x.equal(flag === "ZF" ? result! : source!, x.constant(0n)) : x.truth(false)
}

// ---- the rules together

/** Each condition as a function of the flags. SDM vol. 1, "EFLAGS Condition Codes". */
export const holds = <V, B>(
  x: Values<V, B>,
  condition: Condition,
  rule: FlagRule,
  width: Width,
  inputs: ReadonlyArray<V>
): B => {
  const short = rule.shortcut?.(x, condition, width, inputs)
  if (short !== undefined) return short
  const is = (flag: Flag) => rule.flag(x, flag, width, inputs)
  switch (condition) {
    case "O":
      return is("OF")
    case "B":
      return is("CF")
    case "E":
      return is("ZF")
    case "BE":
      return x.either(is("CF"), is("ZF"))
    case "S":
      return is("SF")
    case "P":
      return is("PF")
    case "L":
      return x.differ(is("SF"), is("OF"))
    case "LE":
      return x.either(is("ZF"), x.differ(is("SF"), is("OF")))
  }
}

/** RFLAGS' status bits as a rule has them. */
export const image = <V, B>(x: Values<V, B>, rule: FlagRule, width: Width, inputs: ReadonlyArray<V>): V =>
  (Object.keys(flagPositions) as Array<Flag>)
    .map((flag) => x.shl(x.number(rule.flag(x, flag, width, inputs)), x.constant(BigInt(flagPositions[flag]))))
    .reduce((a, b) => x.or(a, b))

/** The number of a rule at a width is 4 * its place here + the width's; `explicit` comes first. */
// biome-ignore format: in groups
export const rules: ReadonlyArray<FlagRule> = [
  explicit,
  addition, subtraction, additionWithCarry, subtractionWithBorrow, increment, decrement, logic, product,
  leftShift, rightShift, arithmeticShift, doubleShift, leftRotation, rightRotation,
  carryFlag, overflowFlag, zeroFlag, sourceZero, zeroCount, resultWithCarry
]

const widths: ReadonlyArray<Width> = [8, 16, 32, 64]

export const ruleNumber = (rule: FlagRule, width: Width): number => rules.indexOf(rule) * 4 + widths.indexOf(width)
export const ruleOf = (number: number): { readonly rule: FlagRule; readonly width: Width } => ({
  rule: rules[number >> 2]!,
  width: widths[number & 3]!
})
