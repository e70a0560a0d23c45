import { assert, describe, it } from "vitest"
import { Hpet } from "../../src/devices/hpet.ts"
import { Time } from "./time.ts"

const [CONF, STATUS, COUNTER] = [0x10, 0x20, 0xf0]
const timer = (n: number) => {
  const base = 0x100 + 0x20 * n
  return { conf: base, routes: base + 4, comparator: base + 8, value: base + 0x10, address: base + 0x14 }
}
const [T0, T1, T2] = [timer(0), timer(1), timer(2)]
const [level, enabled, periodic, valueSet, mode32, fsb] = [2, 4, 8, 0x40, 0x100, 0x4000]
const pin20 = 20 << 9

const anHpet = () => {
  const time = new Time()
  const events: string[] = []
  const lines = new Map<string, boolean>()
  const drive = (name: string, level: boolean) => {
    if (level && lines.get(name) !== true) events.push(`${name} at ${time.now()}`)
    lines.set(name, level)
  }
  const hpet = new Hpet(time, {
    pin: (pin, level) => drive(`pin ${pin}`, level),
    legacy: (irq, level) => drive(`IRQ ${irq}`, level),
    legacyReplacement: (isOn) => events.push(`legacy ${isOn}`),
    message: (address, data) => {
      events.push(`${data.toString(16)} to ${address.toString(16)} at ${time.now()}`)
      return true
    }
  })
  const put = (offset: number, value: number) => hpet.write(offset, 32, value)
  const get = (offset: number) => hpet.read(offset, 32)
  return { time, events, lines, hpet, put, get }
}

describe("the capabilities", () => {
  it("are three timers of 64 bits with legacy replacement, at 100 MHz", () => {
    const { get } = anHpet()
    assert.strictEqual(get(0), 0x8086_a201)
    assert.strictEqual(get(4), 10_000_000)
    assert.strictEqual(get(T2.conf), 0x8030)
    assert.strictEqual(get(T2.routes), 0x00f0_0000)
  })
})

describe("the main counter", () => {
  it("stands until it is enabled, and goes on from what was written", () => {
    const { time, put, get } = anHpet()
    time.pass(1000)
    assert.strictEqual(get(COUNTER), 0)
    put(COUNTER, 0xffff_fffe)
    put(COUNTER + 4, 7)
    put(CONF, 1)
    time.pass(20)
    assert.strictEqual(get(COUNTER), 0)
    assert.strictEqual(get(COUNTER + 4), 8)
    put(CONF, 0)
    time.pass(1000)
    assert.strictEqual(get(COUNTER), 0)
    assert.strictEqual(get(COUNTER + 4), 8)
  })
})

describe("a one-shot timer", () => {
  it("interrupts when the counter reaches the comparator, once", () => {
    const { time, events, put } = anHpet()
    put(CONF, 1)
    put(T0.conf, enabled | pin20)
    put(T0.comparator, 100)
    put(T0.comparator + 4, 0)
    time.pass(100_000)
    assert.deepStrictEqual(events, ["pin 20 at 1000"])
  })

  it("of 32 bits interrupts again when the counter has wrapped", () => {
    const { time, events, put } = anHpet()
    put(CONF, 1)
    put(T0.conf, enabled | mode32 | pin20)
    put(T0.comparator, 100)
    time.pass(2 ** 32 * 10 + 1000)
    assert.deepStrictEqual(events, ["pin 20 at 1000", `pin 20 at ${2 ** 32 * 10 + 1000}`])
  })

  it("that is not enabled is silent", () => {
    const { time, events, put } = anHpet()
    put(CONF, 1)
    put(T0.conf, pin20)
    put(T0.comparator, 100)
    put(T0.comparator + 4, 0)
    time.pass(100_000)
    assert.deepStrictEqual(events, [])
  })

  it("that is level-triggered holds its line until the status is cleared", () => {
    const { time, lines, put, get } = anHpet()
    put(CONF, 1)
    put(T2.conf, enabled | level | pin20)
    put(T2.comparator, 100)
    put(T2.comparator + 4, 0)
    time.pass(1000)
    assert.strictEqual(get(STATUS), 4)
    assert.isTrue(lines.get("pin 20"))
    put(STATUS, 4)
    assert.isFalse(lines.get("pin 20"))
    assert.strictEqual(get(STATUS), 0)
  })

  it("can send a message instead", () => {
    const { time, events, put } = anHpet()
    put(CONF, 1)
    put(T1.value, 0x4041)
    put(T1.address, 0xfee0_0000)
    put(T1.conf, enabled | fsb)
    put(T1.comparator, 50)
    put(T1.comparator + 4, 0)
    time.pass(1000)
    assert.deepStrictEqual(events, ["4041 to fee00000 at 500"])
  })

  it("is not routed to a pin that it cannot reach", () => {
    const { time, events, put } = anHpet()
    put(CONF, 1)
    put(T0.conf, enabled | (5 << 9))
    put(T0.comparator, 100)
    put(T0.comparator + 4, 0)
    time.pass(10_000)
    assert.deepStrictEqual(events, [])
  })
})

