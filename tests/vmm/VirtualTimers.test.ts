import { assert, describe, it } from "@effect/vitest"
import { VirtualTimers } from "../../src/vmm/VirtualTimers.ts"

const aClock = () => {
  const clock = { now: 0, happened: [] as string[] }
  const timers = new VirtualTimers(() => clock.now)
  const schedule = (name: string, due: number) => timers.schedule(name, due, () => clock.happened.push(name))
  return { clock, timers, schedule }
}

describe("a guest's time", () => {
  it("lets happen what is due, the earliest first", () => {
    const { clock, timers, schedule } = aClock()
    schedule("b", 20)
    schedule("a", 10)
    schedule("c", 30)
    assert.strictEqual(timers.next(), 10)
    clock.now = 25
    timers.runDue()
    assert.deepStrictEqual(clock.happened, ["a", "b"])
    assert.strictEqual(timers.next(), 30)
  })

  it("lets the last of a name take the place of the one before, and forgets what is cancelled", () => {
    const { clock, timers, schedule } = aClock()
    schedule("a", 10)
    schedule("a", 50)
    schedule("b", 20)
    timers.cancel("b")
    clock.now = 49
    timers.runDue()
    assert.deepStrictEqual(clock.happened, [])
    assert.strictEqual(timers.next(), 50)
    timers.cancel("a")
    assert.strictEqual(timers.next(), Number.POSITIVE_INFINITY)
  })

  it("tells processors apart: each waits for its own events, and is told of an earlier one; whoever looks has all happen", () => {
    const clock = { now: 0 }
    const [told, happened] = [[] as number[], [] as string[]]
    const timers = new VirtualTimers(
      () => clock.now,
      (owner) => told.push(owner)
    )
    timers.schedule("chip", 30, () => happened.push("chip"))
    timers.of(1).schedule("own", 10, () => happened.push("own"))
    timers.of(1).schedule("late", 40, () => happened.push("late"))
    assert.deepStrictEqual([timers.next(), timers.next(1), timers.next(2)], [30, 10, Number.POSITIVE_INFINITY])
    assert.deepStrictEqual(told, [0, 1])
    clock.now = 35
    timers.runDue()
    assert.deepStrictEqual(happened, ["own", "chip"])
    assert.deepStrictEqual([timers.next(), timers.next(1)], [Number.POSITIVE_INFINITY, 40])
  })

  it("lets something happen again at once that is due again at once, and then what else is due", () => {
    const { clock, timers, schedule } = aClock()
    let times = 0
    const again = () => {
      clock.happened.push("again")
      if (++times < 3) timers.schedule("again", clock.now, again)
    }
    timers.schedule("again", 5, again)
    schedule("late", 6)
    clock.now = 7
    timers.runDue()
    assert.deepStrictEqual(clock.happened, ["again", "late", "again", "again"])
  })
})
