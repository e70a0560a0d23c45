/** Logic, addition, multiplication, comparison and the like of integers. SDM vol. 2B, the pages of the same names. */
import type { LaneOperation, LaneShift } from "../../../wasm/simd.ts"
import type { Form } from "../../Form.ts"
import { explicit } from "../../flags.ts"
import type { Machine, Meaning } from "../../Meaning.ts"
import {
  avx,
  avxBinary,
  binary,
  computing,
  inEachPart,
  inParts,
  type Length,
  onLanes,
  type PartRule,
  partsIn,
  places,
  type Rule,
  setWhole,
  source,
  sse,
  unary,
  vexed,
  zero
} from "./vector.ts"

export type Combination = <V, B, X>(x: Machine<V, B, X>, a: X, b: X) => X

const andnot: Combination = (x, a, b) => x.lanes("v128.andnot", b, a)

/** A shuffle of the destination's lanes (from 0 on) and the source's (after these). */
const chosen =
  (width: 8 | 16 | 32 | 64, lanes: ReadonlyArray<number>): Combination =>
  (x, a, b) =>
    x.shuffle(a, b, places(width, lanes))

const everyOther = (first: 0 | 1, lanes: number) => Array.from({ length: lanes }, (_, n) => 2 * n + first)

/** Of two halves of wider products, the upper half of each lane. */
const upperProducts =
  (sign: "s" | "u"): Combination =>
  (x, a, b) =>
    x.shuffle(
      x.lanes(`i32x4.extmul_low_i16x8_${sign}`, a, b),
      x.lanes(`i32x4.extmul_high_i16x8_${sign}`, a, b),
      places(16, everyOther(1, 8))
    )

/** The products of lanes 0 and 2. */
const evenProducts =
  (sign: "s" | "u"): Combination =>
  (x, a, b) => {
    const even = places(32, [0, 2, 1, 3])
    return x.lanes(`i64x2.extmul_low_i32x4_${sign}`, x.shuffle(a, a, even), x.shuffle(b, b, even))
  }

/** PMULHRSW: "scale the intermediate 32-bit product to the 18 most significant bits, round". -1 times -1 is -1. */
const roundedProducts: Combination = (x, a, b) => {
  const round = (products: typeof a) =>
    x.shiftLanes("i32x4.shr_u", x.lanes("i32x4.add", products, x.splat("i32x4", x.constant(0x4000n))), x.constant(15n))
  return x.shuffle(
    round(x.lanes("i32x4.extmul_low_i16x8_s", a, b)),
    round(x.lanes("i32x4.extmul_high_i16x8_s", a, b)),
    places(16, everyOther(0, 8))
  )
}

/** PMADDUBSW: unsigned bytes times signed bytes, in pairs. */
const byteProducts: Combination = (x, a, b) => {
  const products = (half: "low" | "high") =>
    x.lanes("i16x8.mul", x.lanes(`i16x8.extend_${half}_i8x16_u`, a), x.lanes(`i16x8.extend_${half}_i8x16_s`, b))
  return pairs("i16x8.add_sat_s", 16)(x, products("low"), products("high"))
}

/** Neighbours of the destination, then of the source. */
const pairs =
  (name: LaneOperation, width: 16 | 32): Combination =>
  (x, a, b) => {
    const lanes = 128 / width
    return x.lanes(
      name,
      x.shuffle(a, b, places(width, everyOther(0, lanes))),
      x.shuffle(a, b, places(width, everyOther(1, lanes)))
    )
  }

/** PSIGN: the destination, with the sign of the source: negated, 0, or itself. */
const signed =
  (lane: "i8x16" | "i16x8" | "i32x4"): Combination =>
  (x, a, b) => {
    const positive = x.lanes(`${lane}.gt_s`, b, zero(x))
    const negative = x.lanes(`${lane}.gt_s`, zero(x), b)
    return x.lanes(
      "v128.or",
      x.lanes("v128.and", a, positive),
      x.lanes("v128.and", x.lanes(`${lane}.neg`, a), negative)
    )
  }

