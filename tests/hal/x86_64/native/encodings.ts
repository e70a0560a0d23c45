/**
 * What is an instruction, and what is none: lines of the tables with prefixes too many, bits turned over and bytes exchanged. The processor of
 * this machine raises #UD where the decoder knows no instruction, and else does what the tables say.
 */
import { decode, type NoInstruction } from "../../../../src/hal/x86_64/processor/decode.ts"
import type { Instruction } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import type { SystemName } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import { segments } from "../../../../src/hal/x86_64/processor/State.ts"
import { opinion } from "../processor/iced.ts"
import { aim, type Case, effectsIn, goesElsewhere, initialData, isSplitLock, place, userMode } from "./cases.ts"
import { encode } from "./encode.ts"
import { interestingRegister } from "./floats.ts"
import { type Line, linesOf, usesX87 } from "./kinds.ts"
import { differing } from "./liberties.ts"
import { MachineRunner } from "./machine.ts"
import { outcomeFrom, runNativeStates } from "./native.ts"
import { show } from "./outcome.ts"
import { Random } from "./Random.ts"
import { changesOf, FlatRunner, type Runner } from "./read.ts"
import { caseAt, caseIn, outcomeAt, outcomeIn, putCase, statesOf } from "./states.ts"
import { initialX87, isDefinedFor, viewOf } from "./x87.ts"
import { interestingImage } from "./x87Cases.ts"

export interface Encodings {
  readonly tried: number
  /** Of these, those that are no instruction. */
  readonly invalid: number
  readonly different: ReadonlyArray<string>
}

const codeBytes = 16
const [UD, GP] = [6, 13]
const prefixes = [0xf0, 0x66, 0xf2, 0xf3, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x65, 0x40, 0x44, 0x48, 0x4f]

/** Bytes of a line, changed a little. What follows them is INT3. */
const changed = (line: Line, random: Random): Uint8Array => {
  const bytes = [...encode(line.form, random, aim)]
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(Math.min(bytes.length, 5))
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256)
        break
      case 1:
        bytes[at]! ^= 1 << random.below(8)
        break
      default:
        bytes.splice(random.below(3), 0, ...Array(random.oneIn(20) ? 12 : 1).fill(random.of(prefixes)))
    }
  }
  return Uint8Array.from({ length: codeBytes }, (_, n) => bytes[n] ?? 0xcc)
}

/** What they answer is the operating system's. */
const ofSelectors: ReadonlySet<SystemName | undefined> = new Set([
  "movToSegment",
  "lar",
  "lsl",
  "verr",
  "verw"
] as const)

/** FS is the harness's, and where code lies are the ways back; PKRU and the AMX registers come with what XRSTOR loads; far transfers and jumps go anywhere, and some for ever. */
const isLeftOut = (instruction: Instruction, lines: ReadonlyMap<unknown, Line>): boolean =>
  !lines.has(instruction.form) ||
  /^x(?:save|rstor)/.test(instruction.form.name) ||
  /^sha\d/.test(instruction.form.name) ||
  goesElsewhere(instruction) ||
  instruction.operands.some(
    (operand) => operand.kind === "mem" && (operand.segment === segments.fs || operand.ripRelative)
  ) ||
  ofSelectors.has(effectsIn(instruction).system)

/** What others call an instruction: the processor may have it. */
const isNobodys = (code: Uint8Array): boolean => opinion(code, BigInt(place.start)) === undefined

const longest = 15

/**
 * Of what is no instruction and too long for one, processors say one or the other. It is too long if it consists of prefixes, nearly, or if it would
 * be an instruction of so many bytes without one of them.
 */
const isTooLong = (code: Uint8Array): boolean => {
  const isPrefix = (byte: number) => (byte & 0xf0) === 0x40 || prefixes.includes(byte)
  if (code.subarray(0, 10).every(isPrefix)) return true
  return [...code].some((byte, at) => {
    if (!isPrefix(byte)) return false
    const found = decode(Uint8Array.from(code).copyWithin(at, at + 1), 0, codeBytes, userMode)
    return typeof found !== "string" && found.length >= longest
  })
}

interface Try {
  readonly test: Case
  readonly found: Instruction | NoInstruction
}

export const compareEncodings = (seed: number, count: number): Encodings => {
  const random = new Random(seed)
  const all = linesOf(new Random(1))
  const lines = new Map(all.map((line) => [line.form, line] as const))
  const nop = decode(Uint8Array.of(0x90), 0, 1, userMode) as Instruction
  const data = initialData(random)
  const tries: Array<Try> = []
  while (tries.length < count) {
    const code = changed(random.of(all), random)
    const found = decode(code, 0, codeBytes, userMode)
    const test = { ...aCase(random), instruction: typeof found === "string" ? nop : found, code }
    const isKnown = typeof found !== "string"
    if (isKnown) code.fill(0xcc, found.length)
    if (isKnown && (isLeftOut(found, lines) || isSplitLock(found, test.registers))) continue
    if (isKnown && !isDefinedFor(found.form.name, viewOf(test.x87))) continue
    if (isKnown || (found !== "incomplete" && isNobodys(code))) tries.push({ test, found })
  }
  return compare(tries, lines, data)
}

/** Registers point to data, with room around them. */
const aCase = (random: Random): Omit<Case, "instruction" | "code"> => ({
  registers: Array.from({ length: 16 }, (_, n) => (n === 1 ? 3n : BigInt(place.data + 0x800 + 64 * random.below(32)))),
  vectors: Array.from({ length: 16 }, () => interestingRegister(random)),
  mxcsr: 0x1f80,
  x87: random.oneIn(2) ? initialX87 : interestingImage(random),
  rflags: 0x202n | (BigInt(random.bits()) & 0x8d5n)
})

const compare = (tries: ReadonlyArray<Try>, lines: ReadonlyMap<unknown, Line>, data: Uint8Array): Encodings => {
  const cases = statesOf(tries.length * caseAt.bytes)
  for (const [n, { test }] of tries.entries()) {
    putCase(cases.view, n * caseAt.bytes, test)
    cases.view.setBigUint64(n * caseAt.bytes + caseAt.length, 0n, true)
  }
  const native = runNativeStates([{ cases, data }])
  const flat = new FlatRunner(makePlain, native.selectors)
  const machine = new MachineRunner()
  for (const runner of [flat, machine]) runner.setData(data)
  const run = (runner: Runner, n: number, { code }: Case) => {
    const outcome = statesOf(outcomeAt.bytes)
    runner.setCode(code, true)
    runner.run(cases, n * caseAt.bytes, outcome, 0)
    return outcomeIn(outcome.view, 0, changesOf(runner, data))
  }
  const different = tries.flatMap(({ test, found }, n) => {
    const theirs = outcomeFrom(native.outcomes, native.starts[0]![n]!)
    const code = [...test.code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
    if (typeof found === "string") {
      const { vector } = theirs.exception ?? { vector: "none" }
      const isAlike = vector === UD || (vector === GP && (found === "tooLong" || isTooLong(test.code)))
      return isAlike ? [] : [`${code}: ${found} here, exception ${vector} there`]
    }
    const { kind } = lines.get(found.form)!
    const ours = run(kind.onMachine ? machine : flat, n, test)
    const left = differing(
      caseIn(cases.view, n * caseAt.bytes, test),
      usesX87(kind) ? theirs : { ...theirs, x87: ours.x87 },
      ours
    )
    return left.length === 0 ? [] : [`${code}: ${found.form.opcode} ${found.form.name}: ${left.map(show).join(", ")}`]
  })
  return { tried: tries.length, invalid: tries.filter(({ found }) => typeof found === "string").length, different }
}
