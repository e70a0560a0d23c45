/**
 * MMX, and what SSE to SSSE3 add to it: vectors of 64 bits, in the significands of the FPU's registers. SDM vol. 1, "Programming with Intel MMX
 * Technology"; vol. 3A, "Intel MMX Technology System Programming".
 *
 * What is done with lanes is what is done with those of XMM registers (integer.ts), of which these are the lower half.
 */
import type { Form, OperandName } from "../../Form.ts"
import { partOf, type Register } from "../../Instruction.ts"
import type { Machine, Meaning, Operand } from "../../Meaning.ts"
import type { VectorFunction } from "../../vectorFunctions.ts"
import { x87 } from "../../x87.ts"
import { anySize } from "../operation.ts"
import { type Combination, combinations, shift, shiftedBy, shifts } from "./integer.ts"
import { fours } from "./shuffle.ts"
import { extended, places, requireSse, requiring, source, sse, zero } from "./vector.ts"

const [EM, TS, NE] = [2, 3, 5] as const
const ES = 7

const fpuWord = (offset: number, width: 8 | 16): Register => ({ kind: "reg", width, offset, implied: true })
const status = fpuWord(x87.status, 16)
const valid = fpuWord(x87.valid, 8)
const withoutTop = 0xc7ffn

/** "#UD if CR0.EM = 1; #NM if CR0.TS = 1; #MF if there is a pending FPU exception." */
const requireMmx = <V, B, X>(x: Machine<V, B, X>): void => {
  const cr0 = x.get("cr0")
  x.raise("#UD", x.bit(cr0, EM))
  x.raise("#NM", x.bit(cr0, TS))
  x.raise("#MF", x.both(x.bit(x.read(status), ES), x.bit(cr0, NE)))
}

/** "When an MMX instruction (other than EMMS) is executed, the x87 FPU tag word is set to all valid, and TOP to 0." */
const transition = <V, B, X>(x: Machine<V, B, X>): void => {
  x.write(status, x.and(x.read(status), x.constant(withoutTop)))
  x.write(valid, x.constant(0xffn))
}

/** "Bits 64 to 79 are set to ones." */
const setMmx = <V, B, X>(x: Machine<V, B, X>, dest: Operand, value: V): void => {
  x.write(dest, value)
  if (dest.kind === "reg") x.write(partOf(dest as Register, 8, 16), x.constant(0xffffn))
}

const mmx = requiring(requireMmx, transition)
/** A line that uses XMM registers as well. */
const mixed = requiring((x) => {
  requireSse(x)
  requireMmx(x)
}, transition)

// ---- vectors of 64 bits as halves of wider ones

const wide = <V, B, X>(x: Machine<V, B, X>, operand: Operand): X => extended(x, x.read(operand))
const joined = <V, B, X>(x: Machine<V, B, X>, lower: Operand, upper: Operand): X =>
  x.withLane("i64x2", wide(x, lower), 1, x.read(upper))
const setLower = <V, B, X>(x: Machine<V, B, X>, dest: Operand, value: X): void =>
  setMmx(x, dest, x.lane("i64x2", value, 0))

/** DEST := the lower half of f(DEST, SRC), whose lanes are those of the halves. */
const onLower =
  (f: Combination): Meaning =>
  (x, dest, src) =>
    setLower(x, dest, f(x, wide(x, dest), wide(x, src)))
/** The upper half, where what is interleaved comes from the upper halves of 64 bits. */
const onUpper =
  (f: Combination): Meaning =>
  (x, dest, src) =>
    setMmx(x, dest, x.lane("i64x2", f(x, wide(x, dest), wide(x, src)), 1))
/** The destination's lanes, then the source's, as one vector: of two of those, f takes the first for its lower half. */
const onBoth =
  (f: Combination): Meaning =>
  (x, dest, src) => {
    const both = joined(x, dest, src)
    setLower(x, dest, f(x, both, both))
  }

const known = new Map(combinations.map(([, name, how]) => [name, how]))
/** What the instruction of XMM registers with this name does. */
const combination = (name: string): Combination => {
  const how = known.get(name)
  if (how === undefined) throw new Error(`${name} is no combination of two vectors`)
  return typeof how === "string" ? (x, a, b) => x.lanes(how, a, b) : how
}

