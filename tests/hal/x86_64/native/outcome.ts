/** What became of a case. */
import type { Undefined } from "../../../../src/hal/x86_64/processor/Form.ts"
import type { Instruction } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import { type Flag, flagPositions } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { registerNames } from "../../../../src/hal/x86_64/processor/State.ts"
import { addressOf, type Case, place } from "./cases.ts"
import type { VectorState } from "./vectors.ts"
import { isSamePart, stops, x87Parts } from "./x87.ts"

export interface Outcome extends VectorState {
  readonly registers: ReadonlyArray<bigint>
  /** `comparedFlags` of it. */
  readonly rflags: bigint
  readonly rip: bigint
  readonly x87: Uint8Array
  /** Undefined: the instruction was completed. */
  readonly exception: { readonly vector: number; readonly errorCode: number; readonly address: bigint } | undefined
  /** The bytes of the data pages that are not what they were: offset and byte. */
  readonly changes: ReadonlyMap<number, number>
}

/** The status flags, DF, NT, AC and ID. */
export const comparedFlags = 0x24_4cd5

/** Something that is not the same in two outcomes. */
export interface Difference {
  readonly name: string
  readonly one: unknown
  readonly other: unknown
}

/** Where two outcomes of a case differ in what the manual defines. */
export const differences = (test: Case, one: Outcome, other: Outcome): ReadonlyArray<Difference> => {
  const rcx = Number(BigInt.asIntN(32, test.registers[1]!))
  const freeFlags = one.exception === undefined ? undefinedFlags(test.instruction, rcx) : 0
  if (freeFlags === undefined) return []
  const found: Array<Difference> = []
  const compare = (name: string, a: unknown, b: unknown) => {
    if (a !== b) found.push({ name, one: a, other: b })
  }
  registerNames.forEach((name, i) => {
    compare(name, one.registers[i], other.registers[i])
  })
  test.vectors.forEach((_, i) => {
    compare(`ymm${i}`, one.vectors[i], other.vectors[i])
  })
  compare("mxcsr", one.mxcsr, other.mxcsr)
  const [fpu, otherFpu] = [x87Parts(test, one.x87), x87Parts(test, other.x87)]
  for (const name of Object.keys(fpu))
    if (!isSamePart(test, name, fpu[name], otherFpu[name])) compare(name, fpu[name], otherFpu[name])
  const isUnanswered = /^fu?comi/.test(test.instruction.form.name) && stops(one.x87)
  const mask = BigInt(comparedFlags & ~freeFlags & ~(isUnanswered ? 0x8d5 : 0))
  compare("flags", one.rflags & mask, other.rflags & mask)
  compare("rip", one.rip, other.rip)
  compare("vector", one.exception?.vector, other.exception?.vector)
  if (one.exception?.vector !== 14) compare("error code", one.exception?.errorCode, other.exception?.errorCode)
  else if (isUser(one.exception.address)) {
    if (isManyBytes(test)) return found
    compare("error code", one.exception.errorCode, other.exception?.errorCode)
    compare("address", one.exception.address, other.exception?.address)
  }
  const ignored = maskByte(test)
  for (const offset of new Set([...one.changes.keys(), ...other.changes.keys()]))
    if (offset !== ignored) compare(`byte ${offset.toString(16)}`, one.changes.get(offset), other.changes.get(offset))
  return found
}

/** The bytes of an environment are not accessed in their order. */
const isManyBytes = ({ instruction }: Case): boolean =>
  /^(?:fldenv|fnstenv|frstor|fnsave|fx(?:save|rstor)(?:64)?|xsave(?:c|opt)?(?:64)?|xrstor(?:64)?)$/.test(
    instruction.form.name
  )

/** Where FXSAVE and XSAVE say that MXCSR has a bit 17, which some processors have: the offset in the data. */
const maskByte = ({ instruction, registers }: Case): number | undefined => {
  const [memory] = instruction.operands
  if (!/^f?xsave/.test(instruction.form.name) || memory?.kind !== "mem") return undefined
  return Number(addressOf(memory, instruction.length, registers)) - place.data + 30
}

/** What lies at other addresses is the operating system's. */
const isUser = (address: bigint): boolean => address < 1n << 47n

export const show = ({ name, one, other }: Difference): string => `${name} ${hex(one)} ${hex(other)}`
const hex = (value: unknown): string =>
  typeof value === "bigint" || typeof value === "number" ? value.toString(16) : String(value)

/** The flags that the manual leaves undefined here; nothing if the result is undefined as well. `rcx`: its lower half. */
export const undefinedFlags = ({ form, operands }: Instruction, rcx: number): number | undefined => {
  if (form.undefined.length === 0) return 0
  const width = operands[0]?.width ?? 64
  const last = operands.at(-1)
  const count = (last?.kind === "imm" ? last.lo : rcx) & (width === 64 ? 63 : 31)
  let mask = 0
  for (const flag of form.undefined) {
    switch (flag) {
      case "all if count > width":
        if (count > width) return undefined
        break
      case "OF if count > 1":
        if (count > 1) mask |= bitOf("OF")
        break
      case "CF if count >= width":
        if (count >= width) mask |= bitOf("CF")
        break
      default:
        if (count !== 0 || !form.undefined.some(ofCount)) mask |= bitOf(flag)
    }
  }
  return mask
}

/** Flags that a shift leaves undefined, it leaves alone if the count is 0. */
const ofCount = (flag: Undefined): boolean => flag.includes("count")
const bitOf = (flag: Flag): number => 1 << flagPositions[flag]
