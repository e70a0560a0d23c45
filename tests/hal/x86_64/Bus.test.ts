import { assert, describe, it } from "@effect/vitest"
import { Bus, type BusWidth } from "../../../src/hal/x86_64/Bus.ts"

/** A device whose registers say where they are, and what was written to it. */
const aDevice = (name: string, width: BusWidth) => {
  const written: (readonly [offset: number, value: number])[] = []
  return {
    written,
    device: {
      name,
      width,
      read: (offset: number) => 0x4030_2010 + offset * 0x0101_0101,
      write: (offset: number, value: number) => {
        written.push([offset, value])
      }
    }
  }
}

describe("the bus", () => {
  it("reads ones where nobody is, and lets writes vanish", () => {
    const bus = new Bus()
    assert.deepStrictEqual(
      ([8, 16, 32] as const).map((width) => bus.readPort(0x80, width)),
      [0xff, 0xffff, 0xffff_ffff]
    )
    bus.write(0xf000_0000, 32, 1)
  })

  it("tells a device its own offsets", () => {
    const bus = new Bus()
    const { device, written } = aDevice("timer", 8)
    bus.addPorts(0x40, 4, device)
    bus.writePort(0x42, 8, 7)
    assert.deepStrictEqual([bus.readPort(0x43, 8), written], [0x13, [[2, 7]]])
  })

  it("takes a wide access apart for a narrow device, the lowest part first", () => {
    const bus = new Bus()
    const { device, written } = aDevice("timer", 8)
    bus.addPorts(0x40, 2, device)
    assert.strictEqual(bus.readPort(0x40, 32), 0xffff_1110)
    bus.writePort(0x3f, 32, 0x4433_2211)
    assert.deepStrictEqual(written, [
      [0, 0x22],
      [1, 0x33]
    ])
  })

  it("gives a narrow read its part of a wide register, and keeps narrow writes from it", () => {
    const bus = new Bus()
    const { device, written } = aDevice("remapping unit", 32)
    bus.addMemory(0xfed9_0000, 0x1000, device)
    assert.deepStrictEqual(
      [bus.read(0xfed9_0001, 8), bus.read(0xfed9_0002, 16), bus.read(0xfed9_0000, 32)],
      [0x20, 0x4030, 0x4030_2010]
    )
    bus.write(0xfed9_0000, 8, 1)
    bus.write(0xfed9_0000, 32, 2)
    assert.deepStrictEqual(written, [[0, 2]])
  })

  it("has at most one device at an address", () => {
    const bus = new Bus()
    bus.addPorts(0x40, 4, aDevice("timer", 8).device)
    assert.throws(() => bus.addPorts(0x43, 2, aDevice("keyboard", 8).device), /keyboard and timer both answer at 43H/)
    bus.addMemory(0x40, 4, aDevice("memory is another space", 8).device)
  })
})