/** Those that MMX has, by how they take their lanes. */
// biome-ignore format: by what they are about
const lowerNames = [
  "pand", "pandn", "por", "pxor",
  "paddb", "paddw", "paddd", "paddq", "paddsb", "paddsw", "paddusb", "paddusw",
  "psubb", "psubw", "psubd", "psubq", "psubsb", "psubsw", "psubusb", "psubusw",
  "pavgb", "pavgw", "pmaxub", "pmaxsw", "pminub", "pminsw",
  "pcmpeqb", "pcmpeqw", "pcmpeqd", "pcmpgtb", "pcmpgtw", "pcmpgtd",
  "pmullw", "pmulhw", "pmulhuw", "pmuludq", "pmaddwd", "psadbw",
  "pmaddubsw", "psignb", "psignw", "psignd", "pmulhrsw"
]
const bothNames = ["packsswb", "packuswb", "packssdw", "phaddw", "phaddd", "phaddsw", "phsubw", "phsubd", "phsubsw"]
// biome-ignore format: an instruction, a line
const interleaved = [
  { name: "punpcklbw", of: "punpcklbw", half: onLower },
  { name: "punpcklwd", of: "punpcklwd", half: onLower },
  { name: "punpckldq", of: "punpckldq", half: onLower },
  { name: "punpckhbw", of: "punpcklbw", half: onUpper },
  { name: "punpckhwd", of: "punpcklwd", half: onUpper },
  { name: "punpckhdq", of: "punpckldq", half: onUpper }
]

/** The opcode of the instruction of XMM registers, without its prefix. */
const opcodes = new Map(combinations.map(([opcode, name]) => [name, opcode.replace(/^66/, "NP")]))
const line = (name: string, from: OperandName, meaning: Meaning): Form =>
  mmx(`${opcodes.get(name)} /r`, name, ["p", from], meaning)

/** Three bits of each byte of the second source choose a byte, unless its highest is set. */
const pshufb: Meaning = (x, dest, src) => {
  const by = x.lanes("v128.and", wide(x, src), x.splat("i8x16", x.constant(0x87n)))
  setLower(x, dest, combination("pshufb")(x, wide(x, dest), by))
}

/** 8 bytes of the source and, above it, the destination, from this byte on. */
const palignr: Meaning = (x, dest, src, constant) => {
  const both = joined(x, src, dest)
  const from = Math.min(x.literal(constant), 16)
  const bytes = Array.from({ length: 16 }, (_, n) => from + n)
  setLower(x, dest, x.shuffle(both, zero(x), places(8, bytes)))
}

const pshufw: Meaning = (x, dest, src, constant) => {
  const a = wide(x, src)
  setLower(x, dest, x.shuffle(a, a, places(16, [...fours(x.literal(constant)), 4, 5, 6, 7])))
}

const absolute =
  (name: "i8x16.abs" | "i16x8.abs" | "i32x4.abs"): Meaning =>
  (x, dest, src) =>
    setLower(x, dest, x.lanes(name, wide(x, src)))

const load: Meaning = (x, dest, src) => setMmx(x, dest, x.read(src))
const store: Meaning = (x, dest, src) => x.write(dest, x.read(src))

/** Bytes whose byte of the mask has its highest bit set. The others are accessed as well. */
const maskmovq: Meaning = (x, memory, src, mask) => {
  const selects = x.lanes("i8x16.gt_s", zero(x), wide(x, mask))
  x.write(memory, x.lane("i64x2", x.lanes("v128.bitselect", wide(x, src), wide(x, memory), selects), 0))
}

// ---- conversion, between MMX and XMM registers

/** Two integers become two numbers in the lower half, or all of XMM. */
const fromMmx =
  (name: VectorFunction, gives: 64 | 128): Meaning =>
  (x, dest, src) => {
    const integers = wide(x, src)
    const [numbers] = x.compute(name, [[integers, integers]])
    x.setVector(dest, gives === 128 ? numbers! : x.withLane("i64x2", x.vector(dest), 0, x.lane("i64x2", numbers!, 0)))
  }
