/** Shuffles, blends, insertions and extractions that a constant decides. SDM vol. 2, the pages of the same names. */
import type { Lane } from "../../../wasm/simd.ts"
import type { Form, OperandName } from "../../Form.ts"
import type { Machine, Meaning, Operand } from "../../Meaning.ts"
import { anySize } from "../operation.ts"
import {
  avx,
  avxBinary,
  binary,
  inEachPart,
  inParts,
  type Length,
  type PartRule,
  partial,
  partsIn,
  places,
  setWhole,
  source,
  sse,
  unary,
  vexed,
  zero
} from "./vector.ts"

/** Two bits of the constant for each of four lanes. */
export const fours = (constant: number): ReadonlyArray<number> => [0, 2, 4, 6].map((bit) => (constant >> bit) & 3)

/** Lanes of the source alone. */
const rearranged = (width: 16 | 32, lanes: (constant: number) => ReadonlyArray<number>) =>
  inEachPart((x, [a], constant) => x.shuffle(a, a, places(width, lanes(constant))))

/** Lanes of the first source, and after these the second's. */
const chosen = (width: 8 | 16 | 32 | 64, lanes: (constant: number, part: 0 | 1) => ReadonlyArray<number>) =>
  inEachPart((x, [a, b], constant, part) => x.shuffle(a, b, places(width, lanes(constant, part))))

/** A bit for each lane: the second source's. Each part has bits of its own; of 16-bit lanes, both have the same. */
const blended = (width: 16 | 32 | 64) => {
  const lanes = Array.from({ length: 128 / width }, (_, lane) => lane)
  return chosen(width, (constant, part) => {
    const bits = width === 16 ? constant : constant >> (part * lanes.length)
    return lanes.map((lane) => ((bits >> lane) & 1 ? lane + lanes.length : lane))
  })
}

/** SHUFPD: a bit for each lane of the result. */
const shufpd = chosen(64, (constant, part) => {
  const bits = constant >> (2 * part)
  return [bits & 1, 2 + ((bits >> 1) & 1)]
})

/** The second source's lanes where the lanes of the mask have their highest bit set. */
const selected = <V, B, X>(x: Machine<V, B, X>, lane: Lane, a: X, b: X, by: X): X =>
  x.lanes("v128.bitselect", b, a, x.lanes(`${lane}.gt_s`, zero(x), by))

const blends = (opcodes: readonly [string, string], name: string, lane: Lane): ReadonlyArray<Form> => {
  const withVex =
    (length: Length): Meaning =>
    (x, dest, first, second, mask) => {
      const [a, b, by] = [first, second, mask].map((operand) => partsIn(x, operand, length))
      setWhole(
        x,
        dest,
        inParts(a!, (part) => selected(x, lane, a![part]!, b![part]!, by![part]!))
      )
    }
  return [
    sse(`66 0F 38 ${opcodes[0]} /r`, name, ["x", "x128", "xmm0"], (x, dest, src, by) => {
      const value = source(x, src)
      x.setVector(dest, selected(x, lane, x.vector(dest), value, x.vector(by)))
    }),
    avx(`VEX.128.66.0F3A.W0 ${opcodes[1]} /r /is4`, `v${name}`, ["x", "xv", "x128", "x4"], withVex(128)),
    avx(`VEX.256.66.0F3A.W0 ${opcodes[1]} /r /is4`, `v${name}`, ["y", "yv", "y256", "y4"], withVex(256))
  ]
}

/** PALIGNR: 16 bytes of the second source and, above it, the first, from this byte on. */
const palignr: PartRule = (x, [above, below], by) => {
  const bytes = (from: number) => Array.from({ length: 16 }, (_, n) => Math.min(from + n, 31))
  if (by < 16) return x.shuffle(below, above, bytes(by))
  return by >= 32 ? zero(x) : x.shuffle(above, zero(x), bytes(by - 16))
}

// ---- one lane

const laneCounts = { i8x16: 16, i16x8: 8, i32x4: 4, i64x2: 2 } as const

type Inserted = <V, B, X>(x: Machine<V, B, X>, into: X, src: Operand, constant: number) => X
const inserted =
  (lane: Lane): Inserted =>
  (x, into, src, index) =>
    x.withLane(lane, into, index % laneCounts[lane], x.read(src))

