import { assert, describe, it } from "vitest"
import { hpetClock, pitClock, pmClock } from "../../src/devices/oscillator.ts"

describe.each([
  { clock: pitClock, name: "the 8254's", hertz: 1_193_182 },
  { clock: pmClock, name: "ACPI's", hertz: 3_579_545 },
  { clock: hpetClock, name: "the HPET's", hertz: 100_000_000 }
])("$name clock", ({ clock, hertz }) => {
  it("has its frequency", () => {
    assert.closeTo(clock.ticksAt(1e9), hertz, 1)
  })

  it("reaches a tick at the nanosecond that it says, and not one before", () => {
    for (const tick of [1, 2, 104, 105, 106, 1_000_003, 2 ** 40 + 7]) {
      assert.strictEqual(clock.ticksAt(clock.timeOf(tick)), tick)
      assert.strictEqual(clock.ticksAt(clock.timeOf(tick) - 1), tick - 1)
    }
  })
})
