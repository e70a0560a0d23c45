import { assert, describe, it } from "vitest"
import { IoApic } from "../../src/devices/ioapic.ts"

const masked = 1 << 16
const level = 1 << 15
const remoteIrr = 1 << 14
const lowActive = 1 << 13
const sendPending = 1 << 12
const logical = 1 << 11

const anIoApic = (idle = 0) => {
  const messages: { address: number; data: number }[] = []
  const bus = { accepts: true }
  const chip = new IoApic((address, data) => {
    if (bus.accepts) messages.push({ address, data })
    return bus.accepts
  }, idle)
  const put = (index: number, value: number) => {
    chip.write(0x00, 32, index)
    chip.write(0x10, 32, value)
  }
  const get = (index: number) => {
    chip.write(0x00, 32, index)
    return chip.read(0x10, 32)
  }
  const pulse = (pin: number) => {
    chip.setPin(pin, true)
    chip.setPin(pin, false)
  }
  return { chip, messages, bus, put, get, pulse, entry: (pin: number) => get(0x10 + 2 * pin) }
}

describe("the registers", () => {
  it("say 24 pins and version 20H", () => {
    assert.strictEqual(anIoApic().get(1), 0x0017_0020)
  })

  it("have an ID of four bits, which the arbitration ID follows", () => {
    const { put, get } = anIoApic()
    put(0, 0xffff_ffff)
    assert.strictEqual(get(0), 0x0f00_0000)
    assert.strictEqual(get(2), 0x0f00_0000)
    put(2, 0)
    put(1, 0)
    assert.strictEqual(get(2), 0x0f00_0000)
    assert.strictEqual(get(1), 0x0017_0020)
  })

  it("mask every pin at reset", () => {
    const { get } = anIoApic()
    assert.strictEqual(get(0x10), masked)
    assert.strictEqual(get(0x10 + 46), masked)
    assert.strictEqual(get(0x10 + 48), 0)
  })

  it("do not let software write delivery status and remote IRR", () => {
    const { put, entry } = anIoApic()
    put(0x10, masked | level | remoteIrr | sendPending | 0x31)
    assert.strictEqual(entry(0), masked | level | 0x31)
  })
})

describe("an edge-triggered pin", () => {
  it("sends one message for each rising edge", () => {
    const { chip, messages, put } = anIoApic()
    put(0x15, 0x0300_0000)
    put(0x14, 0x31)
    chip.setPin(2, true)
    chip.setPin(2, true)
    assert.deepStrictEqual(messages, [{ address: 0xfee0_3000, data: 0x4031 }])
    chip.setPin(2, false)
    chip.setPin(2, true)
    assert.strictEqual(messages.length, 2)
  })

  it("holds nothing pending while it is masked", () => {
    const { messages, put, pulse } = anIoApic()
    pulse(4)
    put(0x18, 0x34)
    assert.strictEqual(messages.length, 0)
  })

  it("with low polarity sends at the falling edge", () => {
    const { chip, messages, put } = anIoApic(0xff_0000)
    put(0x10 + 32, lowActive | 0x40)
    chip.setPin(16, true)
    assert.strictEqual(messages.length, 0)
    chip.setPin(16, false)
    assert.strictEqual(messages.length, 1)
  })

  it("keeps delivery status until somebody accepts", () => {
    const { chip, messages, bus, put, entry, pulse } = anIoApic()
    put(0x10, 0x31)
    bus.accepts = false
    pulse(0)
    assert.strictEqual(entry(0), sendPending | 0x31)
    bus.accepts = true
    chip.retry()
    assert.strictEqual(messages.length, 1)
    assert.strictEqual(entry(0), 0x31)
  })
})

describe("a level-triggered pin", () => {
  it("sets remote IRR and sends no more until the EOI", () => {
    const { chip, messages, put, entry } = anIoApic()
    put(0x10, level | 0x31)
    chip.setPin(0, true)
    assert.strictEqual(entry(0), level | remoteIrr | 0x31)
    assert.deepStrictEqual(messages, [{ address: 0xfee0_0000, data: 0xc031 }])
    chip.setPin(0, false)
    chip.setPin(0, true)
    assert.strictEqual(messages.length, 1)
    chip.endOfInterrupt(0x32)
    assert.strictEqual(messages.length, 1)
    chip.endOfInterrupt(0x31)
    assert.strictEqual(messages.length, 2)
    chip.setPin(0, false)
    chip.endOfInterrupt(0x31)
    assert.strictEqual(messages.length, 2)
    assert.strictEqual(entry(0), level | 0x31)
  })

  it("is ended by the EOI register", () => {
    const { chip, put, entry } = anIoApic()
    put(0x10, level | 0x31)
    chip.setPin(0, true)
    chip.setPin(0, false)
    chip.write(0x40, 32, 0x31)
    assert.strictEqual(entry(0), level | 0x31)
  })

  it("loses remote IRR when it is made edge-triggered", () => {
    const { chip, messages, put, entry } = anIoApic()
    put(0x10, level | 0x31)
    chip.setPin(0, true)
    put(0x10, masked | 0x31)
    assert.strictEqual(entry(0), masked | 0x31)
    put(0x10, level | 0x31)
    assert.strictEqual(messages.length, 2)
  })

  it("that is asserted sends when it is unmasked", () => {
    const { chip, messages, put } = anIoApic()
    put(0x10, masked | level | 0x31)
    chip.setPin(0, true)
    assert.strictEqual(messages.length, 0)
    put(0x10, level | 0x31)
    assert.strictEqual(messages.length, 1)
  })

  it("keeps remote IRR while it is masked", () => {
    const { chip, messages, put } = anIoApic()
    put(0x10, level | 0x31)
    chip.setPin(0, true)
    put(0x10, masked | level | 0x31)
    put(0x10, level | 0x31)
    assert.strictEqual(messages.length, 1)
  })

  it("whose interrupt is ended during its own delivery is served again", () => {
    let sent = 0
    const chip: IoApic = new IoApic(() => {
      if (++sent === 1) chip.endOfInterrupt(0x31)
      return true
    })
    chip.write(0x00, 32, 0x10)
    chip.write(0x10, 32, level | 0x31)
    chip.setPin(0, true)
    assert.strictEqual(sent, 2)
  })

  it("is edge-triggered if the delivery is an NMI", () => {
    const { chip, messages, put, entry } = anIoApic()
    put(0x10, level | 0x400)
    chip.setPin(0, true)
    assert.strictEqual(entry(0) & remoteIrr, 0)
    assert.deepStrictEqual(messages, [{ address: 0xfee0_0000, data: 0x4400 }])
  })
})

describe("a message", () => {
  it("says logical destinations", () => {
    const { chip, messages, put } = anIoApic()
    put(0x11, 0xff00_0000)
    put(0x10, logical | 0x131)
    chip.setPin(0, true)
    assert.deepStrictEqual(messages, [{ address: 0xfeef_f004, data: 0x4131 }])
  })

  it("in remappable format carries the index: bits 14 to 0 above the format bit, bit 15 below it", () => {
    const { chip, messages, put } = anIoApic()
    const index = 0x8005
    put(0x11, (((index & 0x7fff) << 1) | 1) << 16)
    put(0x10, ((index >> 15) << 11) | 0x31)
    chip.setPin(0, true)
    assert.strictEqual(messages[0]!.address, 0xfee0_0000 + ((index & 0x7fff) << 5) + (1 << 4) + ((index >> 15) << 2))
  })
})
