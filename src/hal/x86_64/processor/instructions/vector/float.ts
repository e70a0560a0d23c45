/** Arithmetic, comparison and conversion of floating-point numbers. SDM vol. 2, the pages of the same names. */

import type { Form } from "../../Form.ts"
import { explicit } from "../../flags.ts"
import { predicates } from "../../float.ts"
import type { Meaning } from "../../Meaning.ts"
import type { VectorFunction } from "../../vectorFunctions.ts"
import { extended, partial, places, source, sse, zero } from "./vector.ts"

/** What the four lines of an instruction differ in. */
// biome-ignore format: a line, a line
const shapes = [
  { prefix: "NP", suffix: "ps", shape: "f32x4", operand: "x128", width: undefined },
  { prefix: "66", suffix: "pd", shape: "f64x2", operand: "x128", width: undefined },
  { prefix: "F3", suffix: "ss", shape: "f32",   operand: "x32",  width: 32 },
  { prefix: "F2", suffix: "sd", shape: "f64",   operand: "x64",  width: 64 }
] as const

/** DEST := f(DEST, SRC). Of memory a scalar reads so many bits; the whole is aligned. */
const computed =
  (name: VectorFunction, width?: 32 | 64): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, x.compute(name, x.vector(dest), width === undefined ? source(x, src) : partial(x, src, width)))

// biome-ignore format: an instruction, a line
const arithmetic = [
  { opcode: "51", name: "sqrt" },
  { opcode: "58", name: "add" },
  { opcode: "59", name: "mul" },
  { opcode: "5C", name: "sub" },
  { opcode: "5D", name: "min" },
  { opcode: "5E", name: "div" },
  { opcode: "5F", name: "max" }
] as const

const predicateNames = Object.keys(predicates) as ReadonlyArray<keyof typeof predicates>

const compare =
  (shape: (typeof shapes)[number]["shape"], width?: 32 | 64): Meaning =>
  (x, dest, src, constant) =>
    computed(`${shape}.${predicateNames[x.literal(constant) & 7]!}`, width)(x, dest, src)

const withConstant =
  (name: VectorFunction, width?: 32 | 64): Meaning =>
  (x, dest, src, constant) => {
    const value = width === undefined ? source(x, src) : partial(x, src, width)
    x.setVector(dest, x.compute(name, x.vector(dest), value, x.vectorConstant(BigInt(x.literal(constant)))))
  }

/** "OF, SF, AF := 0." */
const ordered =
  (name: VectorFunction, width: 32 | 64): Meaning =>
  (x, dest, src) => {
    const order = x.compute(name, x.vector(dest), partial(x, src, width))
    x.flags(explicit, 8, [x.and(x.lane("i64x2", order, 0), x.constant(0x45n))])
  }

/** Neighbours of the destination, then of the source. */
const horizontal =
  (name: VectorFunction, width: 32 | 64): Meaning =>
  (x, dest, src) => {
    const [a, b] = [x.vector(dest), source(x, src)]
    const lanes = width === 32 ? [0, 2, 4, 6] : [0, 2]
    const [even, odd] = [
      places(width, lanes),
      places(
        width,
        lanes.map((lane) => lane + 1)
      )
    ]
    x.setVector(dest, x.compute(name, x.shuffle(a, b, even), x.shuffle(a, b, odd)))
  }

/** The whole destination is new. */
const converted =
  (name: VectorFunction, width?: 32 | 64): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, x.compute(name, zero(x), width === undefined ? source(x, src) : partial(x, src, width)))

const fromGeneral =
  (name: VectorFunction): Meaning =>
  (x, dest, src) => {
    const value = extended(x, x.read(src))
    x.setVector(dest, x.compute(name, x.vector(dest), value))
  }
const toGeneral =
  (name: VectorFunction, width: 32 | 64): Meaning =>
  (x, dest, src) =>
    x.write(dest, x.lane("i64x2", x.compute(name, zero(x), partial(x, src, width)), 0))

/** The operand size of 32 bits, even where 66 says 16. */
const from32 = { sizes: [16, 32] } as const

