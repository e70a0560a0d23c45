/** Broadcasts, and permutations within and across the halves of YMM registers. SDM vol. 2C, "VBROADCAST" to "VPERMQ", "VEXTRACTF128", "VINSERTF128". */
import type { Lane } from "../../../wasm/simd.ts"
import type { Form, OperandName } from "../../Form.ts"
import { laneWidth } from "../../lanes.ts"
import type { Machine, Meaning } from "../../Meaning.ts"
import { fours } from "./shuffle.ts"
import {
  avx,
  avxBinary,
  avxUnary,
  inEachPart,
  inParts,
  type Length,
  type PartRule,
  partsIn,
  places,
  setWhole,
  store,
  zero
} from "./vector.ts"

// ---- broadcasts

/** Every lane is the source's lowest. */
const broadcast =
  (lane: Lane, length: Length): Meaning =>
  (x, dest, src) => {
    const width = laneWidth(lane)
    const value = src.kind === "mem" ? x.load(src, width) : x.lane(lane, x.vector(src), 0)
    const all = x.splat(lane, value)
    setWhole(x, dest, length === 128 ? [all] : [all, all])
  }

const broadcasts = (opcode: string, name: string, from: OperandName, lane: Lane): ReadonlyArray<Form> => [
  avx(`VEX.128.66.0F38.W0 ${opcode} /r`, name, ["x", from], broadcast(lane, 128)),
  avx(`VEX.256.66.0F38.W0 ${opcode} /r`, name, ["y", from], broadcast(lane, 256))
]

const broadcastHalf: Meaning = (x, dest, src) => {
  const half = x.vector(src)
  setWhole(x, dest, [half, half])
}

// ---- a half in, a half out

const insertHalf: Meaning = (x, dest, into, src, which) => {
  const [lower, above] = partsIn(x, into, 256)
  const half = x.vector(src)
  setWhole(x, dest, x.literal(which) & 1 ? [lower, half] : [half, above!])
}
const extractHalf: Meaning = (x, dest, src, which) =>
  store(x, dest, [partsIn(x, src, 256)[x.literal(which) & 1 ? 1 : 0]!])

/** VPERM2F128: four bits of the constant for each half: one of four halves, or 0. */
const twoHalves: Meaning = (x, dest, first, second, constant) => {
  const halves = [...partsIn(x, first, 256), ...partsIn(x, second, 256)]
  const chosen = (bits: number) => (bits & 8 ? zero(x) : halves[bits & 3]!)
  setWhole(x, dest, [chosen(x.literal(constant)), chosen(x.literal(constant) >> 4)])
}

// ---- lanes of 64 bits, two bits of the constant for each

const quadwords: Meaning = (x, dest, src, constant) => {
  const [lower, above] = partsIn(x, src, 256)
  const lanes = fours(x.literal(constant))
  const pair = (from: number) => x.shuffle(lower, above!, places(64, lanes.slice(from, from + 2)))
  setWhole(x, dest, [pair(0), pair(2)])
}

// ---- lanes that another register names

/** The numbers of bytes, of the lanes of 32 bits that `index` names in bits 2:0: from 0 to 31. */
const bytesOfLanes = <V, B, X>(x: Machine<V, B, X>, index: X): X => {
  const lane = x.lanes("v128.and", index, x.vectorConstant(0x00000007_00000007_00000007_00000007n))
  const everyByte = x.vectorConstant(0x04040404_04040404_04040404_04040404n)
  const within = x.vectorConstant(0x03020100_03020100_03020100_03020100n)
  return x.lanes("i8x16.add", x.lanes("i32x4.mul", lane, everyByte), within)
}

/** VPERMD, VPERMPS: of all eight. Where a swizzle's number is beyond its vector, it gives 0. */
const acrossHalves: Meaning = (x, dest, index, src) => {
  const [lower, above] = partsIn(x, src, 256)
  const numbers = partsIn(x, index, 256)
  const sixteen = x.splat("i8x16", x.constant(16n))
  setWhole(
    x,
    dest,
    inParts(numbers, (part) => {
      const bytes = bytesOfLanes(x, numbers[part]!)
      return x.lanes(
        "v128.or",
        x.lanes("i8x16.swizzle", lower, bytes),
        x.lanes("i8x16.swizzle", above!, x.lanes("i8x16.sub", bytes, sixteen))
      )
    })
  )
}

