import { assert, describe, it } from "vitest"
import { serialPorts } from "../../src/devices/addresses.ts"
import { Bus } from "../../src/devices/Bus.ts"
import { SerialPorts } from "../../src/devices/serial.ts"

const four = () => {
  const sent: [number, number][] = []
  const typed: number[] = []
  const irqs = new Map<number, boolean>()
  const lines = serialPorts.map((_, n) => ({
    write: (byte: number) => sent.push([n, byte]),
    read: () => (n === 3 ? typed.shift() : undefined)
  }))
  const ports = new SerialPorts(lines, (irq, level) => irqs.set(irq, level))
  const bus = new Bus()
  for (const mapping of ports.portMappings()) bus.addPorts(mapping)
  return { ports, bus, sent, typed, irqs }
}
const [interruptEnable, identification] = [1, 2]

describe("the serial ports", () => {
  it("are where every PC has them, each with a line of its own", () => {
    const { bus, sent } = four()
    for (const [n, base] of [0x3f8, 0x2f8, 0x3e8, 0x2e8].entries()) bus.writePort(base, 8, 0x41 + n)
    assert.deepStrictEqual(sent, [
      [0, 0x41],
      [1, 0x42],
      [2, 0x43],
      [3, 0x44]
    ])
  })

  it("receive what is typed at their own line, with interrupt 3 for COM2 and COM4", () => {
    const { ports, bus, typed, irqs } = four()
    bus.writePort(0x2e8 + interruptEnable, 8, 1)
    typed.push(0x61)
    ports.look()
    assert.isTrue(irqs.get(3))
    assert.strictEqual(bus.readPort(0x2f8, 8), 0)
    assert.strictEqual(bus.readPort(0x2e8, 8), 0x61)
    assert.isFalse(irqs.get(3))
  })

  it("share an interrupt: it is there as long as one of the two asks for it", () => {
    const { bus, irqs } = four()
    bus.writePort(0x3f8 + interruptEnable, 8, 2)
    bus.writePort(0x3e8 + interruptEnable, 8, 2)
    assert.isTrue(irqs.get(4))
    bus.readPort(0x3f8 + identification, 8)
    assert.isTrue(irqs.get(4))
    bus.readPort(0x3e8 + identification, 8)
    assert.isFalse(irqs.get(4))
  })

  it("that lead nowhere swallow what is sent, and receive nothing", () => {
    const bus = new Bus()
    for (const mapping of new SerialPorts([undefined], () => undefined).portMappings()) bus.addPorts(mapping)
    bus.writePort(0x3f8, 8, 0x41)
    assert.strictEqual(bus.readPort(0x3fd, 8), 0x60)
  })
})
