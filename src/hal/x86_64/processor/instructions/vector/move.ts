/** MOVAPS, MOVUPS, MOVDQA, MOVDQU, MOVSS, MOVSD, MOVD, MOVQ, MOVLPS, MOVHPS, MOVMSKPS and their like. SDM vol. 2B, the pages of the same names. */
import type { Bitmask } from "../../../wasm/simd.ts"
import type { Form, OperandName } from "../../Form.ts"
import type { Machine, Meaning, Operand } from "../../Meaning.ts"
import { anySize } from "../operation.ts"
import {
  avx,
  extended,
  inEachPart,
  type Length,
  partsIn,
  places,
  requireAligned,
  setWhole,
  source,
  sse,
  store,
  unary,
  upper,
  vexed,
  zero
} from "./vector.ts"

// ---- whole registers

const moved =
  (isAligned: boolean): Meaning =>
  (x, dest, src) => {
    if (isAligned) requireAligned(x, dest)
    x.setVector(dest, isAligned ? source(x, src) : x.vector(src))
  }
const vexMoved =
  (isAligned: boolean, length: Length): Meaning =>
  (x, dest, src) => {
    if (isAligned) for (const operand of [dest, src]) requireAligned(x, operand, length)
    store(x, dest, partsIn(x, src, length))
  }

/** `from` names the operand in ModRM.rm. */
const whole = (
  opcode: string,
  name: string,
  alignment: "aligned" | "unaligned",
  direction: "load" | "store",
  from: "x128" | "m128"
): ReadonlyArray<Form> => {
  const operands = (register: OperandName, rm: OperandName) => (direction === "load" ? [register, rm] : [rm, register])
  const isAligned = alignment === "aligned"
  return [
    sse(`${opcode} /r`, name, operands("x", from), moved(isAligned)),
    avx(`${vexed(opcode, 128, "WIG")} /r`, `v${name}`, operands("x", from), vexMoved(isAligned, 128)),
    avx(
      `${vexed(opcode, 256, "WIG")} /r`,
      `v${name}`,
      operands("y", from === "x128" ? "y256" : "m256"),
      vexMoved(isAligned, 256)
    )
  ]
}

// ---- one lane

const low = (width: 32 | 64) => (width === 32 ? places(32, [4, 1, 2, 3]) : places(64, [2, 1]))

/** Between registers only the low lane moves; from memory the rest becomes 0. */
const scalar =
  (width: 32 | 64): Meaning =>
  (x, dest, src) => {
    if (dest.kind === "mem") x.store(dest, x.read(src), width)
    else if (src.kind === "mem") x.setVector(dest, extended(x, x.load(src, width)))
    else x.setVector(dest, x.shuffle(x.vector(dest), x.vector(src), low(width)))
  }

/** With VEX, what has three registers takes the rest from the first source. */
const scalarMoves = (prefix: "F2" | "F3", name: string, width: 32 | 64): ReadonlyArray<Form> => {
  const merged: Meaning = (x, dest, rest, src) =>
    setWhole(x, dest, [x.shuffle(x.vector(rest), x.vector(src), low(width))])
  return [
    sse(`${prefix} 0F 10 /r`, name, ["x", `x${width}`], scalar(width)),
    sse(`${prefix} 0F 11 /r`, name, [`x${width}`, "x"], scalar(width)),
    avx(`VEX.LIG.${prefix}.0F.WIG 10 /r`, `v${name}`, ["x", `m${width}`], (x, dest, src) =>
      setWhole(x, dest, [extended(x, x.load(src, width))])
    ),
    avx(`VEX.LIG.${prefix}.0F.WIG 11 /r`, `v${name}`, [`m${width}`, "x"], scalar(width)),
    avx(`VEX.LIG.${prefix}.0F.WIG 10 /r`, `v${name}`, ["x", "xv", "X"], merged),
    avx(`VEX.LIG.${prefix}.0F.WIG 11 /r`, `v${name}`, ["X", "xv", "x"], merged)
  ]
}

