/**
 * The campaign: very many cases of every line of the tables that user mode can run, on the processor of this machine and by every reading.
 *
 * What runs on memory without page tables runs by the interpreter, or in every fourth group of cases as regions of the translator; and, one in so
 * many, plainly. All cases are made, run and compared as bytes; only those that differ are looked at.
 */
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { translator } from "../../../../src/hal/x86_64/processor/translator/Translator.ts"
import type { Case } from "./cases.ts"
import { missingFor } from "./host.ts"
import { type Line, leftOf, linesOf, usesX87 } from "./kinds.ts"
import type { Entry, Ledger } from "./ledger.ts"
import { differing } from "./liberties.ts"
import { MachineRunner } from "./machine.ts"
import { meaningOf } from "./meaningOf.ts"
import { changesAt, type NativeBytes, type Round, runNative, runNativeBytes } from "./native.ts"
import { type Outcome, show } from "./outcome.ts"
import { Random } from "./Random.ts"
import { changesOf, FlatRunner, type Runner } from "./read.ts"
import { caseAt, caseIn, outcomeAt, outcomeIn, putCase, putFpuRest } from "./states.ts"
import { type Cases, casesOf, dataFrom, freedomOf, type Pools, poolsOf, vary } from "./variation.ts"

export interface Options {
  readonly seed: number
  /** Of each line: so many of all lines, then so many, and so on. */
  readonly cases: ReadonlyArray<number>
  /** One case in so many is run plainly as well. */
  readonly plainEvery: number
  readonly only?: RegExp
  /** Which cases have been compared, and where others are noted. */
  readonly ledger: Ledger
  /** The commit that is tried, the day, and the processor that it is compared with. */
  readonly about: Pick<Entry, "commit" | "date" | "processor">
  readonly progress: (done: Progress) => void
  /** Asked between lines: the campaign ends here. */
  readonly isOver?: () => boolean
}
export interface Progress {
  readonly line: Line
  /** How many cases each line is to have, in this round; the number of this line, and of how many. */
  readonly cases: number
  readonly number: number
  readonly of: number
  readonly entry: Entry
}

export interface Report {
  /** What has been compared of each line. */
  readonly compared: ReadonlyMap<Line, ReadonlyArray<Entry>>
  /** Lines of which the host lacks something, and what. */
  readonly missing: ReadonlyMap<Line, ReadonlyArray<string>>
  /** Lines of 64-bit mode that user mode cannot run as it would without an operating system. */
  readonly left: ReturnType<typeof leftOf>
}

export const campaign = (options: Options): Report => {
  const { seed, only, ledger, progress, isOver = () => false } = options
  const all = linesOf(new Random(seed))
  const tried = all.filter(({ name }) => only === undefined || only.test(name))
  const missing = new Map(
    tried.map((line) => [line, missingFor(line.form)] as const).filter(([, { length }]) => length)
  )
  const lines = tried.filter((line) => !missing.has(line)).map((line) => [line, meaningOf(line)] as const)
  const pools = poolsOf(new Random(seed))
  for (const cases of options.cases)
    for (const [index, [line, meaning]] of lines.entries()) {
      const done = ledger.of(line.name, meaning, seed).at(-1)?.to ?? 0
      // Cases come in whole units.
      for (let from = done - (done % unit); from < cases && !isOver(); ) {
        const to = Math.min(cases, from + atOnce)
        const entry = { ...compare(line, from, to, pools, options), meaning }
        ledger.add(entry)
        from = to
        progress({ line, cases, number: index + 1, of: lines.length, entry })
      }
    }
  const compared = new Map(lines.map(([line, meaning]) => [line, ledger.of(line.name, meaning, seed, true)] as const))
  return { compared, missing, left: leftOf(all) }
}

// ---- a line

/** Cases by the thousand have a seed of their own, so that they are the same whichever run comes to them. So many cases have one instruction. */
const [unit, ofOneInstruction] = [1000, 200]
/** So many are run at once. */
const atOnce = 20 * unit

const hashOf = (text: string): number => {
  let hash = 0x811c_9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193)
  return hash
}

/** What is counted while cases are compared. */
interface Count {
  plain: number
  exceptions: number
  readonly covered: Record<string, number>
  differing: number
  readonly different: Array<string>
}

const compare = (line: Line, from: number, to: number, pools: Pools, options: Options): Omit<Entry, "meaning"> => {
  const batches: Array<Batch> = []
  for (let first = from; first < to; first += unit) {
    const random = new Random(options.seed ^ hashOf(line.name) ^ Math.imul(1 + first / unit, 0x9e37_79b1))
    batches.push(makeBatch(line, Math.min(unit, to - first), random, pools))
  }
  const native = runNativeBytes(batches)
  const runners = line.kind.onMachine ? [onMachine()] : onFlat(native.selectors)
  const count: Count = { plain: 0, exceptions: 0, covered: {}, differing: 0, different: [] }
  for (const [n, batch] of batches.entries()) {
    for (const { runner } of runners) runner.setData(batch.data)
    compareBatch(line, batch, native, native.starts[n]!, runners, options, count)
  }
  return { line: line.name, group: line.group, seed: options.seed, from, to, ...count, ...options.about }
}

interface Batch extends Round {
  readonly of: Cases
  readonly groups: ReadonlyArray<{ readonly like: Case; readonly first: number; readonly count: number }>
}

