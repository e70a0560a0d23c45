/** The campaign: very many cases of every line of the tables that user mode can run, on the processor of this machine and by every reading. */
import { batchCases } from "./batches.ts"
import { compareLine } from "./compareLine.ts"
import { missingFor } from "./host.ts"
import { type Line, linesOf } from "./kinds.ts"
import type { Entry, Ledger } from "./ledger.ts"
import { meaningOf } from "./meaningOf.ts"
import { Random } from "./Random.ts"
import { poolsOf } from "./variation.ts"

/** So many cases of a line are compared before they are noted. */
const atOnce = 100_000

export interface Options {
  readonly seed: number
  /** Of each line: so many of all lines, then so many, and so on. */
  readonly cases: ReadonlyArray<number>
  /** One case in so many is run plainly as well. */
  readonly plainEvery: number
  readonly only?: RegExp
  /** Of every so many lines, which one: so several processes do a campaign together. */
  readonly part?: { readonly number: number; readonly of: number }
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
}

export const campaign = (options: Options): Report => {
  const { seed, plainEvery, only, part, ledger, about, progress, isOver = () => false } = options
  const tried = linesOf(new Random(seed))
    .filter(({ name }) => only === undefined || only.test(name))
    .filter((_, n) => part === undefined || n % part.of === part.number - 1)
  const missing = new Map(
    tried.map((line) => [line, missingFor(line.form)] as const).filter(([, { length }]) => length)
  )
  const lines = tried.filter((line) => !missing.has(line)).map((line) => [line, meaningOf(line)] as const)
  const pools = poolsOf(new Random(seed))
  for (const cases of options.cases)
    for (const [index, [line, meaning]] of lines.entries()) {
      const done = ledger.of(line.name, meaning, seed).at(-1)?.to ?? 0
      // Cases come in whole batches.
      for (let from = done - (done % batchCases); from < cases && !isOver(); ) {
        const to = Math.min(cases, from + atOnce)
        const counted = compareLine(line, from, to, { seed, plainEvery, pools })
        const entry: Entry = { line: line.name, group: line.group, meaning, seed, from, to, ...counted, ...about }
        ledger.add(entry)
        from = to
        progress({ line, cases, number: index + 1, of: lines.length, entry })
      }
    }
  const compared = new Map(lines.map(([line, meaning]) => [line, ledger.of(line.name, meaning, seed, true)] as const))
  return { compared, missing }
}