/** INSERTPS: bits 7:6 choose of a register, 5:4 where to, 3:0 what becomes 0. */
const insertps: Inserted = (x, into, src, constant) => {
  const [from, to] = [(constant >> 6) & 3, (constant >> 4) & 3]
  const value = src.kind === "mem" ? x.read(src) : x.lane("i32x4", x.vector(src), from)
  const kept = [0, 1, 2, 3].reduce(
    (mask, lane) => ((constant >> lane) & 1 ? mask : mask | (0xffff_ffffn << BigInt(32 * lane))),
    0n
  )
  return x.lanes("v128.and", x.withLane("i32x4", into, to, value), x.vectorConstant(kept))
}

type Sizes = { readonly opcode: string; readonly vex: string; readonly remarks?: typeof anySize }

const insertion = ({ opcode, vex, remarks = undefined }: Sizes, name: string, from: OperandName, value: Inserted) => [
  sse(
    `${opcode} /r ib`,
    name,
    ["x", from, "lit8"],
    (x, dest, src, index) => x.setVector(dest, value(x, x.vector(dest), src, x.literal(index))),
    remarks
  ),
  avx(`${vex} /r ib`, `v${name}`, ["x", "xv", from, "lit8"], (x, dest, rest, src, index) =>
    setWhole(x, dest, [value(x, x.vector(rest), src, x.literal(index))])
  )
]

const extract =
  (lane: Lane): Meaning =>
  (x, dest, src, index) =>
    x.write(dest, x.lane(lane, x.vector(src), x.literal(index) % laneCounts[lane]))

const extraction = (
  { opcode, vex, remarks = undefined }: Sizes,
  name: string,
  operands: ReadonlyArray<OperandName>,
  lane: Lane
) => [
  sse(`${opcode} /r ib`, name, operands, extract(lane), remarks),
  avx(`${vex} /r ib`, `v${name}`, operands, extract(lane))
]

/** Lines whose operand size changes nothing, and those of 32 and 64 bits. */
const any = (opcode: string): Sizes => ({ opcode, vex: vexed(opcode, 128, "WIG"), remarks: anySize })
const bits32 = (rest: string): Sizes => ({ opcode: `66 ${rest}`, vex: vexed(`66 ${rest}`, 128, "W0") })
const bits64 = (rest: string): Sizes => ({ opcode: `66 REX.W + ${rest}`, vex: vexed(`66 ${rest}`, 128, "W1") })

// ---- PMOVSX, PMOVZX

type Extension = <V, B, X>(x: Machine<V, B, X>, a: X, sign: "s" | "u") => X
const bytesTo16: Extension = (x, a, sign) => x.lanes(`i16x8.extend_low_i8x16_${sign}`, a)
const wordsTo32: Extension = (x, a, sign) => x.lanes(`i32x4.extend_low_i16x8_${sign}`, a)
const doublesTo64: Extension = (x, a, sign) => x.lanes(`i64x2.extend_low_i32x4_${sign}`, a)

// biome-ignore format: an instruction, a line
const extensions = [
  { opcode: "0", suffix: "bw", width: 64, steps: [bytesTo16] },
  { opcode: "1", suffix: "bd", width: 32, steps: [bytesTo16, wordsTo32] },
  { opcode: "2", suffix: "bq", width: 16, steps: [bytesTo16, wordsTo32, doublesTo64] },
  { opcode: "3", suffix: "wd", width: 64, steps: [wordsTo32] },
  { opcode: "4", suffix: "wq", width: 32, steps: [wordsTo32, doublesTo64] },
  { opcode: "5", suffix: "dq", width: 64, steps: [doublesTo64] }
] as const

const extend =
  (steps: ReadonlyArray<Extension>, width: 16 | 32 | 64, sign: "s" | "u"): Meaning =>
  (x, dest, src) =>
    x.setVector(
      dest,
      steps.reduce((value, step) => step(x, value, sign), partial(x, src, width))
    )

