/** A driver for virtio devices under test: memory, a PCI bus, and queues that it lays out and fills by hand. */

import { PciBus, slot } from "../../../src/devices/pciBus.ts"
import type { VirtioDevice } from "../../../src/devices/virtio/VirtioDevice.ts"
import { VirtioPci } from "../../../src/devices/virtio/VirtioPci.ts"

export const range = 0xf000_0000
const msixRange = 0xf001_0000
const memoryBytes = 0x4_0000

/** Offsets in the range, and of registers in the common configuration. */
// biome-ignore format: a table
export const at = {
  deviceFeatureSelect: 0x00, deviceFeature: 0x04, driverFeatureSelect: 0x08, driverFeature: 0x0c, configVector: 0x10, queues: 0x12,
  status: 0x14, generation: 0x15, queueSelect: 0x16, queueSize: 0x18, queueVector: 0x1a, queueEnable: 0x1c, queueNotifyOff: 0x1e,
  queueDescriptors: 0x20, queueDriver: 0x28, queueDevice: 0x30,
  isr: 0x1000, device: 0x2000, notify: 0x3000
} as const

export const F = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const
export const [ringIndirect, ringEvents, version1] = [28, 29, 32]

export interface Descriptor {
  readonly address: number
  readonly length: number
  readonly flags?: number
  readonly next?: number
}

/** A queue in memory: 8 descriptors, and its rings. */
export class Queue {
  readonly n: number
  readonly size = 8
  readonly descriptors: number
  readonly available: number
  readonly used: number
  private readonly view: DataView
  private made = 0
  private seen = 0

  constructor(n: number, view: DataView) {
    this.n = n
    this.view = view
    this.descriptors = 0x1000 * (n + 1)
    this.available = this.descriptors + 0x400
    this.used = this.descriptors + 0x800
  }

  put(index: number, { address, length, flags = 0, next = 0 }: Descriptor, table = this.descriptors): void {
    const entry = table + 16 * index
    this.view.setBigUint64(entry, BigInt(address), true)
    this.view.setUint32(entry + 8, length, true)
    this.view.setUint16(entry + 12, flags, true)
    this.view.setUint16(entry + 14, next, true)
  }

  /** Descriptors one after the other from `first` on: those to read, then those to write. */
  chain(first: number, readable: readonly Descriptor[], writable: readonly Descriptor[]): void {
    const all = [...readable, ...writable.map((each) => ({ ...each, flags: F.WRITE }))]
    for (const [n, each] of all.entries()) {
      const isLast = n === all.length - 1
      this.put(first + n, {
        ...each,
        flags: ((each as Descriptor).flags ?? 0) | (isLast ? 0 : F.NEXT),
        next: first + n + 1
      })
    }
  }

  /** `head` is made available. */
  offer(head: number): void {
    this.view.setUint16(this.available + 4 + 2 * (this.made % this.size), head, true)
    this.made++
    this.view.setUint16(this.available + 2, this.made & 0xffff, true)
  }

  /** The buffers given back since the last time. */
  taken(): { readonly id: number; readonly length: number }[] {
    const list: { id: number; length: number }[] = []
    for (; this.seen !== this.view.getUint16(this.used + 2, true); this.seen = (this.seen + 1) & 0xffff) {
      const entry = this.used + 4 + 8 * (this.seen % this.size)
      list.push({ id: this.view.getUint32(entry, true), length: this.view.getUint32(entry + 4, true) })
    }
    return list
  }
}

export const aDriver = (device: VirtioDevice) => {
  const memory = new Uint8Array(memoryBytes)
  const view = new DataView(memory.buffer)
  const state = { interrupt: false, messages: [] as number[] }
  const isMemory = (address: number, bytes: Uint8Array) => address + bytes.length <= memoryBytes
  const bus = new PciBus(
    {
      read: (_, address, bytes) => {
        if (!isMemory(address, bytes)) return false
        bytes.set(memory.subarray(address, address + bytes.length))
        return true
      },
      write: (_, address, bytes) => {
        if (!isMemory(address, bytes)) return false
        memory.set(bytes, address)
        return true
      },
      message: (_, _address, data) => state.messages.push(data) > 0
    },
    (_, isAsserted) => {
      state.interrupt = isAsserted
    }
  )
  const { fn } = new VirtioPci(device)
  bus.attach(slot(1), fn)
  fn.writeConfig(0x10, 32, range)
  fn.writeConfig(0x14, 32, msixRange)
  fn.writeConfig(4, 16, 6)
  const get = (offset: number, width = 32) => bus.memory.read(range + offset, width)
  const put = (offset: number, width: number, value: number) => bus.memory.write(range + offset, width, value)
  const queues = Array.from({ length: device.queues }, (_, n) => new Queue(n, view))

  const features = () =>
    Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => {
      put(at.deviceFeatureSelect, 32, bit >>> 5)
      return (get(at.deviceFeature) >>> (bit & 31)) & 1
    })
  const accept = (bits: readonly number[]) => {
    for (const word of [0, 1]) {
      put(at.driverFeatureSelect, 32, word)
      put(
        at.driverFeature,
        32,
        bits.reduce((sum, bit) => (bit >>> 5 === word ? sum + 2 ** (bit & 31) : sum), 0)
      )
    }
  }
  const enable = ({ n, size, descriptors, available, used }: Queue) => {
    put(at.queueSelect, 16, n)
    put(at.queueSize, 16, size)
    put(at.queueDescriptors, 32, descriptors)
    put(at.queueDriver, 32, available)
    put(at.queueDevice, 32, used)
    put(at.queueEnable, 16, 1)
  }
  /** "Device Initialization", with these features besides VERSION_1. */
  const start = (bits: readonly number[] = []) => {
    put(at.status, 8, 0)
    put(at.status, 8, 3)
    accept([version1, ...bits])
    put(at.status, 8, 11)
    for (const queue of queues) enable(queue)
    put(at.status, 8, 15)
  }
  const notify = (n: number) => put(at.notify + 4 * n, 16, n)
  /** MSI-X with vector n for queue n, and the last for the configuration; data are 40H plus the vector. */
  const useMessages = () => {
    for (let vector = 0; vector <= queues.length; vector++) {
      bus.memory.write(msixRange + 16 * vector, 32, 0xfee0_0000)
      bus.memory.write(msixRange + 16 * vector + 8, 32, 0x40 + vector)
      bus.memory.write(msixRange + 16 * vector + 12, 32, 0)
    }
    fn.writeConfig(fn.readConfig(0x34, 8) + 2, 16, 0x8000)
    put(at.configVector, 16, queues.length)
    for (const { n } of queues) {
      put(at.queueSelect, 16, n)
      put(at.queueVector, 16, n)
    }
  }
  return {
    memory,
    view,
    state,
    bus,
    fn,
    get,
    put,
    queues,
    features,
    accept,
    enable,
    start,
    notify,
    useMessages,
    needsReset: () => (get(at.status, 8) & 0x40) !== 0
  }
}