/** PSADBW: the sum of the differences of eight bytes. */
const differences: Combination = (x, a, b) => {
  const each = x.lanes("v128.or", x.lanes("i8x16.sub_sat_u", a, b), x.lanes("i8x16.sub_sat_u", b, a))
  const sums = x.lanes("i32x4.extadd_pairwise_i16x8_u", x.lanes("i16x8.extadd_pairwise_i8x16_u", each))
  const upper = x.shiftLanes("i64x2.shr_u", sums, x.constant(32n))
  return x.lanes("v128.and", x.lanes("i64x2.add", sums, upper), x.vectorConstant(0xffff_0000_0000_0000_ffffn))
}

type Test = <V, B, X>(x: Machine<V, B, X>, a: X) => X

/** ZF says that SRC and DEST have no bit in common (of those that `of` leaves), CF that SRC has none that DEST has not. */
const tested =
  (length: Length, of: Test): Meaning =>
  (x, dest, src) => {
    const a = partsIn(x, dest, length)
    const b = partsIn(x, src, length)
    const none = (name: "v128.and" | "v128.andnot") =>
      a
        .map((part, n) => (name === "v128.and" ? x.lanes(name, part, b[n]!) : x.lanes(name, b[n]!, part)))
        .map((common) => x.isZero(of(x, common)))
        .reduce((all, each) => x.both(all, each))
    const [ZF, CF] = [none("v128.and"), none("v128.andnot")]
    x.flags(explicit, 8, [x.or(x.shl(x.number(ZF), x.constant(6n)), x.number(CF))])
  }
const all: Test = (_x, a) => a
const signs =
  (width: 32 | 64): Test =>
  (x, a) =>
    x.lanes("v128.and", a, x.vectorConstant(width === 32 ? signs32 : signs64))
const signs32 = 0x80000000_80000000_80000000_80000000n
const signs64 = 0x80000000_00000000_80000000_00000000n

const tests = (opcode: string, name: string, of: Test, W: string): ReadonlyArray<Form> => [
  avx(`${vexed(opcode, 128, W)} /r`, name, ["x", "x128"], tested(128, of)),
  avx(`${vexed(opcode, 256, W)} /r`, name, ["y", "y256"], tested(256, of))
]
const ptest: Meaning = (x, dest, src) => {
  const [a, b] = [x.vector(dest), source(x, src)]
  const [ZF, CF] = [x.isZero(x.lanes("v128.and", a, b)), x.isZero(x.lanes("v128.andnot", b, a))]
  x.flags(explicit, 8, [x.or(x.shl(x.number(ZF), x.constant(6n)), x.number(CF))])
}

// ---- shifts

interface Shift {
  readonly name: LaneShift
  readonly width: 16 | 32 | 64
}

/** A count beyond the width shifts everything out; of signed lanes all but the sign. */
const shifted = <V, B, X>(x: Machine<V, B, X>, { name, width }: Shift, a: X, count: V): X => {
  const fits = x.below(count, x.constant(BigInt(width)))
  if (name.endsWith("_s")) return x.shiftLanes(name, a, x.choose(fits, count, x.constant(BigInt(width - 1))))
  return x.chooseVector(fits, x.shiftLanes(name, a, count), zero(x))
}
export const shiftedBy =
  (of: Shift): PartRule =>
  (x, [a], constant) =>
    shifted(x, of, a, x.constant(BigInt(constant)))
export const shift =
  (of: Shift): Combination =>
  (x, a, b) =>
    shifted(x, of, a, x.lane("i64x2", b, 0))

/** The count is the low half of an XMM register, or of 128 bits of memory, whatever the length. */
const shiftLines = (opcode: string, name: string, of: Shift): ReadonlyArray<Form> => [
  ...binary(
    opcode,
    name,
    inEachPart((x, [a, b]) => shift(of)(x, a, b)),
    { lengths: [128] }
  ),
  avx(`${vexed(opcode, 256, "WIG")} /r`, `v${name}`, ["y", "yv", "x128"], (x, dest, first, by) => {
    const [a, count] = [partsIn(x, first, 256), x.vector(by)]
    setWhole(
      x,
      dest,
      inParts(a, (part) => shift(of)(x, a[part]!, count))
    )
  })
]

