/** Shuffles, blends, insertions and extractions that a constant decides. SDM vol. 2, the pages of the same names. */
import type { Lane } from "../../../wasm/simd.ts"
import type { Form } from "../../Form.ts"
import type { Machine, Meaning } from "../../Meaning.ts"
import { anySize } from "../operation.ts"
import { partial, places, source, sse, zero } from "./vector.ts"

/** Two bits of the constant for each of four lanes. */
const fours = (constant: number): ReadonlyArray<number> => [0, 2, 4, 6].map((bit) => (constant >> bit) & 3)

/** Lanes of the source alone. */
const rearranged =
  (width: 16 | 32, lanes: (constant: number) => ReadonlyArray<number>): Meaning =>
  (x, dest, src, constant) => {
    const value = source(x, src)
    x.setVector(dest, x.shuffle(value, value, places(width, lanes(x.literal(constant)))))
  }

/** Lanes of the destination, and after these the source's. */
const chosen =
  (width: 8 | 16 | 32 | 64, lanes: (constant: number) => ReadonlyArray<number>): Meaning =>
  (x, dest, src, constant) =>
    x.setVector(dest, x.shuffle(x.vector(dest), source(x, src), places(width, lanes(x.literal(constant)))))

/** A bit for each lane: the source's. */
const blended = (width: 16 | 32 | 64): Meaning => {
  const lanes = Array.from({ length: 128 / width }, (_, lane) => lane)
  return chosen(width, (constant) => lanes.map((lane) => ((constant >> lane) & 1 ? lane + lanes.length : lane)))
}

/** The source's lanes where the lanes of XMM0 have their highest bit set. */
const blendedBy =
  (lane: Lane): Meaning =>
  (x, dest, src, by) => {
    const mask = x.lanes(`${lane}.gt_s`, zero(x), x.vector(by))
    x.setVector(dest, x.lanes("v128.bitselect", source(x, src), x.vector(dest), mask))
  }

/** PALIGNR: 16 bytes of the source and, above it, the destination, from this byte on. */
const palignr: Meaning = (x, dest, src, constant) => {
  const by = x.literal(constant)
  const [upper, lower] = [x.vector(dest), source(x, src)]
  const bytes = (from: number) => Array.from({ length: 16 }, (_, n) => Math.min(from + n, 31))
  if (by < 16) x.setVector(dest, x.shuffle(lower, upper, bytes(by)))
  else if (by >= 32) x.setVector(dest, zero(x))
  else x.setVector(dest, x.shuffle(upper, zero(x), bytes(by - 16)))
}

const laneCounts = { i8x16: 16, i16x8: 8, i32x4: 4, i64x2: 2 } as const

const insert =
  (lane: Lane): Meaning =>
  (x, dest, src, index) => {
    const value = x.read(src)
    x.setVector(dest, x.withLane(lane, x.vector(dest), x.literal(index) % laneCounts[lane], value))
  }
const extract =
  (lane: Lane): Meaning =>
  (x, dest, src, index) =>
    x.write(dest, x.lane(lane, x.vector(src), x.literal(index) % laneCounts[lane]))

/** INSERTPS: bits 7:6 choose of a register, 5:4 where to, 3:0 what becomes 0. */
const insertps: Meaning = (x, dest, src, constant) => {
  const [from, to] = [(x.literal(constant) >> 6) & 3, (x.literal(constant) >> 4) & 3]
  const value = src.kind === "mem" ? x.read(src) : x.lane("i32x4", x.vector(src), from)
  const kept = [0, 1, 2, 3].reduce(
    (mask, lane) => ((x.literal(constant) >> lane) & 1 ? mask : mask | (0xffff_ffffn << BigInt(32 * lane))),
    0n
  )
  x.setVector(dest, x.lanes("v128.and", x.withLane("i32x4", x.vector(dest), to, value), x.vectorConstant(kept)))
}

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

const lowFour = [0, 1, 2, 3]

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("66 0F 70 /r ib", "pshufd", ["x", "x128", "lit8"], rearranged(32, fours)),
  sse("F2 0F 70 /r ib", "pshuflw", ["x", "x128", "lit8"], rearranged(16, (constant) => [...fours(constant), 4, 5, 6, 7])),
  sse("F3 0F 70 /r ib", "pshufhw", ["x", "x128", "lit8"], rearranged(16, (constant) => [...lowFour, ...fours(constant).map((lane) => lane + 4)])),
  sse("NP 0F C6 /r ib", "shufps", ["x", "x128", "lit8"], chosen(32, (constant) => fours(constant).map((lane, n) => (n < 2 ? lane : lane + 4)))),
  sse("66 0F C6 /r ib", "shufpd", ["x", "x128", "lit8"], chosen(64, (constant) => [constant & 1, 2 + ((constant >> 1) & 1)])),
  sse("66 0F 3A 0F /r ib", "palignr", ["x", "x128", "lit8"], palignr),

  sse("66 0F 3A 0C /r ib", "blendps", ["x", "x128", "lit8"], blended(32)),
  sse("66 0F 3A 0D /r ib", "blendpd", ["x", "x128", "lit8"], blended(64)),
  sse("66 0F 3A 0E /r ib", "pblendw", ["x", "x128", "lit8"], blended(16)),
  sse("66 0F 38 10 /r", "pblendvb", ["x", "x128", "xmm0"], blendedBy("i8x16")),
  sse("66 0F 38 14 /r", "blendvps", ["x", "x128", "xmm0"], blendedBy("i32x4")),
  sse("66 0F 38 15 /r", "blendvpd", ["x", "x128", "xmm0"], blendedBy("i64x2")),

  ...extensions.flatMap(({ opcode, suffix, width, steps }) => [
    sse(`66 0F 38 2${opcode} /r`, `pmovsx${suffix}`, ["x", `x${width}`], extend(steps, width, "s")),
    sse(`66 0F 38 3${opcode} /r`, `pmovzx${suffix}`, ["x", `x${width}`], extend(steps, width, "u"))
  ]),

  sse("66 0F 3A 22 /r ib", "pinsrd", ["x", "rm32", "lit8"], insert("i32x4")),
  sse("66 REX.W + 0F 3A 22 /r ib", "pinsrq", ["x", "rm64", "lit8"], insert("i64x2")),
  sse("66 0F 3A 21 /r ib", "insertps", ["x", "x32", "lit8"], insertps),
  sse("66 0F C4 /r ib", "pinsrw", ["x", "r32m16", "lit8"], insert("i16x8"), anySize),
  sse("66 0F 3A 20 /r ib", "pinsrb", ["x", "r32m8", "lit8"], insert("i8x16"), anySize),
  sse("66 0F C5 /r ib", "pextrw", ["r32", "X", "lit8"], extract("i16x8"), anySize),
  sse("66 0F 3A 14 /r ib", "pextrb", ["r32m8", "x", "lit8"], extract("i8x16"), anySize),
  sse("66 0F 3A 15 /r ib", "pextrw", ["r32m16", "x", "lit8"], extract("i16x8"), anySize),
  sse("66 0F 3A 17 /r ib", "extractps", ["rm32", "x", "lit8"], extract("i32x4"), anySize),
  sse("66 0F 3A 16 /r ib", "pextrd", ["rm32", "x", "lit8"], extract("i32x4")),
  sse("66 REX.W + 0F 3A 16 /r ib", "pextrq", ["rm64", "x", "lit8"], extract("i64x2"))
]
