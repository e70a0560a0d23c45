import { assert, describe, it } from "vitest"
import { AcpiPm, ResetControl } from "../../src/devices/acpiPm.ts"
import { Time } from "./time.ts"

const [STS, EN, CNT, TMR] = [0, 2, 4, 8]
const halfPeriod = Math.ceil((2 ** 23 * 88_000) / 315)

const aBlock = () => {
  const time = new Time()
  const state = { sci: false, offs: 0 }
  const pm = new AcpiPm(time, {
    sci: (level) => {
      state.sci = level
    },
    powerOff: () => {
      state.offs++
    }
  })
  return { time, pm, state }
}

describe("the power management timer", () => {
  it("counts at 3.579545 MHz, in 24 bits", () => {
    const { time, pm } = aBlock()
    time.passTo(1_000_000_000)
    assert.strictEqual(pm.read(TMR, 32), 3_579_545)
    time.passTo(2 * halfPeriod)
    assert.isBelow(pm.read(TMR, 32), 2)
  })

  it("sets its status when the highest bit changes, and interrupts if enabled", () => {
    const { time, pm, state } = aBlock()
    pm.write(EN, 16, 1)
    time.passTo(halfPeriod - 1)
    assert.strictEqual(pm.read(STS, 16), 0)
    time.passTo(halfPeriod)
    assert.isTrue(state.sci)
    assert.strictEqual(pm.read(STS, 16), 1)
    pm.write(STS, 16, 1)
    assert.isFalse(state.sci)
    time.passTo(2 * halfPeriod)
    assert.isTrue(state.sci)
  })

  it("sets its status unasked too", () => {
    const { time, pm, state } = aBlock()
    time.passTo(halfPeriod)
    assert.strictEqual(pm.read(STS, 16), 1)
    assert.isFalse(state.sci)
  })
})

describe("the power button", () => {
  it("raises the SCI until its status is cleared", () => {
    const { pm, state } = aBlock()
    pm.write(EN, 16, 0x100)
    pm.pressPowerButton()
    assert.isTrue(state.sci)
    pm.write(STS, 16, 0x100)
    assert.isFalse(state.sci)
  })
})

describe("the control register", () => {
  it("says that the machine is in ACPI mode, and cannot be told otherwise", () => {
    const { pm } = aBlock()
    pm.write(CNT, 16, 0)
    assert.strictEqual(pm.read(CNT, 16), 1)
  })

  it("turns the machine off when SLP_EN is written with the type of S5", () => {
    const { pm, state } = aBlock()
    pm.write(CNT, 16, 0x2400)
    assert.strictEqual(state.offs, 0)
    pm.write(CNT, 16, 0x2000)
    assert.strictEqual(state.offs, 1)
    assert.strictEqual(pm.read(CNT, 16), 1)
  })
})

describe("port CF9H", () => {
  it("resets when RST_CPU goes from 0 to 1", () => {
    let resets = 0
    const port = new ResetControl(() => {
      resets++
    })
    port.write(0, 8, 2)
    assert.strictEqual(resets, 0)
    port.write(0, 8, 6)
    port.write(0, 8, 6)
    assert.strictEqual(resets, 1)
    assert.strictEqual(port.read(), 6)
  })
})
