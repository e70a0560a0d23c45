import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { Cap_Copy, create, Memory_Read, Memory_Write, Signal, spawn, Wait } from "../../src/user/index.ts"
import { beginThread, prepareThread } from "../../src/user/TaskThreads.ts"
import { runProgram } from "../examples/system.ts"

const second = { name: "second", number: 1 } as const

describe("a further thread of a task", () => {
  it("has the task's variables, capabilities and memory, and stops when its program ends", () => {
    const said: Array<string> = []
    const { ends } = runProgram(
      Effect.gen(function* () {
        const tcb = yield* create("TCB")
        const thread = yield* Cap_Copy(tcb, ["writeRegisters", "run"])
        const bell = yield* create("Notification")
        const owner = yield* spawn({ name: "owner", gives: { thread, bell } }, ({ thread, bell }) =>
          Effect.gen(function* () {
            yield* beginThread(
              thread,
              second,
              Effect.gen(function* () {
                said.push("second")
                yield* Signal(bell)
              })
            )
            yield* Wait(bell)
            said.push("owner")
          })
        )
        yield* prepareThread(owner, tcb, { ...second, priority: 100 })
      })
    )
    assert.deepStrictEqual(said, ["second", "owner"])
    assert.deepStrictEqual([ends.get("owner"), ends.get("second")], [Exit.void, Exit.void])
  })

  it("is stopped alone by what it may not do: the task goes on", () => {
    const nowhere = 0x1234_5000
    const { ends } = runProgram(
      Effect.gen(function* () {
        const tcb = yield* create("TCB")
        const thread = yield* Cap_Copy(tcb, ["writeRegisters", "run"])
        const owner = yield* spawn({ name: "owner", gives: { thread } }, ({ thread }) =>
          beginThread(thread, second, Effect.andThen(Memory_Write(nowhere, Uint8Array.of(1)), Memory_Read(nowhere, 1)))
        )
        yield* prepareThread(owner, tcb, { ...second, priority: 100 })
      })
    )
    assert.deepStrictEqual(ends.get("owner"), Exit.void)
    assert.isFalse(ends.has("second"))
  })
})