/** A general register, a vector register or memory, with zeros above. */
const toVector: Meaning = (x, dest, src) => x.setVector(dest, extended(x, x.read(src)))
const toWhole: Meaning = (x, dest, src) => setWhole(x, dest, [extended(x, x.read(src))])
const fromVector: Meaning = (x, dest, src) => x.write(dest, x.read(src))
const movqTo =
  (set: <V, B, X>(x: Machine<V, B, X>, dest: Operand, value: X) => void): Meaning =>
  (x, dest, src) =>
    dest.kind === "mem" ? x.write(dest, x.read(src)) : set(x, dest, extended(x, x.read(src)))

// ---- halves

/** The low or the high half, from and to memory. */
const loadHalf =
  (index: 0 | 1): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, x.withLane("i64x2", x.vector(dest), index, x.read(src)))
const loadHalfBeside =
  (index: 0 | 1): Meaning =>
  (x, dest, rest, src) =>
    setWhole(x, dest, [x.withLane("i64x2", x.vector(rest), index, x.read(src))])
const storeHalf =
  (index: 0 | 1): Meaning =>
  (x, dest, src) =>
    x.write(dest, x.lane("i64x2", x.vector(src), index))

const half = (
  prefix: "NP" | "66",
  opcodes: readonly [string, string],
  name: string,
  index: 0 | 1
): ReadonlyArray<Form> => [
  sse(`${prefix} 0F ${opcodes[0]} /r`, name, ["x", "m64"], loadHalf(index), anySize),
  sse(`${prefix} 0F ${opcodes[1]} /r`, name, ["m64", "x"], storeHalf(index), anySize),
  avx(`${vexed(`${prefix} 0F ${opcodes[0]}`, 128, "WIG")} /r`, `v${name}`, ["x", "xv", "m64"], loadHalfBeside(index)),
  avx(`${vexed(`${prefix} 0F ${opcodes[1]}`, 128, "WIG")} /r`, `v${name}`, ["m64", "x"], storeHalf(index))
]

/** MOVHLPS, MOVLHPS: a half of another register, beside one of the destination. */
const betweenHalves = (opcode: string, name: string, lanes: readonly [number, number]): ReadonlyArray<Form> => [
  sse(`NP 0F ${opcode} /r`, name, ["x", "X"], (x, dest, src) =>
    x.setVector(dest, x.shuffle(x.vector(dest), x.vector(src), places(64, lanes)))
  ),
  avx(`VEX.128.0F.WIG ${opcode} /r`, `v${name}`, ["x", "xv", "X"], (x, dest, a, b) =>
    setWhole(x, dest, [x.shuffle(x.vector(a), x.vector(b), places(64, lanes))])
  )
]

const duplicated = (lanes: ReadonlyArray<number>) => inEachPart((x, [a]) => x.shuffle(a, a, places(32, lanes)))

// ---- masks

const mask =
  (name: Bitmask): Meaning =>
  (x, dest, src) =>
    x.write(dest, x.bitmask(name, x.vector(src)))

/** The highest bits of lanes, of which there are so many in 128 bits. */
const masks = (opcode: string, name: string, of: Bitmask, lanes: number): ReadonlyArray<Form> => [
  sse(`${opcode} /r`, name, ["r32", "X"], mask(of), anySize),
  avx(`${vexed(opcode, 128, "WIG")} /r`, `v${name}`, ["r32", "X"], mask(of), anySize),
  avx(
    `${vexed(opcode, 256, "WIG")} /r`,
    `v${name}`,
    ["r32", "Y"],
    (x, dest, src) => {
      const above = x.bitmask(of, x.vector(upper(src)))
      x.write(dest, x.or(x.bitmask(of, x.vector(src)), x.shl(above, x.constant(BigInt(lanes)))))
    },
    anySize
  )
]

