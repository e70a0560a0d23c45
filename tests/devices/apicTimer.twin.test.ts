/** The local APIC's timer against a twin that counts every nanosecond. */

import fc from "fast-check"
import { assert, it } from "vitest"
import { ApicTimer, timerMode } from "../../src/devices/apicTimer.ts"
import { Time } from "./time.ts"

class Twin {
  mode: number = timerMode.oneShot
  isHeard = false
  private divisor = 2
  private initial = 0
  count = 0
  private phase = 0
  expiries = 0

  configure(mode: number, isHeard: boolean): void {
    const isDeadline = mode === timerMode.deadline || this.mode === timerMode.deadline
    if (mode !== this.mode && isDeadline) {
      this.initial = 0
      this.count = 0
    }
    this.mode = mode
    this.isHeard = isHeard
  }

  divide(divisor: number): void {
    this.divisor = divisor
    this.phase = 0
  }

  start(initial: number): void {
    if (this.mode === timerMode.deadline) return
    this.initial = initial
    this.count = initial
    this.phase = 0
  }

  pass(): void {
    this.phase = (this.phase + 1) % this.divisor
    if (this.phase !== 0 || this.count === 0) return
    if (--this.count > 0) return
    if (this.isHeard) this.expiries++
    if (this.mode === timerMode.periodic) this.count = this.initial
  }
}

const divisors = [
  [0b0000, 2],
  [0b0001, 4],
  [0b0010, 8],
  [0b1011, 1]
] as const

const step = fc.oneof(
  fc.record({
    mode: fc.constantFrom(timerMode.oneShot, timerMode.periodic, timerMode.deadline),
    isHeard: fc.boolean()
  }),
  fc.record({ divide: fc.constantFrom(...divisors) }),
  fc.record({ start: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ pass: fc.integer({ min: 1, max: 40 }) })
)

it("the timer has at every nanosecond the count, and has expired as often, as the one that counts them", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const time = new Time()
      let expiries = 0
      const timer = new ApicTimer(time, "timer", () => {
        expiries++
      })
      const twin = new Twin()
      for (const each of steps) {
        if ("mode" in each) {
          timer.configure(each.mode, each.isHeard)
          twin.configure(each.mode, each.isHeard)
        } else if ("divide" in each) {
          timer.divide(each.divide[0])
          twin.divide(each.divide[1])
        } else if ("start" in each) {
          timer.start(each.start)
          twin.start(each.start)
        } else {
          for (let n = 0; n < each.pass; n++) {
            time.pass(1)
            twin.pass()
            assert.deepStrictEqual([timer.currentCount(), expiries], [twin.count, twin.expiries], `at ${time.now()}`)
          }
        }
      }
    }),
    { numRuns: 1000 }
  )
})
