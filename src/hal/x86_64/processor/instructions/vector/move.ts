/** MOVAPS, MOVUPS, MOVDQA, MOVDQU, MOVSS, MOVSD, MOVD, MOVQ, MOVLPS, MOVHPS, MOVMSKPS and their like. SDM vol. 2B, the pages of the same names. */
import type { Form } from "../../Form.ts"
import { implied, impliedMemory } from "../../Instruction.ts"
import type { Machine, Meaning } from "../../Meaning.ts"
import { segments } from "../../State.ts"
import { anySize } from "../operation.ts"
import { converting, extended, places, requireAligned, source, sse } from "./vector.ts"

const aligned: Meaning = (x, dest, src) => {
  requireAligned(x, dest)
  x.setVector(dest, source(x, src))
}
const unaligned: Meaning = (x, dest, src) => x.setVector(dest, x.vector(src))

/** Between registers only the low lane moves; from memory the rest becomes 0. */
const scalar =
  (width: 32 | 64): Meaning =>
  (x, dest, src) => {
    if (dest.kind === "mem") x.store(dest, x.read(src), width)
    else if (src.kind === "mem") x.setVector(dest, extended(x, x.load(src, width)))
    else x.setVector(dest, x.shuffle(x.vector(dest), x.vector(src), low(width)))
  }
const low = (width: 32 | 64) => (width === 32 ? places(32, [4, 1, 2, 3]) : places(64, [2, 1]))

/** A general register or memory, with zeros above. */
const movdTo: Meaning = (x, dest, src) => x.setVector(dest, extended(x, x.read(src)))
const movdFrom: Meaning = (x, dest, src) => x.write(dest, x.read(src))

const movq: Meaning = (x, dest, src) => x.setVector(dest, extended(x, x.read(src)))
const movqFrom: Meaning = (x, dest, src) =>
  dest.kind === "mem" ? x.write(dest, x.read(src)) : x.setVector(dest, extended(x, x.read(src)))

/** The low or the high half, from and to memory. */
const loadHalf =
  (index: 0 | 1): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, x.withLane("i64x2", x.vector(dest), index, x.read(src)))
const storeHalf =
  (index: 0 | 1): Meaning =>
  (x, dest, src) =>
    x.write(dest, x.lane("i64x2", x.vector(src), index))
const movhlps: Meaning = (x, dest, src) =>
  x.setVector(dest, x.shuffle(x.vector(dest), x.vector(src), places(64, [3, 1])))
const movlhps: Meaning = (x, dest, src) =>
  x.setVector(dest, x.shuffle(x.vector(dest), x.vector(src), places(64, [0, 2])))

const movddup: Meaning = (x, dest, src) => x.setVector(dest, x.splat("i64x2", x.read(src)))
const duplicate = (lanes: ReadonlyArray<number>): Meaning =>
  converting((x, src) => x.shuffle(src, src, places(32, lanes)))

const mask =
  (name: "i8x16.bitmask" | "i32x4.bitmask" | "i64x2.bitmask"): Meaning =>
  (x, dest, src) =>
    x.write(dest, x.bitmask(name, x.vector(src)))

