/**
 * The long comparison with the processor of this machine: every line of the instruction tables that user mode can run, by every reading.
 *
 *     npm run campaign:native -- [--cases 1000,10000,100000] [--ledger native.jsonl] [--seed 1] [--only 'vadd|paddb'] [--part 1/2] [--minutes 60] [--summary FILE]
 *
 * The same seed is the same campaign, and each line has the same cases whichever others are tried: what is found is made again with `--only`.
 * A ledger keeps what has been compared, so that several runs add up; a line whose meaning has changed, and one that differed, is done again.
 * Status 1: something differs beyond the liberties that are listed (tests/hal/x86_64/native/liberties.ts).
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { campaign, type Report } from "../tests/hal/x86_64/native/campaign.ts"
import { compareEncodings } from "../tests/hal/x86_64/native/encodings.ts"
import { nameOfHost } from "../tests/hal/x86_64/native/host.ts"
import { nameOf } from "../tests/hal/x86_64/native/kinds.ts"
import { type Entry, Ledger } from "../tests/hal/x86_64/native/ledger.ts"
import { isNative } from "../tests/hal/x86_64/native/native.ts"
import { numberOf, refuse, typed } from "./typed.ts"

const usage = `Usage: npm run campaign:native -- [options]

  --cases N,N      cases of each line of the instruction tables: so many of all lines, then so many, ... (default: 1000,10000,100000)
  --ledger FILE    goes on where the runs ended that are noted there, and notes what this one does
  --seed N         others (default: 1)
  --only PATTERN   lines whose name matches this regular expression
  --part K/N       of these lines, every Nth from the Kth on: N processes do a campaign together, with the same ledger
  --minutes N      begins no cases after so long; 0 only reports what the ledger says
  --plain-every N  runs one case in so many plainly as well (default: 10)
  --encodings N    instead, so many encodings that were changed by chance: what is no instruction, and what prefixes do
  --summary FILE   writes what has been compared as a page of Markdown

Exit codes: 0 nothing differs, 1 something does, 2 what was typed is no campaign.`
const values = typed(usage, {
  cases: { type: "string", default: "1000,10000,100000" },
  ledger: { type: "string" },
  seed: { type: "string", default: "1" },
  only: { type: "string" },
  part: { type: "string" },
  minutes: { type: "string", default: "Infinity" },
  "plain-every": { type: "string", default: "10" },
  summary: { type: "string" },
  encodings: { type: "string" }
})
const seed = numberOf(usage, "seed", values.seed, 0)
const minutes = numberOf(usage, "minutes", values.minutes, 0, false)
const cases = values.cases.split(",").map((each) => numberOf(usage, "cases", each))
const partOf = (typed: string): { readonly number: number; readonly of: number } => {
  const [, number, of_] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(typed) ?? refuse(usage, `--part is as 1/2, not ${typed}`)
  if (Number(number) > Number(of_)) refuse(usage, `--part ${typed}: there are ${of_} parts`)
  return { number: Number(number), of: Number(of_) }
}
if (!isNative) refuse(usage, "there is no x86-64 processor with Linux here to compare with")

if (values.encodings !== undefined) {
  const atOnce = 20_000
  const [wanted, found] = [numberOf(usage, "encodings", values.encodings), { tried: 0, invalid: 0, differing: 0 }]
  for (let from = seed; found.tried < wanted; from += 1_000_003) {
    const { tried, invalid, different } = compareEncodings(from, Math.min(atOnce, wanted - found.tried))
    found.tried += tried
    found.invalid += invalid
    found.differing += different.length
    for (const each of different) console.log(`- ${each}`)
    console.log(`${found.tried} encodings, ${found.invalid} of them no instruction, ${found.differing} different`)
  }
  process.exit(found.differing === 0 ? 0 : 1)
}

const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" }).trim()
  } catch {
    return "none"
  }
}

const began = performance.now()
const seconds = () => (performance.now() - began) / 1000
let [told, ran, differing] = [-10, 0, 0]
const report = campaign({
  seed,
  cases,
  plainEvery: numberOf(usage, "plain-every", values["plain-every"]),
  ...(values.only === undefined ? {} : { only: new RegExp(values.only) }),
  ...(values.part === undefined ? {} : { part: partOf(values.part) }),
  ledger: new Ledger(values.ledger),
  about: { commit: commit(), date: new Date().toISOString().slice(0, 10), processor: nameOfHost() },
  isOver: () => seconds() > 60 * minutes,
  progress: ({ line, cases, number, of, entry }) => {
    ran += entry.to - entry.from
    differing += entry.differing
    for (const each of entry.different) console.log(`- ${line.name}, ${each}`)
    if (seconds() - told < 10 && number < of) return
    told = seconds()
    const each = ((told / ran) * 1e6).toFixed(0)
    console.log(
      `${cases} cases of line ${number} of ${of}: ${line.name}; ${ran} cases, ${each} us each, ${differing} different`
    )
  }
})

const total = (entries: Iterable<Entry>, of: (entry: Entry) => number): number => {
  let sum = 0
  for (const entry of entries) sum += of(entry)
  return sum
}
const casesOf = (entries: ReadonlyArray<Entry>): number => entries.at(-1)?.to ?? 0
const unique = (texts: Iterable<string>): string => [...new Set(texts)].sort().join(", ")

/** How many lines have had at least so many cases. */
const steps = [1000, 10_000, 100_000]
const rowsOf = ({ compared }: Report): ReadonlyArray<ReadonlyArray<string | number>> => {
  const groups = Map.groupBy(compared, ([line]) => line.group)
  const row = (name: string, lines: ReadonlyArray<readonly [unknown, ReadonlyArray<Entry>]>) => [
    name,
    lines.length,
    ...steps.map((step) => lines.filter(([, entries]) => casesOf(entries) >= step).length),
    lines.reduce((sum, [, entries]) => sum + casesOf(entries), 0),
    lines.reduce((sum, [, entries]) => sum + total(entries, ({ differing }) => differing), 0)
  ]
  return [...[...groups].sort().map(([name, lines]) => row(name, lines)), row("all", [...compared])]
}

