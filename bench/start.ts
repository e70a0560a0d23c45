/** How long a program takes that does next to nothing: from its call to its end, stripping of types, compilers and kernel included. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import type { Benchmark } from "./Benchmark.ts"

const root = join(import.meta.dirname, "..")

const start = (...typed: ReadonlyArray<string>): number => {
  const started = performance.now()
  const { status, stderr } = spawnSync(process.execPath, typed, { cwd: root, encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
  return performance.now() - started
}

/** The quickest of some starts: the first on a machine also fills the cache of stripped sources. */
const quickest = (...typed: ReadonlyArray<string>): number =>
  Math.min(...Array.from({ length: 5 }, () => start(...typed)))

export const benchmark: Benchmark = {
  name: "start of the first example",
  run: () => {
    const node = quickest("-e", "0")
    const example = quickest(join("bin", "skyscope.js"), "run", "examples/hello.ts")
    return [
      { name: "ms, Node alone", value: node },
      { name: "ms, examples/hello.ts", value: example },
      { name: "times Node alone", value: example / node }
    ]
  }
}
