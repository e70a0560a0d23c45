/**
 * All benchmarks, or those whose names have a word in them; each in a process of its own.
 *
 *     npm run bench
 *     npm run bench -- ipc
 */
import "../src/cli/asyncContext.ts"

import { spawnSync } from "node:child_process"
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

const typed = process.argv.slice(2).map((word) => word.toLowerCase())
const asked = benchmarks.filter(({ name }) => typed.every((word) => name.toLowerCase().includes(word)))

const number = (value: number): string =>
  value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 }).padStart(12)

if (asked.length === 1) {
  prepareEngine()
  const [{ name, run }] = asked as [Benchmark]
  console.log(name)
  for (const figure of await run()) console.log(`${number(figure.value)}  ${figure.name}`)
} else {
  for (const { name } of asked) {
    const { status } = spawnSync(process.execPath, [...process.execArgv, import.meta.filename, name], {
      stdio: "inherit"
    })
    if (status !== 0) process.exitCode = 1
  }
}
