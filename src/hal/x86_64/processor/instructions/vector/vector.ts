/** What all instructions of XMM registers share. SDM vol. 1, "Programming with Intel Streaming SIMD Extensions"; vol. 2A, "Instructions Exceptions Specification". */
import type { LaneOperation } from "../../../wasm/simd.ts"
import type { Form, OperandName } from "../../Form.ts"
import type { Register } from "../../Instruction.ts"
import type { Machine, Meaning, Operand } from "../../Meaning.ts"
import { inst, type Remarks } from "../../notation.ts"
import { at } from "../../State.ts"

const [EM, TS, OSFXSR] = [2, 3, 9] as const

/** "#UD if CR0.EM = 1 or CR4.OSFXSR = 0; #NM if CR0.TS = 1." */
const requireSse = <V, B, X>(x: Machine<V, B, X>): void => {
  const [cr0, cr4] = [x.get("cr0"), x.get("cr4")]
  x.raise("#UD", x.either(x.bit(cr0, EM), x.not(x.bit(cr4, OSFXSR))))
  x.raise("#NM", x.bit(cr0, TS))
}

/** A line of an instruction that uses XMM registers. */
export const sse = (
  opcode: string,
  name: string,
  operands: ReadonlyArray<OperandName>,
  meaning: Meaning,
  remarks: Remarks = {}
): Form =>
  inst(
    opcode,
    name,
    operands,
    (x, ...all) => {
      requireSse(x)
      meaning(x, ...all)
    },
    remarks
  )

/** "#GP(0) if a memory operand is not aligned on a 16-byte boundary." */
export const requireAligned = <V, B, X>(x: Machine<V, B, X>, operand: Operand): void => {
  if (operand.kind === "mem")
    x.raise("#GP(0)", x.not(x.equal(x.and(x.linear(operand), x.constant(15n)), x.constant(0n))))
}

/** A register, or memory that has to be aligned. */
export const source = <V, B, X>(x: Machine<V, B, X>, operand: Operand): X => {
  requireAligned(x, operand)
  return x.vector(operand)
}

export const xmm0: Register = { kind: "reg", width: 64, offset: at.vectors, implied: true }

export const zero = <V, B, X>(x: Machine<V, B, X>): X => x.vectorConstant(0n)

/** 64 or 32 bits, with zeros above. */
export const extended = <V, B, X>(x: Machine<V, B, X>, value: V): X => x.withLane("i64x2", zero(x), 0, value)

/** A register, or memory of this width with zeros above. */
export const partial = <V, B, X>(x: Machine<V, B, X>, operand: Operand, width: 16 | 32 | 64): X =>
  operand.kind === "mem" ? extended(x, x.load(operand, width)) : x.vector(operand)

/** DEST := operation(DEST, SRC) */
export const onLanes = (name: LaneOperation): Meaning => combining((x, a, b) => x.lanes(name, a, b))

/** DEST := f(DEST, SRC) */
export const combining =
  (f: <V, B, X>(x: Machine<V, B, X>, dest: X, src: X) => X): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, f(x, x.vector(dest), source(x, src)))

/** DEST := f(SRC) */
export const converting =
  (f: <V, B, X>(x: Machine<V, B, X>, src: X) => X): Meaning =>
  (x, dest, src) =>
    x.setVector(dest, f(x, source(x, src)))

/** Lanes of `width` bits, by their places in two vectors, as bytes for `shuffle`. */
export const places = (width: 8 | 16 | 32 | 64, lanes: ReadonlyArray<number>): ReadonlyArray<number> =>
  lanes.flatMap((lane) => Array.from({ length: width / 8 }, (_, byte) => (lane * width) / 8 + byte))
