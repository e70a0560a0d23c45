/**
 * The campaign: very many cases of every line of the tables that user mode can run, on the processor of this machine and by every reading.
 *
 * Lines that end in an operation of the machine run on a whole machine, by plain execution: what they do is the same for all readings. All others run
 * by the interpreter, or in every fourth group as regions of the translator; and, one in so many, plainly.
 */
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { translator } from "../../../../src/hal/x86_64/processor/translator/Translator.ts"
import { type Case, comparableForms, initialData, makeCase } from "./cases.ts"
import { missingFor } from "./host.ts"
import { liberties } from "./liberties.ts"
import { machineReader } from "./machine.ts"
import { changesAt, type NativeBytes, runNative, runNativeBytes } from "./native.ts"
import { makeOperationCase, operationForms, withFrames } from "./operations.ts"
import { differences, type Outcome, show } from "./outcome.ts"
import { Random } from "./Random.ts"
import { FlatRunner } from "./read.ts"
import {
  caseAt,
  caseIn,
  freedomOf,
  outcomeAt,
  outcomeIn,
  type Pools,
  poolsOf,
  putCase,
  usesMmx,
  vary
} from "./states.ts"
import { makeX87Case, withAreas, withNumbers, x87Forms } from "./x87Cases.ts"

export interface Options {
  readonly seed: number
  /** Of each line. */
  readonly cases: number
  /** One case in so many is run plainly as well. */
  readonly plainEvery: number
  readonly only?: RegExp
  readonly progress: (done: Progress) => void
  /** Asked between lines: the campaign ends here. */
  readonly isOver?: () => boolean
}
export interface Progress {
  readonly form: Form
  readonly number: number
  readonly of: number
  readonly report: Report
}

export interface Report {
  /** Lines that had all of their cases. */
  lines: number
  cases: number
  plainCases: number
  exceptions: number
  /** Cases that differed, by the liberty that covers it. */
  readonly covered: Map<string, number>
  /** Cases that differ and should not, some of each line. */
  readonly different: Array<string>
  differing: number
  /** Lines of which the host lacks something, and what. */
  readonly missing: Map<string, ReadonlyArray<string>>
  /** Lines of 64-bit mode that user mode cannot run as it would without an operating system. */
  readonly left: Array<string>
  /** Lines there was no time for. */
  readonly untried: Array<string>
}

export const nameOf = ({ opcode, name }: Form): string => `${opcode} ${name}`

type Kind = "flat" | "x87" | "operation"

/** How each line is compared; nothing of those that cannot be. */
const kindsOf = (random: Random): ReadonlyMap<Form, Kind> =>
  new Map<Form, Kind>([
    ...comparableForms(random).map((form) => [form, "flat"] as const),
    ...x87Forms.map((form) => [form, "x87"] as const),
    ...operationForms(random).map((form) => [form, "operation"] as const)
  ])

export const campaign = (options: Options): Report => {
  const { seed, only, progress, isOver = () => false } = options
  const kinds = kindsOf(new Random(seed))
  const long = forms.filter(({ long }) => long)
  const report: Report = {
    lines: 0,
    cases: 0,
    plainCases: 0,
    exceptions: 0,
    covered: new Map(),
    different: [],
    differing: 0,
    missing: new Map(),
    left: long.filter((form) => !kinds.has(form)).map(nameOf),
    untried: []
  }
  const tried = [...kinds].filter(([form]) => only === undefined || only.test(nameOf(form)))
  const pools = poolsOf(new Random(seed))
  for (const [index, [form, kind]] of tried.entries()) {
    const missing = missingFor(form)
    if (missing.length > 0) report.missing.set(nameOf(form), missing)
    else if (isOver()) report.untried.push(nameOf(form))
    else {
      // Each line has a seed of its own, so that it alone can be tried again.
      const random = new Random(seed ^ hashOf(nameOf(form)))
      if (kind === "flat") compareFlat(form, random, pools, options, report)
      else compareOnMachine(form, kind, random, options, report)
      report.lines++
      progress({ form, number: index + 1, of: tried.length, report })
    }
  }
  return report
}

const hashOf = (text: string): number => {
  let hash = 0x811c_9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193)
  return hash
}