/** By a constant: the destination itself, with VEX a source. */
const byConstant = (opcode: string, name: string, rule: PartRule): ReadonlyArray<Form> => {
  const each = inEachPart(rule)
  const avxMeaning =
    (length: Length): Meaning =>
    (x, dest, src, count) =>
      setWhole(x, dest, each(x, x.literal(count), partsIn(x, src, length)))
  return [
    sse(`${opcode} ib`, name, ["X", "lit8"], (x, dest, count) =>
      x.setVector(dest, each(x, x.literal(count), [x.vector(dest)])[0])
    ),
    avx(`${vexed(opcode, 128, "WIG")} ib`, `v${name}`, ["xv", "X", "lit8"], avxMeaning(128)),
    avx(`${vexed(opcode, 256, "WIG")} ib`, `v${name}`, ["yv", "Y", "lit8"], avxMeaning(256))
  ]
}

/** PSLLDQ, PSRLDQ: by whole bytes. */
const shiftBytes =
  (direction: "left" | "right"): PartRule =>
  (x, [a], constant) => {
    const by = Math.min(constant, 16)
    const [first, second, from] = direction === "left" ? [zero(x), a, 16 - by] : [a, zero(x), by]
    const bytes = Array.from({ length: 16 }, (_, n) => from + n)
    return x.shuffle(first, second, places(8, bytes))
  }

/** VPSLLVD and its like: each lane by its own count. */
const variableShift = (of: "shl" | "shr" | "sar", width: 32 | 64): Rule => {
  const lane = width === 32 ? "i32x4" : "i64x2"
  return inEachPart((x, [a, b]) =>
    Array.from({ length: 128 / width }, (_, n) => n).reduce((result, n) => {
      const [value, count] = [x.lane(lane, a, n), x.lane(lane, b, n)]
      const fits = x.below(count, x.constant(BigInt(width)))
      const moved =
        of === "sar"
          ? x.sar(x.signed(value, width), x.choose(fits, count, x.constant(63n)))
          : x.choose(fits, x[of](value, count), x.constant(0n))
      return x.withLane(lane, result, n, moved)
    }, a)
  )
}

// biome-ignore format: a shift, a line
export const shifts = [
  { name: "psrlw", opcode: "D1", group: "71 /2", of: { name: "i16x8.shr_u", width: 16 } },
  { name: "psrld", opcode: "D2", group: "72 /2", of: { name: "i32x4.shr_u", width: 32 } },
  { name: "psrlq", opcode: "D3", group: "73 /2", of: { name: "i64x2.shr_u", width: 64 } },
  { name: "psraw", opcode: "E1", group: "71 /4", of: { name: "i16x8.shr_s", width: 16 } },
  { name: "psrad", opcode: "E2", group: "72 /4", of: { name: "i32x4.shr_s", width: 32 } },
  { name: "psllw", opcode: "F1", group: "71 /6", of: { name: "i16x8.shl",   width: 16 } },
  { name: "pslld", opcode: "F2", group: "72 /6", of: { name: "i32x4.shl",   width: 32 } },
  { name: "psllq", opcode: "F3", group: "73 /6", of: { name: "i64x2.shl",   width: 64 } }
] as const

// ---- the table

const low8 = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23]
const low16 = [0, 8, 1, 9, 2, 10, 3, 11]
const upperHalf = (lanes: ReadonlyArray<number>) => lanes.map((lane) => lane + lanes.length / 2)

