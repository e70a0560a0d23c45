/**
 * Many cases of one line, compared: those of a thousand have a seed of their own, so that they are the same whichever run comes to them.
 *
 * What runs on memory without page tables runs by the interpreter, or in every fourth group of cases as regions of the translator; and, one in so
 * many, plainly. All cases are made, run and compared as words; only those that differ are looked at.
 */
import { Interpreter } from "../../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../../src/hal/x86_64/processor/plain.ts"
import type { ReadingParts } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { translator } from "../../../../src/hal/x86_64/processor/translator/Translator.ts"
import { type Case, place } from "./cases.ts"
import { type Line, usesX87 } from "./kinds.ts"
import type { Entry } from "./ledger.ts"
import { differing } from "./liberties.ts"
import { MachineRunner } from "./machine.ts"
import {
  change,
  type NativeStates,
  outcomeFrom,
  type Round,
  roomForOutcomes,
  runNative,
  runNativeStates,
  runsAt
} from "./native.ts"
import { show, undefinedAlways } from "./outcome.ts"
import { Random } from "./Random.ts"
import { changesOf, FlatRunner, type Runner } from "./read.ts"
import {
  areWordsSame,
  caseAt,
  caseIn,
  completed,
  copyWords,
  outcomeAt,
  outcomeIn,
  putCase,
  putFpuRest,
  type States,
  statesOf
} from "./states.ts"
import { dataFrom, freedomOf, type Pools, vary } from "./variation.ts"

export interface How {
  readonly seed: number
  /** One case in so many is run plainly as well. */
  readonly plainEvery: number
  readonly pools: Pools
}
/** What is counted. */
export type Counted = Pick<Entry, "plain" | "exceptions" | "covered" | "differing" | "different">

/** Cases come in units of so many, except for the last; and so many of them have one instruction. */
export const unit = 1000
const ofOneInstruction = 200
/** So many units are run at once. */
const unitsAtOnce = 10

/** Cases of whole units, and outcomes: all are written before they are read. */
const cases = Array.from({ length: unitsAtOnce }, () => statesOf(unit * caseAt.bytes))
const outcomes = roomForOutcomes()

/** The cases of a line from one number, the first of a unit, up to another. */
export const compareLine = (line: Line, from: number, to: number, how: How): Counted => {
  const count: Count = { plain: 0, exceptions: 0, covered: {}, differing: 0, different: [] }
  const definedFlags = ~undefinedAlways(line.form)
  let readings: Readings | undefined
  for (let first = from; first < to; first += unit * unitsAtOnce) {
    const batches = batchesOf(line, first, Math.min(to, first + unit * unitsAtOnce), how)
    const native = runNativeStates(batches, outcomes)
    readings ??= line.kind.onMachine ? onMachine() : onFlat(native.selectors)
    prepare(line, batches, readings)
    for (const [n, batch] of batches.entries())
      compareBatch({ line, batch, native, starts: native.starts[n]!, definedFlags, count }, readings, how.plainEvery)
  }
  return count
}

// ---- cases

/** Cases that have one instruction. */
interface Group {
  readonly like: Case
  readonly first: number
  readonly end: number
}
interface Batch extends Round {
  readonly groups: ReadonlyArray<Group>
}

const batchesOf = (line: Line, from: number, to: number, { seed, pools }: How): ReadonlyArray<Batch> => {
  const batches: Array<Batch> = []
  for (let first = from; first < to; first += unit) {
    const random = new Random(seed ^ hashOf(line.name) ^ Math.imul(1 + first / unit, 0x9e37_79b1))
    const count = Math.min(unit, to - first)
    batches.push(
      batchOf(line, count, count === unit ? cases[batches.length]! : statesOf(count * caseAt.bytes), random, pools)
    )
  }
  return batches
}

const hashOf = (text: string): number => {
  let hash = 0x811c_9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x0100_0193)
  return hash
}

const batchOf = ({ form, kind }: Line, count: number, cases: States, random: Random, pools: Pools): Batch => {
  const groups: Array<Group> = []
  const data = kind.dataOf(dataFrom(pools, random), random)
  for (let first = 0; first < count; first += ofOneInstruction) {
    const like = kind.make(form, random)
    const free = freedomOf(kind, like)
    const end = Math.min(count, first + ofOneInstruction)
    putCase(cases.view, first * caseAt.bytes, like)
    for (let n = first + 1; n < end; n++) {
      copyWords(cases.words, (first * caseAt.bytes) >> 2, cases.words, (n * caseAt.bytes) >> 2, caseAt.bytes >> 2)
      vary(cases, n * caseAt.bytes, like, free, pools, random)
    }
    groups.push({ like, first, end })
  }
  return { cases, data, groups }
}

// ---- what runs them

interface Named {
  readonly name: string
  readonly runner: Runner
}
interface Readings {
  /** Runs some cases. */
  readonly plain: Named
  /** One of these runs all cases of a group; if there is none, plain execution does. */
  readonly quick: ReadonlyArray<Quick>
}
interface Quick extends Named {
  /** Makes the handlers that are missing. */
  readonly generate: () => void
}

/** Handlers are made for a line at once; those for what comes up later, soon. */
const patience = 20

