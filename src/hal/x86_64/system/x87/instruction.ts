/** The instruction that an operation belongs to, once more: for what it seldom needs to know of it. */
import { fault, raised } from "../../memory/Access.ts"
import { pageSize } from "../../memory/layout.ts"
import { decode } from "../../processor/decode.ts"
import type { Instruction } from "../../processor/Instruction.ts"
import { at, modeOf, segments } from "../../processor/State.ts"
import { type Core, highOf, lowOf } from "../Core.ts"
import { vector } from "../registers.ts"

const longest = 15

/** Its bytes, and what follows them in its page. */
const bytesOf = (core: Core): Uint8Array => {
  const bytes = new Uint8Array(longest)
  const [lo, hi] = [core.low(at.stoppedAt), core.high(at.stoppedAt)]
  for (let n = 0; n < longest; ) {
    const host = core.mmu.execute(lowOf(lo, n), highOf(lo, hi, n))
    if (host === fault) return bytes.subarray(0, n)
    const part = Math.min(pageSize - (host % pageSize), longest - n)
    for (let i = 0; i < part; i++) bytes[n + i] = core.view.getUint8(host + i)
    n += part
  }
  return bytes
}

/** What is not canonical is #SS where the instruction's memory is in the stack segment, for an operation that was given an address. */
export const withStack = (core: Core, operation: () => void): void => {
  try {
    operation()
  } catch (reason) {
    if (
      reason === raised &&
      core.low(at.vector) === vector.GP &&
      !core.isCanonical(core.high(at.faultAddress)) &&
      isInStack(core)
    )
      core.raise(vector.SS)
    throw reason
  }
}

/** The instruction as it was decoded. */
export const instructionOf = (core: Core): Instruction => {
  const bytes = bytesOf(core)
  const instruction = decode(bytes, 0, bytes.length, modeOf(core.low(at.mode)))
  if (typeof instruction === "string") throw new Error("what runs is an instruction")
  return instruction
}

/** The instruction's memory operand is in the stack segment. */
export const isInStack = (core: Core): boolean => {
  const instruction = instructionOf(core)
  return instruction.operands.some((operand) => operand.kind === "mem" && operand.segment === segments.ss)
}

/** "The x87 FPU opcode": the low three bits of the first byte that is no prefix, and the one after it. */
export const opcodeOf = (core: Core): number => {
  const bytes = bytesOf(core)
  const first = bytes.findIndex((byte) => byte >= 0xd8 && byte <= 0xdf)
  return ((bytes[first]! & 7) << 8) | bytes[first + 1]!
}
