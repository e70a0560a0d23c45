import { join } from "node:path"
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import pingpong from "../../examples/pingpong.ts"
import { boot, type System } from "../../src/cli/System.ts"
import { run } from "../../src/cli/Watch.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { rootTask } from "../../src/user/RootTask.ts"
import { TaskDefect } from "../../src/user/Task.ts"
import { runRootTask } from "../examples/system.ts"

const booted = (program: Effect.Effect<unknown>): System => {
  const system = boot({
    memoryBytes: 2 ** 24,
    reading: makeInterpreter,
    first: { _tag: "Fiber", fiber: rootTask(program).fiber({ name: "stubborn" }, {}) },
    output: () => undefined,
    note: () => undefined
  })
  if ("_tag" in system) throw new Error("a system with a typed program boots")
  return system
}

describe("a watched run", () => {
  it("stops a program that does not give way, and says which", () => {
    const endless = booted(
      Effect.sync(() => {
        for (;;);
      })
    )
    assert.throws(() => run(endless, Number.POSITIVE_INFINITY, 200), TaskDefect, /'stubborn' does not give way/)
    assert.isAbove(Date.now(), 0, "and the host may use its clock again")
  })

  it("leaves one alone that gives way", () => {
    assert.strictEqual(run(booted(Effect.forever(Effect.void)), 30_000_000, 2000)._tag, "Limit")
  })

  it("is the same run as one that nobody watches", () => {
    const file = join(import.meta.dirname, "../../examples/pingpong.ts")
    const { machine } = runRootTask(pingpong, file).system
    const again = runRootTask(pingpong, file, { limit: 20_000 }).system
    assert.strictEqual(run(again, Number.POSITIVE_INFINITY)._tag, "Idle")
    assert.deepStrictEqual(
      [again.machine.instructions, again.machine.memoryHash()],
      [machine.instructions, machine.memoryHash()]
    )
  })
})
