/**
 * What a VM exit says of an instruction's operands: it is decoded once more. SDM vol. 3C, "Information for VM Exits Due to Instruction Execution",
 * tables "Format of the VM-Exit Instruction-Information Field".
 */
import * as Word from "../../../types/Word.ts"
import { ExitReason } from "../../../types/x86_64/ExitReason.ts"
import { fault } from "../memory/Access.ts"
import { pageSize } from "../memory/layout.ts"
import { decode } from "../processor/decode.ts"
import type { Decoded, Instruction, Memory } from "../processor/Instruction.ts"
import { at, modeOf, segments } from "../processor/State.ts"
import { type Core, highOf, lowOf } from "../system/Core.ts"
import type { Exit } from "./Vmx.ts"

const longest = 15

/** The instruction whose operation is under way. */
export const instructionOf = (core: Core): Instruction =>
  whole(decode(bytesAt(core, at.stoppedAt, core.vmx.instructionLength()), 0, longest, modeOf(core.low(at.mode))))

/** Whether the IN or OUT whose operation is under way has its port in itself: E4 to E7 ib. No prefix is one of these bytes. */
export const hasImmediatePort = (core: Core): boolean => {
  const length = core.vmx.instructionLength()
  return length > 1 && (bytesAt(core, at.stoppedAt, length)[length - 2]! & ~3) === 0xe4
}

/** The one at RIP, which has not been done. Its page may be the last that can be fetched from. */
const instructionAtRip = (core: Core): Instruction => {
  const mode = modeOf(core.low(at.mode))
  for (const length of [Math.min(longest, pageSize - (linearOf(core, at.rip)[0] & (pageSize - 1))), longest]) {
    const found = decode(bytesAt(core, at.rip, length), 0, length, mode)
    if (found !== "incomplete") return whole(found)
  }
  return whole("incomplete")
}

const whole = (found: ReturnType<typeof decode>): Instruction => {
  if (typeof found === "string") throw new Error(`an instruction that runs is ${found}`)
  return found
}

const linearOf = (core: Core, rip: number): readonly [lo: number, hi: number] =>
  core.mode.bits === 64
    ? [core.low(rip), core.high(rip)]
    : [(core.low(rip) + core.low(core.segmentBase(segments.cs))) | 0, 0]

/** Bytes of code, and zeroes after them. */
const bytesAt = (core: Core, rip: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(longest)
  const [lo, hi] = linearOf(core, rip)
  for (let n = 0; n < length; ) {
    const host = core.mmu.execute(lowOf(lo, n), core.mode.bits === 64 ? highOf(lo, hi, n) : 0)
    if (host === fault) throw new Error("an instruction that runs can be fetched")
    const part = Math.min(pageSize - (host % pageSize), length - n)
    for (let i = 0; i < part; i++) bytes[n + i] = core.view.getUint8(host + i)
    n += part
  }
  return bytes
}

const numberOf = (offset: number): number => (offset - at.general) / 8
const addressSize = { 16: 0, 32: 1, 64: 2 } as const

/** Scaling 1:0, address size 9:7, segment 17:15, index 21:18, base 26:23, and which of the two are not there. */
const memoryInformation = ({ addressWidth, base, index, scale, segment, ripRelative }: Memory): number =>
  scale |
  (addressSize[addressWidth] << 7) |
  (segment << 15) |
  (index === at.zero ? 1 << 22 : numberOf(index) << 18) |
  (base === at.zero || ripRelative ? 1 << 27 : numberOf(base) << 23)

/** "Reg1" in bits 6:3 of an operand that is a register, which bit 10 says; "Reg2" in bits 31:28. */
const registerOperand = 1 << 10

/** The displacement, "sign-extended to 64 bits"; relative to RIP, with RIP of the next instruction added. */
const displacementOf = (
  core: Core,
  { disp, dispHigh, ripRelative }: Memory,
  behind: number
): readonly [lo: number, hi: number] => {
  if (!ripRelative) return [disp, dispHigh]
  const [lo, hi] = [core.low(at.rip), core.high(at.rip)]
  return [lowOf(lo, disp + behind), highOf(lo, hi, disp + behind)]
}