describe("a periodic timer", () => {
  it("begins at the value set, and goes on by what is written after it", () => {
    const { time, events, put, get } = anHpet()
    put(CONF, 1)
    put(T0.conf, enabled | periodic | valueSet | mode32 | pin20)
    put(T0.comparator, 100)
    put(T0.comparator, 30)
    time.pass(1700)
    assert.deepStrictEqual(events, ["pin 20 at 1000", "pin 20 at 1300", "pin 20 at 1600"])
    assert.strictEqual(get(T0.comparator), 190)
  })

  it("of 64 bits has both halves set by one write of 64 bits", () => {
    const { put, get } = anHpet()
    put(T0.conf, enabled | periodic | valueSet | pin20)
    put(T0.comparator, 100)
    put(T0.comparator + 4, 1)
    assert.strictEqual(get(T0.comparator), 100)
    assert.strictEqual(get(T0.comparator + 4), 1)
    put(T0.comparator, 5)
    put(T0.comparator + 4, 0)
    assert.strictEqual(get(T0.comparator + 4), 1)
  })

  it("of 64 bits has its halves set one after the other, each with its own VAL_SET_CNF", () => {
    const { time, put, get } = anHpet()
    const conf = enabled | periodic | valueSet | pin20
    for (const [offset, value] of [
      [T0.comparator, 100],
      [T0.comparator + 4, 2]
    ] as const) {
      put(T0.conf, conf)
      time.pass(7)
      put(offset, value)
    }
    time.pass(7)
    put(T0.comparator, 5)
    assert.strictEqual(get(T0.comparator), 100)
    assert.strictEqual(get(T0.comparator + 4), 2)
  })

  it("with a period of 0 matches once", () => {
    const { time, events, put } = anHpet()
    put(CONF, 1)
    put(T0.conf, enabled | periodic | valueSet | mode32 | pin20)
    put(T0.comparator, 100)
    put(T0.comparator, 0)
    time.pass(100_000)
    assert.deepStrictEqual(events, ["pin 20 at 1000"])
  })
})

describe("legacy replacement", () => {
  it("routes timers 0 and 1 to IRQ 0 and 8, whatever their routes say", () => {
    const { time, events, put } = anHpet()
    put(T0.conf, enabled | pin20)
    put(T1.conf, enabled)
    put(T2.conf, enabled | (21 << 9))
    for (const { comparator } of [T0, T1, T2]) {
      put(comparator, 10)
      put(comparator + 4, 0)
    }
    put(CONF, 3)
    time.pass(100)
    assert.deepStrictEqual(events, ["legacy true", "IRQ 0 at 100", "IRQ 8 at 100", "pin 21 at 100"])
    put(CONF, 1)
    assert.strictEqual(events.at(-1), "legacy false")
  })
})

describe("reset", () => {
  it("stops everything", () => {
    const { time, events, put, hpet, get } = anHpet()
    put(T0.conf, enabled | pin20)
    put(T0.comparator, 10)
    put(T0.comparator + 4, 0)
    put(CONF, 1)
    hpet.reset()
    time.pass(1000)
    assert.deepStrictEqual(events, ["legacy false"])
    assert.strictEqual(get(COUNTER), 0)
    assert.strictEqual(get(T0.comparator), 0xffff_ffff)
  })
})