const onFlat = (selectors: ReadonlyArray<number>): Readings => {
  const quick = (name: string, make: (parts: ReadingParts) => Interpreter): Quick => {
    let reading: Interpreter | undefined
    const runner = new FlatRunner((parts) => (reading = make(parts)), selectors)
    return { name, runner, generate: () => reading?.generate() }
  }
  return {
    plain: { name: "plain", runner: new FlatRunner(makePlain, selectors) },
    quick: [
      quick("interpreter", (parts) => new Interpreter(parts, { patience })),
      quick("translator", translator({ patience, heat: 2, worth: "anything" }))
    ]
  }
}

let machine: Readings | undefined
const onMachine = (): Readings => {
  machine ??= { plain: { name: "machine", runner: new MachineRunner() }, quick: [] }
  return machine
}

const quickFor = ({ quick }: Readings, group: number): Quick | undefined => quick[group % 4 === 3 ? 1 : 0]

/** Each instruction is run once, without being looked at: that shows which handlers are missing. */
const prepare = ({ kind }: Line, batches: ReadonlyArray<Batch>, readings: Readings): void => {
  for (const { cases, data, groups } of batches) {
    for (const { runner } of readings.quick) runner.setData(data)
    for (const [index, { like, first }] of groups.entries()) {
      const quick = quickFor(readings, index)
      quick?.runner.setCode(like.code, usesX87(kind))
      quick?.runner.run(cases, first * caseAt.bytes, ours, 0)
    }
  }
  for (const { generate } of readings.quick) generate()
}

// ---- comparing

/** What is counted while cases are compared. */
interface Count {
  plain: number
  exceptions: number
  readonly covered: Record<string, number>
  differing: number
  readonly different: Array<string>
}
interface Compared {
  readonly line: Line
  readonly batch: Batch
  readonly native: NativeStates
  readonly starts: Int32Array
  /** Of a completed case. */
  readonly definedFlags: number
  readonly count: Count
}

const compareBatch = (compared: Compared, readings: Readings, plainEvery: number): void => {
  const { line, batch, native, starts, definedFlags, count } = compared
  const { plain } = readings
  for (const { runner } of [plain, ...readings.quick]) runner.setData(batch.data)
  for (const [index, group] of batch.groups.entries()) {
    const quick = quickFor(readings, index)
    for (const { runner } of quick === undefined ? [plain] : [plain, quick])
      runner.setCode(group.like.code, usesX87(line.kind))
    for (let n = group.first; n < group.end; n++) {
      const { words } = native.outcomes
      const start = starts[n]!
      if (words[(start + outcomeAt.vector) >> 2] !== isCompleted) count.exceptions++
      else words[(start + outcomeAt.rflags) >> 2]! &= definedFlags
      if (usesX87(line.kind)) putFpuRest(words, start)
      if (quick !== undefined) compareCase(compared, group.like, n, quick)
      if (quick !== undefined && n % plainEvery !== 0) continue
      count.plain++
      compareCase(compared, group.like, n, plain)
    }
  }
}
const isCompleted = completed | 0

/** The outcome of a reading. */
const ours = statesOf(outcomeAt.bytes)

const compareCase = (compared: Compared, like: Case, n: number, by: Named): void => {
  const { line, batch, native, starts, definedFlags } = compared
  by.runner.run(batch.cases, n * caseAt.bytes, ours, 0)
  if (usesX87(line.kind)) putFpuRest(ours.words, 0)
  if (native.outcomes.words[(starts[n]! + outcomeAt.vector) >> 2] === isCompleted)
    ours.words[outcomeAt.rflags >> 2]! &= definedFlags
  const words = (usesX87(line.kind) ? outcomeAt.runs : outcomeAt.x87) >> 2
  if (!areWordsSame(native.outcomes.words, starts[n]! >> 2, ours.words, 0, words)) look(compared, like, n, by)
  else if (!isMemorySame(native, starts[n]!, batch.data, by.runner)) look(compared, like, n, by)
}

const expected = new Uint8Array(place.writable)

const isMemorySame = ({ outcomes }: NativeStates, start: number, data: Uint8Array, runner: Runner): boolean => {
  const isChanged = runsAt(outcomes, start) > 0
  if (!isChanged && !runner.hasWritten) return true
  expected.set(data.subarray(0, place.writable))
  if (isChanged) change(expected, outcomes, start)
  return Buffer.compare(runner.memory, expected) === 0
}

/** Something is not the same: perhaps a liberty. */
const look = (
  { line, batch, native, starts, count }: Compared,
  like: Case,
  n: number,
  { name, runner }: Named
): void => {
  const start = starts[n]!
  const test = caseIn(batch.cases.view, n * caseAt.bytes, like)
  const theirs = outcomeFrom(native.outcomes, start)
  const own = outcomeIn(ours.view, 0, runner.hasWritten ? changesOf(runner, batch.data) : none)
  const known = usesX87(line.kind) ? own : { ...own, x87: theirs.x87 }
  const found = differing(test, theirs, known, ({ reason }) => {
    count.covered[reason] = (count.covered[reason] ?? 0) + 1
  })
  // What a reading takes for INT3 may be how the real processor comes back: it runs once more, to INT3.
  const left = found.length === 0 ? [] : differing(test, runNative([test], batch.data, true).outcomes[0]!, known)
  if (left.length === 0) return
  count.differing++
  if (count.different.length >= mostTold) return
  const code = [...test.code].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")
  count.different.push(`${name}: ${code}: ${left.map(show).join(", ")}`)
}
const none: ReadonlyMap<number, number> = new Map()
/** So many cases that differ are told of each line. */
const mostTold = 5
