/** Each example prints what it says that it does, and the same run is the same to the bit, whoever runs the instructions. */
import { join } from "node:path"
import { Exit } from "effect"
import { assert, describe, it } from "vitest"
import faults from "../../examples/faults.ts"
import hello from "../../examples/hello.ts"
import pingpong from "../../examples/pingpong.ts"
import revoke from "../../examples/revoke.ts"
import sleep from "../../examples/sleep.ts"
import system from "../../examples/system.ts"
import type { RootTask } from "../../src/user/RootTask.ts"
import { readings, runRootTask } from "./system.ts"

const examples = join(import.meta.dirname, "..", "..", "examples")

interface Example {
  readonly name: string
  readonly task: RootTask
  readonly prints: ReadonlyArray<string>
}

const all: ReadonlyArray<Example> = [
  { name: "hello", task: hello, prints: ["Hello from a task in TypeScript."] },
  {
    name: "pingpong",
    task: pingpong,
    prints: ["TypeScript asks C: twice 21 is 42.", "C asks TypeScript: 1 doubled 30 times is 1073741824."]
  },
  {
    name: "faults",
    task: faults,
    prints: [
      "Task 7 may not write at 10000000H (error code 6).",
      "It gets a frame at 10000000H, and tries again.",
      "The explorer wrote and reads back: I was here."
    ]
  },
  {
    name: "revoke",
    task: revoke,
    prints: [
      "The borrower prints.",
      "The loan is revoked.",
      "The borrower tried again, and was told: InvalidCapability."
    ]
  },
  { name: "system", task: system, prints: ["The reader sees 7 7 7 7."] },
  {
    name: "sleep",
    task: sleep,
    prints: [
      "The quick one slept 10 ms, the first time.",
      "The quick one slept 10 ms, the second time.",
      "The lazy one slept 25 ms, the first time.",
      "The lazy one slept 25 ms, the second time."
    ]
  }
]

describe.each(all)("$name", ({ name, task, prints }) => {
  const runWith = (reading: string) => runRootTask(task, join(examples, `${name}.ts`), { reading: readings[reading]! })

  it.each(Object.keys(readings))("prints what it says, run by %s, and then there is nothing more to do", (reading) => {
    const { output, stop, ends, notes } = runWith(reading)
    assert.deepStrictEqual(output.split("\n"), [...prints, ""])
    assert.deepStrictEqual(stop, { _tag: "Idle" })
    for (const [task, exit] of ends) assert.isTrue(Exit.isSuccess(exit), `${task} ends well`)
    assert.deepStrictEqual(notes, [])
  })

  it("retires the same instructions and leaves the same memory, run twice and by every reading", () => {
    const runs = ["plain", ...Object.keys(readings)].map((reading) => {
      const { machine } = runWith(reading).system
      return { instructions: machine.instructions, memory: machine.memoryHash() }
    })
    for (const run of runs) assert.deepStrictEqual(run, runs[0])
  })
})
