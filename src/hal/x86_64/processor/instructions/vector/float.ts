/** Arithmetic, comparison and conversion of floating-point numbers. SDM vol. 2, the pages of the same names. */

import type { Form, OperandName } from "../../Form.ts"
import { explicit } from "../../flags.ts"
import { predicateNames } from "../../float.ts"
import type { Meaning } from "../../Meaning.ts"
import type { VectorFunction } from "../../vectorFunctions.ts"
import {
  avx,
  binary,
  computing,
  computingWith,
  extended,
  inParts,
  partial,
  partsIn,
  places,
  type Rule,
  type Shape,
  setWhole,
  sse,
  unary,
  vexed,
  zero
} from "./vector.ts"

/** What the four lines of an instruction differ in. */
// biome-ignore format: a line, a line
const shapes = [
  { prefix: "NP", suffix: "ps", shape: "f32x4", line: {} },
  { prefix: "66", suffix: "pd", shape: "f64x2", line: {} },
  { prefix: "F3", suffix: "ss", shape: "f32",   line: { partial: 32, lengths: ["LIG"] } },
  { prefix: "F2", suffix: "sd", shape: "f64",   line: { partial: 64, lengths: ["LIG"] } }
] as const satisfies ReadonlyArray<{ readonly line: Shape } & Record<string, unknown>>

// biome-ignore format: an instruction, a line
const arithmetic = [
  { opcode: "58", name: "add" },
  { opcode: "59", name: "mul" },
  { opcode: "5C", name: "sub" },
  { opcode: "5D", name: "min" },
  { opcode: "5E", name: "div" },
  { opcode: "5F", name: "max" }
] as const

const scalar32 = { partial: 32, lengths: ["LIG"] } as const
const scalar64 = { partial: 64, lengths: ["LIG"] } as const
const only128 = { lengths: [128] } as const
const constant = { constant: true } as const

/** SSE has the first eight predicates, and does not look at the rest of the constant; AVX has 32. */
const compare =
  (shape: (typeof shapes)[number]["shape"], predicates: 8 | 32): Rule =>
  (x, which, ...sources) =>
    computing(`${shape}.${predicateNames[which & (predicates - 1)]!}`)(x, which, ...sources)

/** "OF, SF, AF := 0." */
const ordered =
  (name: VectorFunction, width: 32 | 64): Meaning =>
  (x, dest, src) => {
    const [order] = x.compute(name, [[x.vector(dest), partial(x, src, width)]])
    x.flags(explicit, 8, [x.and(x.lane("i64x2", order!, 0), x.constant(0x45n))])
  }
const ordering = (opcode: string, name: string, of: VectorFunction, width: 32 | 64): ReadonlyArray<Form> => [
  sse(`${opcode} /r`, name, ["x", `x${width}`], ordered(of, width)),
  avx(`${vexed(opcode, "LIG", "WIG")} /r`, `v${name}`, ["x", `x${width}`], ordered(of, width))
]

/** Neighbours of the first source, then of the second. */
const horizontal = (name: VectorFunction, width: 32 | 64): Rule => {
  const lanes = width === 32 ? [0, 2, 4, 6] : [0, 2]
  const even = places(width, lanes)
  const odd = even.map((byte) => byte + width / 8)
  return (x, of, a, b) => {
    const chosen = (bytes: ReadonlyArray<number>) => inParts(a, (part) => x.shuffle(a[part]!, b![part]!, bytes))
    return computing(name)(x, of, chosen(even), chosen(odd))
  }
}

const fromGeneral =
  (name: VectorFunction): Meaning =>
  (x, dest, src) => {
    const value = extended(x, x.read(src))
    x.setVector(dest, x.compute(name, [[x.vector(dest), value]])[0]!)
  }
const fromGeneralWith =
  (name: VectorFunction): Meaning =>
  (x, dest, first, src) => {
    const value = extended(x, x.read(src))
    setWhole(x, dest, [x.compute(name, [[x.vector(first), value]])[0]!])
  }
