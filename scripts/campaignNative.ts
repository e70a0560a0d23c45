/**
 * The long comparison with the processor of this machine: every line of the instruction tables that user mode can run, by every reading.
 *
 *     npm run campaign:native -- [--cases 100000] [--seed 1] [--only 'vadd|paddb'] [--minutes 60] [--plain-every 10]
 *
 * The same seed is the same campaign, and each line has the same cases whichever others are tried: what is found is made again with `--only`.
 * Status 1: something differs beyond the liberties that are listed (tests/hal/x86_64/native/liberties.ts).
 */
import { parseArgs } from "node:util"
import { campaign, nameOf } from "../tests/hal/x86_64/native/campaign.ts"
import { isNative } from "../tests/hal/x86_64/native/native.ts"

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    minutes: { type: "string", default: "Infinity" },
    "plain-every": { type: "string", default: "10" },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run campaign:native -- [options]

  --cases N        cases of each line of the instruction tables (100000)
  --seed N         others (1)
  --only PATTERN   lines whose opcode and name match this regular expression
  --minutes N      begins no line after so long
  --plain-every N  runs one case in so many plainly as well (10)`)
  process.exit(0)
}

const positive = (name: "cases" | "minutes" | "plain-every"): number => {
  const value = Number(values[name])
  if (value > 0) return value
  console.error(`--${name} is a number greater than 0, not ${values[name]}`)
  process.exit(2)
}
if (!isNative) {
  console.error("there is no x86-64 processor with Linux here to compare with")
  process.exit(2)
}

const began = performance.now()
const seconds = () => (performance.now() - began) / 1000
const minutes = positive("minutes")
let told = -10
const report = campaign({
  seed: Number(values.seed),
  cases: positive("cases"),
  plainEvery: positive("plain-every"),
  ...(values.only === undefined ? {} : { only: new RegExp(values.only) }),
  isOver: () => seconds() > 60 * minutes,
  progress: ({ form, number, of, report: { cases, differing } }) => {
    if (seconds() - told < 10 && number < of) return
    told = seconds()
    const left = ((seconds() / number) * (of - number)) / 60
    console.log(
      `${number} of ${of} lines, ${cases} cases, ${differing} different, about ${left.toFixed(0)} min left; last: ${nameOf(form)}`
    )
  }
})

const { lines, cases, plainCases, exceptions, covered, different, differing, missing, left, untried } = report
console.log(`\n${lines} lines, ${cases} cases with seed ${values.seed} in ${(seconds() / 60).toFixed(1)} min`)
console.log(`${plainCases} of them by plain execution too; ${exceptions} ended in an exception`)
for (const [reason, count] of covered) console.log(`${count} differences: ${reason}`)
console.log(`${missing.size} lines that this processor lacks${missing.size === 0 ? "" : ":"}`)
for (const [line, features] of missing) console.log(`- ${line} (${features.join(", ")})`)
console.log(`${left.length} lines that user mode cannot run as without an operating system: ${left.join("; ")}`)
if (untried.length > 0) console.log(`no time for ${untried.length} lines, from ${untried[0]} on`)
console.log(`${differing} cases differ`)
for (const sentence of different) console.log(`- ${sentence}`)
process.exitCode = differing === 0 ? 0 : 1
