/**
 * All benchmarks, or those whose names have a word in them.
 *
 *     npm run bench
 *     npm run bench -- ipc
 */
import "../src/cli/asyncContext.ts"

import { prepareEngine } from "../src/cli/engine.ts"
import type { Benchmark } from "./Benchmark.ts"
import * as boot from "./boot.ts"
import { checking } from "./checking.ts"
import * as ipc from "./ipc.ts"
import * as kernel from "./kernel.ts"
import * as legacy from "./legacy.ts"
import * as readings from "./readings.ts"
import * as start from "./start.ts"
import * as virtualMachine from "./virtualMachine.ts"

const benchmarks: ReadonlyArray<Benchmark> = [
  ...ipc.benchmarks,
  ...kernel.benchmarks,
  ...readings.benchmarks,
  ...legacy.benchmarks,
  ...virtualMachine.benchmarks,
  checking,
  start.benchmark,
  boot.benchmark
]

prepareEngine()
const words = process.argv.slice(2).map((word) => word.toLowerCase())
const asked = benchmarks.filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)))

const number = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 }).padStart(12)

for (const { name, run } of asked) {
  console.log(name)
  for (const figure of await run()) console.log(`${number(figure.value)}  ${figure.name}`)
}
