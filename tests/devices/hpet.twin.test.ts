/** The HPET's first timer against a twin that counts every tick. */

import fc from "fast-check"
import { assert, it } from "vitest"
import { Hpet } from "../../src/devices/hpet.ts"
import { Time } from "./time.ts"

const mask32 = 0xffff_ffff

/** A timer of 32 bits and the counter it compares with. */
class Twin {
  isCounting = false
  counter = 0
  comparator = mask32
  period = 0
  isPeriodic = false
  isEnabled = false
  isSet = false
  matches = 0

  configure(isPeriodic: boolean, isEnabled: boolean, isSet: boolean): void {
    this.isPeriodic = isPeriodic
    this.isEnabled = isEnabled
    this.isSet = isPeriodic && isSet
  }

  compare(value: number): void {
    if (!this.isPeriodic || this.isSet) this.comparator = value
    if (this.isPeriodic) this.period = value
    this.isSet = false
  }

  tick(): void {
    if (!this.isCounting) return
    this.counter = (this.counter + 1) >>> 0
    if (this.counter !== this.comparator) return
    if (this.isEnabled) this.matches++
    if (this.isPeriodic) this.comparator = (this.comparator + this.period) >>> 0
  }
}

const step = fc.oneof(
  fc.record({ periodic: fc.boolean(), enabled: fc.boolean(), set: fc.boolean() }),
  fc.record({ compare: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ counting: fc.boolean() }),
  fc.record({ ticks: fc.integer({ min: 1, max: 40 }) })
)

it("the timer matches at the ticks at which the one that counts them does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const time = new Time()
      let level = false
      let edges = 0
      const hpet = new Hpet(time, {
        pin: (_, next) => {
          if (next && !level) edges++
          level = next
        },
        legacy: () => undefined,
        legacyReplacement: () => undefined,
        message: () => true
      })
      const twin = new Twin()
      const put = (offset: number, value: number) => hpet.write(offset, 32, value)
      put(0x100, 0x100 | (20 << 9))
      for (const each of steps) {
        if ("periodic" in each) {
          put(0x100, 0x100 | (20 << 9) | (each.periodic ? 8 : 0) | (each.enabled ? 4 : 0) | (each.set ? 0x40 : 0))
          twin.configure(each.periodic, each.enabled, each.set)
        } else if ("compare" in each) {
          // A comparator that is the counter already matches at once, or a turn later: no board says.
          if (each.compare === twin.counter) continue
          put(0x108, each.compare)
          twin.compare(each.compare)
        } else if ("counting" in each) {
          put(0x10, each.counting ? 1 : 0)
          twin.isCounting = each.counting
        } else {
          for (let n = 0; n < each.ticks; n++) {
            time.pass(10)
            twin.tick()
            assert.deepStrictEqual(
              [hpet.read(0xf0, 32), hpet.read(0x108, 32), edges],
              [twin.counter, twin.comparator, twin.matches],
              `at ${time.now()}`
            )
          }
        }
      }
    }),
    { numRuns: 500 }
  )
})
