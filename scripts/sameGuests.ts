/**
 * A campaign: two Linux guests with a network and a disk come to the same in two runs: what they print, why and how often they were left,
 * what their disk holds, how many instructions there were, and what memory holds at the end.
 *
 *     npm run campaign:same -- [--readings interpret,interpret]
 *
 * Minutes for each run. Debian's packages are fetched by name.
 */
import { createHash } from "node:crypto"
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { MakeReading } from "../src/hal/x86_64/processor/Reading.ts"
import { makeTranslator } from "../src/hal/x86_64/processor/translator/Translator.ts"
import { twoLinuxes } from "../tests/guests/twoLinuxes.ts"
import { refuse, typed } from "./typed.ts"

const makers: Readonly<Record<string, MakeReading>> = { interpret: makeInterpreter, translate: makeTranslator }
const usage = `Usage: npm run campaign:same -- [--readings A,B]

  --readings A,B  how each run's instructions are run: ${Object.keys(makers).join(", ")} (default: interpret,interpret)

Exit codes: 0 the runs are the same, 1 they are not, 2 what was typed is no campaign.`

const readings = typed(usage, { readings: { type: "string", default: "interpret,interpret" } }).readings.split(",")
if (readings.length < 2 || readings.some((name) => makers[name] === undefined))
  refuse(usage, `--readings are two or more of ${Object.keys(makers).join(", ")}, not '${readings.join()}'`)

const started = performance.now()
const tell = (what: string): void => console.log(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}`)
const digest = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16)

const results = readings.map((name, n) => {
  tell(`run ${n + 1}, ${name}`)
  const { seen, reports, notes, instructions, machine, disk } = twoLinuxes(makers[name], (instructions) =>
    tell(`  ${(instructions / 1e6).toFixed(0)} million instructions`)
  )
  const exits = reports.map(({ name, ending, exits: { byReason, byDevice } }) => {
    const total = [...byReason.values()].reduce((sum, count) => sum + count, 0)
    return `${name}: ${ending._tag}, left ${total} times, ${digest(JSON.stringify([[...byReason], [...byDevice]]))}`
  })
  const result = {
    ...{ instructions, memory: machine.memoryHash(), output: `${seen.length} bytes, ${digest(seen)}` },
    ...{ disk: digest(disk.bytes), guests: exits.join("; "), notes: notes.join("; ") }
  }
  for (const [what, value] of Object.entries(result)) tell(`  ${what}: ${value}`)
  return JSON.stringify(result)
})
const isSame = results.every((result) => result === results[0])
tell(isSame ? "the runs are the same" : "the runs differ")
process.exitCode = isSame ? 0 : 1
