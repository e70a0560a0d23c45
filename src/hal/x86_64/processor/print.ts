/** Instructions as assembly text, in the manual's syntax with hexadecimal numbers as 0x10. */
import type { Form, OperandName } from "./Form.ts"
import { type Decoded, type Instruction, immediateValue, type Memory } from "./Instruction.ts"
import type { Width } from "./Meaning.ts"
import { at, registerNames, segment, segments, vectorBytes } from "./State.ts"
import { x87 } from "./x87.ts"

/** `rip`: where the instruction lies, which branch targets are relative to. */
export const print = ({ form, operands, lock, length }: Instruction, rip = 0n): string => {
  const next = rip + BigInt(length)
  const texts = operands.map((operand, i) => printOperand(form, form.operands[i]!, operand, next))
  return `${lock ? "lock " : ""}${form.name}${texts.length === 0 ? "" : ` ${texts.join(", ")}`}`
}

const printOperand = (form: Form, name: OperandName, operand: Decoded, next: bigint): string => {
  switch (operand.kind) {
    case "reg":
      return printVector(printRegister(operand.offset, operand.width), /^y/i.test(name))
    case "imm":
      if (name.startsWith("ptr")) return `${hex(BigInt(operand.lo >>> 0))}, ${hex(BigInt(operand.hi))}`
      if (name === "st") return name
      return name.endsWith("#") ? printNumbered(name, operand.lo) : hex(immediateValue(operand))
    case "rel":
      return hex(BigInt.asUintN(operand.width, next + BigInt(operand.disp)))
    case "mem":
      return printMemory(
        sizeNames[name.startsWith("vm") ? elementOf(form) : sizeOf(name)],
        form.popped ? unpopped(operand) : operand,
        name
      )
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`

// ---- registers

const segmentNames = Object.keys(segments)

const printRegister = (offset: number, width: Width): string => {
  if (offset >= x87.registers) return `mm${(offset - x87.registers) / x87.registerBytes}`
  if (offset >= at.vectors) return `xmm${(offset - at.vectors) / vectorBytes}`
  if (offset >= at.segment) return segmentNames[(offset - at.segment) / segment.bytes]!
  const whole = registerNames[(offset - at.general) >> 3]!
  if (offset % 8 === 1) return `${whole[1]}h`
  if (/\d/.test(whole)) return whole + { 8: "b", 16: "w", 32: "d", 64: "" }[width]
  const letters = whole.slice(1)
  if (width === 8) return letters.endsWith("x") ? `${letters[0]}l` : `${letters}l`
  return { 16: "", 32: "e", 64: "r" }[width] + letters
}

/** The whole register, of which XMM is the lower half. */
const printVector = (name: string, isWhole: boolean): string => (isWhole ? name.replace(/^xmm/, "ymm") : name)

/** A register that is named by its number: cr# and dr# of a kind of their own. */
const printNumbered = (name: OperandName, number: number): string => {
  if (name === "cr#" || name === "dr#") return name.slice(0, 2) + number
  if (name === "st#") return `st(${number})`
  return printRegister(at.general + number * 8, Number(/\d+/.exec(name)![0]) as Width)
}

// ---- memory

// biome-ignore format: a table
const sizeNames = {
  "": "", 8: "byte ptr ", 16: "word ptr ", 32: "dword ptr ", 64: "qword ptr ", 80: "tbyte ptr ", 128: "xmmword ptr ", 256: "ymmword ptr ",
  "16&16": "dword ptr ", "16&32": "fword ptr ", "32&32": "qword ptr ",
  "16:16": "dword ptr ", "16:32": "fword ptr ", "16:64": "tbyte ptr ", "16&64": "tbyte ptr "
} as const

/** What the operand's name says of its size. */
const sizeOf = (name: OperandName): keyof typeof sizeNames =>
  (/^(?:r\d+m|rm|moffs|v?m|[xyp])(\d*(?:[:&]\d+)?)/.exec(name)?.[1] ?? "") as keyof typeof sizeNames

/** What a gather loads for each index. */
const elementOf = ({ encoding }: Form): 32 | 64 => (encoding.rexW ? 64 : 32)

const printMemory = (size: string, memory: Memory, name: OperandName): string => {
  const { segment, addressWidth, base, index, scale, disp, dispHigh, ripRelative } = memory
  const register = (offset: number) => printVector(printRegister(offset, addressWidth as Width), /^vm.*y$/.test(name))
  const parts = [
    ...(ripRelative ? [addressWidth === 64 ? "rip" : "eip"] : []),
    ...(base === at.zero ? [] : [register(base)]),
    ...(index === at.zero ? [] : [addressWidth === 16 ? register(index) : `${register(index)}*${1 << scale}`])
  ]
  const offset = (BigInt(dispHigh) << 32n) | BigInt(disp >>> 0)
  return `${size}${segment === usualSegment(memory, name) ? "" : `${segmentNames[segment]}:`}[${sum(parts, offset, addressWidth)}]`
}

/** What no prefix has said. */
const usualSegment = ({ base, implied }: Memory, name: OperandName): number => {
  const [rsp, rbp, rdi] = [4, 5, 7].map((number) => at.general + 8 * number)
  if (base === rsp || base === rbp) return segments.ss
  return implied && base === rdi && !name.includes("@ds:") ? segments.es : segments.ds
}

const sum = (parts: ReadonlyArray<string>, offset: bigint, addressWidth: number): string => {
  if (parts.length === 0) return hex(BigInt.asUintN(addressWidth, offset))
  if (offset === 0n) return parts.join("+")
  return `${parts.join("+")}${offset < 0n ? "-" : "+"}${hex(offset < 0n ? -offset : offset)}`
}

/** As it is in the bytes: without what the decoder adds for POP. */
const unpopped = (memory: Memory): Memory =>
  memory.base === at.general + 8 * registerNames.indexOf("rsp")
    ? { ...memory, disp: (memory.disp - memory.width / 8) | 0, dispHigh: memory.disp - memory.width / 8 < 0 ? -1 : 0 }
    : memory