/** Bytes whose byte of the mask has its highest bit set. The others are accessed as well. */
const masked: Meaning = (x, memory, src, by) => {
  const selects = x.lanes("i8x16.gt_s", zero(x), x.vector(by))
  x.setVector(memory, x.lanes("v128.bitselect", x.vector(src), x.vector(memory), selects))
}
const maskedMoves = ([64, 32, 16] as const).flatMap((addressWidth) => [
  sse("66 0F F7 /r", "maskmovdqu", ["m64@ds:rdi", "x", "X"], masked, { addressWidth }),
  avx("VEX.128.66.0F.WIG F7 /r", "vmaskmovdqu", ["m64@ds:rdi", "x", "X"], masked, { addressWidth })
])

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...whole("NP 0F 28", "movaps", "aligned", "load", "x128"),
  ...whole("NP 0F 29", "movaps", "aligned", "store", "x128"),
  ...whole("66 0F 28", "movapd", "aligned", "load", "x128"),
  ...whole("66 0F 29", "movapd", "aligned", "store", "x128"),
  ...whole("66 0F 6F", "movdqa", "aligned", "load", "x128"),
  ...whole("66 0F 7F", "movdqa", "aligned", "store", "x128"),
  ...whole("NP 0F 10", "movups", "unaligned", "load", "x128"),
  ...whole("NP 0F 11", "movups", "unaligned", "store", "x128"),
  ...whole("66 0F 10", "movupd", "unaligned", "load", "x128"),
  ...whole("66 0F 11", "movupd", "unaligned", "store", "x128"),
  ...whole("F3 0F 6F", "movdqu", "unaligned", "load", "x128"),
  ...whole("F3 0F 7F", "movdqu", "unaligned", "store", "x128"),
  ...whole("F2 0F F0", "lddqu", "unaligned", "load", "m128"),
  ...whole("NP 0F 2B", "movntps", "aligned", "store", "m128"),
  ...whole("66 0F 2B", "movntpd", "aligned", "store", "m128"),
  ...whole("66 0F E7", "movntdq", "aligned", "store", "m128"),
  ...whole("66 0F 38 2A", "movntdqa", "aligned", "load", "m128"),

  ...scalarMoves("F3", "movss", 32),
  ...scalarMoves("F2", "movsd", 64),
  sse("66 0F 6E /r", "movd", ["x", "rm32"], toVector),
  sse("66 REX.W + 0F 6E /r", "movq", ["x", "rm64"], toVector),
  sse("66 0F 7E /r", "movd", ["rm32", "x"], fromVector),
  sse("66 REX.W + 0F 7E /r", "movq", ["rm64", "x"], fromVector),
  sse("F3 0F 7E /r", "movq", ["x", "x64"], toVector),
  sse("66 0F D6 /r", "movq", ["x64", "x"], movqTo((x, dest, value) => x.setVector(dest, value))),
  avx("VEX.128.66.0F.W0 6E /r", "vmovd", ["x", "rm32"], toWhole),
  avx("VEX.128.66.0F.W1 6E /r", "vmovq", ["x", "rm64"], toWhole),
  avx("VEX.128.66.0F.W0 7E /r", "vmovd", ["rm32", "x"], fromVector),
  avx("VEX.128.66.0F.W1 7E /r", "vmovq", ["rm64", "x"], fromVector),
  avx("VEX.128.F3.0F.WIG 7E /r", "vmovq", ["x", "x64"], toWhole),
  avx("VEX.128.66.0F.WIG D6 /r", "vmovq", ["x64", "x"], movqTo((x, dest, value) => setWhole(x, dest, [value]))),

  ...half("NP", ["12", "13"], "movlps", 0),
  ...half("66", ["12", "13"], "movlpd", 0),
  ...half("NP", ["16", "17"], "movhps", 1),
  ...half("66", ["16", "17"], "movhpd", 1),
  ...betweenHalves("12", "movhlps", [3, 1]),
  ...betweenHalves("16", "movlhps", [0, 2]),
  ...unary("F2 0F 12", "movddup", inEachPart((x, [a]) => x.shuffle(a, a, places(64, [0, 0]))), { partial: 64, lengths: [128] }),
  avx("VEX.256.F2.0F.WIG 12 /r", "vmovddup", ["y", "y256"], (x, dest, src) =>
    setWhole(x, dest, duplicated([0, 1, 0, 1])(x, 0, partsIn(x, src, 256)))),
  ...unary("F3 0F 12", "movsldup", duplicated([0, 0, 2, 2])),
  ...unary("F3 0F 16", "movshdup", duplicated([1, 1, 3, 3])),

  ...masks("NP 0F 50", "movmskps", "i32x4.bitmask", 4),
  ...masks("66 0F 50", "movmskpd", "i64x2.bitmask", 2),
  ...masks("66 0F D7", "pmovmskb", "i8x16.bitmask", 16),
  ...maskedMoves
]
