/** Cases of the x87 FPU's instructions: registers, control and status in which errors like to show. */
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import type { Instruction } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import { forms as fxsaveForms } from "../../../../src/hal/x86_64/processor/instructions/fxsave.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/x87.ts"
import { type Case, makeCase, place, point, type RegistersFor, registersFor } from "./cases.ts"
import type { Random } from "./Random.ts"
import { imageBytes, isDefinedFor, viewOf } from "./x87.ts"

export const x87Forms: ReadonlyArray<Form> = [...forms, ...fxsaveForms]

const interestingExponent = (random: Random): number => {
  switch (random.below(10)) {
    case 0:
      return random.below(3)
    case 1:
      return 0x7fff
    case 2:
      return 0x7ffe - random.below(3)
    case 3:
      return random.below(0x8000)
    case 4:
      return 0x3fff + random.below(140) - 70
    case 5:
      return random.of([1, 0x7000]) + random.below(0x1000)
    case 6:
      return random.of([0x3fff - 1022, 0x3fff + 1022, 0x3fff - 126, 0x3fff + 126]) + random.below(60) - 30
    default:
      return 0x3fff + random.below(5) - 2
  }
}

const interestingSignificand = (random: Random): bigint => {
  const integer = random.oneIn(16) ? 0n : 1n << 63n
  switch (random.below(8)) {
    case 0:
      return integer
    case 1:
      return integer | BigInt(random.below(4))
    case 2:
      return integer | ((1n << 63n) - 1n - BigInt(random.below(2)))
    case 3:
      return integer | (BigInt(random.below(8)) << 60n)
    case 4:
      return integer | ((random.word() >> 1n) & (-1n << BigInt(random.of([10, 11, 12, 39, 40, 41]))))
    case 5:
      return random.word()
    default:
      return integer | (random.word() >> 1n)
  }
}

/** What is in a register, or in 80 bits of memory. */
export const interestingExtended = (random: Random): bigint => {
  if (random.oneIn(20)) return BigInt(random.below(2)) << 79n
  const significand = random.oneIn(30) ? 0n : interestingSignificand(random)
  return (BigInt((random.below(2) << 15) | interestingExponent(random)) << 64n) | significand
}

export const interestingImage = (random: Random): Uint8Array => {
  const image = new Uint8Array(imageBytes)
  const view = viewOf(image)
  const masks = random.oneIn(3) ? random.below(64) : 0x3f
  view.setUint16(0, masks | 0x40 | (random.below(16) << 8), true)
  // Exceptions that are pending would be taken before anything else: they seldom are.
  const flags = random.oneIn(3) ? random.below(128) & (random.oneIn(8) ? 127 : masks | 64) : 0
  const pending = flags & ~masks & 63 ? 0x8080 : 0
  view.setUint16(2, flags | pending | (random.below(8) << 11) | (random.below(8) << 8) | (random.below(2) << 14), true)
  image[4] = random.oneIn(4) ? random.below(256) : random.oneIn(4) ? 0xff : 0xff & ~(1 << random.below(8))
  for (let i = 0; i < 8; i++) {
    const value = interestingExtended(random)
    view.setBigUint64(32 + 16 * i, value & 0xffff_ffff_ffff_ffffn, true)
    view.setUint16(40 + 16 * i, Number(value >> 64n), true)
  }
  return image
}

/** A case of one of `x87Forms`. */
export const makeX87Case = (form: Form, random: Random): Case => {
  for (;;) {
    const test = { ...makeCase(form, random, x87RegistersFor), x87: interestingImage(random) }
    if (isDefinedFor(form.name, viewOf(test.x87))) return test
  }
}

export const x87RegistersFor: RegistersFor = (instruction, random) => {
  const registers = registersFor(instruction, random)
  const { name } = instruction.form
  if (registers !== undefined && name.startsWith("x")) aimAtArea(instruction, registers, random)
  else if (registers !== undefined && name.startsWith("fx") && random.oneIn(4))
    aimAtPageEnd(instruction, registers, random)
  return registers
}

// ---- XSAVE's areas

const areas = [0x400, 0x800, 0xc00, 0x1400, 0x1800].map((offset) => place.data + offset)

/** Components that EDX:EAX asks for: of those that every processor with AVX has. Areas that are aligned, mostly, and may end in the next page. */
const aimAtArea = ({ operands }: Instruction, registers: Array<bigint>, random: Random): void => {
  registers[0] = BigInt(random.oneIn(2) ? 7 : random.below(8))
  registers[2] = 0n
  const end = place.data + random.of([0x1000, place.writable, place.readable])
  const anywhere = random.oneIn(8) ? end - 16 * random.below(60) : (end - 64 * random.below(14)) & ~63
  const at = random.oneIn(3) ? anywhere : random.of(areas)
  for (const operand of operands)
    if (operand.kind === "mem" && operand.base !== 0 && operand.base !== 16)
      point(operand, registers, random, BigInt(at))
}

/** Data with areas whose headers XRSTOR accepts, or nearly: in the standard format, and compacted. */
export const withAreas = (data: Uint8Array, random: Random): Uint8Array => {
  const changed = data.slice()
  const view = viewOf(changed)
  for (const [n, area] of areas.entries()) {
    const from = area - place.data
    const compacts = random.below(8)
    view.setUint32(from + 24, 0x1f80 | (random.below(4) << 13), true)
    changed.fill(0, from + 512, from + 576)
    view.setUint32(from + 512, random.below(8) & (n % 2 === 0 ? 7 : compacts | random.below(2)), true)
    if (n % 2 === 1) view.setBigUint64(from + 520, (1n << 63n) | BigInt(compacts), true)
    if (random.oneIn(8)) changed[from + 512 + random.below(64)] = random.below(256)
  }
  return changed
}

/** An image of 512 bytes that may end in the next page. */
const aimAtPageEnd = ({ operands }: Instruction, registers: Array<bigint>, random: Random): void => {
  const end = place.data + random.of([0x1000, place.writable, place.readable])
  for (const operand of operands)
    if (operand.kind === "mem") point(operand, registers, random, BigInt(end - 16 * random.below(34)))
}

/** Numbers of all formats, in memory. */
export const withNumbers = (data: Uint8Array, random: Random): Uint8Array => {
  const changed = data.slice()
  const view = viewOf(changed)
  for (let offset = 0; offset + 16 <= changed.length; offset += 16) {
    // Where MXCSR might be read from: bits that no processor has, seldom; never the one that only some have.
    changed[offset + 10] = random.oneIn(8) ? changed[offset + 10]! & ~2 : 0
    if (!random.oneIn(8)) changed[offset + 11] = 0
    if (random.oneIn(2)) continue
    const value = interestingExtended(random)
    view.setBigUint64(offset, value & 0xffff_ffff_ffff_ffffn, true)
    view.setUint16(offset + 8, Number(value >> 64n), true)
  }
  return changed
}
