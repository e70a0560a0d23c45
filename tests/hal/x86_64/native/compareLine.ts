/**
 * Many cases of one line, compared.
 *
 * What runs on memory without page tables runs by the interpreter, or in every fourth group of cases as regions of the translator; and, one in so
 * many, plainly. All cases are made, run and compared as words; only those that differ are looked at.
 */
import { type Batch, batchCases, batchesOf } from "./batches.ts"
import { type Case, place } from "./cases.ts"
import { type Line, usesX87 } from "./kinds.ts"
import type { Entry } from "./ledger.ts"
import { differing } from "./liberties.ts"
import {
  change,
  type NativeStates,
  outcomeFrom,
  roomForOutcomes,
  runNative,
  runNativeStates,
  runsAt
} from "./native.ts"
import { show, undefinedFlags } from "./outcome.ts"
import { changesOf, type Runner } from "./read.ts"
import { type Named, prepare, quickFor, type Readings, readingsFor } from "./readings.ts"
import { areWordsSame, caseAt, caseIn, completed, outcomeAt, outcomeIn, putFpuRest, statesOf } from "./states.ts"
import type { Pools } from "./variation.ts"

export interface How {
  readonly seed: number
  /** One case in so many is run plainly as well. */
  readonly plainEvery: number
  readonly pools: Pools
}
/** What is counted. */
export type Counted = Pick<Entry, "plain" | "exceptions" | "covered" | "differing" | "different">

/** So many cases are run at once. */
const atOnce = 10 * batchCases
const outcomes = roomForOutcomes()

/** The cases of a line from one number, the first of a batch, up to another. */
export const compareLine = (line: Line, from: number, to: number, how: How): Counted => {
  const count: Count = { plain: 0, exceptions: 0, covered: {}, differing: 0, different: [] }
  let readings: Readings | undefined
  for (let first = from; first < to; first += atOnce) {
    const batches = batchesOf(line, first, Math.min(to, first + atOnce), how.seed, how.pools)
    const native = runNativeStates(batches, outcomes)
    readings ??= readingsFor(line.kind, native.selectors)
    prepare(line.kind, batches, readings)
    for (const [n, batch] of batches.entries())
      compareBatch({ line, batch, native, starts: native.starts[n]!, count }, readings, how.plainEvery)
  }
  return count
}

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
  readonly count: Count
}

const compareBatch = (compared: Compared, readings: Readings, plainEvery: number): void => {
  const { line, batch, native, starts, count } = compared
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
      else words[(start + outcomeAt.rflags) >> 2]! &= definedIn(batch, group.like, n)
      if (usesX87(line.kind)) putFpuRest(words, start)
      if (quick !== undefined) compareCase(compared, group.like, n, quick)
      if (quick !== undefined && n % plainEvery !== 0) continue
      count.plain++
      compareCase(compared, group.like, n, plain)
    }
  }
}
const isCompleted = completed | 0

/** The flags that are compared if the case is completed. */
const definedIn = ({ cases }: Batch, { instruction }: Case, n: number): number =>
  ~(undefinedFlags(instruction, cases.words[(n * caseAt.bytes + caseAt.registers + 8) >> 2]!) ?? 0)

/** The outcome of a reading. */
const ours = statesOf(outcomeAt.bytes)

const compareCase = (compared: Compared, like: Case, n: number, by: Named): void => {
  const { line, batch, native, starts } = compared
  by.runner.run(batch.cases, n * caseAt.bytes, ours, 0)
  if (usesX87(line.kind)) putFpuRest(ours.words, 0)
  if (native.outcomes.words[(starts[n]! + outcomeAt.vector) >> 2] === isCompleted)
    ours.words[outcomeAt.rflags >> 2]! &= definedIn(batch, like, n)
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
