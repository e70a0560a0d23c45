import { assert, describe, it } from "vitest"
import { assignResources, PciBus, slot } from "../../src/devices/pciBus.ts"
import { PciTestDevice } from "../../src/devices/pciTestDevice.ts"

const BAR0 = 0x10
const BAR1 = 0x14

/** The device on a bus, with its ranges where firmware puts them. */
const onABus = () => {
  const refuse = () => false
  const bus = new PciBus({ read: refuse, write: refuse, message: refuse }, () => {})
  bus.attach(slot(3), new PciTestDevice().fn)
  assignResources(bus)
  const base = (bar: number) => bus.readConfig(0, slot(3), bar, 32) & ~0xf
  return { memory: base(BAR0) >>> 0, ports: base(BAR1), bus }
}

describe("QEMU's PCI test device", () => {
  it("is 1B36:0005", () => {
    assert.strictEqual(onABus().bus.readConfig(0, slot(3), 0, 32), 0x0005_1b36)
  })

  it.each(["memory", "ports"] as const)("counts the writes of a test, in %s", (space) => {
    const { [space]: base, bus } = onABus()
    const range = bus[space]
    range.write(base, 8, 0)
    const [offset, data] = [range.read(base + 4, 32), range.read(base + 8, 8)]
    assert.deepStrictEqual([range.read(base + 1, 8), range.read(base + 12, 32)], [1, 0])
    for (const value of [data, data, 0]) range.write(base + offset, 8, value)
    range.write(base + offset, 32, data)
    assert.strictEqual(range.read(base + 12, 32), 3)
    assert.strictEqual(String.fromCharCode(range.read(base + 16, 8)), "n")
  })

  it("counts in its last test only what is written as it says, and has no more tests", () => {
    const { memory, bus } = onABus()
    bus.memory.write(memory, 8, 2)
    const [offset, data] = [bus.memory.read(memory + 4, 32), bus.memory.read(memory + 8, 8)]
    for (const value of [data ^ 1, data]) bus.memory.write(memory + offset, 8, value)
    assert.strictEqual(bus.memory.read(memory + 12, 32), 1)
    bus.memory.write(memory, 8, 3)
    assert.notInclude([1, 2, 4], bus.memory.read(memory + 1, 8))
  })
})
