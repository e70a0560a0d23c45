/**
 * What all instructions of XMM and YMM registers share: SSE, and AVX with a VEX prefix.
 *
 * A YMM register is two parts of 128 bits, the lower first. What an instruction does is said as a `Rule` of parts; its lines in the opcode
 * tables follow from it. SDM vol. 1, "Programming with Intel Streaming SIMD Extensions", "Programming with Intel AVX"; vol. 2A, "Instructions
 * Exceptions Specification".
 */
import type { LaneOperation } from "../../../wasm/simd.ts"
import type { Form, OperandName } from "../../Form.ts"
import { partOf, type Register } from "../../Instruction.ts"
import type { Machine, Meaning, Operand } from "../../Meaning.ts"
import { inst, type Remarks } from "../../notation.ts"
import { at, toUpperHalf, vectorBytes } from "../../State.ts"
import type { VectorFunction } from "../../vectorFunctions.ts"

// ---- when they may be used

const [EM, TS, OSFXSR, OSXSAVE] = [2, 3, 9, 18] as const
/** XCR0.SSE and XCR0.AVX. */
const avxState = 6n

/** "#UD if CR0.EM = 1 or CR4.OSFXSR = 0; #NM if CR0.TS = 1." */
export const requireSse = <V, B, X>(x: Machine<V, B, X>): void => {
  const [cr0, cr4] = [x.get("cr0"), x.get("cr4")]
  x.raise("#UD", x.either(x.bit(cr0, EM), x.not(x.bit(cr4, OSFXSR))))
  x.raise("#NM", x.bit(cr0, TS))
}

/** "#UD if XCR0[2:1] ≠ '11b' or CR4.OSXSAVE = 0; #NM if CR0.TS = 1." */
const requireAvx = <V, B, X>(x: Machine<V, B, X>): void => {
  const enabled = x.equal(x.and(x.get("xcr0"), x.constant(avxState)), x.constant(avxState))
  x.raise("#UD", x.not(x.both(enabled, x.bit(x.get("cr4"), OSXSAVE))))
  x.raise("#NM", x.bit(x.get("cr0"), TS))
}

/** Lines of which each asks something before it does what it means, and may leave something after that. */
export const requiring =
  (require: <V, B, X>(x: Machine<V, B, X>) => void, leave: <V, B, X>(x: Machine<V, B, X>) => void = () => {}) =>
  (
    opcode: string,
    name: string,
    operands: ReadonlyArray<OperandName>,
    meaning: Meaning,
    remarks: Remarks = {}
  ): Form => {
    const whole: Meaning = (x, ...all) => {
      require(x)
      meaning(x, ...all)
      leave(x)
    }
    return inst(opcode, name, operands, whole, remarks)
  }

/** A line of an instruction that uses XMM registers; and with a VEX prefix. */
export const sse = requiring(requireSse)
export const avx = requiring(requireAvx)

// ---- operands

/** 128 bits, or the two halves of 256. */
export type Parts<X> = readonly [X] | readonly [X, X]

export type Length = 128 | 256

/** "#GP(0) if a memory operand is not aligned on a 16-byte (32-byte) boundary." */
export const requireAligned = <V, B, X>(x: Machine<V, B, X>, operand: Operand, length: Length = 128): void => {
  if (operand.kind !== "mem") return
  const below = x.constant(BigInt(length / 8 - 1))
  x.raise("#GP(0)", x.not(x.equal(x.and(x.linear(operand), below), x.constant(0n))))
}

/** A register, or memory that has to be aligned. */
export const source = <V, B, X>(x: Machine<V, B, X>, operand: Operand): X => {
  requireAligned(x, operand)
  return x.vector(operand)
}

/** The upper half of a YMM register. */
export const upper = (register: Operand): Register => partOf(register as Register, toUpperHalf, 64)

/** A register, or memory at any address. */
export const partsIn = <V, B, X>(x: Machine<V, B, X>, operand: Operand, length: Length): Parts<X> => {
  if (length === 128) return [x.vector(operand)]
  return operand.kind === "mem" ? x.vectors(operand) : [x.vector(operand), x.vector(upper(operand))]
}

/** All of a YMM register: what is above the parts becomes 0. */
export const setWhole = <V, B, X>(x: Machine<V, B, X>, register: Operand, parts: Parts<X>): void => {
  x.setVector(register, parts[0])
  x.setVector(upper(register), parts[1] ?? zero(x))
}

/** A register, the rest of it cleared; or memory, at any address. */
export const store = <V, B, X>(x: Machine<V, B, X>, dest: Operand, parts: Parts<X>): void => {
  if (dest.kind === "reg") setWhole(x, dest, parts)
  else if (parts[1] === undefined) x.setVector(dest, parts[0])
  else x.setVectors(dest, parts[0], parts[1])
}

