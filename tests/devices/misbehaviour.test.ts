/** Whatever software does to the chips, they answer. */

import fc from "fast-check"
import { assert, it } from "vitest"
import { memoryMap, portMap } from "../../src/devices/addresses.ts"
import { Bus } from "../../src/devices/Bus.ts"
import { Edu } from "../../src/devices/edu.ts"
import { Pc } from "../../src/devices/Pc.ts"
import { slot } from "../../src/devices/pciBus.ts"
import { BlockDevice } from "../../src/devices/virtio/block.ts"
import { ConsoleDevice } from "../../src/devices/virtio/console.ts"
import { EntropyDevice, Generator } from "../../src/devices/virtio/entropy.ts"
import { NetworkDevice } from "../../src/devices/virtio/network.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import { Time } from "./time.ts"

const ramBytes = 0x1_0000

/** A PC with a device of each kind, and RAM full of nonsense. */
const aPc = (seed: number) => {
  const time = new Time()
  const ram = new Generator(seed).fill(new Uint8Array(ramBytes))
  const isRam = (address: number, bytes: Uint8Array) => address >= 0 && address + bytes.length <= ramBytes
  const nothing = () => undefined
  const pc = new Pc({
    timers: time,
    ramBytes,
    date: { year: 2000, month: 1, day: 1, hours: 0, minutes: 0, seconds: 0 },
    processors: [
      {
        noticed: nothing,
        nmi: nothing,
        smi: nothing,
        init: nothing,
        startUp: nothing,
        mapped: nothing,
        tscOffset: () => [0, 0]
      }
    ],
    memory: {
      read: (_, address, bytes) => {
        if (!isRam(address, bytes)) return false
        bytes.set(ram.subarray(address, address + bytes.length))
        return true
      },
      write: (_, address, bytes) => {
        if (!isRam(address, bytes)) return false
        ram.set(bytes, address)
        return true
      }
    },
    powerOff: nothing,
    reset: nothing,
    a20: nothing
  })
  const disk = new Uint8Array(8 * 512)
  const store = {
    sectors: 8,
    isReadOnly: false,
    read: (sector: number, bytes: Uint8Array) => {
      bytes.set(disk.subarray(sector * 512, sector * 512 + bytes.length))
      return true
    },
    write: (sector: number, bytes: Uint8Array) => {
      disk.set(bytes, sector * 512)
      return true
    },
    flush: () => true
  }
  const network = new NetworkDevice(Uint8Array.of(2, 0, 0, 0, 0, 1), (frame) => network.receive(frame))
  const devices = [new BlockDevice(store, "disk"), new ConsoleDevice(nothing), new EntropyDevice(seed), network]
  for (const [n, device] of devices.entries()) pc.pci.attach(slot(n + 1), new VirtioPci(device).fn)
  pc.pci.attach(slot(9), new Edu(time).fn)
  pc.leaveFirmwareState()
  const bus = new Bus()
  for (const mapping of pc.portMappings()) bus.addPorts(mapping)
  for (const mapping of pc.memoryMappings()) bus.addMemory(mapping)
  for (let device = 1; device < 10; device++) pc.pci.writeConfig(0, slot(device), 4, 16, 7)
  return { time, pc, bus, ram }
}

const width = fc.constantFrom(8 as const, 16 as const, 32 as const)
const value = fc.oneof(
  fc.constantFrom(0, 1, 2, 4, 8, 15, 0x1000, 0x2000, 0x8000_0000, 0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff })
)

const port = fc.oneof(
  ...Object.values(portMap).map(({ base, count }) => fc.integer({ min: base, max: base + Math.min(count, 16) - 1 }))
)
const { pciHigh, ecam, ioApic, hpet } = memoryMap
const address = fc.oneof(
  fc.integer({ min: 0, max: 0x4_0000 }).map((offset) => pciHigh.base + offset),
  fc.integer({ min: 0, max: 0x3f }).map((offset) => pciHigh.base + offset),
  fc.integer({ min: 0, max: 9 * 0x8000 }).map((offset) => ecam.base + offset),
  fc.constantFrom(0, 0x10, 0x40).map((offset) => ioApic.base + offset),
  fc.integer({ min: 0, max: 0x180 }).map((offset) => hpet.base + offset)
)

/** Addresses are aligned, as the processor's accesses on a bus are. */
const aligned = (at: number, width: number) => at - (at % (width / 8))

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ port, width, value }) },
  { weight: 4, arbitrary: fc.record({ address, width, value }) },
  { weight: 2, arbitrary: fc.record({ apic: fc.integer({ min: 0, max: 0x3f }), value }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 2000 }) }) },
  { weight: 1, arbitrary: fc.record({ acknowledge: fc.constant(true) }) }
)

it("any accesses in any order are answered, with values of the width that was asked for", () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 150 }), (seed, steps) => {
      const { time, pc, bus } = aPc(seed)
      const apic = pc.localApics[0]!
      const check = (read: number, bits: number) =>
        assert.isTrue(Number.isInteger(read) && read >= 0 && read < 2 ** bits, `${read} in ${bits} bits`)
      for (const each of steps) {
        if ("port" in each) {
          const at = aligned(each.port, each.width)
          bus.writePort(at, each.width, each.value % 2 ** each.width)
          check(bus.readPort(at, each.width), each.width)
        } else if ("address" in each) {
          const at = aligned(each.address, each.width)
          bus.write(at, each.width, each.value % 2 ** each.width)
          check(bus.read(at, each.width), each.width)
        } else if ("apic" in each) {
          apic.write(each.apic * 16, 32, each.value)
          check(apic.read(each.apic * 16, 32), 32)
        } else if ("pass" in each) time.pass(each.pass)
        else if (apic.pending() >= 0) check(apic.acknowledge(), 8)
      }
    }),
    { numRuns: 300 }
  )
})

it("a virtio device whose queues are nonsense needs a reset, or does what they say, and ends", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 4 }), fc.nat(0xff), (seed, device, index) => {
      const { pc, bus, ram } = aPc(seed)
      const base = pc.pci.readConfig(0, slot(device), 0x10, 32)
      const put = (offset: number, width: 8 | 16 | 32, value: number) => bus.write(base + offset, width, value)
      put(0x14, 8, 3)
      put(0x08, 32, 1)
      put(0x0c, 32, 1)
      put(0x08, 32, 0)
      put(0x0c, 32, 0x3000_0000)
      put(0x14, 8, 11)
      for (const queue of [0, 1]) {
        put(0x16, 16, queue)
        put(0x20, 32, 0x1000)
        put(0x28, 32, 0x3000)
        put(0x30, 32, 0x4000)
        put(0x1c, 16, 1)
      }
      put(0x14, 8, 15)
      // Descriptors that lie in RAM are the more interesting ones.
      for (let entry = 0; entry < 256; entry++) {
        const at = 0x1000 + entry * 16
        ram.fill(0, at + 2, at + 8)
        ram.fill(0, at + 9, at + 12)
        ram[at + 12]! &= 7
        ram[at + 13] = 0
        ram[at + 15] = 0
      }
      ram.set([index, 0], 0x3002)
      put(0x3000, 16, 0)
      put(0x3004, 16, 1)
      const status = bus.read(base + 0x14, 8)
      assert.isTrue(status === 15 || status === 0x4f, `status ${status}`)
    }),
    { numRuns: 300 }
  )
})
