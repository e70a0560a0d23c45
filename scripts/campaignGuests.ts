/**
 * A long campaign of hostile virtual machine monitors and guests, beside a guest that behaves and one that has nothing to do with it.
 *
 *     npm run campaign:guests -- --minutes 30 --seed 1
 *
 * Each round is a machine of its own, with two tasks that make random calls with a virtual processor; two guests of random code under the
 * usual monitor, one of them with two processors; a guest that measures; and a witness that works with two processors. The kernel's
 * invariants are checked as they go on. A round that finds something is made again with `--seed N --rounds 1 --every 1` and the same budget,
 * which stops at the entry that did it.
 */
import { ExitReason } from "../src/types/x86_64/ExitReason.ts"
import { type Found, noticed, round } from "../tests/vmm/campaign.ts"
import { numberOf, typed } from "./typed.ts"

const usage = `Usage: npm run campaign:guests -- [options]

  --seed N      the first round's seed; the others' are the numbers after it (default: 1)
  --rounds N    so many rounds (default: 10, or as many as the minutes allow)
  --minutes N   begin no round after so long
  --every N     check the kernel's invariants after one entry into it of so many (default: 500)
  --budget N    microseconds that each hostile monitor has of 5000: fewer make a round shorter (default: 5000)

Exit codes: 0 nothing was found, 1 something was, 2 what was typed is no campaign.`

const values = typed(usage, {
  seed: { type: "string", default: "1" },
  rounds: { type: "string" },
  minutes: { type: "string" },
  every: { type: "string", default: "500" },
  budget: { type: "string", default: "5000" }
})
const seed = numberOf(usage, "seed", values.seed)
const every = numberOf(usage, "every", values.every)
const budget = Math.min(5000, numberOf(usage, "budget", values.budget))
const minutes = values.minutes === undefined ? undefined : numberOf(usage, "minutes", values.minutes, 0, false)
const rounds =
  values.rounds === undefined
    ? minutes === undefined
      ? 10
      : Number.POSITIVE_INFINITY
    : numberOf(usage, "rounds", values.rounds)
const names = new Map<number, string>(Object.entries(ExitReason).map(([name, number]) => [number, name]))
const refusedEntry = 0xffff

const started = performance.now()
const since = (): number => (performance.now() - started) / 60_000
const { seen: alone } = round({ seed: 0, every: Number.MAX_SAFE_INTEGER, isQuiet: true })
const total = { rounds: 0, entries: 0, instructions: 0, calls: 0, refused: 0, vmEntries: 0 }
const reasons = new Map<number, number>()
const ends = new Map<string, number>()
let bad = 0

const add = <K>(to: Map<K, number>, from: ReadonlyMap<K, number>): void => {
  for (const [key, count] of from) to.set(key, (to.get(key) ?? 0) + count)
}
const count = ({ entries, instructions, counts, ends: ended }: Found): void => {
  total.rounds++
  total.entries += entries
  total.instructions += instructions
  total.calls += counts.calls
  total.refused += counts.refused
  total.vmEntries += counts.entries
  add(reasons, counts.reasons)
  add(ends, ended)
}

for (let n = 0; n < rounds && (minutes === undefined || since() < minutes); n++) {
  const found = round({ seed: seed + n, every, budget })
  count(found)
  const wrong = [...found.wrong, ...noticed(alone, found.seen)]
  if (wrong.length > 0) {
    bad++
    console.log(`seed ${seed + n}:`)
    for (const sentence of wrong.slice(0, 20)) console.log(`- ${sentence}`)
  }
  if (n % 10 === 9 || wrong.length > 0)
    console.log(
      `${n + 1} rounds, ${total.entries} entries into the kernel, ${bad} rounds found something; ${since().toFixed(1)} min`
    )
}
console.log(
  `${total.rounds} rounds from seed ${seed}: ${total.instructions} instructions, ${total.entries} entries into the kernel`
)
console.log(
  `hostile monitors made ${total.calls} calls, of which ${total.refused} were refused, and ${total.vmEntries} entries, which ended so:`
)
for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a))
  console.log(
    `${String(count).padStart(10)}  ${reason === refusedEntry ? "no entry: invalid controls" : (names.get(reason) ?? `reason ${reason}`)}`
  )
console.log(
  `hostile guests ended: ${[...ends].map(([how, count]) => `${how} ${count}`).join(", ")}; the others went on for ever`
)
console.log(bad === 0 ? "nothing was found" : `${bad} rounds found something`)
process.exitCode = bad === 0 ? 0 : 1