const entries = [...report.compared.values()].flat()
const covered = new Map<string, number>()
for (const entry of entries)
  for (const [reason, count] of Object.entries(entry.covered)) covered.set(reason, (covered.get(reason) ?? 0) + count)
const columns = ["what CPUID calls it", "lines", ...steps.map((step) => `with ${step}`), "cases", "differ"]
const missing = [...report.missing].map(([{ name }, features]) => `${name} (${features.join(", ")})`)
const differ = entries.filter(({ differing }) => differing > 0)

console.log(`\n${ran} cases with seed ${seed} in ${(seconds() / 60).toFixed(1)} min`)
for (const row of rowsOf(report)) console.log(row.map((cell, n) => String(cell).padStart(n === 0 ? 14 : 9)).join(" "))
console.log(`${total(entries, ({ plain }) => plain)} of all cases by plain execution too`)
console.log(`${total(entries, ({ exceptions }) => exceptions)} ended in an exception`)
for (const [reason, count] of covered) console.log(`${count} differences: ${reason}`)
console.log(`${missing.length} lines that this processor lacks${missing.length === 0 ? "" : `: ${missing.join("; ")}`}`)
console.log(
  `${report.left.length} lines that user mode cannot run as without an operating system: ${report.left.map(nameOf).join("; ")}`
)
console.log(`${total(entries, ({ differing }) => differing)} cases differ`)
for (const { line, different } of differ) for (const each of different) console.log(`- ${line}, ${each}`)

if (values.summary !== undefined) {
  const table = [columns, columns.map(() => "---"), ...rowsOf(report)].map((row) => `| ${row.join(" | ")} |`)
  writeFileSync(
    values.summary,
    `# The comparison with a real processor

What \`npm run campaign:native\` has compared: each line of the instruction tables that user mode can run, with chance operands, addresses,
prefixes and registers, run by a processor and by every reading: registers, memory, flags and exceptions.

- Processor: ${unique(entries.map(({ processor }) => processor))}
- Seed ${seed}, on ${unique(entries.map(({ date }) => date))}
- ${total(entries, ({ plain }) => plain)} cases also by plain execution; ${total(entries, ({ exceptions }) => exceptions)} ended in an exception

${table.join("\n")}

Differences that are none, each covered by a liberty (tests/hal/x86_64/native/liberties.ts):

${[...covered].map(([reason, count]) => `- ${count}: ${reason}`).join("\n")}

Lines that this processor lacks: ${missing.join("; ") || "none"}.

Lines that user mode cannot run as it would without an operating system, or that return what is the host's own:
${report.left.map((form) => `\`${nameOf(form)}\``).join(", ")}.
${differ.length === 0 ? "" : `\nWhat differs:\n\n${differ.flatMap(({ line, different }) => different.map((each) => `- ${line}, ${each}`)).join("\n")}\n`}`
  )
}
process.exitCode = differ.length === 0 ? 0 : 1