const toGeneral =
  (name: VectorFunction, width: 32 | 64): Meaning =>
  (x, dest, src) =>
    x.write(dest, x.lane("i64x2", x.compute(name, [[zero(x), partial(x, src, width)]])[0]!, 0))

/** The operand size of 32 bits, even where 66 says 16. */
const from32 = { sizes: [16, 32] } as const

// biome-ignore format: a size, a line
const generalSizes = [{ size: 32, rexW: "", W: "W0", remarks: from32 }, { size: 64, rexW: "REX.W + ", W: "W1", remarks: {} }] as const

const generalConversions = generalSizes.flatMap(({ size, rexW, W, remarks }) => {
  const both = (
    prefix: "F2" | "F3",
    opcode: string,
    name: string,
    operands: readonly [OperandName, OperandName],
    meaning: Meaning,
    withVex = { operands: operands as ReadonlyArray<OperandName>, meaning }
  ) => [
    sse(`${prefix} ${rexW}0F ${opcode} /r`, name, operands, meaning, remarks),
    avx(`VEX.LIG.${prefix}.0F.${W} ${opcode} /r`, `v${name}`, withVex.operands, withVex.meaning)
  ]
  const from = (prefix: "F2" | "F3", name: string, of: VectorFunction) =>
    both(prefix, "2A", name, ["x", `rm${size}`], fromGeneral(of), {
      operands: ["x", "xv", `rm${size}`],
      meaning: fromGeneralWith(of)
    })
  // biome-ignore format: an instruction, a line
  return [
    ...from("F3", "cvtsi2ss", `f32.from_i${size}`),
    ...from("F2", "cvtsi2sd", `f64.from_i${size}`),
    ...both("F3", "2C", "cvttss2si", [`r${size}`, "x32"], toGeneral(`i${size}.truncated_f32`, 32)),
    ...both("F2", "2C", "cvttsd2si", [`r${size}`, "x64"], toGeneral(`i${size}.truncated_f64`, 64)),
    ...both("F3", "2D", "cvtss2si", [`r${size}`, "x32"], toGeneral(`i${size}.from_f32`, 32)),
    ...both("F2", "2D", "cvtsd2si", [`r${size}`, "x64"], toGeneral(`i${size}.from_f64`, 64))
  ]
})

// ---- between formats of different widths

/** Two lanes of 32 bits become two of 64; with VEX, four do. */
const widened = (opcode: string, name: string, of: VectorFunction): ReadonlyArray<Form> => [
  ...unary(opcode, name, computing(of), { partial: 64, lengths: [128] }),
  avx(`${vexed(opcode, 256, "WIG")} /r`, `v${name}`, ["y", "x128"], (x, dest, src) => {
    const a = x.vector(src)
    const above = x.shuffle(a, a, places(64, [1, 1]))
    setWhole(x, dest, computing(of)(x, 0, [a, above]))
  })
]

/** Two lanes of 64 bits become two of 32, with zeros above; with VEX, four do. */
const narrowed = (opcode: string, name: string, of: VectorFunction): ReadonlyArray<Form> => [
  ...unary(opcode, name, computing(of), only128),
  avx(`${vexed(opcode, 256, "WIG")} /r`, `v${name}`, ["x", "y256"], (x, dest, src) => {
    const [lower, above] = computing(of)(x, 0, partsIn(x, src, 256))
    setWhole(x, dest, [x.shuffle(lower, above!, places(64, [0, 2]))])
  })
]