/** DEST := f(SRC1, SRC2): lane by lane as the name says, or in a way of its own. */
// biome-ignore format: an instruction, a line
export const combinations: ReadonlyArray<readonly [opcode: string, name: string, LaneOperation | Combination]> = [
  ["NP 0F 54", "andps",     "v128.and"],
  ["66 0F 54", "andpd",     "v128.and"],
  ["66 0F DB", "pand",      "v128.and"],
  ["NP 0F 55", "andnps",    andnot],
  ["66 0F 55", "andnpd",    andnot],
  ["66 0F DF", "pandn",     andnot],
  ["NP 0F 56", "orps",      "v128.or"],
  ["66 0F 56", "orpd",      "v128.or"],
  ["66 0F EB", "por",       "v128.or"],
  ["NP 0F 57", "xorps",     "v128.xor"],
  ["66 0F 57", "xorpd",     "v128.xor"],
  ["66 0F EF", "pxor",      "v128.xor"],

  ["66 0F FC", "paddb",     "i8x16.add"],
  ["66 0F FD", "paddw",     "i16x8.add"],
  ["66 0F FE", "paddd",     "i32x4.add"],
  ["66 0F D4", "paddq",     "i64x2.add"],
  ["66 0F EC", "paddsb",    "i8x16.add_sat_s"],
  ["66 0F ED", "paddsw",    "i16x8.add_sat_s"],
  ["66 0F DC", "paddusb",   "i8x16.add_sat_u"],
  ["66 0F DD", "paddusw",   "i16x8.add_sat_u"],
  ["66 0F F8", "psubb",     "i8x16.sub"],
  ["66 0F F9", "psubw",     "i16x8.sub"],
  ["66 0F FA", "psubd",     "i32x4.sub"],
  ["66 0F FB", "psubq",     "i64x2.sub"],
  ["66 0F E8", "psubsb",    "i8x16.sub_sat_s"],
  ["66 0F E9", "psubsw",    "i16x8.sub_sat_s"],
  ["66 0F D8", "psubusb",   "i8x16.sub_sat_u"],
  ["66 0F D9", "psubusw",   "i16x8.sub_sat_u"],
  ["66 0F E0", "pavgb",     "i8x16.avgr_u"],
  ["66 0F E3", "pavgw",     "i16x8.avgr_u"],
  ["66 0F DE", "pmaxub",    "i8x16.max_u"],
  ["66 0F EE", "pmaxsw",    "i16x8.max_s"],
  ["66 0F DA", "pminub",    "i8x16.min_u"],
  ["66 0F EA", "pminsw",    "i16x8.min_s"],
  ["66 0F 74", "pcmpeqb",   "i8x16.eq"],
  ["66 0F 75", "pcmpeqw",   "i16x8.eq"],
  ["66 0F 76", "pcmpeqd",   "i32x4.eq"],
  ["66 0F 64", "pcmpgtb",   "i8x16.gt_s"],
  ["66 0F 65", "pcmpgtw",   "i16x8.gt_s"],
  ["66 0F 66", "pcmpgtd",   "i32x4.gt_s"],
  ["66 0F D5", "pmullw",    "i16x8.mul"],
  ["66 0F E5", "pmulhw",    upperProducts("s")],
  ["66 0F E4", "pmulhuw",   upperProducts("u")],
  ["66 0F F4", "pmuludq",   evenProducts("u")],
  ["66 0F F5", "pmaddwd",   "i32x4.dot_i16x8_s"],
  ["66 0F F6", "psadbw",    differences],

  ["66 0F 63", "packsswb",  "i8x16.narrow_i16x8_s"],
  ["66 0F 67", "packuswb",  "i8x16.narrow_i16x8_u"],
  ["66 0F 6B", "packssdw",  "i16x8.narrow_i32x4_s"],
  ["66 0F 60", "punpcklbw",  chosen(8, low8)],
  ["66 0F 61", "punpcklwd",  chosen(16, low16)],
  ["66 0F 62", "punpckldq",  chosen(32, [0, 4, 1, 5])],
  ["66 0F 6C", "punpcklqdq", chosen(64, [0, 2])],
  ["66 0F 68", "punpckhbw",  chosen(8, upperHalf(low8))],
  ["66 0F 69", "punpckhwd",  chosen(16, upperHalf(low16))],
  ["66 0F 6A", "punpckhdq",  chosen(32, [2, 6, 3, 7])],
  ["66 0F 6D", "punpckhqdq", chosen(64, [1, 3])],
  ["NP 0F 14", "unpcklps",   chosen(32, [0, 4, 1, 5])],
  ["66 0F 14", "unpcklpd",   chosen(64, [0, 2])],
  ["NP 0F 15", "unpckhps",   chosen(32, [2, 6, 3, 7])],
  ["66 0F 15", "unpckhpd",   chosen(64, [1, 3])],

  // SSSE3
  ["66 0F 38 00", "pshufb",    (x, a, b) => x.lanes("i8x16.swizzle", a, x.lanes("v128.and", b, x.splat("i8x16", x.constant(0x8fn))))],
  ["66 0F 38 01", "phaddw",    pairs("i16x8.add", 16)],
  ["66 0F 38 02", "phaddd",    pairs("i32x4.add", 32)],
  ["66 0F 38 03", "phaddsw",   pairs("i16x8.add_sat_s", 16)],
  ["66 0F 38 04", "pmaddubsw", byteProducts],
  ["66 0F 38 05", "phsubw",    pairs("i16x8.sub", 16)],
  ["66 0F 38 06", "phsubd",    pairs("i32x4.sub", 32)],
  ["66 0F 38 07", "phsubsw",   pairs("i16x8.sub_sat_s", 16)],
  ["66 0F 38 08", "psignb",    signed("i8x16")],
  ["66 0F 38 09", "psignw",    signed("i16x8")],
  ["66 0F 38 0A", "psignd",    signed("i32x4")],
  ["66 0F 38 0B", "pmulhrsw",  roundedProducts],

  // SSE4.1, SSE4.2
  ["66 0F 38 28", "pmuldq",    evenProducts("s")],
  ["66 0F 38 29", "pcmpeqq",   "i64x2.eq"],
  ["66 0F 38 2B", "packusdw",  "i16x8.narrow_i32x4_u"],
  ["66 0F 38 37", "pcmpgtq",   "i64x2.gt_s"],
  ["66 0F 38 38", "pminsb",    "i8x16.min_s"],
  ["66 0F 38 39", "pminsd",    "i32x4.min_s"],
  ["66 0F 38 3A", "pminuw",    "i16x8.min_u"],
  ["66 0F 38 3B", "pminud",    "i32x4.min_u"],
  ["66 0F 38 3C", "pmaxsb",    "i8x16.max_s"],
  ["66 0F 38 3D", "pmaxsd",    "i32x4.max_s"],
  ["66 0F 38 3E", "pmaxuw",    "i16x8.max_u"],
  ["66 0F 38 3F", "pmaxud",    "i32x4.max_u"],
  ["66 0F 38 40", "pmulld",    "i32x4.mul"]
]

