/** What the native comparison has compared: as lines for a terminal, and as a page of Markdown. */
import type { Report } from "../tests/hal/x86_64/native/campaign.ts"
import { nameOf } from "../tests/hal/x86_64/native/kinds.ts"
import type { Entry } from "../tests/hal/x86_64/native/ledger.ts"
import { leftOut } from "../tests/hal/x86_64/native/left.ts"

export interface Summary {
  /** The first row names the columns; then one for each group of lines; then one for all. */
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  /** Cases that ran plainly as well, that ended in an exception, and that differ. */
  readonly plain: number
  readonly exceptions: number
  readonly differing: number
  /** How often each liberty was taken. */
  readonly covered: ReadonlyMap<string, number>
  /** Lines that the processor lacks, and what it lacks. */
  readonly missing: ReadonlyArray<string>
  readonly different: ReadonlyArray<string>
  readonly processors: string
  readonly dates: string
}

/** How many lines have had at least so many cases. */
const steps = [1000, 10_000, 100_000]
const columns = ["what CPUID calls it", "lines", ...steps.map((step) => `with ${step}`), "cases", "differ"]

const sum = <A>(all: Iterable<A>, of_: (each: A) => number): number => {
  let total = 0
  for (const each of all) total += of_(each)
  return total
}
const casesOf = (entries: ReadonlyArray<Entry>): number => entries.at(-1)?.to ?? 0
const unique = (texts: Iterable<string>): string => [...new Set(texts)].sort().join(", ")

const rowOf = (name: string, lines: ReadonlyArray<ReadonlyArray<Entry>>): ReadonlyArray<string> => [
  name,
  ...[
    lines.length,
    ...steps.map((step) => lines.filter((entries) => casesOf(entries) >= step).length),
    sum(lines, casesOf),
    sum(lines.flat(), ({ differing }) => differing)
  ].map(String)
]

export const summaryOf = ({ compared, missing }: Report): Summary => {
  const groups = Map.groupBy(compared, ([line]) => line.group)
  const entries = [...compared.values()].flat()
  const covered = new Map<string, number>()
  for (const entry of entries)
    for (const [reason, count] of Object.entries(entry.covered)) covered.set(reason, (covered.get(reason) ?? 0) + count)
  return {
    rows: [
      columns,
      ...[...groups].sort().map(([name, lines]) =>
        rowOf(
          name,
          lines.map(([, entries]) => entries)
        )
      ),
      rowOf("all", [...compared.values()])
    ],
    plain: sum(entries, ({ plain }) => plain),
    exceptions: sum(entries, ({ exceptions }) => exceptions),
    differing: sum(entries, ({ differing }) => differing),
    covered,
    missing: [...missing].map(([{ name }, features]) => `${name} (${features.join(", ")})`),
    different: entries.flatMap(({ line, different }) => different.map((each) => `${line}, ${each}`)),
    processors: unique(entries.map(({ processor }) => processor)),
    dates: unique(entries.map(({ date }) => date))
  }
}

export const textOf = (summary: Summary): string =>
  [
    ...summary.rows.map((row) => row.map((cell, n) => cell.padStart(n === 0 ? 20 : 12)).join("")),
    `${summary.plain} of all cases by plain execution too`,
    `${summary.exceptions} ended in an exception`,
    ...[...summary.covered].map(([reason, count]) => `${count} differences: ${reason}`),
    `${summary.missing.length} lines that this processor lacks${summary.missing.map((each) => `\n  ${each}`).join("")}`,
    `${summary.differing} cases differ`,
    ...summary.different.map((each) => `- ${each}`)
  ].join("\n")

/** From this heading on, a page is written by hand. */
const byHand = "\n## Encodings"

/** The page; what was written by hand in the one that there `was` is kept. */
export const pageOf = (summary: Summary, seed: number, was: string): string => {
  const table = [summary.rows[0]!, columns.map(() => "---"), ...summary.rows.slice(1)]
  const hand = was.indexOf(byHand)
  return `# The comparison with a real processor

What \`npm run campaign:native\` has compared: each line of the instruction tables that user mode can run, with chance operands, addresses,
prefixes and registers, run by a processor and by the readings: registers, memory, flags and exceptions. Four groups of cases in five run by the
interpreter's handlers and one as regions of the translator, and some of all by plain execution as well; what ends in an operation of the machine runs
on a whole machine.

- Processor: ${summary.processors}
- Seed ${seed}, on ${summary.dates}
- ${summary.plain} cases also by plain execution; ${summary.exceptions} ended in an exception

${table.map((row) => `| ${row.join(" | ")} |`).join("\n")}

${summary.different.length === 0 ? "" : `What differs:\n\n${list(summary.different)}\n\n`}Differences that are none, each covered by a liberty (tests/hal/x86_64/native/liberties.ts):

${list([...summary.covered].map(([reason, count]) => `${count}: ${reason}`))}

Lines that this processor lacks: ${summary.missing.join("; ") || "none"}.

Lines that are not compared (tests/hal/x86_64/native/left.ts):

${list([...leftOut()].map(([why, forms]) => `${why}: ${forms.map((form) => `\`${nameOf(form)}\``).join(", ")}`))}
${hand < 0 ? "" : was.slice(hand)}`
}

const list = (items: ReadonlyArray<string>): string => items.map((item) => `- ${item}`).join("\n")
