import { assert, describe, it } from "vitest"
import { memoryMap } from "../../src/devices/addresses.ts"
import { Bus } from "../../src/devices/Bus.ts"
import { Pc } from "../../src/devices/Pc.ts"
import { slot } from "../../src/devices/pciBus.ts"
import { BlockDevice } from "../../src/devices/virtio/block.ts"
import { ConsoleDevice } from "../../src/devices/virtio/console.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import type { Timers } from "../../src/devices/Wires.ts"
import { Clock } from "../../src/hal/x86_64/Clock.ts"
import { Time } from "./time.ts"

const { ioApic, hpet, ecam } = memoryMap

const aPc = <T extends Timers>(time: T) => {
  const events: string[] = []
  const pc = new Pc({
    timers: time,
    ramBytes: 64 * 2 ** 20,
    date: { year: 2030, month: 1, day: 1, hours: 0, minutes: 0, seconds: 0 },
    processors: [
      {
        noticed: () => undefined,
        nmi: () => events.push("NMI"),
        smi: () => events.push("SMI"),
        init: () => events.push("INIT"),
        startUp: () => events.push("SIPI"),
        mapped: () => undefined,
        tscOffset: () => [0, 0]
      }
    ],
    memory: { read: () => false, write: () => false },
    powerOff: () => events.push("off"),
    reset: () => events.push("reset"),
    a20: () => undefined
  })
  const bus = new Bus()
  for (const mapping of pc.portMappings()) bus.addPorts(mapping)
  for (const mapping of pc.memoryMappings()) bus.addMemory(mapping)
  const apic = pc.localApics[0]!
  bus.addMemory(pc.localApicMapping(() => apic))
  apic.write(0xf0, 32, 0x1ff)
  const route = (pin: number, low: number) => {
    bus.write(ioApic.base, 32, 0x10 + 2 * pin)
    bus.write(ioApic.base + 0x10, 32, low)
  }
  const delivered = () => {
    const vectors: number[] = []
    for (let n = 0; n < 10 && apic.pending() >= 0; n++) {
      vectors.push(apic.acknowledge())
      apic.endOfInterrupt()
    }
    return vectors
  }
  return { time, pc, bus, apic, events, route, delivered }
}

const level = 1 << 15
const low = 1 << 13

describe("the timer's interrupt", () => {
  it("comes to the processor by the 8259As and LINT0, as firmware leaves it", () => {
    const { time, pc, apic } = aPc(new Time())
    pc.leaveFirmwareState()
    time.pass(55_000_000)
    assert.strictEqual(apic.acknowledge(), 8)
    assert.strictEqual(apic.pending(), -1)
    pc.pic.commands[0].write(0, 8, 0x20)
    time.pass(55_000_000)
    assert.strictEqual(apic.acknowledge(), 8)
  })

  it("comes by IOAPIC pin 2", () => {
    const { time, bus, route, delivered } = aPc(new Time())
    route(2, 0x30)
    bus.writePort(0x43, 8, 0x34)
    bus.writePort(0x40, 8, 0xa9)
    bus.writePort(0x40, 8, 4)
    delivered()
    time.pass(1_001_000)
    assert.deepStrictEqual(delivered(), [0x30])
  })

  it("is the HPET's once that has replaced it", () => {
    const { time, bus, route, delivered } = aPc(new Time())
    route(2, 0x30)
    bus.write(hpet.base + 0x100, 32, 4)
    bus.write(hpet.base + 0x108, 32, 100)
    bus.write(hpet.base + 0x10c, 32, 0)
    bus.write(hpet.base + 0x10, 32, 3)
    bus.writePort(0x43, 8, 0x30)
    bus.writePort(0x40, 8, 1)
    bus.writePort(0x40, 8, 0)
    time.pass(100_000)
    assert.deepStrictEqual(delivered(), [0x30])
  })
})

describe("other interrupts", () => {
  it("of the keyboard come by pin 1, of the clock by pin 8", () => {
    const { time, pc, bus, route, delivered } = aPc(new Time())
    route(1, 0x31)
    route(8, 0x38)
    pc.keyboard.press([0x1c])
    assert.deepStrictEqual(delivered(), [0x31])
    assert.strictEqual(bus.readPort(0x60, 8), 0x1e)
    bus.writePort(0x70, 8, 0x0b)
    bus.writePort(0x71, 8, 0x12)
    time.pass(1_000_000_000)
    assert.deepStrictEqual(delivered(), [0x38])
  })

  it("of ACPI come by pin 9, level-triggered, until they are cleared", () => {
    const { pc, bus, route, delivered } = aPc(new Time())
    route(9, level | 0x39)
    bus.writePort(0x602, 16, 0x100)
    pc.pm.pressPowerButton()
    assert.strictEqual(delivered().length, 10)
    bus.writePort(0x600, 16, 0x100)
    delivered()
    assert.deepStrictEqual(delivered(), [])
  })

  it("of PCI come by pins from 16 on, low active, and by IRQ 10 and 11", () => {
    const { pc, route, apic, delivered } = aPc(new Time())
    const { fn } = new VirtioPci(new ConsoleDevice(() => undefined))
    pc.pci.attach(slot(2), fn)
    route(18, level | low | 0x52)
    fn.setInterrupt(true)
    assert.strictEqual(apic.acknowledge(), 0x52)
    fn.setInterrupt(false)
    apic.endOfInterrupt()
    assert.deepStrictEqual(delivered(), [])
    pc.leaveFirmwareState()
    pc.pic.commands[0].write(1, 8, 0xfb)
    pc.pic.commands[1].write(1, 8, 0)
    fn.setInterrupt(true)
    assert.strictEqual(apic.acknowledge(), 0x72)
  })
})