const most = 5
const note = (report: Report, reading: string, test: Case, theirs: Outcome, ours: Outcome): void => {
  const found = differences(test, theirs, ours)
  const left = found.filter((difference) => {
    const liberty = liberties.find(
      ({ of, covers }) => of.test(difference.name) && covers(test, theirs, ours, difference)
    )
    if (liberty !== undefined) report.covered.set(liberty.reason, (report.covered.get(liberty.reason) ?? 0) + 1)
    return liberty === undefined
  })
  if (left.length === 0) return
  report.differing++
  const line = `${nameOf(test.instruction.form)}, ${reading}:`
  if (report.different.filter((each) => each.startsWith(line)).length >= most) return
  const bytes = [...test.code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
  report.different.push(`${line} ${bytes}: ${left.map(show).join(", ")}`)
}

// ---- on memory without page tables

/** So many cases have one instruction; and so many are run at once. */
const [ofOneInstruction, atOnce] = [100, 20_000]

const compareFlat = (form: Form, random: Random, pools: Pools, options: Options, report: Report): void => {
  let runners: ReadonlyArray<Named> | undefined
  for (let done = 0; done < options.cases; ) {
    const count = Math.min(atOnce, options.cases - done)
    const data = initialData(random)
    const batch = makeBatch(form, count, random, pools)
    const native = runNativeBytes(batch.bytes, data)
    runners ??= readings.map(({ name, make }) => ({ name, runner: new FlatRunner(make, data, native.selectors) }))
    for (const { runner } of runners) runner.setData(data)
    compareBatch(batch, native, data, runners, options, report)
    done += count
    report.cases += count
  }
}

interface Batch {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly groups: ReadonlyArray<{ readonly like: Case; readonly first: number; readonly count: number }>
}

const makeBatch = (form: Form, count: number, random: Random, pools: Pools): Batch => {
  const bytes = new Uint8Array(count * caseAt.bytes)
  const view = new DataView(bytes.buffer)
  const groups: Array<Batch["groups"][number]> = []
  const make = usesMmx(form) ? makeX87Case : makeCase
  for (let first = 0; first < count; ) {
    const like = make(form, random)
    const free = freedomOf(like)
    const size = free === undefined ? 1 : Math.min(ofOneInstruction, count - first)
    const from = first * caseAt.bytes
    putCase(view, from, like)
    for (let n = 1; n < size; n++) {
      const start = (first + n) * caseAt.bytes
      bytes.copyWithin(start, from, from + caseAt.bytes)
      vary(bytes, view, start, free!, pools, random)
    }
    groups.push({ like, first, count: size })
    first += size
  }
  return { bytes, view, groups }
}

interface Named {
  readonly name: string
  readonly runner: FlatRunner
}

const compareBatch = (
  batch: Batch,
  native: NativeBytes,
  data: Uint8Array,
  [plain, ...fast]: ReadonlyArray<Named>,
  options: Options,
  report: Report
): void => {
  for (const [index, { like, first, count }] of batch.groups.entries()) {
    const runner = fast[index % 4 === 3 ? 1 : 0]!
    for (const each of [runner, plain!]) each.runner.setCode(like.code, usesMmx(like.instruction.form))
    for (let n = first; n < first + count; n++) {
      compareCase(batch, n, like, native, data, runner, report)
      if (n % options.plainEvery === 0) {
        report.plainCases++
        compareCase(batch, n, like, native, data, plain!, report)
      }
    }
  }
  for (const start of native.starts)
    if (native.outcomes.getInt32(start + outcomeAt.vector, true) !== -1) report.exceptions++
}

/** Handlers for whatever there is are made at once. */
const interpreter: MakeReading = (parts) => new Interpreter(parts, { patience: 0 })
const readings = [
  { name: "plain", make: makePlain },
  { name: "interpreter", make: interpreter },
  { name: "translator", make: translator({ patience: 0, heat: 2, worth: "anything" }) as MakeReading }
] as const

const outcome = new Uint8Array(outcomeAt.bytes)
const comparedBytes = outcomeAt.x87

const compareCase = (
  { bytes, view }: Batch,
  n: number,
  like: Case,
  native: NativeBytes,
  data: Uint8Array,
  { name, runner }: Named,
  report: Report
): void => {
  const start = native.starts[n]!
  runner.run(bytes, n * caseAt.bytes, outcome, 0)
  const theirs = new Uint8Array(native.outcomes.buffer, native.outcomes.byteOffset + start, outcomeAt.runs)
  if (
    Buffer.compare(theirs.subarray(0, comparedBytes), outcome.subarray(0, comparedBytes)) === 0 &&
    (!usesMmx(like.instruction.form) || Buffer.compare(theirs, outcome.subarray(0, outcomeAt.runs)) === 0) &&
    isSameMemory(native, start, data, runner)
  )
    return
  if (!usesMmx(like.instruction.form)) outcome.set(theirs.subarray(comparedBytes), comparedBytes)
  const own = outcomeIn(new DataView(outcome.slice().buffer), 0, runner.changes())
  const test = caseIn(view, n * caseAt.bytes, like)
  note(report, name, test, outcomeIn(native.outcomes, start, changesAt(native.outcomes, start)), own)
}

const isSameMemory = (native: NativeBytes, start: number, data: Uint8Array, runner: FlatRunner): boolean => {
  const original = data.subarray(0, runner.memory.length)
  if (native.outcomes.getUint32(start + outcomeAt.runs, true) === 0)
    return Buffer.compare(runner.memory, original) === 0
  const expected = original.slice()
  for (const [offset, byte] of changesAt(native.outcomes, start)) expected[offset] = byte
  return Buffer.compare(runner.memory, expected) === 0
}

// ---- on a whole machine

const compareOnMachine = (form: Form, kind: Kind, random: Random, options: Options, report: Report): void => {
  const make = kind === "x87" ? makeX87Case : makeOperationCase
  for (let done = 0; done < options.cases; ) {
    const count = Math.min(atOnce, options.cases - done)
    const plainData = initialData(random)
    const data = kind === "x87" ? withAreas(withNumbers(plainData, random), random) : withFrames(plainData, random)
    const cases = Array.from({ length: count }, () => make(form, random))
    const { outcomes } = runNative(cases, data)
    const read = machineReader(data)
    for (const [n, test] of cases.entries()) {
      const theirs = outcomes[n]!
      if (theirs.exception !== undefined) report.exceptions++
      note(report, "machine", test, theirs, read(test))
    }
    done += count
    report.cases += count
    report.plainCases += count
  }
}
