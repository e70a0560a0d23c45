import { assert, describe, it } from "@effect/vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import * as Notification from "../../src/kernel/Notification.ts"
import * as Methods from "../../src/types/methods/Domain.ts"
import { syscalls } from "../../src/types/Syscall.ts"
import { labelOf, World } from "./fixture.ts"

const turn = 1_000_000

/** A world with so many domains, a thread in the first, and the capability to them. */
const setUp = (domains = 1) => {
  const world = new World(10, "fast and slow", domains)
  const alice = world.actor("Alice")
  const bob = world.actor("Bob", { priority: 50 })
  const control = world.give(Capability.original("Domain", 0))
  world.start()
  const invoke = (label: number, words: readonly number[], caps: readonly number[] = []) =>
    world.invoke(alice, control, { label, words, caps })
  return { world, alice, bob, invoke }
}

describe("a domain", () => {
  it("is there by its number, and has threads", () => {
    const { world, alice, invoke } = setUp()
    assert.strictEqual(invoke(Methods.Set.label, [0], [alice.slot]).label, 0)
    const refused = invoke(Methods.Set.label, [1], [alice.slot])
    assert.deepStrictEqual([refused.label, refused.words], [labelOf.InvalidArgument, [0]])
    const none = invoke(Methods.Set.label, [0], [world.root])
    assert.deepStrictEqual([none.label, none.words], [labelOf.InvalidArgument, [1]])
    assert.strictEqual(invoke(Methods.Set.label, [0]).label, labelOf.TruncatedMessage)
    assert.strictEqual(world.running, "Alice")
  })

  it("has turns of a schedule that always has one, of a number that there is and long enough for the kernel", () => {
    const { invoke } = setUp(2)
    for (const [label, words, error, told] of [
      [Methods.ScheduleConfigure.label, [256, 0, turn], labelOf.RangeError, [0, 255]],
      [Methods.ScheduleConfigure.label, [0, 2, turn], labelOf.InvalidArgument, [1]],
      [Methods.ScheduleConfigure.label, [0, 0, 0], labelOf.InvalidArgument, [2]],
      [Methods.ScheduleConfigure.label, [1, 0, 19_999], labelOf.InvalidArgument, [2]],
      [Methods.ScheduleSetStart.label, [256], labelOf.RangeError, [0, 255]],
      [Methods.ScheduleSetStart.label, [1], labelOf.InvalidArgument, [0]]
    ] as const) {
      const answer = invoke(label, words)
      assert.deepStrictEqual([answer.label, answer.words], [error, told])
    }
  })

  it("has its threads run in its turns, and nobody else in them", () => {
    const { world, bob, invoke } = setUp(2)
    assert.strictEqual(invoke(Methods.Set.label, [1], [bob.slot]).label, 0)
    for (const index of [0, 1])
      assert.strictEqual(invoke(Methods.ScheduleConfigure.label, [index, index, turn]).label, 0)
    assert.strictEqual(invoke(Methods.ScheduleSetStart.label, [0]).label, 0)
    const runs: Array<string> = []
    for (let n = 0; n < 6; n++) {
      assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
      runs.push(world.running)
      world.time.pass(turn)
      world.kernel.handleTimer()
    }
    assert.deepStrictEqual(runs, ["Alice", "Bob", "Alice", "Bob", "Alice", "Bob"])
  })

  it("has no call made when its turn is over: that is made in the next", () => {
    const { world, alice, bob, invoke } = setUp(2)
    const bell = world.object("Notification")
    invoke(Methods.Set.label, [1], [bob.slot])
    for (const index of [0, 1]) invoke(Methods.ScheduleConfigure.label, [index, index, turn])
    invoke(Methods.ScheduleSetStart.label, [0])
    world.prepare(alice, { capability: bell.slot })
    world.time.pass(turn)
    world.kernel.handleSyscall(syscalls.Send, -1)
    assert.deepStrictEqual([world.running, world.stateOf(alice)], ["Bob", "restart"])
    assert.isFalse(Notification.isActive(world.state, bell.at))
  })

  it("has a turn that never ends where it is the only one, and the timer is not set for it", () => {
    const { world, invoke } = setUp()
    assert.strictEqual(invoke(Methods.ScheduleConfigure.label, [0, 0, 20_000]).label, 0)
    assert.strictEqual(invoke(Methods.ScheduleSetStart.label, [0]).label, 0)
    assert.isAbove(world.time.deadline()! - world.time.now(), 1_000_000)
    assert.strictEqual(world.running, "Alice")
  })
})
