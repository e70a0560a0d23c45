import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { dayNumber, dayOf, weekday } from "../../src/devices/calendar.ts"
import { Rtc } from "../../src/devices/rtc.ts"
import { Time } from "./time.ts"

const second = 1_000_000_000
const [A, B, C, D] = [0x0a, 0x0b, 0x0c, 0x0d]

const aClock = (start = { year: 2024, month: 2, day: 28, hours: 23, minutes: 59, seconds: 58 }) => {
  const time = new Time()
  const wire = { irq: false }
  const rtc = new Rtc(
    time,
    (level) => {
      wire.irq = level
    },
    start,
    64 * 2 ** 20
  )
  const get = (at: number) => {
    rtc.write(0, 8, at)
    return rtc.read(1)
  }
  const put = (at: number, value: number) => {
    rtc.write(0, 8, at)
    rtc.write(1, 8, value)
  }
  const reading = () => [0x32, 9, 8, 7, 4, 2, 0].map((at) => get(at).toString(16).padStart(2, "0")).join(" ")
  return { time, rtc, get, put, reading, irq: () => wire.irq }
}

describe("the calendar", () => {
  it("numbers days from 1970 and back, through leap years", () => {
    assert.strictEqual(dayNumber({ year: 1970, month: 1, day: 1 }), 0)
    assert.strictEqual(dayNumber({ year: 2000, month: 3, day: 1 }), 11_017)
    for (let number = -1000; number < 80_000; number += 13) assert.strictEqual(dayNumber(dayOf(number)), number)
  })

  it("knows the day of the week", () => {
    assert.strictEqual(weekday(0), 5)
    assert.strictEqual(weekday(dayNumber({ year: 2024, month: 2, day: 29 })), 5)
  })
})

describe("the clock", () => {
  it("starts at its date and goes on with the machine's time", () => {
    const { time, reading, get } = aClock()
    assert.strictEqual(reading(), "20 24 02 28 23 59 58")
    time.pass(2 * second)
    assert.strictEqual(reading(), "20 24 02 29 00 00 00")
    assert.strictEqual(get(6), 5)
    time.pass(86_400 * second)
    assert.strictEqual(reading(), "20 24 03 01 00 00 00")
  })

  it("is binary if DM says so, and has an afternoon if 24/12 does", () => {
    const { put, get } = aClock()
    put(B, 0x06)
    assert.strictEqual(get(4), 23)
    put(B, 0x04)
    assert.strictEqual(get(4), 0x8b)
    put(B, 0x00)
    assert.strictEqual(get(4), 0x91)
    put(4, 0x12)
    put(B, 0x02)
    assert.strictEqual(get(4), 0)
  })

  it("stands while it is set, and goes on from what was written", () => {
    const { time, put, reading } = aClock()
    put(B, 0x82)
    time.pass(10 * second)
    for (const [at, value] of [
      [0x32, 0x19],
      [9, 0x99],
      [8, 0x12],
      [7, 0x31],
      [4, 0x23],
      [2, 0x59],
      [0, 0x59]
    ] as const)
      put(at, value)
    assert.strictEqual(reading(), "19 99 12 31 23 59 59")
    put(B, 0x02)
    time.pass(second)
    assert.strictEqual(reading(), "20 00 01 01 00 00 00")
  })

  it("says that an update is in progress before every second", () => {
    const { time, get } = aClock()
    assert.strictEqual(get(A), 0x26)
    time.passTo(second - 2_228_001)
    assert.strictEqual(get(A), 0x26)
    time.passTo(second - 2_228_000)
    assert.strictEqual(get(A), 0xa6)
    time.passTo(second)
    assert.strictEqual(get(A), 0x26)
  })

  it("begins half a second after its divider is released", () => {
    const { time, put, get } = aClock()
    put(A, 0x66)
    time.pass(5 * second)
    put(A, 0x26)
    time.pass(second / 2 - 1)
    assert.strictEqual(get(0), 0x58)
    time.pass(1)
    assert.strictEqual(get(0), 0x59)
  })

  it("has a battery", () => {
    assert.strictEqual(aClock().get(D), 0x80)
  })
})

