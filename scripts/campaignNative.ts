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
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { campaign } from "../tests/hal/x86_64/native/campaign.ts"
import { compareEncodings } from "../tests/hal/x86_64/native/encodings.ts"
import { nameOfHost } from "../tests/hal/x86_64/native/host.ts"
import { Ledger } from "../tests/hal/x86_64/native/ledger.ts"
import { isNative } from "../tests/hal/x86_64/native/native.ts"
import { pageOf, summaryOf, textOf } from "./nativeSummary.ts"
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

const summary = summaryOf(report)
console.log(`\n${ran} cases with seed ${seed} in ${(seconds() / 60).toFixed(1)} min`)
console.log(textOf(summary))
if (values.summary !== undefined) {
  const was = existsSync(values.summary) ? readFileSync(values.summary, "utf8") : ""
  writeFileSync(values.summary, pageOf(summary, seed, was))
}
process.exitCode = summary.differing === 0 ? 0 : 1
