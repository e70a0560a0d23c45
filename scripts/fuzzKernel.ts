/**
 * A long campaign of random system calls, from machine code, with the kernel's invariants checked after each of them.
 *
 *     npm run fuzz:kernel -- --calls 1000000 --seed 1 [--every 50] [--domains 3]
 *
 * The same seed is the same campaign: one that was made with `--every 50`, which is many times quicker, and found
 * something, is made again without, and stops at the call that did it.
 */
import { run } from "../tests/kernel/fuzz/campaign.ts"
import { numberOf, typed } from "./typed.ts"

const usage = `Usage: npm run fuzz:kernel -- [options]

  --calls N    so many system calls (default: 1000000)
  --seed N     others (default: 1)
  --every N    check the kernel's invariants after one call of so many (default: 1)
  --domains N  scheduling domains of the kernel, in the first three of which threads are (default: 1)

Exit codes: 0 nothing was found, 1 something was, 2 what was typed is no campaign.`
const values = typed(usage, {
  calls: { type: "string", default: "1000000" },
  seed: { type: "string", default: "1" },
  every: { type: "string", default: "1" },
  domains: { type: "string", default: "1" }
})
const step = 20_000
let told = 0
const found = run({
  calls: numberOf(usage, "calls", values.calls),
  seed: BigInt(numberOf(usage, "seed", values.seed, 0)),
  every: numberOf(usage, "every", values.every),
  domains: numberOf(usage, "domains", values.domains),
  progress: (calls) => {
    if (calls - told < step) return
    told = calls
    console.log(`${calls} calls`)
  }
})
console.log(`${found.calls} calls with seed ${values.seed}, in ${found.instructions} instructions`)
for (const sentence of found.wrong) console.log(`- ${sentence}`)
process.exitCode = found.wrong.length === 0 ? 0 : 1
