/**
 * VirtioDriver: drives a virtio device of the machine: its registers, and queues that are served one request after the other.
 *
 * VIRTIO 1.2, "Virtio Over PCI Bus", "Device Initialization", "Split Virtqueues"; PCI Express Base Specification, "Enhanced
 * Configuration Access Mechanism". Of a device that answers wrongly nothing is believed but that it did.
 */
import { memoryMap } from "../devices/addresses.ts"
import type { ThreadMemory } from "../types/Gate.ts"
import { type Words, words } from "./Words.ts"

/** Where a PCI device's configuration is: a page of it alone. Whoever has that page, and no other, has that device, and no other. */
export const configurationOf = (device: number) =>
  ({ device: "Page4K", address: memoryMap.ecam.base + (device << 15) }) as const

/** What each device has of the addresses that its driver puts its registers at. */
export const registerBytes = 0x4000

const [COMMAND, BAR0, CAPABILITIES] = [0x04, 0x10, 0x34]
/** "Command Register": memory space, bus master. */
const enabled = 0b110
const vendorSpecific = 0x09
/** "Virtio Structure PCI Capabilities": struct virtio_pci_cap's cfg_type. */
const kind = { common: 1, notify: 2, isr: 3, device: 4 } as const

/** "Common configuration structure layout". */
// biome-ignore format: a table
const common = { device_feature_select: 0x00, device_feature: 0x04, driver_feature_select: 0x08, driver_feature: 0x0c, device_status: 0x14, queue_select: 0x16, queue_size: 0x18, queue_enable: 0x1c, queue_notify_off: 0x1e, queue_desc: 0x20, queue_driver: 0x28, queue_device: 0x30 } as const
/** "Device Status Field". */
const status = { acknowledge: 1, driver: 2, ok: 4, featuresOk: 8 } as const

/** There is no such device, or it does not answer as one. */
export interface NoDevice {
  readonly _tag: "NoDevice"
  readonly why: string
}
const noDevice = (why: string): NoDevice => ({ _tag: "NoDevice", why })

export interface Places {
  /** Where the device's configuration and its registers are in the address space of the driver. */
  readonly configuration: number
  readonly registers: number
  /** Where its registers are to be on the bus. */
  readonly bus: number
  /** Where memory for its queues is: `queueBytes` for each, all zeros. */
  readonly queue: number
  readonly queuePhysical: number
}

/** What is where in a queue's memory: descriptors, both rings, and what a request has beside its data. */
const at = { descriptors: 0, available: 0x100, used: 0x200, own: 0x300 } as const
export const queueBytes = 0x400
export const queueSize = 16
/** "The Virtqueue Descriptor Table". */
const flag = { next: 1, write: 2 } as const

/** Memory that a device reads, or writes. */
export interface Piece {
  readonly physical: number
  readonly bytes: number
  readonly isWritten: boolean
}

/** A queue as its driver has it. */
export interface Queue {
  /** Room for what a request has beside its data: here, and where the device finds it. */
  readonly own: Words
  readonly ownPhysical: number
  /** Make a buffer available that begins at a descriptor, and takes as many more as it has pieces. */
  readonly offer: (descriptor: number, pieces: ReadonlyArray<Piece>) => void
  /** Tell the device. */
  readonly ring: () => void
  /** The next buffer that came back: its descriptor, and how many bytes were written to it. */
  readonly next: () => { readonly descriptor: number; readonly bytes: number } | undefined
}

export interface Device {
  readonly has: (feature: number) => boolean
  readonly configuration: Words
  readonly queues: ReadonlyArray<Queue>
  /** Why it interrupted; it does not any more. */
  readonly acknowledge: () => number
}

