/**
 * VirtioPci: how a driver finds a virtio device on the PCI bus and talks to it.
 *
 * Virtual I/O Device (VIRTIO) 1.2, "Virtio Over PCI Bus". The transitional interface is not offered.
 */
import { PciFunction } from "../pciFunction.ts"
import { RegisterFile, ro, rw, type Table } from "../registers.ts"
import { ones, type Target } from "../Wires.ts"
import { type Cause, readBytes, type VirtioDevice, VirtioTransport, withHalf } from "./VirtioDevice.ts"
import { noVector, type Virtqueue } from "./Virtqueue.ts"

/** "Common configuration structure layout": struct virtio_pci_common_cfg. */
// biome-ignore format: a register, a line
const common = {
  device_feature_select: { offset: 0x00,            fields: { SELECT: rw(31, 0) } },
  device_feature:        { offset: 0x04,            fields: { BITS: ro(31, 0) } },
  driver_feature_select: { offset: 0x08,            fields: { SELECT: rw(31, 0) } },
  driver_feature:        { offset: 0x0c,            fields: { BITS: rw(31, 0) } },
  config_msix_vector:    { offset: 0x10, width: 16, fields: { VECTOR: rw(15, 0) } },
  num_queues:            { offset: 0x12, width: 16, fields: { COUNT: ro(15, 0) } },
  device_status:         { offset: 0x14, width: 8,  fields: { STATUS: rw(7, 0) } },
  config_generation:     { offset: 0x15, width: 8,  fields: { COUNT: ro(7, 0) } },
  queue_select:          { offset: 0x16, width: 16, fields: { SELECT: rw(15, 0) } },
  queue_size:            { offset: 0x18, width: 16, fields: { SIZE: rw(15, 0) } },
  queue_msix_vector:     { offset: 0x1a, width: 16, fields: { VECTOR: rw(15, 0) } },
  queue_enable:          { offset: 0x1c, width: 16, fields: { ENABLE: rw(15, 0) } },
  queue_notify_off:      { offset: 0x1e, width: 16, fields: { OFFSET: ro(15, 0) } },
  queue_desc:            { offset: 0x20,            fields: { LOW: rw(31, 0) } },
  queue_desc_high:       { offset: 0x24,            fields: { HIGH: rw(31, 0) } },
  queue_driver:          { offset: 0x28,            fields: { LOW: rw(31, 0) } },
  queue_driver_high:     { offset: 0x2c,            fields: { HIGH: rw(31, 0) } },
  queue_device:          { offset: 0x30,            fields: { LOW: rw(31, 0) } },
  queue_device_high:     { offset: 0x34,            fields: { HIGH: rw(31, 0) } }
} as const satisfies Table

type Register = keyof typeof common & string

/** "Virtio Structure PCI Capabilities": struct virtio_pci_cap. Types: */
const cfgType = { common: 1, notify: 2, isr: 3, device: 4, pci: 5 } as const

/** Where the structures are in the base address register's range, 4 KiB each. */
const structures = { common: 0x0000, isr: 0x1000, device: 0x2000, notify: 0x3000 } as const
const structureBytes = 0x1000
const rangeBytes = 0x4000
const registerBar = 0
const msixBar = 1

const vendorSpecific = 0x09
const notifyMultiplier = 4

const capability = (type: number, offset: number, length: number): Table =>
  // biome-ignore format: a table
  ({
    cap_len:  { offset: 2, width: 8, reset: type === cfgType.notify || type === cfgType.pci ? 20 : 16, fields: {} },
    cfg_type: { offset: 3, width: 8, reset: type, fields: {} },
    bar:      { offset: 4, width: 8, reset: registerBar, fields: type === cfgType.pci ? { BAR: rw(7, 0) } : {} },
    offset:   { offset: 8, reset: offset, fields: type === cfgType.pci ? { OFFSET: rw(31, 0) } : {} },
    length:   { offset: 12, reset: length, fields: type === cfgType.pci ? { LENGTH: rw(31, 0) } : {} },
    more:     { offset: 16, reset: type === cfgType.notify ? notifyMultiplier : 0, fields: {} }
  })

/** "ISR status". */
const ISR = { queue: 1, configuration: 2 } as const

const vendor = 0x1af4

/** "PCI Device Discovery": device IDs are 1040H plus the type, revision 1. */
const identityOf = ({ type, classCode }: VirtioDevice) => ({
  vendor,
  device: 0x1040 + type,
  revision: 1,
  classCode,
  subsystemVendor: vendor,
  subsystem: 0x40,
  interruptPin: 1
})

export class VirtioPci extends VirtioTransport {
  readonly fn: PciFunction
  private readonly registers = new RegisterFile(common)
  private isr = 0

  constructor(device: VirtioDevice) {
    const fn = new PciFunction(identityOf(device), () => this.reset())
    super(device, fn.dma)
    this.fn = fn
    this.addStructures()
    this.reset()
    device.connect(this)
  }

  private addStructures(): void {
    const { config } = this.fn
    this.fn.addRange(registerBar, { kind: "memory", bytes: rangeBytes, target: this.range })
    this.fn.addMsix(msixBar, this.queues.length + 1)
    const { configuration } = this.device
    config.addCapability(vendorSpecific, 16, capability(cfgType.common, structures.common, 0x38))
    config.addCapability(vendorSpecific, 16, capability(cfgType.isr, structures.isr, 1))
    if (configuration.length > 0)
      config.addCapability(vendorSpecific, 16, capability(cfgType.device, structures.device, configuration.length))
    const notifyBytes = this.queues.length * notifyMultiplier
    config.addCapability(vendorSpecific, 20, capability(cfgType.notify, structures.notify, notifyBytes))
    const at = config.addCapability(vendorSpecific, 20, capability(cfgType.pci, 0, 0))
    this.fn.addWindow(at + 16, this.windowAt(at))
  }