describe("interrupts", () => {
  it("come after every update, and go when register C is read", () => {
    const { time, put, get, irq } = aClock()
    put(A, 0x20)
    put(B, 0x12)
    time.pass(second)
    assert.isTrue(irq())
    assert.strictEqual(get(C), 0x90)
    assert.isFalse(irq())
    assert.strictEqual(get(C), 0)
    time.pass(second)
    assert.isTrue(irq())
  })

  it.each([
    [6, 1024],
    [15, 2],
    [3, 8192],
    [1, 256],
    [2, 128]
  ])("come with rate %i %i times a second", (rate, hertz) => {
    const { time, put, get, irq } = aClock()
    put(A, 0x20 | rate)
    put(B, 0x42)
    get(C)
    let interrupts = 0
    for (let n = 1; n <= hertz; n++) {
      time.passTo(Math.ceil((n * second) / hertz))
      if (irq()) interrupts++
      get(C)
    }
    assert.strictEqual(interrupts, hertz)
  })

  it("come at the alarm", () => {
    const { time, put, get, irq } = aClock()
    put(A, 0x20)
    for (const [at, value] of [
      [5, 0],
      [3, 0],
      [1, 3]
    ] as const)
      put(at, value)
    put(B, 0x22)
    time.pass(5 * second - 1)
    assert.isFalse(irq())
    time.pass(1)
    assert.isTrue(irq())
    assert.strictEqual(get(C), 0xb0)
    time.pass(86_399 * second)
    assert.isFalse(irq())
    time.pass(second)
    assert.isTrue(irq())
  })

  it("come every minute if hours and minutes of the alarm are don't care", () => {
    const { time, put, get, irq } = aClock()
    for (const [at, value] of [
      [5, 0xc0],
      [3, 0xff],
      [1, 0]
    ] as const)
      put(at, value)
    put(B, 0x22)
    time.pass(2 * second)
    assert.isTrue(irq())
    get(C)
    time.pass(60 * second)
    assert.isTrue(irq())
  })

  it("leave their flags when they are not enabled", () => {
    const { time, get, irq } = aClock()
    time.pass(second)
    assert.isFalse(irq())
    assert.strictEqual(get(C), 0x50)
  })

  it("of an alarm of the past do not come late", () => {
    const { time, put, get } = aClock()
    for (const [at, value] of [
      [5, 0xc0],
      [3, 0xc0],
      [1, 0x30]
    ] as const)
      put(at, value)
    time.pass(10 * second)
    get(C)
    time.pass(10 * second)
    assert.strictEqual(get(C) & 0x20, 0)
    time.pass(20 * second)
    assert.strictEqual(get(C) & 0x20, 0x20)
  })

  it("of any alarm come at the seconds that match it, as a look at every second would find", () => {
    const code = fc.oneof(fc.integer({ min: 0, max: 0x59 }), fc.constantFrom(0xc0, 0xff, 0x7f))
    fc.assert(
      fc.property(code, code, code, fc.constantFrom(0x20, 0x22, 0x26), (hours, minutes, seconds, control) => {
        const { time, put, get, irq } = aClock()
        put(A, 0x20)
        for (const [at, value] of [
          [5, hours],
          [3, minutes],
          [1, seconds]
        ] as const)
          put(at, value)
        put(B, control)
        const isMatch = (alarm: number, value: number) => alarm >= 0xc0 || alarm === value
        for (let n = 1; n <= 20; n++) {
          // Steps that reach every part of the hour and the day.
          time.pass((n % 3 === 0 ? 3600 : n % 3 === 1 ? 60 : 1) * second)
          const before = [4, 2, 0].map(get)
          const isNow = [hours, minutes, seconds].every((alarm, part) => isMatch(alarm, before[part]!))
          if (isNow) assert.isTrue(irq())
          get(C)
          time.pass(second)
          const after = [4, 2, 0].map(get)
          assert.strictEqual(
            irq(),
            [hours, minutes, seconds].every((alarm, part) => isMatch(alarm, after[part]!))
          )
          get(C)
        }
      }),
      { numRuns: 200 }
    )
  })

  it("of the end of updates are disabled by SET", () => {
    const { put, get } = aClock()
    put(B, 0x12)
    put(B, 0x92)
    assert.strictEqual(get(B), 0x82)
  })
})

describe("the memory", () => {
  it("holds what is written, in both banks", () => {
    const { rtc, put, get } = aClock()
    put(0x40, 0xab)
    rtc.write(2, 8, 0x40)
    rtc.write(3, 8, 0xcd)
    assert.strictEqual(get(0x40), 0xab)
    rtc.write(2, 8, 0xc0)
    assert.strictEqual(rtc.read(3), 0xcd)
  })

  it("has the sizes of RAM where firmware leaves them", () => {
    const { get } = aClock()
    const word = (at: number) => get(at) | (get(at + 1) << 8)
    assert.strictEqual(word(0x15), 640)
    assert.strictEqual(word(0x17), 63 * 1024)
    assert.strictEqual(word(0x34), 48 * 16)
  })
})