/** Twice as many lanes: those of the lower part, and of what follows them in the source. */
const extendWhole =
  (steps: ReadonlyArray<Extension>, width: 16 | 32 | 64, sign: "s" | "u", length: Length): Meaning =>
  (x, dest, src) => {
    const wide = (length === 128 ? width : 2 * width) as 16 | 32 | 64 | 128
    const a = wide === 128 ? x.vector(src) : partial(x, src, wide)
    const from = (byte: number) =>
      x.shuffle(
        a,
        a,
        Array.from({ length: 16 }, (_, n) => (byte + n) % 16)
      )
    const extended = (value: typeof a) => steps.reduce((lanes, step) => step(x, lanes, sign), value)
    setWhole(x, dest, length === 128 ? [extended(a)] : [extended(a), extended(from(width / 8))])
  }

const extensionForms = (rest: string, name: string, { width, steps }: (typeof extensions)[number], sign: "s" | "u") => [
  sse(`66 0F 38 ${rest} /r`, name, ["x", `x${width}`], extend(steps, width, sign)),
  avx(`VEX.128.66.0F38.WIG ${rest} /r`, `v${name}`, ["x", `x${width}`], extendWhole(steps, width, sign, 128)),
  avx(
    `VEX.256.66.0F38.WIG ${rest} /r`,
    `v${name}`,
    ["y", `x${(2 * width) as 32 | 64 | 128}`],
    extendWhole(steps, width, sign, 256)
  )
]

const lowFour = [0, 1, 2, 3]
const constant = { constant: true } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...unary("66 0F 70", "pshufd", rearranged(32, fours), constant),
  ...unary("F2 0F 70", "pshuflw", rearranged(16, (lanes) => [...fours(lanes), 4, 5, 6, 7]), constant),
  ...unary("F3 0F 70", "pshufhw", rearranged(16, (lanes) => [...lowFour, ...fours(lanes).map((lane) => lane + 4)]), constant),
  ...binary("NP 0F C6", "shufps", chosen(32, (lanes) => fours(lanes).map((lane, n) => (n < 2 ? lane : lane + 4))), constant),
  ...binary("66 0F C6", "shufpd", shufpd, constant),
  ...binary("66 0F 3A 0F", "palignr", inEachPart(palignr), constant),

  ...binary("66 0F 3A 0C", "blendps", blended(32), constant),
  ...binary("66 0F 3A 0D", "blendpd", blended(64), constant),
  ...binary("66 0F 3A 0E", "pblendw", blended(16), constant),
  ...avxBinary("66 0F 3A 02", "vpblendd", blended(32), { constant: true, W: "W0" }),
  ...blends(["10", "4C"], "pblendvb", "i8x16"),
  ...blends(["14", "4A"], "blendvps", "i32x4"),
  ...blends(["15", "4B"], "blendvpd", "i64x2"),

  ...extensions.flatMap((of) => [
    ...extensionForms(`2${of.opcode}`, `pmovsx${of.suffix}`, of, "s"),
    ...extensionForms(`3${of.opcode}`, `pmovzx${of.suffix}`, of, "u")
  ]),

  ...insertion(bits32("0F 3A 22"), "pinsrd", "rm32", inserted("i32x4")),
  ...insertion(bits64("0F 3A 22"), "pinsrq", "rm64", inserted("i64x2")),
  ...insertion({ opcode: "66 0F 3A 21", vex: vexed("66 0F 3A 21", 128, "WIG") }, "insertps", "x32", insertps),
  ...insertion(any("66 0F C4"), "pinsrw", "r32m16", inserted("i16x8")),
  ...insertion(any("66 0F 3A 20"), "pinsrb", "r32m8", inserted("i8x16")),
  ...extraction(any("66 0F C5"), "pextrw", ["r32", "X", "lit8"], "i16x8"),
  ...extraction(any("66 0F 3A 14"), "pextrb", ["r32m8", "x", "lit8"], "i8x16"),
  ...extraction(any("66 0F 3A 15"), "pextrw", ["r32m16", "x", "lit8"], "i16x8"),
  ...extraction(any("66 0F 3A 17"), "extractps", ["rm32", "x", "lit8"], "i32x4"),
  ...extraction(bits32("0F 3A 16"), "pextrd", ["rm32", "x", "lit8"], "i32x4"),
  ...extraction(bits64("0F 3A 16"), "pextrq", ["rm64", "x", "lit8"], "i64x2")
]
