/** How each operand of the manual's notation is read from an instruction's bytes. SDM vol. 2A, "Instruction Format". */
import type { Cursor } from "./Cursor.ts"
import type { Form, OperandName } from "./Form.ts"
import {
  al,
  type Decoded,
  type Immediate,
  implied,
  impliedMemory,
  type Memory,
  type Register,
  type Relative,
  registerOffset
} from "./Instruction.ts"
import type { Width } from "./Meaning.ts"
import { at, type RegisterName, segment, segments, vectorBytes } from "./State.ts"
import { x87 } from "./x87.ts"

export type ReadOperand = (cursor: Cursor) => Decoded

/** The reader of one operand of a form. */
export const operandReader = (form: Form, name: OperandName): ReadOperand => {
  const always = impliedOperands[name]
  if (always !== undefined) return () => always
  for (const [pattern, reader] of readers) {
    const match = pattern.exec(name)
    if (match !== null) return reader(form, widthOf(match[1]), widthOf(match[2]))
  }
  throw new Error(`no operand is called "${name}"`)
}

const widthOf = (text: string | undefined): Width => Number(text ?? 64) as Width

// biome-ignore format: a notation, a line
const readers: ReadonlyArray<readonly [RegExp, (form: Form, width: Width, other: Width) => ReadOperand]> = [
  [/^r(\d+)$/,          (form, width) => general(form, width)],
  [/^r(\d+)b$/,         (_form, width) => (cursor) => register(cursor, cursor.vvvv, width)],
  [/^R(\d+)$/,          (_form, width) => (cursor) => register(cursor, cursor.rm, width)],
  [/^rm(\d+)$/,         (form, width) => registerOrMemory(width, width, form.popped)],
  [/^r(\d+)m(\d+)$/,    (form, width, other) => registerOrMemory(width, other, form.popped)],
  [/^m(8|16|32|64)$/,   (_form, width) => (cursor) => memory(cursor, width)],
  [/^m(?:80|128|256|16[&:].*|32&32)?$/,  () => (cursor) => memory(cursor, 64)],
  [/^m(\d+)@rsi$/,      (_form, width) => at67("rsi", width, segments.ds, true)],
  [/^m(\d+)@rdi$/,      (_form, width) => at67("rdi", width, segments.es, false)],
  [/^m(\d+)@ds:rdi$/,   (_form, width) => at67("rdi", width, segments.ds, true)],
  [/^m(\d+)@rax$/,      (_form, width) => at67("rax", width, segments.ds, true)],
  [/^m(\d+)@rbx$/,      (_form, width) => at67("rbx", width, segments.ds, true)],
  [/^moffs(\d+)$/,      (_form, width) => (cursor) => offset(cursor, width)],
  [/^imm8$/,            () => (cursor) => immediate(8, cursor.byte(), 0)],
  [/^lit8$/,            () => (cursor) => ({ ...immediate(8, cursor.byte(), 0), literal: true })],
  [/^imm16$/,           () => (cursor) => immediate(16, cursor.int16() & 0xffff, 0)],
  [/^imm32$/,           () => (cursor) => immediate(32, cursor.int32(), 0)],
  [/^imm64$/,           () => (cursor) => immediate(64, cursor.int32(), cursor.int32())],
  [/^simm8$/,           (form) => extended(form, (cursor) => cursor.int8())],
  [/^simm32$/,          (form) => extended(form, (cursor) => cursor.int32())],
  [/^rel8$/,            () => (cursor) => relative(cursor, cursor.int8())],
  [/^rel16$/,           () => (cursor) => relative(cursor, cursor.int16())],
  [/^rel32$/,           () => (cursor) => relative(cursor, cursor.int32())],
  [/^ptr16:16$/,        () => (cursor) => immediate(64, cursor.int16() & 0xffff, cursor.int16() & 0xffff)],
  [/^ptr16:32$/,        () => (cursor) => immediate(64, cursor.int32(), cursor.int16() & 0xffff)],
  [/^r\d+#$/,           () => (cursor) => immediate(8, cursor.reg, 0)],
  [/^st#$/,             () => (cursor) => immediate(8, cursor.modrm & 7, 0)],
  [/^cr#$/,             () => (cursor) => oneOf(controlRegisters, cursor)],
  [/^dr#$/,             () => (cursor) => oneOf(debugRegisters, cursor)],
  [/^[xy]$/,            () => (cursor) => vector(cursor.reg)],
  [/^[XY]$/,            () => (cursor) => vector(cursor.rm)],
  [/^[xy]v$/,           () => (cursor) => vector(cursor.vvvv)],
  [/^[xy]4$/,           () => (cursor) => vector((cursor.byte() >> 4) & (cursor.bits === 64 ? 15 : 7))],
  [/^[xy](8|16|32|64|128|256)$/, (_form, width) => (cursor) => (cursor.mod === 3 ? vector(cursor.rm) : memory(cursor, memoryWidth(width)))],
  [/^vm(\d+)[xy]$/,     (_form, width) => (cursor) => indexedByVector(cursor, width)],
  [/^p$/,               () => (cursor) => mmx(cursor.reg & 7)],
  [/^P$/,               () => (cursor) => mmx(cursor.rm & 7)],
  [/^p(32|64)$/,        (_form, width) => (cursor) => (cursor.mod === 3 ? mmx(cursor.rm & 7) : memory(cursor, width))],
  [/^[RX]\d+#$/,          () => (cursor) => immediate(8, cursor.rm, 0)]
]

// ---- registers

const segmentRegister = (name: keyof typeof segments): Register => ({
  kind: "reg",
  width: 16,
  offset: at.segment + segments[name] * segment.bytes + segment.selector,
  implied: true
})

const impliedOperands: Partial<Readonly<Record<OperandName, Decoded>>> = {
  al,
  ax: implied("rax", 16),
  eax: implied("rax", 32),
  rax: implied("rax", 64),
  cl: implied("rcx", 8),
  dx: implied("rdx", 16),
  "1": { kind: "imm", width: 8, lo: 1, hi: 0, implied: true },
  st: { kind: "imm", width: 8, lo: 0, hi: 0, implied: true },
  es: segmentRegister("es"),
  cs: segmentRegister("cs"),
  ss: segmentRegister("ss"),
  ds: segmentRegister("ds"),
  fs: segmentRegister("fs"),
  gs: segmentRegister("gs"),
  xmm0: { kind: "reg", width: 64, offset: at.vectors, implied: true }
}

/** What `read` gives of 128 bits is the low half. */
const vector = (number: number): Register => ({
  kind: "reg",
  width: 64,
  offset: at.vectors + vectorBytes * number,
  implied: false
})
const memoryWidth = (width: number): Width => (width >= 128 ? 64 : (width as Width))

/** MM0 to MM7 are the significands of the FPU's registers. */
const mmx = (number: number): Register => ({
  kind: "reg",
  width: 64,
  offset: x87.registers + x87.registerBytes * number,
  implied: false
})

/** Without REX, byte registers 4 to 7 are AH, CH, DH, BH. */
const register = (cursor: Cursor, number: number, width: Width): Register => {
  const high = width === 8 && cursor.rex === 0 && number >= 4
  return { kind: "reg", width, offset: high ? registerOffset(number - 4) + 1 : registerOffset(number), implied: false }
}

const general = ({ encoding }: Form, width: Width): ReadOperand => {
  if (encoding.plusRegister) return (cursor) => register(cursor, cursor.opcodeRegister, width)
  if (encoding.modrm === "/r") return (cursor) => register(cursor, cursor.reg, width)
  return (cursor) => register(cursor, cursor.rm, width)
}

const registerOrMemory =
  (ofRegister: Width, ofMemory: Width, popped: boolean): ReadOperand =>
  (cursor) => {
    if (cursor.mod === 3) return register(cursor, cursor.rm, ofRegister)
    const operand = memory(cursor, ofMemory)
    return popped && operand.base === stackPointer ? furtherBy(operand, ofMemory / 8) : operand
  }

/** "#UD if an attempt is made to access CR1, CR5, CR6, or CR7." */
const controlRegisters = new Set([0, 2, 3, 4, 8])
const debugRegisters = new Set([0, 1, 2, 3, 4, 5, 6, 7])

const oneOf = (registers: ReadonlySet<number>, cursor: Cursor): Immediate => {
  cursor.refused ||= !registers.has(cursor.reg)
  return immediate(8, cursor.reg, 0)
}

// ---- constants

const immediate = (width: Width, lo: number, hi: number): Immediate => ({ kind: "imm", width, lo, hi, implied: false })

/** Sign-extended to the form's operand size. */
const extended = ({ sizes }: Form, value: (cursor: Cursor) => number): ReadOperand => {
  if (sizes.includes(64))
    return (cursor) => {
      const lo = value(cursor)
      return immediate(64, lo, lo >> 31)
    }
  if (sizes.includes(32)) return (cursor) => immediate(32, value(cursor), 0)
  return (cursor) => immediate(16, value(cursor) & 0xffff, 0)
}

/** Outside of 64-bit mode, a target is as wide as operands are. */
const relative = (cursor: Cursor, disp: number): Relative => ({
  kind: "rel",
  width: cursor.bits === 64 ? 64 : cursor.operandWidth,
  disp
})

// ---- memory

const stackPointer = registerOffset(4)
const framePointer = registerOffset(5)

/** The operand of ModR/M, SIB and displacement, where ModRM.mod is not 3. SDM vol. 2A, "32-Bit Addressing Forms with the ModR/M Byte". */
const memory = (cursor: Cursor, width: Width): Memory => {
  if (cursor.addressWidth === 16) return memory16(cursor, width)
  return memoryWithSib(cursor, width, (number) => (number === 4 ? at.zero : registerOffset(number)))
}

/** VSIB. SDM vol. 2A, "VSIB Memory Addressing": #UD without SIB, with addresses of 16 bits, and if two of index, destination and mask are the same. */
const indexedByVector = (cursor: Cursor, width: Width): Memory => {
  const operand = memoryWithSib(cursor, width, (number) => vector(number).offset)
  const registers = [cursor.reg, cursor.vvvv].map((number) => vector(number).offset)
  cursor.refused ||=
    operand.index === at.zero || cursor.addressWidth === 16 || new Set([...registers, operand.index]).size < 3
  return operand
}

const memoryWithSib = (cursor: Cursor, width: Width, indexOf: (number: number) => number): Memory => {
  const { mod, addressWidth } = cursor
  let base: number = at.zero
  let index: number = at.zero
  let scale = 0
  let ripRelative = false
  let displacement = mod
  if ((cursor.modrm & 7) === 4) {
    const sib = cursor.byte()
    const indexNumber = ((sib >> 3) & 7) | ((cursor.rex & 2) << 2)
    index = indexOf(indexNumber)
    if (index !== at.zero) scale = sib >> 6
    if (mod === 0 && (sib & 7) === 5) displacement = 2
    else base = registerOffset((sib & 7) | ((cursor.rex & 1) << 3))
  } else if (mod === 0 && (cursor.modrm & 7) === 5) {
    ripRelative = cursor.bits === 64
    displacement = 2
  } else {
    base = registerOffset(cursor.rm)
  }
  const disp = displacement === 1 ? cursor.int8() : displacement === 2 ? cursor.int32() : 0
  const ofStack = base === stackPointer || base === framePointer
  return {
    kind: "mem",
    width,
    addressWidth,
    base,
    index,
    scale: scale as Memory["scale"],
    disp,
    dispHigh: disp >> 31,
    ripRelative,
    segment: cursor.segment >= 0 ? cursor.segment : ofStack ? segments.ss : segments.ds,
    implied: false
  }
}

/** Base and index by ModRM.rm. SDM vol. 2A, "16-Bit Addressing Forms with the ModR/M Byte". */
const [bx, bp, si, di] = [3, 5, 6, 7].map(registerOffset) as [number, number, number, number]
const bases16 = [bx, bx, bp, bp, si, di, bp, bx] as const
const indexes16 = [si, di, si, di] as const

const memory16 = (cursor: Cursor, width: Width): Memory => {
  const { mod } = cursor
  const rm = cursor.modrm & 7
  const isOffset = mod === 0 && rm === 6
  const base = isOffset ? at.zero : bases16[rm]!
  const disp = mod === 1 ? cursor.int8() : mod === 2 || isOffset ? cursor.int16() : 0
  return {
    kind: "mem",
    width,
    addressWidth: 16,
    base,
    index: indexes16[rm] ?? at.zero,
    scale: 0,
    disp,
    dispHigh: disp >> 31,
    ripRelative: false,
    segment: cursor.segment >= 0 ? cursor.segment : base === bp ? segments.ss : segments.ds,
    implied: false
  }
}

const furtherBy = (operand: Memory, bytes: number): Memory => {
  const disp = operand.disp + bytes
  return { ...operand, disp: disp | 0, dispHigh: disp < 0 ? -1 : 0 }
}

/** Memory at a register, of the address size. The segment of RDI cannot be overridden. */
const at67 = (base: RegisterName, width: Width, segment: number, overridable: boolean): ReadOperand => {
  const at = (addressWidth: 16 | 32 | 64) => impliedMemory(implied(base, addressWidth), width, segment)
  const operands = { 16: at(16), 32: at(32), 64: at(64) } as const
  return (cursor) => {
    const operand = operands[cursor.addressWidth]
    return overridable && cursor.segment >= 0 ? { ...operand, segment: cursor.segment } : operand
  }
}

/** A whole offset, as wide as addresses are. */
const offset = (cursor: Cursor, width: Width): Memory => {
  const { addressWidth } = cursor
  const disp = addressWidth === 16 ? cursor.int16() & 0xffff : cursor.int32()
  return {
    kind: "mem",
    width,
    addressWidth,
    base: at.zero,
    index: at.zero,
    scale: 0,
    disp,
    dispHigh: addressWidth === 64 ? cursor.int32() : 0,
    ripRelative: false,
    segment: cursor.segment >= 0 ? cursor.segment : segments.ds,
    implied: false
  }
}
