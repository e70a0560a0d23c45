/**
 * Instruction: what bytes of code say, independent of where they lie.
 *
 * Operands that name a place in the code (RIP-relative memory, branch targets) are displacements from the end of the instruction,
 * so that what is decoded belongs to a physical page, at whatever addresses that page is seen. 64-bit words are halves, int32.
 */
import type { Form } from "./Form.ts"
import type { Operand, Width } from "./Meaning.ts"
import { at, type RegisterName, registerNames, segment } from "./State.ts"

export interface Instruction {
  readonly form: Form
  /** In bytes, prefixes included: 1 to 15. */
  readonly length: number
  /** One for each of the form's operands, in its order. */
  readonly operands: ReadonlyArray<Decoded>
  /** There is a LOCK prefix, and the form allows it. */
  readonly lock: boolean
}

/**
 * An operand. `implied`: the form alone says all about it (CL, the stack, the 1 of "SHL r/m32, 1"), so it is the same in all of
 * the form's instructions; of implied memory all but the segment.
 */
export type Decoded = Register | Immediate | Memory | Relative

/** A register: the bytes at `offset` in the state block. AH is RAX's second byte. */
export interface Register extends Operand {
  readonly kind: "reg"
  readonly offset: number
  readonly implied: boolean
  /** It is a part of this operand's register. */
  readonly whole?: Register
}

/** A constant, extended to `width` as the form says; or the number of a register that a `system` operation is to write. */
export interface Immediate extends Operand {
  readonly kind: "imm"
  readonly lo: number
  readonly hi: number
  /** It decides what the instruction does, not only with what. */
  readonly literal?: true
  readonly implied: boolean
}

/**
 * Memory at base + (index << scale) + displacement, cut to `addressWidth`, in a segment.
 *
 * `base` and `index` are offsets in the state block, `at.zero` if there is none. RIP-relative: to that is added RIP of the next instruction.
 */
export interface Memory extends Operand {
  readonly kind: "mem"
  readonly addressWidth: 16 | 32 | 64
  readonly base: number
  readonly index: number
  readonly scale: 0 | 1 | 2 | 3
  /** The displacement's lower half. `dispHigh` is its sign, except of a whole offset (moffs), or of POP near 2^31. */
  readonly disp: number
  readonly dispHigh: number
  readonly ripRelative: boolean
  /** The number of ES CS SS DS FS GS. In 64-bit mode only FS and GS have a base; SS matters for which exception a non-canonical address raises. */
  readonly segment: number
  readonly implied: boolean
}

/** A branch target: reading it gives RIP of the next instruction + `disp`. */
export interface Relative extends Operand {
  readonly kind: "rel"
  readonly disp: number
}

/** Where the base of a segment is in the state block, for code of 64-bit mode. */
export const segmentBase = (of: number): number => (of === 4 ? at.fsBase : of === 5 ? at.gsBase : at.zero)
/** The same for code of other modes. */
export const legacySegmentBase = (of: number): number =>
  of === 4 || of === 5 ? segmentBase(of) : at.segment + of * segment.bytes + segment.base

/** The constant as one number, from 0 to 2^64 - 1. */
export const immediateValue = ({ lo, hi }: Immediate): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)

/** Where the register with this number begins. */
export const registerOffset = (number: number): number => at.general + number * 8

/** A register that an instruction names by what it is, not in its bytes. */
export const implied = (name: RegisterName, width: Width): Register => ({
  kind: "reg",
  width,
  offset: registerOffset(registerNames.indexOf(name)),
  implied: true
})

/** What begins so many bytes after an operand's register: the upper half of YMM, the exponent of an FPU register. */
export const partOf = (whole: Register, by: number, width: Width): Register => ({
  kind: "reg",
  width,
  offset: whole.offset + by,
  implied: whole.implied,
  whole
})

export const al = implied("rax", 8)
export const ah: Register = { ...al, offset: al.offset + 1 }
export const rsp = implied("rsp", 64)
export const rbp = implied("rbp", 64)

/** Memory in `segment` at what a register holds. */
export const impliedMemory = (base: Register, width: Width, segment: number): Memory => ({
  kind: "mem",
  width,
  addressWidth: base.width as Memory["addressWidth"],
  base: base.offset,
  index: at.zero,
  scale: 0,
  disp: 0,
  dispHigh: 0,
  ripRelative: false,
  segment,
  implied: true
})

/** The stack pointer, the top of the stack that it points to and where the frame pointer points, by the size of the stack. */
const stackOf = (width: 16 | 32 | 64) => {
  const [pointer, frame] = [implied("rsp", width), implied("rbp", width)]
  return { pointer, top: impliedMemory(pointer, 64, 2), framePointer: frame, frame: impliedMemory(frame, 64, 2) }
}
export const stacks = { 16: stackOf(16), 32: stackOf(32), 64: stackOf(64) } as const
