/**
 * The x87 FPU's instructions. Each ends in the operation "x87", which does what its row says. SDM vol. 2A, the pages under F; vol. 2D, "Escape Opcode
 * Instructions".
 */
import type { Form, OperandName } from "../Form.ts"
import type { Condition, Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import type { X87Action, X87Format, X87Operation } from "../x87.ts"
import { anySize, number } from "./operation.ts"

type Row = readonly [opcode: string, name: string, operands: ReadonlyArray<OperandName>, action: X87Action]

// biome-ignore format: a format, a line
const memory: Readonly<Record<X87Format, OperandName>> = {
  single: "m32", double: "m64", extended: "m80", int16: "m16", int32: "m32", int64: "m64", bcd: "m80"
}

/** By the digits of their opcodes. */
const arithmetic: ReadonlyArray<X87Operation> = ["add", "mul", "com", "com", "sub", "subr", "div", "divr"]

/** D8, DA, DC, DE with a memory operand: FADD to FDIVR, FIADD to FIDIVR. */
const withMemory = (opcode: string, prefix: string, format: X87Format): ReadonlyArray<Row> =>
  arithmetic.map((does, digit) => {
    const pops = digit === 3
    const action: X87Action = pops ? { does, format, pops: 1 } : { does, format }
    return [`${opcode} /${digit}`, `${prefix}${does}${pops ? "p" : ""}`, [memory[format]], action]
  })

/** D8 with ST(i): FADD ST, ST(i). */
const toTop: ReadonlyArray<Row> = arithmetic.map((does, digit) => {
  const pops = digit === 3
  return [`D8 /${digit}`, `f${does}${pops ? "p" : ""}`, ["st", "st#"], pops ? { does, pops: 1 } : { does }]
})

/** DC and DE with ST(i): FADD ST(i), ST and the same with a pop. The digits of what is subtracted or divided by what are the other way round. */
const toI = (opcode: string, suffix: string): ReadonlyArray<Row> =>
  [0, 1, 4, 5, 6, 7].map((digit) => {
    const does = arithmetic[digit < 4 ? digit : digit ^ 1]!
    const action: X87Action = suffix === "p" ? { does, toI: true, pops: 1 } : { does, toI: true }
    return [`${opcode} /${digit}`, `f${does}${suffix}`, ["st#", "st"], action]
  })

const plain = (opcode: string, name: string, does: X87Operation = name.slice(1) as X87Operation): Row => [
  opcode,
  name,
  [],
  { does }
]
const load = (opcode: string, name: string, format: X87Format): Row => [
  opcode,
  name,
  [memory[format]],
  { does: "load", format }
]
const store = (opcode: string, name: string, format: X87Format): Row => [
  opcode,
  name,
  [memory[format]],
  { does: "store", format }
]
const storeAndPop = (opcode: string, name: string, format: X87Format): Row => [
  opcode,
  name,
  [memory[format]],
  { does: "store", format, pops: 1 }
]
const truncate = (opcode: string, format: X87Format): Row => [
  opcode,
  "fisttp",
  [memory[format]],
  { does: "storeTruncated", format, pops: 1 }
]
/** In the formats of both operand sizes. */
const environment = (opcode: string, name: string, does: X87Operation): ReadonlyArray<Row> => [
  [opcode, name, ["m"], { does, width: 16 }],
  [opcode, name, ["m"], { does, width: 32 }]
]
const ofI = (opcode: string, name: string, action: X87Action): Row => [opcode, name, ["st#"], action]
const compared = (opcode: string, name: string, action: X87Action): Row => [opcode, name, ["st", "st#"], action]

// biome-ignore format: a row, a line
const rows: ReadonlyArray<Row> = [
  ...withMemory("D8", "f", "single"),
  ...withMemory("DA", "fi", "int32"),
  ...withMemory("DC", "f", "double"),
  ...withMemory("DE", "fi", "int16"),
  ...toTop,
  ...toI("DC", ""),
  ...toI("DE", "p"),

  load("D9 /0", "fld", "single"),
  load("DD /0", "fld", "double"),
  load("DB /5", "fld", "extended"),
  load("DF /0", "fild", "int16"),
  load("DB /0", "fild", "int32"),
  load("DF /5", "fild", "int64"),
  load("DF /4", "fbld", "bcd"),
  store("D9 /2", "fst", "single"),
  store("DD /2", "fst", "double"),
  storeAndPop("D9 /3", "fstp", "single"),
  storeAndPop("DD /3", "fstp", "double"),
  storeAndPop("DB /7", "fstp", "extended"),
  store("DF /2", "fist", "int16"),
  store("DB /2", "fist", "int32"),
  storeAndPop("DF /3", "fistp", "int16"),
  storeAndPop("DB /3", "fistp", "int32"),
  storeAndPop("DF /7", "fistp", "int64"),
  storeAndPop("DF /6", "fbstp", "bcd"),
  truncate("DF /1", "int16"),
  truncate("DB /1", "int32"),
  truncate("DD /1", "int64"),

  ofI("D9 /0", "fld", { does: "load" }),
  ofI("DD /2", "fst", { does: "storeRegister" }),
  ofI("DD /3", "fstp", { does: "storeRegister", pops: 1 }),
  ofI("DF /2", "fstp", { does: "storeRegister", pops: 1 }),
  ofI("DF /3", "fstp", { does: "storeRegister", pops: 1 }),
  ofI("D9 /3", "fstpnce", { does: "move", pops: 1 }),
  ofI("DD /0", "ffree", { does: "free" }),
  ofI("DF /0", "ffreep", { does: "free", pops: 1 }),
  compared("D9 /1", "fxch", { does: "exchange" }),
  compared("DD /1", "fxch", { does: "exchange" }),
  compared("DF /1", "fxch", { does: "exchange" }),

  compared("DC /2", "fcom", { does: "com" }),
  compared("DC /3", "fcomp", { does: "com", pops: 1 }),
  compared("DE /2", "fcomp", { does: "com", pops: 1 }),
  compared("DD /4", "fucom", { does: "ucom" }),
  compared("DD /5", "fucomp", { does: "ucom", pops: 1 }),
  compared("DB /6", "fcomi", { does: "comi" }),
  compared("DF /6", "fcomip", { does: "comi", pops: 1 }),
  compared("DB /5", "fucomi", { does: "ucomi" }),
  compared("DF /5", "fucomip", { does: "ucomi", pops: 1 }),
  ["DE D9", "fcompp", [], { does: "com", pops: 2 }],
  ["DA E9", "fucompp", [], { does: "ucom", pops: 2 }],

  plain("D9 D0", "fnop"),
  plain("D9 E0", "fchs"), plain("D9 E1", "fabs"), plain("D9 E4", "ftst"), plain("D9 E5", "fxam"),
  plain("D9 E8", "fld1", "one"), plain("D9 E9", "fldl2t", "log2Ten"), plain("D9 EA", "fldl2e", "log2E"), plain("D9 EB", "fldpi", "pi"),
  plain("D9 EC", "fldlg2", "log10Two"), plain("D9 ED", "fldln2", "lnTwo"), plain("D9 EE", "fldz", "zero"),
  plain("D9 F0", "f2xm1", "f2xm1"), plain("D9 F1", "fyl2x"), plain("D9 F2", "fptan"), plain("D9 F3", "fpatan"),
  plain("D9 F4", "fxtract"), plain("D9 F5", "fprem1"), plain("D9 F6", "fdecstp"), plain("D9 F7", "fincstp"),
  plain("D9 F8", "fprem"), plain("D9 F9", "fyl2xp1"), plain("D9 FA", "fsqrt"), plain("D9 FB", "fsincos"),
  plain("D9 FC", "frndint"), plain("D9 FD", "fscale"), plain("D9 FE", "fsin"), plain("D9 FF", "fcos"),

  // "x87 FPU Control Instructions". FNENI, FNDISI and FNSETPM are of older coprocessors, and do nothing.
  plain("9B", "fwait"),
  plain("NP 0F 77", "emms", "emms"),
  plain("DB E0", "fneni", "none"), plain("DB E1", "fndisi", "none"), plain("DB E4", "fnsetpm", "none"),
  plain("DB E2", "fnclex", "clex"),
  plain("DB E3", "fninit", "init"),
  plain("DF E0", "fnstsw", "stswAx"),
  ["D9 /5", "fldcw", ["m16"], { does: "ldcw" }],
  ["D9 /7", "fnstcw", ["m16"], { does: "stcw" }],
  ["DD /7", "fnstsw", ["m16"], { does: "stsw" }],
  ...environment("D9 /4", "fldenv", "ldenv"),
  ...environment("D9 /6", "fnstenv", "stenv"),
  ...environment("DD /4", "frstor", "rstor"),
  ...environment("DD /6", "fnsave", "save")
]

/** FCMOVcc: the conditions B, E, BE, U (which is P), and their opposites. */
const moves: ReadonlyArray<readonly [opcode: string, name: string, condition: Condition, negated: boolean]> = (
  ["B", "E", "BE", "P"] as const
).flatMap((condition, digit) => {
  const letters = condition === "P" ? "u" : condition.toLowerCase()
  return [
    [`DA /${digit}`, `fcmov${letters}`, condition, false],
    [`DB /${digit}`, `fcmovn${letters}`, condition, true]
  ] as const
})

/** What "x87" is given the number of: the last is FCMOVcc. */
export const x87Actions: ReadonlyArray<X87Action> = [...rows.map(([, , , action]) => action), { does: "cmov" }]

/** Hands over a place: the number of a register, or where memory is and which offset that is. */
const meaningOf =
  (action: number, register: number): Meaning =>
  (x, ...operands) => {
    const operand = operands.find(({ kind }) => kind === "mem") ?? operands[register]
    if (operand === undefined) x.system("x87", number(x, action))
    else if (operand.kind === "mem") x.system("x87", number(x, action), x.linear(operand), x.address(operand))
    else x.system("x87", number(x, action), x.read(operand))
  }

const moveIf =
  (condition: Condition, negated: boolean): Meaning =>
  (x, _top, from) => {
    const isTrue = x.condition(condition)
    x.system("x87", number(x, rows.length), x.read(from), x.number(negated ? x.not(isTrue) : isTrue))
  }

const sizesOf = ({ width }: X87Action): Form["sizes"] => (width === 16 ? [16] : width === 32 ? [32, 64] : anySize.sizes)

export const forms: ReadonlyArray<Form> = [
  ...rows.map(([opcode, name, operands, action], n) =>
    inst(opcode, name, operands, meaningOf(n, operands.indexOf("st#")), { sizes: sizesOf(action) })
  ),
  ...moves.map(([opcode, name, condition, negated]) =>
    inst(opcode, name, ["st", "st#"], moveIf(condition, negated), anySize)
  )
]
