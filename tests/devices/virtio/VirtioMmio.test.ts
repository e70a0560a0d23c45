import { assert, describe, it } from "@effect/vitest"
import { EntropyDevice } from "../../../src/devices/virtio/entropy.ts"
import { VirtioMmio } from "../../../src/devices/virtio/VirtioMmio.ts"
import { F, Queue, version1 } from "./driver.ts"

// biome-ignore format: a table
const at = {
  magic: 0x00, version: 0x04, device: 0x08, deviceFeatures: 0x10, deviceFeaturesSel: 0x14, driverFeatures: 0x20, driverFeaturesSel: 0x24,
  queueSel: 0x30, queueNumMax: 0x34, queueNum: 0x38, queueReady: 0x44, notify: 0x50, interrupts: 0x60, acknowledge: 0x64, status: 0x70,
  descriptors: 0x80, available: 0x90, used: 0xa0, sharedLength: 0xb0, configuration: 0x100
} as const
const [ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET] = [1, 2, 4, 8, 0x40]

const aDevice = () => {
  const memory = new Uint8Array(0x1_0000)
  const wire = { level: false }
  const device = new VirtioMmio(
    new EntropyDevice(1),
    {
      read: (address, bytes) => {
        if (address + bytes.length > memory.length) return false
        bytes.set(memory.subarray(address, address + bytes.length))
        return true
      },
      write: (address, bytes) => {
        if (address + bytes.length > memory.length) return false
        memory.set(bytes, address)
        return true
      }
    },
    (level) => {
      wire.level = level
    }
  )
  const read = (offset: number) => device.read(offset, 32)
  const write = (offset: number, value: number) => device.write(offset, 32, value)
  const queue = new Queue(0, new DataView(memory.buffer))
  /** "Driver Requirements: Device Initialization", with the feature bits of these numbers. */
  const start = (...features: readonly number[]) => {
    for (const status of [0, ACKNOWLEDGE, ACKNOWLEDGE | DRIVER]) write(at.status, status)
    for (const word of [0, 1]) {
      write(at.driverFeaturesSel, word)
      write(
        at.driverFeatures,
        features.filter((bit) => bit >>> 5 === word).reduce((bits, bit) => bits | (1 << (bit & 31)), 0)
      )
    }
    write(at.status, ACKNOWLEDGE | DRIVER | FEATURES_OK)
    write(at.queueSel, 0)
    write(at.queueNum, queue.size)
    write(at.descriptors, queue.descriptors)
    write(at.available, queue.available)
    write(at.used, queue.used)
    write(at.queueReady, 1)
    write(at.status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
  }
  return { memory, wire, device, read, write, queue, start }
}

describe("a virtio device in memory", () => {
  it("says that it is one, of the version that is no legacy, and of which type", () => {
    const { read } = aDevice()
    assert.deepStrictEqual([read(at.magic), read(at.version), read(at.device)], [0x7472_6976, 2, 4])
    assert.strictEqual(read(at.sharedLength), 0xffff_ffff)
  })

  it("offers VERSION_1 in its second word of features, and nothing in a third", () => {
    const { read, write } = aDevice()
    write(at.deviceFeaturesSel, 1)
    assert.strictEqual(read(at.deviceFeatures) & 1, 1)
    write(at.deviceFeaturesSel, 2)
    assert.strictEqual(read(at.deviceFeatures), 0)
  })

  it("fills the buffers of a driver, and holds its line until that is acknowledged", () => {
    const { memory, wire, read, write, queue, start } = aDevice()
    start(version1)
    queue.chain(0, [], [{ address: 0x8000, length: 16 }])
    queue.offer(0)
    write(at.notify, 0)
    assert.deepStrictEqual(queue.taken(), [{ id: 0, length: 16 }])
    assert.isTrue(memory.subarray(0x8000, 0x8010).some((byte) => byte !== 0))
    assert.deepStrictEqual([wire.level, read(at.interrupts)], [true, 1])
    write(at.acknowledge, 1)
    assert.deepStrictEqual([wire.level, read(at.interrupts)], [false, 0])
  })

  it("does not take features that it has not offered, and no driver without VERSION_1", () => {
    for (const features of [[], [version1, 60]]) {
      const { read, start } = aDevice()
      start(...features)
      assert.strictEqual(read(at.status) & FEATURES_OK, 0)
    }
  })

  it("has no queue beyond its last, and does nothing about one", () => {
    const { read, write, start } = aDevice()
    start(version1)
    write(at.queueSel, 1)
    assert.deepStrictEqual([read(at.queueNumMax), read(at.queueReady)], [0, 0])
    write(at.queueReady, 1)
    write(at.notify, 1)
    write(at.notify, 0xffff_ffff)
    assert.strictEqual(read(at.status) & NEEDS_RESET, 0)
  })

  it("wants a reset of a driver whose queue is nowhere in memory, and begins anew after it", () => {
    const { wire, read, write, queue, start } = aDevice()
    start(version1)
    queue.put(0, { address: 0xffff_0000, length: 16, flags: F.WRITE })
    queue.offer(0)
    write(at.notify, 0)
    assert.strictEqual(read(at.status) & NEEDS_RESET, NEEDS_RESET)
    write(at.status, 0)
    assert.deepStrictEqual([read(at.status), read(at.queueReady), wire.level], [0, 0, false])
  })

  it("is accessed by words alone, but for its configuration", () => {
    const { device } = aDevice()
    assert.strictEqual(device.read(at.magic, 8), 0)
    device.write(at.status, 8, 1)
    assert.strictEqual(device.read(at.status, 32), 0)
    assert.strictEqual(device.read(at.configuration, 8), 0)
  })
})
