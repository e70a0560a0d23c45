/**
 * BlockDriver: drives the machine's disk: a virtio block device on the PCI bus, found by its identity, one request at a time.
 *
 * VIRTIO 1.2, "Virtio Over PCI Bus", "Block Device"; PCI Local Bus Specification 3.0, "Configuration Mechanism #1". Of a device that
 * answers wrongly nothing is believed but that it did.
 */
import { Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import type { ThreadMemory } from "../types/Gate.ts"
import { IOPort_In32, IOPort_Out32 } from "../user/Ports.ts"

/** Ports of configuration mechanism #1. */
export const configPorts = { ports: [0xcf8, 0xcff] } as const
const [ADDRESS, DATA] = [0xcf8, 0xcfc]

/** Where the driver puts the device's registers: the first of PCI's addresses. They are in one large page. */
export const registersAt = 0xc000_0000

/** A virtio block device: vendor 1AF4H, device 1040H + 2. */
const identity = 0x1042_1af4
const [COMMAND, BAR0, CAPABILITIES] = [0x04, 0x10, 0x34]
/** "Command Register": memory space, bus master. */
const enabled = 0b110
const vendorSpecific = 0x09
/** "Virtio Structure PCI Capabilities": struct virtio_pci_cap's cfg_type. */
const kind = { common: 1, notify: 2 } as const

/** "Common configuration structure layout". */
// biome-ignore format: a table
const common = { driver_feature_select: 0x08, driver_feature: 0x0c, device_status: 0x14, queue_select: 0x16, queue_size: 0x18, queue_enable: 0x1c, queue_notify_off: 0x1e, queue_desc: 0x20, queue_driver: 0x28, queue_device: 0x30 } as const
/** "Device Status Field". */
const status = { acknowledge: 1, driver: 2, ok: 4, featuresOk: 8 } as const

/** What is where in the page that the device reads: descriptors, both rings, the header and the status of a request. */
const at = { descriptors: 0, available: 0x100, used: 0x200, header: 0x300, status: 0x310 } as const
const queueSize = 4
/** "The Virtqueue Descriptor Table". */
const flag = { next: 1, write: 2 } as const

/** There is no disk, or it does not answer as one. */
export interface NoDisk {
  readonly _tag: "NoDisk"
  readonly why: string
}
const noDisk = (why: string) => Effect.fail<NoDisk>({ _tag: "NoDisk", why })

export type Request = "read" | "write" | "flush"
const types: { readonly [R in Request]: number } = { read: 0, write: 1, flush: 4 }

interface Places {
  /** Where the device's registers, and a page of memory for the queue, are in the address space of the driver. */
  readonly registers: number
  readonly queue: number
  /** Where that page is in physical memory. */
  readonly queuePhysical: number
}

/** The disk, ready for requests: data is `bytes` bytes of physical memory. @returns false: the disk says that it could not. */
export const openDisk = <P>(
  config: Cap<"IOPort", "in" | "out", P>,
  memory: ThreadMemory,
  { registers, queue, queuePhysical }: Places
) =>
  Effect.gen(function* () {
    const select = (device: number, offset: number) =>
      IOPort_Out32(config, ADDRESS, (0x8000_0000 | (device << 11) | (offset & 0xfc)) >>> 0)
    const read = (device: number, offset: number) => Effect.andThen(select(device, offset), IOPort_In32(config, DATA))
    const write = (device: number, offset: number, value: number) =>
      Effect.andThen(select(device, offset), IOPort_Out32(config, DATA, value >>> 0))

    let device = 1
    while (device < 32 && (yield* read(device, 0)) !== identity) device++
    if (device === 32) return yield* noDisk("there is no virtio block device on the PCI bus")
    yield* write(device, BAR0, registersAt)
    yield* write(device, COMMAND, enabled)

    const structures = new Map<number, { readonly offset: number; readonly more: number }>()
    let next = (yield* read(device, CAPABILITIES)) & 0xfc
    // A list has no more entries than fit configuration space.
    for (let n = 0; n < 48 && next !== 0; n++) {
      const header = yield* read(device, next)
      if ((header & 0xff) === vendorSpecific) {
        const [offset, more] = [yield* read(device, next + 8), yield* read(device, next + 16)]
        const isOurs = ((yield* read(device, next + 4)) & 0xff) === 0
        if (isOurs && !structures.has(header >>> 24)) structures.set(header >>> 24, { offset, more })
      }
      next = (header >>> 8) & 0xfc
    }
    const [commonAt, notifyAt] = [structures.get(kind.common), structures.get(kind.notify)]
    if (commonAt === undefined || notifyAt === undefined)
      return yield* noDisk("it does not say where its registers are")
    const io = words(memory, registers + commonAt.offset)
    const page = words(memory, queue)

    io.put(common.device_status, 1, 0)
    io.put(common.device_status, 1, status.acknowledge | status.driver)
    // VIRTIO_F_VERSION_1, and nothing else.
    io.put(common.driver_feature_select, 4, 1)
    io.put(common.driver_feature, 4, 1)
    io.put(common.device_status, 1, status.acknowledge | status.driver | status.featuresOk)
    io.put(common.queue_select, 2, 0)
    io.put(common.queue_size, 2, queueSize)
    for (const [register, offset] of [
      [common.queue_desc, at.descriptors],
      [common.queue_driver, at.available],
      [common.queue_device, at.used]
    ] as const) {
      io.put(register, 4, queuePhysical + offset)
      io.put(register + 4, 4, 0)
    }
    io.put(common.queue_enable, 2, 1)
    io.put(common.device_status, 1, status.acknowledge | status.driver | status.featuresOk | status.ok)
    if (io.get(common.device_status, 1) !== 0xf) return yield* noDisk("it does not accept its driver")
    const bell = registers + notifyAt.offset + io.get(common.queue_notify_off, 2) * notifyAt.more

    let given = 0
    return (request: Request, sector: number, physical: number, bytes: number): boolean => {
      page.put(at.header, 4, types[request])
      page.put(at.header + 4, 4, 0)
      page.put(at.header + 8, 4, sector)
      page.put(at.header + 12, 4, 0)
      page.put(at.status, 1, 0xff)
      const hasData = bytes > 0
      describe(page, 0, queuePhysical + at.header, 16, flag.next, 1)
      if (hasData) describe(page, 1, physical, bytes, flag.next | (request === "read" ? flag.write : 0), 2)
      describe(page, hasData ? 2 : 1, queuePhysical + at.status, 1, flag.write, 0)
      page.put(at.available + 4 + 2 * (given % queueSize), 2, 0)
      given = (given + 1) & 0xffff
      page.put(at.available + 2, 2, given)
      words(memory, bell).put(0, 2, 0)
      // The disk of an emulated machine has answered by the time that it was told.
      return page.get(at.used + 2, 2) === given && page.get(at.status, 1) === 0
    }
  })

type Words = ReturnType<typeof words>

const words = (memory: ThreadMemory, base: number) => {
  const bytes = new Uint8Array(4)
  const view = new DataView(bytes.buffer)
  return {
    get: (offset: number, width: 1 | 2 | 4): number => {
      view.setUint32(0, 0, true)
      memory.read(base + offset, bytes.subarray(0, width))
      return view.getUint32(0, true)
    },
    put: (offset: number, width: 1 | 2 | 4, value: number): void => {
      view.setUint32(0, value, true)
      memory.write(base + offset, bytes.subarray(0, width))
    }
  }
}

const describe = (page: Words, n: number, address: number, length: number, flags: number, next: number): void => {
  const entry = at.descriptors + 16 * n
  page.put(entry, 4, address)
  page.put(entry + 4, 4, 0)
  page.put(entry + 8, 4, length)
  page.put(entry + 12, 2, flags)
  page.put(entry + 14, 2, next)
}
