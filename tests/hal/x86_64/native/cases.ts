/** Cases for the native comparison: an instruction, and registers that make it do something worth comparing. */
import { decode } from "../../../../src/hal/x86_64/processor/decode.ts"
import { type Effects, effectsOf } from "../../../../src/hal/x86_64/processor/effects.ts"
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import type { Decoded, Instruction, Memory, Register } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import type { SystemName } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { at, segments, vectorBytes } from "../../../../src/hal/x86_64/processor/State.ts"
import { encode } from "./encode.ts"
import { interestingHalf, interestingMxcsr, interestingRegister } from "./floats.ts"
import { whyLeft } from "./left.ts"
import type { Random } from "./Random.ts"
import type { VectorState } from "./vectors.ts"
import { initialX87 } from "./x87.ts"

/** As in native.c: two pages that can be written, one that can only be read, then nothing; a page of code with the instruction in its middle. */
export const place = {
  data: 0x1000_0000,
  writable: 0x2000,
  readable: 0x3000,
  code: 0x1001_0000,
  codeBytes: 0x1000,
  start: 0x1001_0800
} as const
export const gsBase = 0x1000_0100n
export const userMode = { bits: 64, privilege: 3 } as const

export interface Case extends VectorState {
  readonly instruction: Instruction
  readonly code: Uint8Array
  /** In the order of their numbers. */
  readonly registers: ReadonlyArray<bigint>
  readonly rflags: bigint
  /** The x87 FPU's state: the beginning of the FXSAVE image. */
  readonly x87: Uint8Array
}

export const aim = { start: place.start, data: (random: Random) => place.data + random.below(place.readable) }

/** What an instruction touches: asked once for each. */
const touched = new WeakMap<Instruction, Effects>()
export const effectsIn = (instruction: Instruction): Effects => {
  const known = touched.get(instruction) ?? effectsOf(instruction.form, instruction.operands, userMode)
  touched.set(instruction, known)
  return known
}

/** General registers that suit the instruction; undefined: there are none, whatever is tried. */
export type RegistersFor = (instruction: Instruction, random: Random) => Array<bigint> | undefined

export const registersFor: RegistersFor = (instruction, random) => {
  for (let attempt = 0; attempt < 8; attempt++) {
    const registers = Array.from({ length: 16 }, () => random.interesting())
    registers[4] = goodStack(random)
    suit(instruction, registers, random)
    if (!isSplitLock(instruction, registers)) return registers
  }
  return undefined
}

/** A case of this form. */
export const makeCase = (form: Form, random: Random, suited: RegistersFor = registersFor): Case => {
  for (;;) {
    const code = encode(form, random, aim)
    const instruction = decode(code, 0, code.length, userMode)
    if (typeof instruction === "string") throw new Error("what was encoded can be decoded")
    // Of memory that is not aligned, some processors raise #GP here, as the manual says, and some do not.
    if (/^sha\d/.test(form.name) && instruction.operands.some(({ kind }) => kind === "mem")) continue
    const registers = suited(instruction, random)
    if (registers === undefined) continue
    return {
      instruction,
      code,
      registers,
      vectors: withIndices(
        instruction,
        Array.from({ length: 16 }, () => interestingRegister(random)),
        random
      ),
      mxcsr: interestingMxcsr(random),
      x87: initialX87,
      rflags: 0x202n | (BigInt(random.bits()) & (random.oneIn(3) ? 0xcd5n : 0x8d5n))
    }
  }
}

const far: ReadonlySet<SystemName | undefined> = new Set(["iret", "farReturn", "farJump", "farCall", "popf"] as const)
/** The next instruction is not always the one behind it; or single steps begin. */
export const goesElsewhere = (instruction: Instruction): boolean => {
  const { jump, system } = effectsIn(instruction)
  return jump !== undefined || far.has(system)
}

/** The indices of a gather, mostly near enough to hit what its base points to. */
const withIndices = ({ form, operands }: Instruction, vectors: Array<bigint>, random: Random): Array<bigint> => {
  const memory = operands.find(({ kind }) => kind === "mem")
  if (memory?.kind !== "mem" || memory.index < at.vectors) return vectors
  const width = form.operands.some((operand) => operand.startsWith("vm32")) ? 32n : 64n
  let indices = 0n
  for (let shift = 0n; shift < 256n; shift += width) {
    const index = random.oneIn(30) ? random.interesting() : BigInt(random.below(0x100) - 0x80)
    indices |= BigInt.asUintN(Number(width), index) << shift
  }
  return vectors.with((memory.index - at.vectors) / vectorBytes, indices)
}

/** An operating system may make what is locked and lies in two cache lines very slow, or refuse it: "split locks". */
export const isSplitLock = (
  { form, operands, lock, length }: Instruction,
  registers: ReadonlyArray<bigint>
): boolean => {
  const memory = operands.find(({ kind }) => kind === "mem")
  if (memory?.kind !== "mem" || !(lock || form.name === "xchg")) return false
  const bytes = form.name === "cmpxchg16b" ? 16 : memory.width / 8
  return (addressOf(memory, length, registers) & 63n) > BigInt(64 - bytes)
}

/** The forms that end in no operation of the machine; or would, if user mode might try them. */
export const comparableForms = (random: Random): ReadonlyArray<Form> =>
  forms.filter((form) => {
    if (!form.long || whyLeft(form) !== undefined) return false
    return form.privileged || effectsIn(makeCase(form, random).instruction).system === undefined
  })