  protected forget(): void {
    this.registers.reset()
    this.registers.put("config_msix_vector", noVector)
    this.isr = 0
    this.fn.setInterrupt(false)
  }

  protected interrupt(cause: Cause, queue?: Virtqueue): void {
    if (this.fn.hasMessages()) {
      const vector = queue === undefined ? this.registers.value("config_msix_vector") : queue.vector
      if (vector !== noVector) this.fn.signal(vector)
    } else {
      this.isr |= ISR[cause]
      this.fn.setInterrupt(true)
    }
  }

  // ---- registers

  private readonly range: Target = {
    read: (offset, width) => {
      const at = offset % structureBytes
      switch (offset - at) {
        case structures.common:
          return this.readCommon(at, width)
        case structures.isr:
          return this.readIsr()
        case structures.device:
          return readBytes(this.device.configuration, at, width)
        default:
          return 0
      }
    },
    write: (offset, width, value) => {
      const at = offset % structureBytes
      if (offset - at === structures.common) this.registers.write(at, width, value, this.written)
      else if (offset - at === structures.device) this.device.writeConfiguration?.(at, width, value)
      else if (offset - at === structures.notify) this.notify(Math.floor(at / notifyMultiplier))
    }
  }

  /** Reading it resets it to 0, and the interrupt pin with it. */
  private readIsr(): number {
    const value = this.isr
    this.isr = 0
    this.fn.setInterrupt(false)
    return value
  }

  private readCommon(offset: number, width: number): number {
    const { registers } = this
    const queue = this.queues[registers.value("queue_select")]
    registers.put("device_feature", this.offered[registers.value("device_feature_select")] ?? 0)
    registers.put("driver_feature", this.accepted[registers.value("driver_feature_select")] ?? 0)
    registers.put("num_queues", this.queues.length)
    registers.put("device_status", this.status)
    registers.put("config_generation", this.generation)
    // 0: there is no such queue.
    registers.put("queue_size", queue?.size ?? 0)
    registers.put("queue_msix_vector", queue?.vector ?? noVector)
    registers.put("queue_enable", queue?.isEnabled ? 1 : 0)
    registers.put("queue_notify_off", registers.value("queue_select"))
    putAddress(registers, "queue_desc", queue?.descriptors ?? 0)
    putAddress(registers, "queue_driver", queue?.available ?? 0)
    putAddress(registers, "queue_device", queue?.used ?? 0)
    return registers.read(offset, width)
  }

  private written = (name: Register): void => {
    const value = this.registers.value(name)
    switch (name) {
      case "driver_feature":
        this.acceptFeatures(this.registers.value("driver_feature_select"), value)
        break
      case "device_status":
        this.setStatus(value)
        break
      case "config_msix_vector":
        this.registers.put(name, this.validVector(value))
        break
      default: {
        const queue = this.queues[this.registers.value("queue_select")]
        if (queue && name.startsWith("queue_")) this.writtenToQueue(queue, name, value)
      }
    }
  }

  private writtenToQueue(queue: Virtqueue, name: Register, value: number): void {
    if (name === "queue_msix_vector") queue.vector = this.validVector(value)
    // A queue is configured before it is enabled.
    if (queue.isEnabled) return
    const { registers } = this
    switch (name) {
      case "queue_size":
        queue.size = value
        break
      case "queue_desc":
      case "queue_desc_high":
        queue.descriptors = withHalf(queue.descriptors, name === "queue_desc_high", value)
        break
      case "queue_driver":
      case "queue_driver_high":
        queue.available = withHalf(queue.available, name === "queue_driver_high", value)
        break
      case "queue_device":
      case "queue_device_high":
        queue.used = withHalf(queue.used, name === "queue_device_high", value)
        break
      case "queue_enable":
        if (registers.value(name) === 1) this.enable(queue)
    }
  }

  /** A vector that is not there reads as NO_VECTOR. */
  private validVector(vector: number): number {
    return vector <= this.queues.length ? vector : noVector
  }

  // ---- "PCI configuration access capability"

  private windowAt(at: number): Target {
    const aim = (): number | undefined => {
      const { config } = this.fn
      const [bar, offset] = [config.get(at + 4, 8), config.get(at + 8, 32)]
      const width = config.get(at + 12, 32) * 8
      const isAccess = bar === registerBar && (width === 8 || width === 16 || width === 32) && offset < rangeBytes
      return isAccess ? offset : undefined
    }
    return {
      read: (offset, width) => {
        const found = aim()
        return found === undefined ? ones(width) : this.range.read(found + offset, width)
      },
      write: (offset, width, value) => {
        const found = aim()
        if (found !== undefined) this.range.write(found + offset, width, value)
      }
    }
  }
}

type AddressName = "queue_desc" | "queue_driver" | "queue_device"

const putAddress = (registers: RegisterFile<typeof common>, name: AddressName, address: number): void => {
  registers.put(name, address % 2 ** 32)
  registers.put(`${name}_high`, Math.floor(address / 2 ** 32))
}