/** The linear address of a memory operand, while the operation is under way: RIP is behind the instruction. */
export const linearAddress = (core: Core, memory: Memory): readonly [lo: number, hi: number] => {
  const { base, index, scale, segment, addressWidth } = memory
  const at64 = (place: number): bigint => Word.ofHalves(core.low(place), core.high(place))
  const offset = Word.ofHalves(...displacementOf(core, memory, 0)) + at64(base) + (at64(index) << BigInt(scale))
  const linear = BigInt.asUintN(addressWidth, offset) + at64(core.segmentBase(segment))
  return [Word.lowOf(linear), core.mode.bits === 64 ? Word.highOf(linear) : 0]
}

const isMemory = (operand: Decoded): operand is Memory => operand.kind === "mem"

/** The number of a general register that an operation names by a constant, or that is an operand. */
export const registerNumber = (operand: Decoded): number =>
  operand.kind === "imm" ? operand.lo : operand.kind === "reg" ? numberOf(operand.offset) : 0

/** What the exit that has begun says of the operands; RIP is so many bytes before the end of the instruction. */
const describe = (core: Core, exit: Exit, { operands }: Instruction, identity: number, behind: number): void => {
  const memory = operands.find(isMemory)
  const [first, second] = operands.filter((operand) => !isMemory(operand))
  let information = identity
  if (memory) {
    const [lo, hi] = displacementOf(core, memory, behind)
    exit.qualificationLow = lo
    exit.qualificationHigh = hi
    information |= memoryInformation(memory)
    if (first) information |= registerNumber(first) << 28
  } else if (second) {
    // VMREAD r64, r64 and VMWRITE r64, r64: the encoding's register is Reg2.
    const [value, encoding] = exit.reason === ExitReason.VMWRITE ? [second, first!] : [first!, second]
    information |= (registerNumber(value) << 3) | registerOperand | (registerNumber(encoding) << 28)
  } else if (first) information |= (registerNumber(first) << 3) | registerOperand
  exit.instructionInformation = information
}

/**
 * A VM exit of an instruction with operands: VMREAD to VMXON, INVEPT, INVVPID, INVPCID, LGDT to STR, RDRAND, RDSEED. The qualification is the
 * displacement of its memory operand.
 */
export const interceptWithOperands = (core: Core, reason: number, identity = 0): never => {
  const exit = core.vmx.begin(reason)
  if (!withoutOperands.has(reason)) describe(core, exit, instructionOf(core), identity, 0)
  return core.vmx.leave()
}

/** What is done without an operation: the reason, and what the information has beside operands. */
// biome-ignore format: a table
const withoutOperation: Readonly<Record<string, { readonly reason: number; readonly identity: number }>> = {
  sldt:   { reason: ExitReason.LDTR_OR_TR_ACCESS, identity: 0 },
  str:    { reason: ExitReason.LDTR_OR_TR_ACCESS, identity: 1 << 28 },
  rdrand: { reason: ExitReason.RDRAND,            identity: 0 },
  rdseed: { reason: ExitReason.RDSEED,            identity: 0 }
}
const operandSize = { 8: 0, 16: 0, 32: 1 << 11, 64: 2 << 11 } as const

/** The exit of such an instruction, at RIP, begins. */
export const beginAtRip = (core: Core): void => {
  const instruction = instructionAtRip(core)
  const { reason, identity } = withoutOperation[instruction.form.name]!
  const exit = core.vmx.begin(reason)
  exit.instructionLength = instruction.length
  describe(core, exit, instruction, identity, instruction.length)
  // Table "Format of the VM-Exit Instruction-Information Field as Used for RDRAND and RDSEED": a register, and its size.
  if (reason !== ExitReason.LDTR_OR_TR_ACCESS)
    exit.instructionInformation =
      (exit.instructionInformation & ~registerOperand) | operandSize[instruction.operands[0]!.width]
}

const withoutOperands: ReadonlySet<number> = new Set([
  ExitReason.VMCALL,
  ExitReason.VMLAUNCH,
  ExitReason.VMRESUME,
  ExitReason.VMXOFF
])

/** INS and OUTS: the address size, and of OUTS the segment. */
export const stringInformation = (core: Core, isInput: boolean, addressWidth: number): number => {
  const size = addressSize[addressWidth as 16 | 32 | 64] << 7
  if (isInput) return size
  const memory = instructionOf(core).operands.find(isMemory)
  return size | ((memory?.segment ?? 3) << 15)
}
