/** Cases of system operations that user mode may try: with selectors, far pointers and stack frames that make them do something. */
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import type { SystemName } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import {
  type Case,
  codePointer,
  effectsIn,
  makeCase,
  place,
  point,
  type RegistersFor,
  registersFor,
  setRegister
} from "./cases.ts"
import { whyLeft } from "./left.ts"
import type { Random } from "./Random.ts"
import { x87Forms } from "./x87Cases.ts"

/** The segments of the operating system below, by selector, as far as programs use them. */
export const descriptors: ReadonlyMap<number, bigint> = new Map([
  [0x08, 0x00cf_9b00_0000_ffffn],
  [0x10, 0x00af_9b00_0000_ffffn],
  [0x18, 0x00cf_9300_0000_ffffn],
  [0x20, 0x00cf_fb00_0000_ffffn],
  [0x28, 0x00cf_f300_0000_ffffn],
  [0x30, 0x00af_fb00_0000_ffffn]
])
export const [userCode, userData] = [0x33, 0x2b] as const

/** 64-bit code, data, code and data of the kernel, none, beyond the table, of an LDT that there is not. 32-bit code would be run. */
const selectors = [userCode, userCode, userCode, userData, userData, 0x10, 0x13, 0x18, 0, 3, 0xfff8, 0x2f, 0x30, 0x28]

const operationOf = (form: Form, random: Random): SystemName | undefined =>
  effectsIn(makeCase(form, random).instruction).system

/** The x87 FPU's operations have cases of their own. */
const ofX87: ReadonlySet<Form> = new Set(x87Forms)

export const operationForms = (random: Random): ReadonlyArray<Form> =>
  forms.filter(
    (form) =>
      form.long &&
      !form.privileged &&
      whyLeft(form) === undefined &&
      !ofX87.has(form) &&
      operationOf(form, random) !== undefined
  )

// ---- what lies in memory

const widths = [16, 32, 64] as const
type FrameWidth = (typeof widths)[number]
const [pointerBytes, frameBytes, each] = [10, 40, 12] as const

const selectorAt = (n: number): number => place.data + 0x1800 + 2 * n
const pointerAt = (width: FrameWidth, n: number): number =>
  place.data + 0x1840 + (widths.indexOf(width) * each + n) * pointerBytes
const frameAt = (width: FrameWidth, n: number): number =>
  place.data + 0x1a00 + (widths.indexOf(width) * each + n) * frameBytes

/** Data with selectors, far pointers (the offset first) and the frames of IRET in it: RIP, CS, RFLAGS, RSP, SS. */
export const withFrames = (data: Uint8Array, random: Random): Uint8Array => {
  const changed = data.slice()
  const view = new DataView(changed.buffer)
  const put = (address: number, width: FrameWidth, value: bigint) => {
    const offset = address - place.data
    if (width === 16) view.setUint16(offset, Number(BigInt.asUintN(16, value)), true)
    else if (width === 32) view.setUint32(offset, Number(BigInt.asUintN(32, value)), true)
    else view.setBigUint64(offset, BigInt.asUintN(64, value), true)
  }
  const selector = () => BigInt(random.of(selectors))
  const rip = () => (random.oneIn(8) ? random.interesting() : codePointer(random))
  for (let n = 0; n < selectors.length; n++) put(selectorAt(n), 16, BigInt(selectors[n]!))
  for (const width of widths)
    for (let n = 0; n < each; n++) {
      put(pointerAt(width, n), width, rip())
      put(pointerAt(width, n) + width / 8, 16, selector())
      // Single steps and I/O privilege are the operating system's.
      const flags = random.word() & 0x24_4cd5n
      const stack = random.oneIn(2) ? BigInt(userData) : selector()
      const frame = [rip(), n < each / 2 ? BigInt(userCode) : selector(), flags, random.interesting(), stack]
      for (const [i, value] of frame.entries()) put(frameAt(width, n) + (i * width) / 8, width, value)
    }
  return changed
}

// ---- cases

/** A case of one of `operationForms`. */
export const makeOperationCase = (form: Form, random: Random): Case => {
  for (;;) {
    const test = makeCase(form, random, operationRegistersFor)
    if (!isFarOff(test)) return test
  }
}

/** RET and ENTER with a constant so large that it leads out of the data, where processors differ in what they look at first. */
const isFarOff = ({ instruction }: Case): boolean => {
  const { system } = effectsIn(instruction)
  return (
    (system === "farReturn" || system === "enter") &&
    instruction.operands.some((operand) => operand.kind === "imm" && operand.lo > 0x400)
  )
}

export const operationRegistersFor: RegistersFor = (instruction, random) => {
  const registers = registersFor(instruction, random)
  if (registers === undefined) return undefined
  const { form, operands } = instruction
  const operation = effectsIn(instruction).system
  const n = random.below(each)
  const isFar = operation === "farJump" || operation === "farCall"
  const hasFarPointer = isFar || operation === "loadFarPointer"
  // Whether a repetition of nothing is refused differs.
  if (operation === "ins" || operation === "outs") registers[1] = 1n
  if (operation === "iret" || operation === "farReturn" || operation === "popf")
    registers[4] = BigInt(frameAt(random.oneIn(8) ? random.of(widths) : form.sizes[0]!, n))
  if (isFar) registers[4] = BigInt(place.data + 0x1000)
  if (operation === "enter" && !random.oneIn(8)) registers[5] = BigInt(place.data + 0x800 + random.below(0x800))
  for (const operand of operands)
    if (operand.kind === "reg" && operand.width === 16 && !operand.implied)
      setRegister(registers, operand, BigInt(random.of(selectors)) | (random.word() & ~0xffffn))
    else if (operand.kind === "mem" && hasFarPointer)
      point(operand, registers, random, BigInt(pointerAt(form.sizes[0]!, n)))
    else if (operand.kind === "mem" && operand.width === 16)
      point(operand, registers, random, BigInt(selectorAt(random.below(selectors.length))))
  return registers
}
