import { assert, describe, it } from "@effect/vitest"
import { Clock, sooner } from "../../../src/hal/x86_64/Clock.ts"
import { at } from "../../../src/hal/x86_64/processor/State.ts"

/** A clock, and a processor that just retires instructions. */
const aClock = () => {
  const memory = new Int32Array(at.end / 4)
  const clock = new Clock(memory)
  return { clock, memory, countdown: () => memory[at.countdown >> 2]!, retire: (n: number) => clock.charge(n) }
}

describe("the clock", () => {
  it("counts what is retired and what is charged", () => {
    const { clock, retire } = aClock()
    clock.aim(100)
    retire(30)
    clock.charge(100)
    assert.strictEqual(clock.now(), 130)
  })

  it("asks for attention when something takes its time, for what may be due by then", () => {
    const { clock, memory } = aClock()
    clock.aim(1000)
    clock.wait(300)
    assert.deepStrictEqual([clock.now(), memory[at.attention >> 2]], [300, 1])
  })

  it("aims the countdown at the first event, and at no more than the limit", () => {
    const { clock, countdown } = aClock()
    clock.schedule("far", 500, () => {})
    clock.schedule("near", 200, () => {})
    clock.aim(1000)
    assert.strictEqual(countdown(), 200)
    clock.aim(50)
    assert.strictEqual(countdown(), 50)
  })

  it("shortens the countdown under way for an event before its end, and asks for attention", () => {
    const { clock, countdown, memory, retire } = aClock()
    clock.aim(1000)
    retire(100)
    clock.schedule("late", 5000, () => {})
    assert.deepStrictEqual([countdown(), memory[at.attention >> 2]], [900, 0])
    clock.schedule("soon", 150, () => {})
    assert.deepStrictEqual([countdown(), memory[at.attention >> 2], clock.now()], [50, sooner, 100])
    clock.schedule("past", 20, () => {})
    assert.deepStrictEqual([countdown(), clock.now()], [0, 100])
  })

  it("lets everything that is due happen in order of time, what that brings about included", () => {
    const { clock, retire } = aClock()
    const happened: string[] = []
    const note =
      (name: string, then: () => void = () => {}) =>
      () => {
        happened.push(name)
        then()
      }
    clock.aim(1000)
    clock.schedule("second", 20, note("second"))
    clock.schedule(
      "first",
      10,
      note("first", () => clock.schedule("between", 15, note("between")))
    )
    clock.schedule("later", 30, note("later"))
    retire(25)
    clock.runDue()
    assert.deepStrictEqual([happened, clock.next()], [["first", "between", "second"], 30])
  })

  it("has one event of a name", () => {
    const { clock } = aClock()
    clock.schedule("timer", 10, () => {})
    clock.schedule("timer", 90, () => {})
    assert.strictEqual(clock.next(), 90)
    clock.cancel("timer")
    assert.strictEqual(clock.next(), Number.POSITIVE_INFINITY)
  })

  it("counts beyond 32 bits", () => {
    const { clock } = aClock()
    clock.skipTo(2 ** 40 + 5)
    clock.charge(7)
    assert.strictEqual(clock.now(), 2 ** 40 + 12)
  })
})