const makeBatch = ({ form, kind }: Line, count: number, random: Random, pools: Pools): Batch => {
  const cases = casesOf(count)
  const { bytes, view } = cases
  const groups: Array<Batch["groups"][number]> = []
  const data = kind.dataOf(dataFrom(pools, random), random)
  for (let first = 0; first < count; first += ofOneInstruction) {
    const like = kind.make(form, random)
    const free = freedomOf(kind, like)
    const size = Math.min(ofOneInstruction, count - first)
    const from = first * caseAt.bytes
    putCase(view, from, like)
    for (let n = 1; n < size; n++) {
      const start = from + n * caseAt.bytes
      bytes.copyWithin(start, from, from + caseAt.bytes)
      vary(cases, start, like, free, pools, random)
    }
    groups.push({ like, first, count: size })
  }
  return { cases: bytes, of: cases, data, groups }
}

// ---- what runs them

interface Named {
  readonly name: string
  readonly runner: Runner
}

/** Handlers for whatever there is are made at once. */
const interpreter: MakeReading = (parts) => new Interpreter(parts, { patience: 0 })
const readings = [
  { name: "plain", make: makePlain },
  { name: "interpreter", make: interpreter },
  { name: "translator", make: translator({ patience: 0, heat: 2, worth: "anything" }) as MakeReading }
] as const

/** To make them takes as long as a thousand cases: they are used for so many lines, before what they have made is forgotten. */
const mostUses = 100
let [uses, flat]: [number, ReadonlyArray<Named>] = [mostUses, []]
const onFlat = (selectors: ReadonlyArray<number>): ReadonlyArray<Named> => {
  if (uses === mostUses) {
    flat = readings.map(({ name, make }) => ({ name, runner: new FlatRunner(make, selectors) }))
    uses = 0
  }
  uses++
  return flat
}

let machine: Named | undefined
const onMachine = (): Named => {
  machine ??= { name: "machine", runner: new MachineRunner() }
  return machine
}

const compareBatch = (
  line: Line,
  batch: Batch,
  native: NativeBytes,
  starts: ReadonlyArray<number>,
  [slow, ...fast]: ReadonlyArray<Named>,
  { plainEvery }: Options,
  count: Count
): void => {
  for (const [index, { like, first, count: size }] of batch.groups.entries()) {
    const quick = fast[index % 4 === 3 ? 1 : 0]
    for (const each of [slow!, ...(quick === undefined ? [] : [quick])])
      each.runner.setCode(like.code, usesX87(line.kind))
    for (let n = first; n < first + size; n++) {
      const start = starts[n]!
      if (native.outcomes.getInt32(start + outcomeAt.vector, true) !== -1) count.exceptions++
      if (usesX87(line.kind)) putFpuRest(native.outcomes, start)
      if (quick !== undefined) compareCase(line, batch, n, like, native, start, quick, count)
      if (quick !== undefined && n % plainEvery !== 0) continue
      count.plain++
      compareCase(line, batch, n, like, native, start, slow!, count)
    }
  }
}

// ---- a case

const outcome = new Uint8Array(outcomeAt.bytes)
const outcomeView = new DataView(outcome.buffer)

const compareCase = (
  { kind }: Line,
  { cases, of: { view }, data }: Batch,
  n: number,
  like: Case,
  native: NativeBytes,
  start: number,
  { name, runner }: Named,
  count: Count
): void => {
  runner.run(cases, n * caseAt.bytes, outcome, 0)
  const [from, compared] = [native.outcomes.byteOffset + start, usesX87(kind) ? outcomeAt.runs : outcomeAt.x87]
  const theirs = Buffer.from(native.outcomes.buffer, from, outcomeAt.runs)
  if (usesX87(kind)) putFpuRest(outcomeView, 0)
  if (theirs.compare(outcome, 0, compared, 0, compared) === 0 && isSameMemory(native, start, data, runner)) return
  if (!usesX87(kind)) outcome.set(theirs.subarray(compared), compared)
  const own = outcomeIn(new DataView(outcome.slice().buffer), 0, changesOf(runner, data))
  const test = caseIn(view, n * caseAt.bytes, like)
  const found = differing(test, outcomeFrom(native, start), own, ({ reason }) => {
    count.covered[reason] = (count.covered[reason] ?? 0) + 1
  })
  // What a reading takes for INT3 may be how the real processor comes back: it runs once more, to INT3.
  const left = found.length === 0 ? [] : differing(test, runNative([test], data, true).outcomes[0]!, own)
  if (left.length === 0) return
  count.differing++
  if (count.different.length >= most) return
  const code = [...test.code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
  count.different.push(`${name}: ${code}: ${left.map(show).join(", ")}`)
}
/** So many cases that differ are told of each line. */
const most = 5

const outcomeFrom = ({ outcomes }: NativeBytes, start: number): Outcome =>
  outcomeIn(outcomes, start, changesAt(outcomes, start))

const isSameMemory = (native: NativeBytes, start: number, data: Uint8Array, { memory }: Runner): boolean => {
  const original = data.subarray(0, memory.length)
  if (native.outcomes.getUint32(start + outcomeAt.runs, true) === 0) return Buffer.compare(memory, original) === 0
  const expected = original.slice()
  for (const [offset, byte] of changesAt(native.outcomes, start)) expected[offset] = byte
  return Buffer.compare(memory, expected) === 0
}
