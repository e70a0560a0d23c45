import { assert, describe, it } from "@effect/vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import * as Methods from "../../src/types/methods/Domain.ts"
import { labelOf, World } from "./fixture.ts"

/** A world with a thread, and the capability to its domains. */
const setUp = () => {
  const world = new World()
  const alice = world.actor("Alice")
  const domain = world.give(Capability.original("Domain", 0))
  world.start()
  const invoke = (label: number, words: readonly number[], caps: readonly number[] = []) =>
    world.invoke(alice, domain, { label, words, caps })
  return { world, alice, invoke }
}

describe("a domain", () => {
  it("runs a thread only in it: of one domain, in that one", () => {
    const { world, alice, invoke } = setUp()
    assert.strictEqual(invoke(Methods.Set.label, [0], [alice.slot]).label, 0)
    const refused = invoke(Methods.Set.label, [1], [alice.slot])
    assert.deepStrictEqual([refused.label, refused.words], [labelOf.InvalidArgument, [0]])
    const none = invoke(Methods.Set.label, [0], [world.root])
    assert.deepStrictEqual([none.label, none.words], [labelOf.InvalidArgument, [1]])
    assert.strictEqual(invoke(Methods.Set.label, [0]).label, labelOf.TruncatedMessage)
    assert.strictEqual(world.running, "Alice")
  })

  it("has one turn that never ends", () => {
    const { invoke } = setUp()
    assert.strictEqual(invoke(Methods.ScheduleConfigure.label, [0, 0, 1000]).label, 0)
    assert.strictEqual(invoke(Methods.ScheduleSetStart.label, [0]).label, 0)
    for (const [label, words, error, told] of [
      [Methods.ScheduleConfigure.label, [1, 0, 1000], labelOf.RangeError, [0, 0]],
      [Methods.ScheduleConfigure.label, [0, 1, 1000], labelOf.InvalidArgument, [1]],
      [Methods.ScheduleConfigure.label, [0, 0, 0], labelOf.InvalidArgument, [2]],
      [Methods.ScheduleSetStart.label, [1], labelOf.RangeError, [0, 0]]
    ] as const) {
      const answer = invoke(label, words)
      assert.deepStrictEqual([answer.label, answer.words], [error, told])
    }
  })
})