/** The device, ready; `features`: what is accepted of what it offers. */
export const open = (
  memory: ThreadMemory,
  places: Places,
  asked: { readonly type: number; readonly features: ReadonlyArray<number>; readonly queues: number }
): Device | NoDevice => {
  const config = words(memory, places.configuration)
  if (config.get(0, 4) !== (((0x1040 + asked.type) << 16) | 0x1af4) >>> 0)
    return noDevice("there is no such device where it should be")
  config.put(BAR0, 4, places.bus)
  config.put(COMMAND, 2, enabled)
  const structures = structuresOf(config)
  const [commonAt, notifyAt] = [structures.get(kind.common), structures.get(kind.notify)]
  const [isrAt, deviceAt] = [structures.get(kind.isr), structures.get(kind.device)]
  if (commonAt === undefined || notifyAt === undefined || isrAt === undefined || deviceAt === undefined)
    return noDevice("it does not say where its registers are")
  const io = words(memory, places.registers + commonAt.offset)

  io.put(common.device_status, 1, 0)
  io.put(common.device_status, 1, status.acknowledge | status.driver)
  io.put(common.device_feature_select, 4, 0)
  const offered = io.get(common.device_feature, 4)
  const accepted = asked.features.reduce((bits, feature) => bits | (1 << feature), 0) & offered
  // VIRTIO_F_VERSION_1, and nothing else of every device's.
  for (const [select, bits] of [accepted >>> 0, 1].entries()) {
    io.put(common.driver_feature_select, 4, select)
    io.put(common.driver_feature, 4, bits)
  }
  io.put(common.device_status, 1, status.acknowledge | status.driver | status.featuresOk)
  const queues = Array.from({ length: asked.queues }, (_, n): Queue => {
    io.put(common.queue_select, 2, n)
    io.put(common.queue_size, 2, queueSize)
    const physical = places.queuePhysical + n * queueBytes
    for (const [register, offset] of [
      [common.queue_desc, at.descriptors],
      [common.queue_driver, at.available],
      [common.queue_device, at.used]
    ] as const) {
      io.put(register, 4, physical + offset)
      io.put(register + 4, 4, 0)
    }
    io.put(common.queue_enable, 2, 1)
    const bell = places.registers + notifyAt.offset + io.get(common.queue_notify_off, 2) * notifyAt.more
    const ring = () => words(memory, bell).put(0, 2, n)
    return queueAt(memory, places.queue + n * queueBytes, physical, ring)
  })
  io.put(common.device_status, 1, status.acknowledge | status.driver | status.featuresOk | status.ok)
  if (io.get(common.device_status, 1) !== 0xf) return noDevice("it does not accept its driver")
  return {
    has: (feature) => (accepted & (1 << feature)) !== 0,
    configuration: words(memory, places.registers + deviceAt.offset),
    queues,
    acknowledge: () => words(memory, places.registers + isrAt.offset).get(0, 1)
  }
}

/** The first of each kind that are in the range that the driver places. */
const structuresOf = (config: Words) => {
  const structures = new Map<number, { readonly offset: number; readonly more: number }>()
  let next = config.get(CAPABILITIES, 1) & 0xfc
  // A list has no more entries than fit configuration space.
  for (let n = 0; n < 48 && next !== 0; n++) {
    const [header, offset] = [config.get(next, 4), config.get(next + 8, 4)]
    const isOurs = (header & 0xff) === vendorSpecific && config.get(next + 4, 1) === 0 && offset < registerBytes
    if (isOurs && !structures.has(header >>> 24))
      structures.set(header >>> 24, { offset, more: config.get(next + 16, 4) })
    next = (header >>> 8) & 0xfc
  }
  return structures
}

const queueAt = (memory: ThreadMemory, base: number, physical: number, ring: () => void): Queue => {
  const page = words(memory, base)
  let [given, seen] = [0, 0]
  return {
    own: words(memory, base + at.own),
    ownPhysical: physical + at.own,
    offer: (descriptor, pieces) => {
      for (const [n, { physical: address, bytes, isWritten }] of pieces.entries()) {
        const entry = at.descriptors + 16 * (descriptor + n)
        const isLast = n === pieces.length - 1
        page.put(entry, 4, address)
        page.put(entry + 4, 4, 0)
        page.put(entry + 8, 4, bytes)
        page.put(entry + 12, 2, (isWritten ? flag.write : 0) | (isLast ? 0 : flag.next))
        page.put(entry + 14, 2, isLast ? 0 : descriptor + n + 1)
      }
      page.put(at.available + 4 + 2 * (given % queueSize), 2, descriptor)
      given = (given + 1) & 0xffff
      page.put(at.available + 2, 2, given)
    },
    ring,
    next: () => {
      if (page.get(at.used + 2, 2) === seen) return undefined
      const entry = at.used + 4 + 8 * (seen % queueSize)
      seen = (seen + 1) & 0xffff
      return { descriptor: page.get(entry, 4), bytes: page.get(entry + 4, 4) }
    }
  }
}