/** VPERMILPS: within each half. */
const singlesBy: PartRule = (x, [a, by]) => {
  const within = x.lanes("v128.and", by, x.vectorConstant(0x00000003_00000003_00000003_00000003n))
  return x.lanes("i8x16.swizzle", a, bytesOfLanes(x, within))
}
/** VPERMILPD: bit 1 of each lane says which. */
const doublesBy: PartRule = (x, [a, by]) => {
  const upper = x.lanes("i64x2.eq", x.lanes("v128.and", by, x.vectorConstant((2n << 64n) | 2n)), zero(x))
  return x.lanes("v128.bitselect", x.shuffle(a, a, places(64, [0, 0])), x.shuffle(a, a, places(64, [1, 1])), upper)
}
const singles: PartRule = (x, [a], constant) => x.shuffle(a, a, places(32, fours(constant)))
const doubles: PartRule = (x, [a], constant, part) => {
  const bits = constant >> (2 * part)
  return x.shuffle(a, a, places(64, [bits & 1, (bits >> 1) & 1]))
}

const W0 = { W: "W0" } as const
const constantW0 = { W: "W0", constant: true } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...broadcasts("18", "vbroadcastss", "x32", "i32x4"),
  avx("VEX.256.66.0F38.W0 19 /r", "vbroadcastsd", ["y", "x64"], broadcast("i64x2", 256)),
  avx("VEX.256.66.0F38.W0 1A /r", "vbroadcastf128", ["y", "m128"], broadcastHalf),
  avx("VEX.256.66.0F38.W0 5A /r", "vbroadcasti128", ["y", "m128"], broadcastHalf),
  ...broadcasts("78", "vpbroadcastb", "x8", "i8x16"),
  ...broadcasts("79", "vpbroadcastw", "x16", "i16x8"),
  ...broadcasts("58", "vpbroadcastd", "x32", "i32x4"),
  ...broadcasts("59", "vpbroadcastq", "x64", "i64x2"),

  avx("VEX.256.66.0F3A.W0 18 /r ib", "vinsertf128", ["y", "yv", "x128", "lit8"], insertHalf),
  avx("VEX.256.66.0F3A.W0 38 /r ib", "vinserti128", ["y", "yv", "x128", "lit8"], insertHalf),
  avx("VEX.256.66.0F3A.W0 19 /r ib", "vextractf128", ["x128", "y", "lit8"], extractHalf),
  avx("VEX.256.66.0F3A.W0 39 /r ib", "vextracti128", ["x128", "y", "lit8"], extractHalf),
  avx("VEX.256.66.0F3A.W0 06 /r ib", "vperm2f128", ["y", "yv", "y256", "lit8"], twoHalves),
  avx("VEX.256.66.0F3A.W0 46 /r ib", "vperm2i128", ["y", "yv", "y256", "lit8"], twoHalves),

  avx("VEX.256.66.0F3A.W1 00 /r ib", "vpermq", ["y", "y256", "lit8"], quadwords),
  avx("VEX.256.66.0F3A.W1 01 /r ib", "vpermpd", ["y", "y256", "lit8"], quadwords),
  avx("VEX.256.66.0F38.W0 36 /r", "vpermd", ["y", "yv", "y256"], acrossHalves),
  avx("VEX.256.66.0F38.W0 16 /r", "vpermps", ["y", "yv", "y256"], acrossHalves),
  ...avxUnary("66 0F 3A 04", "vpermilps", inEachPart(singles), constantW0),
  ...avxUnary("66 0F 3A 05", "vpermilpd", inEachPart(doubles), constantW0),
  ...avxBinary("66 0F 38 0C", "vpermilps", inEachPart(singlesBy), W0),
  ...avxBinary("66 0F 38 0D", "vpermilpd", inEachPart(doublesBy), W0)
]