// biome-ignore format: one form, one line
const generalConversions = ([{ size: 32, rexW: "", remarks: from32 }, { size: 64, rexW: "REX.W + ", remarks: {} }] as const).flatMap(
  ({ size, rexW, remarks }) => [
    sse(`F3 ${rexW}0F 2A /r`, "cvtsi2ss", ["x", `rm${size}`], fromGeneral(`f32.from_i${size}`), remarks),
    sse(`F2 ${rexW}0F 2A /r`, "cvtsi2sd", ["x", `rm${size}`], fromGeneral(`f64.from_i${size}`), remarks),
    sse(`F3 ${rexW}0F 2C /r`, "cvttss2si", [`r${size}`, "x32"], toGeneral(`i${size}.truncated_f32`, 32), remarks),
    sse(`F2 ${rexW}0F 2C /r`, "cvttsd2si", [`r${size}`, "x64"], toGeneral(`i${size}.truncated_f64`, 64), remarks),
    sse(`F3 ${rexW}0F 2D /r`, "cvtss2si", [`r${size}`, "x32"], toGeneral(`i${size}.from_f32`, 32), remarks),
    sse(`F2 ${rexW}0F 2D /r`, "cvtsd2si", [`r${size}`, "x64"], toGeneral(`i${size}.from_f64`, 64), remarks)
  ]
)

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...shapes.flatMap(({ prefix, suffix, shape, operand, width }) => [
    ...arithmetic.map(({ opcode, name }) =>
      sse(`${prefix} 0F ${opcode} /r`, name + suffix, ["x", operand], computed(`${shape}.${name}`, width))
    ),
    sse(`${prefix} 0F C2 /r ib`, `cmp${suffix}`, ["x", operand, "lit8"], compare(shape, width))
  ]),
  sse("NP 0F 52 /r", "rsqrtps", ["x", "x128"], computed("f32x4.reciprocalRoot")),
  sse("F3 0F 52 /r", "rsqrtss", ["x", "x32"], computed("f32.reciprocalRoot", 32)),
  sse("NP 0F 53 /r", "rcpps", ["x", "x128"], computed("f32x4.reciprocal")),
  sse("F3 0F 53 /r", "rcpss", ["x", "x32"], computed("f32.reciprocal", 32)),

  sse("NP 0F 2E /r", "ucomiss", ["x", "x32"], ordered("f32.ucomi", 32)),
  sse("66 0F 2E /r", "ucomisd", ["x", "x64"], ordered("f64.ucomi", 64)),
  sse("NP 0F 2F /r", "comiss", ["x", "x32"], ordered("f32.comi", 32)),
  sse("66 0F 2F /r", "comisd", ["x", "x64"], ordered("f64.comi", 64)),

  sse("F2 0F D0 /r", "addsubps", ["x", "x128"], computed("f32x4.addsub")),
  sse("66 0F D0 /r", "addsubpd", ["x", "x128"], computed("f64x2.addsub")),
  sse("F2 0F 7C /r", "haddps", ["x", "x128"], horizontal("f32x4.add", 32)),
  sse("66 0F 7C /r", "haddpd", ["x", "x128"], horizontal("f64x2.add", 64)),
  sse("F2 0F 7D /r", "hsubps", ["x", "x128"], horizontal("f32x4.sub", 32)),
  sse("66 0F 7D /r", "hsubpd", ["x", "x128"], horizontal("f64x2.sub", 64)),

  sse("66 0F 3A 08 /r ib", "roundps", ["x", "x128", "lit8"], withConstant("f32x4.round")),
  sse("66 0F 3A 09 /r ib", "roundpd", ["x", "x128", "lit8"], withConstant("f64x2.round")),
  sse("66 0F 3A 0A /r ib", "roundss", ["x", "x32", "lit8"], withConstant("f32.round", 32)),
  sse("66 0F 3A 0B /r ib", "roundsd", ["x", "x64", "lit8"], withConstant("f64.round", 64)),
  sse("66 0F 3A 40 /r ib", "dpps", ["x", "x128", "lit8"], withConstant("f32x4.dot")),
  sse("66 0F 3A 41 /r ib", "dppd", ["x", "x128", "lit8"], withConstant("f64x2.dot")),
  sse("66 0F 3A 42 /r ib", "mpsadbw", ["x", "x128", "lit8"], withConstant("sumsOfDifferences")),

  sse("NP 0F 5A /r", "cvtps2pd", ["x", "x64"], converted("f64x2.from_f32x2", 64)),
  sse("66 0F 5A /r", "cvtpd2ps", ["x", "x128"], converted("f32x2.from_f64x2")),
  sse("F3 0F 5A /r", "cvtss2sd", ["x", "x32"], computed("f64.from_f32", 32)),
  sse("F2 0F 5A /r", "cvtsd2ss", ["x", "x64"], computed("f32.from_f64", 64)),
  sse("NP 0F 5B /r", "cvtdq2ps", ["x", "x128"], converted("f32x4.from_i32x4")),
  sse("66 0F 5B /r", "cvtps2dq", ["x", "x128"], converted("i32x4.from_f32x4")),
  sse("F3 0F 5B /r", "cvttps2dq", ["x", "x128"], converted("i32x4.truncated_f32x4")),
  sse("F3 0F E6 /r", "cvtdq2pd", ["x", "x64"], converted("f64x2.from_i32x2", 64)),
  sse("F2 0F E6 /r", "cvtpd2dq", ["x", "x128"], converted("i32x2.from_f64x2")),
  sse("66 0F E6 /r", "cvttpd2dq", ["x", "x128"], converted("i32x2.truncated_f64x2")),
  ...generalConversions
]