const toMmx =
  (name: VectorFunction, width: 64 | 128): Meaning =>
  (x, dest, src) => {
    const numbers = width === 64 ? extended(x, x.read(src)) : source(x, src)
    setLower(x, dest, x.compute(name, [[numbers, numbers]])[0]!)
  }

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...lowerNames.map((name) => line(name, "p64", onLower(combination(name)))),
  ...bothNames.map((name) => line(name, "p64", onBoth(combination(name)))),
  ...interleaved.map(({ name, of, half }) => line(name, half === onLower ? "p32" : "p64", half(combination(of)))),
  line("pshufb", "p64", pshufb),
  ...shifts.flatMap(({ name, opcode, group, of }) => [
    mmx(`NP 0F ${opcode} /r`, name, ["p", "p64"], onLower(shift(of))),
    mmx(`NP 0F ${group} ib`, name, ["P", "lit8"], (x, dest, count) => {
      const a = wide(x, dest)
      setLower(x, dest, shiftedBy(of)(x, [a, a, a], x.literal(count), 0))
    })
  ]),
  mmx("NP 0F 38 1C /r", "pabsb", ["p", "p64"], absolute("i8x16.abs")),
  mmx("NP 0F 38 1D /r", "pabsw", ["p", "p64"], absolute("i16x8.abs")),
  mmx("NP 0F 38 1E /r", "pabsd", ["p", "p64"], absolute("i32x4.abs")),
  mmx("NP 0F 3A 0F /r ib", "palignr", ["p", "p64", "lit8"], palignr),
  mmx("NP 0F 70 /r ib", "pshufw", ["p", "p64", "lit8"], pshufw),

  mmx("NP 0F 6E /r", "movd", ["p", "rm32"], load, { sizes: [16, 32] }),
  mmx("NP REX.W + 0F 6E /r", "movq", ["p", "rm64"], load),
  mmx("NP 0F 7E /r", "movd", ["rm32", "p"], store, { sizes: [16, 32] }),
  mmx("NP REX.W + 0F 7E /r", "movq", ["rm64", "p"], store),
  mmx("NP 0F 6F /r", "movq", ["p", "p64"], load),
  mmx("NP 0F 7F /r", "movq", ["p64", "p"], (x, dest, src) => setMmx(x, dest, x.read(src))),
  mmx("NP 0F E7 /r", "movntq", ["m64", "p"], store, anySize),
  ...([64, 32, 16] as const).map((addressWidth) => mmx("NP 0F F7 /r", "maskmovq", ["m64@ds:rdi", "p", "P"], maskmovq, { addressWidth })),
  mmx("NP 0F D7 /r", "pmovmskb", ["r32", "P"], (x, dest, src) => x.write(dest, x.bitmask("i8x16.bitmask", wide(x, src))), anySize),
  mmx("NP 0F C4 /r ib", "pinsrw", ["p", "r32m16", "lit8"], (x, dest, src, index) =>
    setLower(x, dest, x.withLane("i16x8", wide(x, dest), x.literal(index) & 3, x.read(src))), anySize),
  mmx("NP 0F C5 /r ib", "pextrw", ["r32", "P", "lit8"], (x, dest, src, index) =>
    x.write(dest, x.lane("i16x8", wide(x, src), x.literal(index) & 3)), anySize),

  mixed("F3 0F D6 /r", "movq2dq", ["x", "P"], (x, dest, src) => x.setVector(dest, wide(x, src))),
  mixed("F2 0F D6 /r", "movdq2q", ["p", "X"], load),
  mixed("NP 0F 2A /r", "cvtpi2ps", ["x", "P"], fromMmx("f32x4.from_i32x4", 64)),
  mixed("66 0F 2A /r", "cvtpi2pd", ["x", "P"], fromMmx("f64x2.from_i32x2", 128)),
  // CVTPI2PD "does not cause a transition if the source operand is memory"; nor does CVTPI2PS on processors.
  sse("NP 0F 2A /r", "cvtpi2ps", ["x", "m64"], fromMmx("f32x4.from_i32x4", 64), anySize),
  sse("66 0F 2A /r", "cvtpi2pd", ["x", "m64"], fromMmx("f64x2.from_i32x2", 128), anySize),
  mixed("NP 0F 2D /r", "cvtps2pi", ["p", "x64"], toMmx("i32x4.from_f32x4", 64)),
  mixed("NP 0F 2C /r", "cvttps2pi", ["p", "x64"], toMmx("i32x4.truncated_f32x4", 64)),
  mixed("66 0F 2D /r", "cvtpd2pi", ["p", "x128"], toMmx("i32x2.from_f64x2", 128)),
  mixed("66 0F 2C /r", "cvttpd2pi", ["p", "x128"], toMmx("i32x2.truncated_f64x2", 128))
]