/** Bytes whose byte of the mask has its highest bit set. The others are accessed as well. */
const maskmovdqu = (addressWidth: 16 | 32 | 64): Meaning => {
  const memory = impliedMemory(implied("rdi", addressWidth), 64, segments.ds)
  return (x, src, mask) => x.setVector(memory, selected(x, x.vector(src), x.vector(memory), x.vector(mask)))
}
const selected = <V, B, X>(x: Machine<V, B, X>, a: X, b: X, mask: X): X =>
  x.lanes("v128.bitselect", a, b, x.lanes("i8x16.gt_s", x.vectorConstant(0n), mask))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("NP 0F 28 /r", "movaps", ["x", "x128"], aligned),
  sse("NP 0F 29 /r", "movaps", ["x128", "x"], aligned),
  sse("66 0F 28 /r", "movapd", ["x", "x128"], aligned),
  sse("66 0F 29 /r", "movapd", ["x128", "x"], aligned),
  sse("66 0F 6F /r", "movdqa", ["x", "x128"], aligned),
  sse("66 0F 7F /r", "movdqa", ["x128", "x"], aligned),
  sse("NP 0F 10 /r", "movups", ["x", "x128"], unaligned),
  sse("NP 0F 11 /r", "movups", ["x128", "x"], unaligned),
  sse("66 0F 10 /r", "movupd", ["x", "x128"], unaligned),
  sse("66 0F 11 /r", "movupd", ["x128", "x"], unaligned),
  sse("F3 0F 6F /r", "movdqu", ["x", "x128"], unaligned),
  sse("F3 0F 7F /r", "movdqu", ["x128", "x"], unaligned),
  sse("F2 0F F0 /r", "lddqu", ["x", "m128"], unaligned),
  sse("NP 0F 2B /r", "movntps", ["m128", "x"], aligned),
  sse("66 0F 2B /r", "movntpd", ["m128", "x"], aligned),
  sse("66 0F E7 /r", "movntdq", ["m128", "x"], aligned),
  sse("66 0F 38 2A /r", "movntdqa", ["x", "m128"], aligned),

  sse("F3 0F 10 /r", "movss", ["x", "x32"], scalar(32)),
  sse("F3 0F 11 /r", "movss", ["x32", "x"], scalar(32)),
  sse("F2 0F 10 /r", "movsd", ["x", "x64"], scalar(64)),
  sse("F2 0F 11 /r", "movsd", ["x64", "x"], scalar(64)),
  sse("66 0F 6E /r", "movd", ["x", "rm32"], movdTo),
  sse("66 REX.W + 0F 6E /r", "movq", ["x", "rm64"], movdTo),
  sse("66 0F 7E /r", "movd", ["rm32", "x"], movdFrom),
  sse("66 REX.W + 0F 7E /r", "movq", ["rm64", "x"], movdFrom),
  sse("F3 0F 7E /r", "movq", ["x", "x64"], movq),
  sse("66 0F D6 /r", "movq", ["x64", "x"], movqFrom),

  sse("NP 0F 12 /r", "movlps", ["x", "m64"], loadHalf(0), anySize),
  sse("NP 0F 12 /r", "movhlps", ["x", "X"], movhlps),
  sse("NP 0F 13 /r", "movlps", ["m64", "x"], storeHalf(0), anySize),
  sse("66 0F 12 /r", "movlpd", ["x", "m64"], loadHalf(0), anySize),
  sse("66 0F 13 /r", "movlpd", ["m64", "x"], storeHalf(0), anySize),
  sse("NP 0F 16 /r", "movhps", ["x", "m64"], loadHalf(1), anySize),
  sse("NP 0F 16 /r", "movlhps", ["x", "X"], movlhps),
  sse("NP 0F 17 /r", "movhps", ["m64", "x"], storeHalf(1), anySize),
  sse("66 0F 16 /r", "movhpd", ["x", "m64"], loadHalf(1), anySize),
  sse("66 0F 17 /r", "movhpd", ["m64", "x"], storeHalf(1), anySize),
  sse("F2 0F 12 /r", "movddup", ["x", "x64"], movddup),
  sse("F3 0F 12 /r", "movsldup", ["x", "x128"], duplicate([0, 0, 2, 2])),
  sse("F3 0F 16 /r", "movshdup", ["x", "x128"], duplicate([1, 1, 3, 3])),

  sse("NP 0F 50 /r", "movmskps", ["r32", "X"], mask("i32x4.bitmask"), anySize),
  sse("66 0F 50 /r", "movmskpd", ["r32", "X"], mask("i64x2.bitmask"), anySize),
  sse("66 0F D7 /r", "pmovmskb", ["r32", "X"], mask("i8x16.bitmask"), anySize),
  sse("66 0F F7 /r", "maskmovdqu", ["x", "X"], maskmovdqu(64), { addressWidth: 64 }),
  sse("66 0F F7 /r", "maskmovdqu", ["x", "X"], maskmovdqu(32), { addressWidth: 32 }),
  sse("66 0F F7 /r", "maskmovdqu", ["x", "X"], maskmovdqu(16), { addressWidth: 16 })
]
