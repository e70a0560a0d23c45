import { assert, describe, it } from "@effect/vitest"
import { Bus } from "../../src/devices/Bus.ts"
import type { Target } from "../../src/devices/Wires.ts"

/** A chip that tells how it was asked, and notes what was written to it. */
const aChip = () => {
  const written: (readonly [offset: number, width: number, value: number])[] = []
  const target: Target = {
    read: (offset, width) => offset * 16 + width / 8,
    write: (offset, width, value) => {
      written.push([offset, width, value])
    }
  }
  return { written, target }
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

  it("tells a chip offsets from where it is, and the width", () => {
    const bus = new Bus()
    const { target, written } = aChip()
    bus.addMemory({ name: "remapping unit", start: 0xfed9_0000, bytes: 0x1000, target })
    bus.write(0xfed9_0008, 16, 7)
    assert.deepStrictEqual([bus.read(0xfed9_0004, 32), written], [0x44, [[8, 16, 7]]])
  })

  it("has who accesses a chip wait for as long as that takes, before it answers", () => {
    let time = 0
    const bus = new Bus((nanoseconds) => {
      time += nanoseconds
    })
    const times: number[] = []
    const note = () => times.push(time)
    bus.addMemory({ name: "slow", start: 0xfed0_0000, bytes: 8, takes: 500, target: { read: note, write: note } })
    bus.addMemory({ name: "quick", start: 0xfed0_0008, bytes: 8, target: { read: note, write: note } })
    bus.read(0xfed0_0000, 32)
    bus.write(0xfed0_0004, 32, 0)
    bus.read(0xfed0_0008, 32)
    assert.deepStrictEqual(times, [500, 1000, 1000])
  })

  it("takes apart what is wider than a chip understands, the lowest part first", () => {
    const bus = new Bus()
    const { target, written } = aChip()
    bus.addPorts({ name: "timer", start: 0x40, bytes: 4, widest: 8, target })
    assert.strictEqual(bus.readPort(0x40, 32), 0x3121_1101)
    bus.writePort(0x42, 16, 0x2211)
    assert.deepStrictEqual(written, [
      [2, 8, 0x11],
      [3, 8, 0x22]
    ])
  })

  it("takes apart what only begins at a chip", () => {
    const bus = new Bus()
    const { target, written } = aChip()
    bus.addPorts({ name: "timer", start: 0x40, bytes: 2, target })
    assert.strictEqual(bus.readPort(0x40, 32), 0xffff_0002)
    bus.writePort(0x40, 32, 0x4433_2211)
    assert.deepStrictEqual(written, [[0, 16, 0x2211]])
  })

  it("has at most one chip at an address", () => {
    const bus = new Bus()
    const { target } = aChip()
    bus.addPorts({ name: "timer", start: 0x40, bytes: 4, target })
    assert.throws(
      () => bus.addPorts({ name: "keyboard", start: 0x43, bytes: 2, target }),
      /keyboard and timer both answer at 43H/
    )
    bus.addMemory({ name: "memory is another space", start: 0x40, bytes: 4, target })
  })
})