/** The register with this number, where the form implies it. */
export const xmm = (number: number): Register => ({
  kind: "reg",
  width: 64,
  offset: at.vectors + vectorBytes * number,
  implied: true
})
export const xmm0 = xmm(0)

export const zero = <V, B, X>(x: Machine<V, B, X>): X => x.vectorConstant(0n)

/** 64 or 32 bits, with zeros above. */
export const extended = <V, B, X>(x: Machine<V, B, X>, value: V): X => x.withLane("i64x2", zero(x), 0, value)

/** A register, or memory of this width with zeros above. */
export const partial = <V, B, X>(x: Machine<V, B, X>, operand: Operand, width: 16 | 32 | 64): X =>
  operand.kind === "mem" ? extended(x, x.load(operand, width)) : x.vector(operand)

/** Lanes of `width` bits, by their places in two vectors, as bytes for `shuffle`. */
export const places = (width: 8 | 16 | 32 | 64, lanes: ReadonlyArray<number>): ReadonlyArray<number> =>
  lanes.flatMap((lane) => Array.from({ length: width / 8 }, (_, byte) => (lane * width) / 8 + byte))

// ---- rules

/** What an instruction makes of its sources. `constant` is 0 if it has none. */
export type Rule = <V, B, X>(
  x: Machine<V, B, X>,
  constant: number,
  ...sources: readonly [Parts<X>, ...ReadonlyArray<Parts<X>>]
) => Parts<X>

/** The same of the parts at one place. */
export type PartRule = <V, B, X>(x: Machine<V, B, X>, inputs: readonly [X, X, X], constant: number, part: 0 | 1) => X

/** Every part by itself. */
export const inEachPart =
  (rule: PartRule): Rule =>
  (x, constant, ...sources) =>
    inParts(sources[0], (part) => {
      const [a, b, c] = sources.map((source) => source[part]!)
      return rule(x, [a!, b!, c!], constant, part)
    })

/** As many parts as there are of `like`. */
export const inParts = <L, X>(like: Parts<L>, part: (part: 0 | 1) => X): Parts<X> =>
  like.length === 1 ? [part(0)] : [part(0), part(1)]

/** The function of this name: of one source it is the second input. */
export const computing =
  (name: VectorFunction): Rule =>
  (x, _constant, ...sources) =>
    computed(x, name, sources, () => [])

/** The same with the constant as the third input; `ofPart` says what it is there. */
export const computingWith =
  (name: VectorFunction, ofPart = (constant: number, _part: 0 | 1): number => constant): Rule =>
  (x, constant, ...sources) =>
    computed(x, name, sources, (part) => [x.vectorConstant(BigInt(ofPart(constant, part)))])

const computed = <V, B, X>(
  x: Machine<V, B, X>,
  name: VectorFunction,
  sources: readonly [Parts<X>, ...ReadonlyArray<Parts<X>>],
  constant: (part: 0 | 1) => ReadonlyArray<X>
): Parts<X> => {
  const all = sources.length === 1 ? [sources[0], sources[0]] : sources
  const inputs = inParts<X, ReadonlyArray<X>>(sources[0], (part) => [
    ...all.map((source) => source[part]!),
    ...constant(part)
  ])
  const [lower, above] = x.compute(name, inputs)
  return above === undefined ? [lower!] : [lower!, above]
}

/** Lane by lane, as the name says. */
export const onLanes = (name: LaneOperation): Rule => inEachPart((x, [a, b]) => x.lanes(name, a, b))

// ---- lines

/** How the lines of an instruction differ from the usual. */
export interface Shape {
  /** It has a constant. */
  readonly constant?: true
  /** Its source in memory has so many bits, with zeros above. */
  readonly partial?: 16 | 32 | 64
  readonly W?: "W0" | "W1" | "WIG"
  /** The lengths of vectors with VEX: 256 and 128 if it is not said. */
  readonly lengths?: ReadonlyArray<Length | "LIG">
}

const bothLengths = [128, 256] as const

/** "66 0F 38 00" and what follows, with a VEX prefix: "VEX.128.66.0F38.WIG 00". */
export const vexed = (opcode: string, length: Length | "LIG" | "LZ", W: string): string => {
  const [, prefix, map, rest] = /^(NP|66|F2|F3) (0F(?: 38| 3A)?) (.*)$/.exec(opcode)!
  return `VEX.${length}.${prefix === "NP" ? "" : `${prefix}.`}${map!.replace(" ", "")}.${W} ${rest}`
}