describe("the local APIC", () => {
  it("is where its base register says, and nowhere while it is disabled", () => {
    const { bus, apic } = aPc(new Time())
    assert.strictEqual(bus.read(0xfee0_0030, 32), 0x0106_0015)
    apic.writeBase(0xfed1_0900, 0, 2 ** 40)
    assert.strictEqual(bus.read(0xfee0_0030, 32), 0xffff_ffff)
    assert.strictEqual(bus.read(0xfed1_0030, 32), 0x0106_0015)
    apic.writeBase(0xfed1_0100, 0, 2 ** 40)
    assert.strictEqual(bus.read(0xfed1_0030, 32), 0xffff_ffff)
  })
})

describe("a PCI device", () => {
  it("is found by both mechanisms, and answers where firmware put it", () => {
    const { pc, bus } = aPc(new Time())
    const store = { sectors: 8, isReadOnly: true, read: () => true, write: () => false, flush: () => true }
    pc.pci.attach(slot(3), new VirtioPci(new BlockDevice(store, "disk")).fn)
    pc.leaveFirmwareState()
    bus.writePort(0xcf8, 32, 0x8000_1800)
    assert.strictEqual(bus.readPort(0xcfc, 32), 0x1042_1af4)
    assert.strictEqual(bus.read(ecam.base + 0x1_8000, 32), 0x1042_1af4)
    const base = bus.read(ecam.base + 0x1_8010, 32)
    assert.strictEqual(bus.read(base + 0x2000, 32), 8)
  })
})

describe("the machine", () => {
  it("is turned off by ACPI, and reset by port CF9H or the keyboard controller", () => {
    const { bus, events } = aPc(new Time())
    bus.writePort(0x604, 16, 0x2000)
    bus.writePort(0xcf9, 8, 6)
    bus.writePort(0x64, 8, 0xfe)
    assert.deepStrictEqual(events, ["off", "reset", "reset"])
  })

  it("is reset by port 92H when bit 0 becomes 1, and its bit 1 is address line 20, as the keyboard controller says", () => {
    const { bus, events } = aPc(new Time())
    assert.strictEqual(bus.readPort(0x92, 8), 2)
    bus.writePort(0x92, 8, 0)
    assert.strictEqual(bus.readPort(0x92, 8), 0)
    bus.writePort(0x64, 8, 0xd0)
    assert.strictEqual(bus.readPort(0x60, 8) & 2, 0)
    bus.writePort(0x64, 8, 0xdf)
    assert.strictEqual(bus.readPort(0x92, 8), 2)
    bus.writePort(0x92, 8, 3)
    bus.writePort(0x92, 8, 3)
    assert.deepStrictEqual(events, ["reset"])
  })

  it("is as at first after a reset, but for the time of day", () => {
    const { time, pc, bus, apic } = aPc(new Time())
    pc.leaveFirmwareState()
    pc.keyboard.press([0x1c])
    time.pass(5_000_000_000)
    pc.reset()
    assert.strictEqual(apic.pending(), -1)
    assert.strictEqual(bus.readPort(0x64, 8) & 1, 0)
    assert.strictEqual(bus.readPort(0x21, 8), 0)
    bus.writePort(0x70, 8, 0)
    assert.strictEqual(bus.readPort(0x71, 8), 5)
    assert.strictEqual(time.next(), Number.POSITIVE_INFINITY)
  })
})

describe("the machine's clock", () => {
  it("drives the chips: what is due happens when the processor has slept until then", () => {
    const { time: clock, bus, apic, delivered } = aPc(new Clock(new Int32Array(0x400)))
    apic.write(0x320, 32, 0x41)
    apic.write(0x3e0, 32, 0xb)
    apic.write(0x380, 32, 5000)
    assert.strictEqual(clock.next(), 5000)
    clock.skipTo(5000)
    clock.runDue()
    assert.deepStrictEqual(delivered(), [0x41])
    bus.writePort(0x43, 8, 0x34)
    bus.writePort(0x40, 8, 0)
    bus.writePort(0x40, 8, 0x10)
    for (let n = 0; n < 8; n++) {
      clock.skipTo(clock.next())
      clock.runDue()
    }
    assert.closeTo(clock.now(), 4 * 3_432_829, 10_000)
  })
})
