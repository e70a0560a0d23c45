/**
 * A long campaign of random system calls, from machine code, with the kernel's invariants checked between them.
 *
 *     npm run fuzz:kernel -- --calls 1000000 --seed 1 [--every 50]
 *
 * The same seed is the same campaign: one that finds something is made again with `--every 1`, and stops at the call
 * that did it.
 */
import { parseArgs } from "node:util"
import { run } from "../tests/kernel/fuzz/campaign.ts"

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    every: { type: "string", default: "50" }
  }
})
const step = 100_000
let told = 0
const found = run({
  calls: Number(values.calls),
  seed: BigInt(values.seed),
  every: Number(values.every),
  progress: (calls) => {
    if (calls - told < step) return
    told = calls
    console.log(`${calls} calls`)
  }
})
console.log(`${found.calls} calls with seed ${values.seed}, in ${found.instructions} instructions`)
for (const sentence of found.wrong) console.log(`- ${sentence}`)
process.exitCode = found.wrong.length === 0 ? 0 : 1