/** Root and approximations have one source; of scalars, the rest is that of another. */
const ofOne = (opcode: string, name: string, of: (typeof shapes)[number], fn: VectorFunction): ReadonlyArray<Form> =>
  "partial" in of.line
    ? binary(`${of.prefix} 0F ${opcode}`, name, computing(fn), of.line)
    : unary(`${of.prefix} 0F ${opcode}`, name, computing(fn))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...shapes.flatMap((of) => {
    const { prefix, suffix, shape, line } = of
    return [
      ...arithmetic.flatMap(({ opcode, name }) => binary(`${prefix} 0F ${opcode}`, name + suffix, computing(`${shape}.${name}`), line)),
      ...ofOne("51", `sqrt${suffix}`, of, `${shape}.sqrt`),
      ...binary(`${prefix} 0F C2`, `cmp${suffix}`, compare(shape, 8), { ...line, constant: true }).slice(0, 1),
      ...binary(`${prefix} 0F C2`, `cmp${suffix}`, compare(shape, 32), { ...line, constant: true }).slice(1)
    ]
  }),
  ...ofOne("52", "rsqrtps", shapes[0], "f32x4.reciprocalRoot"),
  ...ofOne("52", "rsqrtss", shapes[2], "f32.reciprocalRoot"),
  ...ofOne("53", "rcpps", shapes[0], "f32x4.reciprocal"),
  ...ofOne("53", "rcpss", shapes[2], "f32.reciprocal"),

  ...ordering("NP 0F 2E", "ucomiss", "f32.ucomi", 32),
  ...ordering("66 0F 2E", "ucomisd", "f64.ucomi", 64),
  ...ordering("NP 0F 2F", "comiss", "f32.comi", 32),
  ...ordering("66 0F 2F", "comisd", "f64.comi", 64),

  ...binary("F2 0F D0", "addsubps", computing("f32x4.addsub")),
  ...binary("66 0F D0", "addsubpd", computing("f64x2.addsub")),
  ...binary("F2 0F 7C", "haddps", horizontal("f32x4.add", 32)),
  ...binary("66 0F 7C", "haddpd", horizontal("f64x2.add", 64)),
  ...binary("F2 0F 7D", "hsubps", horizontal("f32x4.sub", 32)),
  ...binary("66 0F 7D", "hsubpd", horizontal("f64x2.sub", 64)),

  ...unary("66 0F 3A 08", "roundps", computingWith("f32x4.round"), constant),
  ...unary("66 0F 3A 09", "roundpd", computingWith("f64x2.round"), constant),
  ...binary("66 0F 3A 0A", "roundss", computingWith("f32.round"), { ...scalar32, constant: true }),
  ...binary("66 0F 3A 0B", "roundsd", computingWith("f64.round"), { ...scalar64, constant: true }),
  ...binary("66 0F 3A 40", "dpps", computingWith("f32x4.dot"), constant),
  ...binary("66 0F 3A 41", "dppd", computingWith("f64x2.dot"), { ...only128, constant: true }),
  // "The upper half uses bits 5:3."
  ...binary("66 0F 3A 42", "mpsadbw", computingWith("sumsOfDifferences", (bits, part) => bits >> (3 * part)), constant),

  ...widened("NP 0F 5A", "cvtps2pd", "f64x2.from_f32x2"),
  ...narrowed("66 0F 5A", "cvtpd2ps", "f32x2.from_f64x2"),
  ...binary("F3 0F 5A", "cvtss2sd", computing("f64.from_f32"), scalar32),
  ...binary("F2 0F 5A", "cvtsd2ss", computing("f32.from_f64"), scalar64),
  ...unary("NP 0F 5B", "cvtdq2ps", computing("f32x4.from_i32x4")),
  ...unary("66 0F 5B", "cvtps2dq", computing("i32x4.from_f32x4")),
  ...unary("F3 0F 5B", "cvttps2dq", computing("i32x4.truncated_f32x4")),
  ...widened("F3 0F E6", "cvtdq2pd", "f64x2.from_i32x2"),
  ...narrowed("F2 0F E6", "cvtpd2dq", "i32x2.from_f64x2"),
  ...narrowed("66 0F E6", "cvttpd2dq", "i32x2.truncated_f64x2"),
  ...generalConversions
]