const registersOf = {
  128: { dest: "x", other: "xv", source: "x128" },
  256: { dest: "y", other: "yv", source: "y256" }
} as const

const lit8 = ["lit8"] as const

const constantOf = <V, B, X>(x: Machine<V, B, X>, operand: Operand | undefined): number =>
  operand === undefined ? 0 : x.literal(operand)

/** DEST := rule(DEST, SRC), and with VEX DEST := rule(SRC1, SRC2). */
export const binary = (opcode: string, name: string, rule: Rule, shape: Shape = {}): ReadonlyArray<Form> => [
  sseBinary(opcode, name, rule, shape),
  ...avxBinary(opcode, `v${name}`, rule, shape)
]

export const sseBinary = (opcode: string, name: string, rule: Rule, { constant, partial: width }: Shape = {}): Form =>
  sse(
    `${opcode} /r${constant ? " ib" : ""}`,
    name,
    ["x", `x${width ?? 128}`, ...(constant ? lit8 : [])],
    (x, dest, src, c) => {
      const a = x.vector(dest!)
      const b = width === undefined ? source(x, src!) : partial(x, src!, width)
      x.setVector(dest!, rule(x, constantOf(x, c), [a], [b])[0])
    }
  )

export const avxBinary = (opcode: string, name: string, rule: Rule, shape: Shape = {}): ReadonlyArray<Form> =>
  avxLines(opcode, name, shape, (length, dest, other, from, rest) => ({
    operands: [dest, other, from, ...rest],
    meaning: (x, to, a, b, c) => {
      const first = partsIn(x, a!, length)
      setWhole(x, to!, rule(x, constantOf(x, c), first, sourceIn(x, b!, length, shape)))
    }
  }))

/** DEST := rule(SRC) */
export const unary = (opcode: string, name: string, rule: Rule, shape: Shape = {}): ReadonlyArray<Form> => [
  sseUnary(opcode, name, rule, shape),
  ...avxUnary(opcode, `v${name}`, rule, shape)
]

export const sseUnary = (opcode: string, name: string, rule: Rule, { constant, partial: width }: Shape = {}): Form =>
  sse(
    `${opcode} /r${constant ? " ib" : ""}`,
    name,
    ["x", `x${width ?? 128}`, ...(constant ? lit8 : [])],
    (x, dest, src, c) => {
      const value = width === undefined ? source(x, src!) : partial(x, src!, width)
      x.setVector(dest!, rule(x, constantOf(x, c), [value])[0])
    }
  )

export const avxUnary = (opcode: string, name: string, rule: Rule, shape: Shape = {}): ReadonlyArray<Form> =>
  avxLines(opcode, name, shape, (length, dest, _other, from, rest) => ({
    operands: [dest, from, ...rest],
    meaning: (x, to, src, c) => setWhole(x, to!, rule(x, constantOf(x, c), sourceIn(x, src!, length, shape)))
  }))

/** DEST := rule(DEST, SRC2, SRC3) */
export const avxTernary = (opcode: string, name: string, rule: Rule, shape: Shape = {}): ReadonlyArray<Form> =>
  avxLines(opcode, name, shape, (length, dest, other, from, rest) => ({
    operands: [dest, other, from, ...rest],
    meaning: (x, to, b, c) => {
      const [first, second] = [partsIn(x, to!, length), partsIn(x, b!, length)]
      setWhole(x, to!, rule(x, 0, first, second, sourceIn(x, c!, length, shape)))
    }
  }))

const sourceIn = <V, B, X>(
  x: Machine<V, B, X>,
  operand: Operand,
  length: Length,
  { partial: width }: Shape
): Parts<X> => (width === undefined ? partsIn(x, operand, length) : [partial(x, operand, width)])

interface AvxLine {
  readonly operands: ReadonlyArray<OperandName>
  readonly meaning: Meaning
}

const avxLines = (
  opcode: string,
  name: string,
  { constant, partial: width, W = "WIG", lengths = bothLengths }: Shape,
  line: (
    length: Length,
    dest: OperandName,
    other: OperandName,
    from: OperandName,
    rest: ReadonlyArray<OperandName>
  ) => AvxLine
): ReadonlyArray<Form> =>
  lengths.map((length) => {
    const bits = length === "LIG" ? 128 : length
    const { dest, other, source: from } = registersOf[bits]
    const { operands, meaning } = line(
      bits,
      dest,
      other,
      width === undefined ? from : `x${width}`,
      constant ? lit8 : []
    )
    return avx(`${vexed(opcode, length, W)} /r${constant ? " ib" : ""}`, name, operands, meaning)
  })
