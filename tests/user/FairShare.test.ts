/** Time by weights, among tasks that take all that they get. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { write } from "../../src/kernel/x86_64/Elf.ts"
import { budgetsOf, FairShare, NoShare, shareTime } from "../../src/user/FairShare.ts"
import {
  ask,
  BootInfo,
  Cap_Copy,
  create,
  Endpoint_Create,
  SchedContext_Consumed,
  spawn,
  spawnElf,
  TCB_SetPriority,
  Yield
} from "../../src/user/index.ts"
import { runProgram } from "../examples/system.ts"

const period = 1_000
/** A tenth is left to the task that measures. */
const shared = 900

/** Run for so many milliseconds: at a priority below the others', what they leave. */
const wait = (milliseconds: number) =>
  Effect.gen(function* () {
    const begun = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    while ((yield* Effect.clockWith((clock) => clock.currentTimeMillis)) - begun < milliseconds) yield* Yield
  })

/** JMP to itself, at its own address. */
const spin = write({
  entry: 0x40_0000n,
  segments: [
    {
      virtual: 0x40_0000n,
      physical: 0n,
      bytes: Uint8Array.of(0xeb, 0xfe),
      memoryBytes: 2,
      writable: false,
      executable: true
    }
  ]
})

/** The microseconds that each had in 40 periods with one set of weights, and in 40 with another. */
const measured = () => {
  const found: Array<Record<string, number>> = []
  let refused: unknown
  const { ends } = runProgram(
    Effect.gen(function* () {
      const { schedControl, tcb } = yield* BootInfo
      const endpoint = yield* Endpoint_Create(FairShare)
      const started = {
        one: yield* spawnElf({ name: "one", time: { budget: 100, period } }, spin),
        two: yield* spawnElf({ name: "two", time: { budget: 100, period } }, spin),
        three: yield* spawnElf({ name: "three", time: { budget: 100, period } }, spin)
      }
      const members = {
        one: yield* Cap_Copy(started.one.schedContext, ["configure"]),
        two: yield* Cap_Copy(started.two.schedContext, ["configure"]),
        three: yield* Cap_Copy(started.three.schedContext, ["configure"])
      }
      const gives = { endpoint, answers: yield* create("Reply"), schedControl: schedControl[0]!, ...members }
      yield* spawn({ name: "policy", priority: 200, gives }, ({ endpoint, answers, schedControl, one, two, three }) =>
        shareTime(
          endpoint,
          answers,
          { schedControl, members: { one, two, three }, period, shared, sharing: "parts" },
          { one: 1, two: 2, three: 6 }
        )
      )
      yield* TCB_SetPriority(tcb, tcb, 50)
      const consumed = Effect.gen(function* () {
        const each: Record<string, number> = {}
        for (const [name, { schedContext }] of Object.entries(started))
          each[name] = yield* SchedContext_Consumed(schedContext)
        return each
      })
      const next = Effect.gen(function* () {
        yield* wait(1)
        yield* consumed
        yield* wait(40)
        found.push(yield* consumed)
      })
      yield* next
      assert.strictEqual(yield* ask(endpoint, "weigh", { member: "one", weight: 4 }), 300)
      yield* next
      refused = yield* Effect.flip(ask(endpoint, "weigh", { member: "one", weight: 1000 }))
    }),
    { limit: 150_000_000 }
  )
  return { found, refused, ends }
}

describe("a task that shares out time", () => {
  it("gives tasks time by their weights, and others when it is asked to", () => {
    const { found, refused } = measured()
    assert.lengthOf(found, 2)
    const parts = (consumed: Record<string, number>) => {
      const all = Object.values(consumed).reduce((sum, each) => sum + each, 0)
      return Object.fromEntries(Object.entries(consumed).map(([name, each]) => [name, each / all]))
    }
    const close = (part: number | undefined, wanted: number) => assert.closeTo(part ?? 0, wanted, 0.03)
    const [before, after] = found.map(parts)
    close(before?.one, 1 / 9)
    close(before?.two, 2 / 9)
    close(before?.three, 6 / 9)
    close(after?.one, 4 / 12)
    close(after?.two, 2 / 12)
    close(after?.three, 6 / 12)
    assert.instanceOf(refused, NoShare)
  })

  it("gives nobody more than there is, and nobody too little", () => {
    assert.deepStrictEqual(budgetsOf(1000, { a: 1, b: 1, c: 1 }), { a: 333, b: 333, c: 333 })
    for (const weight of [0, -1, Number.NaN]) assert.instanceOf(budgetsOf(1000, { a: 1, b: weight }), NoShare)
    assert.instanceOf(budgetsOf(1000, { a: 1, b: 100 }), NoShare)
  })
})