// ---- registers that suit the instruction

const suit = (instruction: Instruction, registers: Array<bigint>, random: Random): void => {
  const { form, operands } = instruction
  const { reads, writes, jump, skips } = effectsIn(instruction)
  // A repetition ends soon.
  if (skips || jump?.to === "target") registers[1] = upperOf(form.addressWidth ?? 64, random, BigInt(random.below(20)))
  if (form.undefined.some((flag) => flag.includes("count")) && random.oneIn(2)) registers[1] = BigInt(random.below(70))
  // A quotient that fits: the upper half of the dividend is small.
  if (form.name === "div" || form.name === "idiv") suitDivision(registers, random)
  for (const operand of operands)
    if (jump?.to === "value" && operand.kind === "reg") setRegister(registers, operand, target(random))
  const memories = new Set([...operands, ...(reads as Set<Decoded>), ...(writes as Set<Decoded>)])
  for (const operand of memories) if (operand.kind === "mem" && !random.oneIn(20)) point(operand, registers, random)
  // The offset into a bit string moves what it is added to.
  const [base, offset] = operands
  if (/^bt/.test(form.name) && base?.kind === "mem" && offset?.kind === "reg" && !random.oneIn(10))
    setRegister(registers, offset, BigInt(random.below(0x800) - 0x400))
  // Of a call that can neither push nor jump, processors differ in which they notice first.
  if (form.name === "call" && jump?.to === "value") registers[4] = goodStack(random)
}

const goodStack = (random: Random): bigint => BigInt(place.data + 0x400 + 8 * random.below(0x200))

const suitDivision = (registers: Array<bigint>, random: Random): void => {
  if (random.oneIn(3)) return
  registers[2] = random.of([0n, 1n, -1n, BigInt(random.below(100))])
  if (random.oneIn(2)) registers[0] = BigInt.asUintN(64, random.interesting() & 0xffn)
}

/** Where a jump may go: to code that stops at once, or to what cannot be executed. */
const target = (random: Random): bigint => (random.oneIn(4) ? random.interesting() : codePointer(random))
/** To INT3. */
export const codePointer = (random: Random): bigint => BigInt(place.code + 0x100 + random.below(0x600))

export const setRegister = (registers: Array<bigint>, { offset, width }: Register, value: bigint): void => {
  if (offset >= at.rip || offset % 8 !== 0) return
  const number = offset / 8
  const kept = (registers[number]! >> BigInt(width)) << BigInt(width)
  registers[number] = kept | BigInt.asUintN(width, value)
}

/** Sets a register so that the operand lies at an address: one that is interesting. */
export const point = (
  memory: Memory,
  registers: Array<bigint>,
  random: Random,
  wanted = interestingAddress(random)
): void => {
  const { base, index, scale, disp, addressWidth, segment } = memory
  const value = (offset: number) => registers[offset / 8] ?? 0n
  const address = wanted - (segment === segments.gs ? gsBase : 0n) - BigInt(disp)
  if (base === index && base !== at.zero) return
  if (index >= at.vectors && base === at.zero) return
  if (base !== at.zero) {
    registers[base / 8] = upperOf(addressWidth, random, address - (value(index) << BigInt(scale)))
  } else if (index !== at.zero && index < at.vectors) {
    registers[index / 8] = upperOf(addressWidth, random, address >> BigInt(scale))
  }
}

/** Where an operand lies. */
export const addressOf = (memory: Memory, length: number, registers: ReadonlyArray<bigint>): bigint => {
  const value = (offset: number) => registers[offset / 8] ?? 0n
  const { base, index, scale, disp, ripRelative, addressWidth, segment } = memory
  const sum = value(base) + (value(index) << BigInt(scale)) + BigInt(disp)
  const offset = BigInt.asUintN(addressWidth, ripRelative ? sum + BigInt(place.start + length) : sum)
  return BigInt.asUintN(64, offset + (segment === segments.gs ? gsBase : 0n))
}

/** Above a 32-bit address a register may hold anything. */
const upperOf = (addressWidth: number, random: Random, value: bigint): bigint =>
  addressWidth === 64
    ? BigInt.asUintN(64, value)
    : BigInt.asUintN(32, value) | ((random.oneIn(2) ? random.word() : 0n) & 0xffff_ffff_0000_0000n)

const interestingAddress = (random: Random): bigint => {
  const { data, writable, readable } = place
  const alignment = random.of([1, 1, 8, 16])
  const aligned = (offset: number) => BigInt(data + offset - (offset % alignment))
  switch (random.below(16)) {
    case 0:
      return BigInt(data + writable - random.below(20))
    case 1:
      return BigInt(data + readable - random.below(20))
    case 2:
      return aligned(writable + random.below(0x1000))
    case 3:
      return BigInt(data + readable + random.below(0x1000))
    case 4:
      return random.interesting()
    case 5:
      return BigInt(data + 0x1000 - random.below(20))
    default:
      return aligned(0x600 + random.below(0x1000))
  }
}

/** What the data pages hold at first: words of all kinds, among them places in the code. */
export const initialData = (random: Random): Uint8Array => {
  const words = new BigUint64Array(place.readable / 8)
  for (let i = 0; i < words.length; i++)
    words[i] = random.oneIn(4) ? target(random) : random.oneIn(2) ? interestingHalf(random) : random.interesting()
  return new Uint8Array(words.buffer)
}
