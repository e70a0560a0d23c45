import { assert, describe, it } from "vitest"
import { IoApic } from "../../../src/devices/ioapic.ts"
import { interruptLines } from "../../../src/hal/x86_64/interruptLines.ts"

/** An IOAPIC, and the messages that it sends. */
const chip = () => {
  const messages: string[] = []
  const ioApic = new IoApic((address, data) => {
    messages.push(`${address.toString(16)} ${data.toString(16)}`)
    return true
  })
  return { ioApic, messages, lines: interruptLines(ioApic) }
}

describe("the interrupt lines of a PC", () => {
  it("are the 24 pins of its IOAPIC", () => {
    assert.deepStrictEqual(chip().lines.pins, [24])
  })

  it("are masked when they are routed, and send their vector to the first processor when they are not", () => {
    const { ioApic, messages, lines } = chip()
    lines.route(0, 4, { vector: 0x35, isLevel: false, isLow: false })
    ioApic.setPin(4, true)
    ioApic.setPin(4, false)
    assert.deepStrictEqual(messages, [])
    lines.mask(0, 4, false)
    ioApic.setPin(4, true)
    assert.deepStrictEqual(messages, ["fee00000 4035"])
  })

  it("send again after the end of an interrupt while they are asserted, if they are level-triggered", () => {
    const { ioApic, messages, lines } = chip()
    ioApic.setPin(16, true)
    lines.route(0, 16, { vector: 0x40, isLevel: true, isLow: true })
    lines.mask(0, 16, false)
    ioApic.setPin(16, false)
    ioApic.endOfInterrupt(0x40)
    assert.deepStrictEqual(messages, ["fee00000 c040", "fee00000 c040"])
    lines.mask(0, 16, true)
    ioApic.endOfInterrupt(0x40)
    assert.strictEqual(messages.length, 2)
  })
})