const ruleOf = (how: LaneOperation | Combination): Rule =>
  typeof how === "string" ? onLanes(how) : inEachPart((x, [a, b]) => how(x, a, b))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...combinations.flatMap(([opcode, name, how]) => binary(opcode, name, ruleOf(how))),
  ...shifts.flatMap(({ name, opcode, group, of }) => [
    ...shiftLines(`66 0F ${opcode}`, name, of),
    ...byConstant(`66 0F ${group}`, name, shiftedBy(of))
  ]),
  ...byConstant("66 0F 73 /3", "psrldq", shiftBytes("right")),
  ...byConstant("66 0F 73 /7", "pslldq", shiftBytes("left")),
  ...avxBinary("66 0F 38 45", "vpsrlvd", variableShift("shr", 32), { W: "W0" }),
  ...avxBinary("66 0F 38 45", "vpsrlvq", variableShift("shr", 64), { W: "W1" }),
  ...avxBinary("66 0F 38 46", "vpsravd", variableShift("sar", 32), { W: "W0" }),
  ...avxBinary("66 0F 38 47", "vpsllvd", variableShift("shl", 32), { W: "W0" }),
  ...avxBinary("66 0F 38 47", "vpsllvq", variableShift("shl", 64), { W: "W1" }),
  ...unary("66 0F 38 1C", "pabsb", inEachPart((x, [a]) => x.lanes("i8x16.abs", a))),
  ...unary("66 0F 38 1D", "pabsw", inEachPart((x, [a]) => x.lanes("i16x8.abs", a))),
  ...unary("66 0F 38 1E", "pabsd", inEachPart((x, [a]) => x.lanes("i32x4.abs", a))),
  sse("66 0F 38 17 /r", "ptest", ["x", "x128"], ptest),
  ...tests("66 0F 38 17", "vptest", all, "WIG"),
  ...tests("66 0F 38 0E", "vtestps", signs(32), "W0"),
  ...tests("66 0F 38 0F", "vtestpd", signs(64), "W0"),
  ...unary("66 0F 38 41", "phminposuw", computing("least"), { lengths: [128] })
]
