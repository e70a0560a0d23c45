/**
 * VirtioMmio: a virtio device without a bus: its registers are in memory, where the board's description says.
 *
 * Virtual I/O Device (VIRTIO) 1.2, "Virtio Over MMIO". The legacy interface is not offered.
 */
import { RegisterFile, ro, rw, type Table, wo } from "../registers.ts"
import { type Dma, ones, type Target, type Wire } from "../Wires.ts"
import { type Cause, readBytes, type VirtioDevice, VirtioTransport, withHalf } from "./VirtioDevice.ts"
import { maxQueueSize, type Virtqueue } from "./Virtqueue.ts"

/** "MMIO Device Register Layout". */
// biome-ignore format: a register, a line
const layout = {
  MagicValue:        { offset: 0x000, reset: 0x7472_6976, fields: { MAGIC: ro(31, 0) } },   // "virt"
  Version:           { offset: 0x004, reset: 2,           fields: { VERSION: ro(31, 0) } },
  DeviceID:          { offset: 0x008, fields: { TYPE: ro(31, 0) } },
  VendorID:          { offset: 0x00c, reset: 0x1af4,      fields: { VENDOR: ro(31, 0) } },
  DeviceFeatures:    { offset: 0x010, fields: { BITS: ro(31, 0) } },
  DeviceFeaturesSel: { offset: 0x014, fields: { WORD: wo(31, 0) } },
  DriverFeatures:    { offset: 0x020, fields: { BITS: wo(31, 0) } },
  DriverFeaturesSel: { offset: 0x024, fields: { WORD: wo(31, 0) } },
  QueueSel:          { offset: 0x030, fields: { SELECT: wo(31, 0) } },
  QueueNumMax:       { offset: 0x034, fields: { SIZE: ro(31, 0) } },
  QueueNum:          { offset: 0x038, fields: { SIZE: wo(31, 0) } },
  QueueReady:        { offset: 0x044, fields: { READY: rw(31, 0) } },
  QueueNotify:       { offset: 0x050, fields: { QUEUE: wo(31, 0) } },
  InterruptStatus:   { offset: 0x060, fields: { CAUSES: ro(31, 0) } },
  InterruptACK:      { offset: 0x064, fields: { CAUSES: wo(31, 0) } },
  Status:            { offset: 0x070, fields: { STATUS: rw(7, 0) } },
  QueueDescLow:      { offset: 0x080, fields: { LOW: wo(31, 0) } },
  QueueDescHigh:     { offset: 0x084, fields: { HIGH: wo(31, 0) } },
  QueueDriverLow:    { offset: 0x090, fields: { LOW: wo(31, 0) } },
  QueueDriverHigh:   { offset: 0x094, fields: { HIGH: wo(31, 0) } },
  QueueDeviceLow:    { offset: 0x0a0, fields: { LOW: wo(31, 0) } },
  QueueDeviceHigh:   { offset: 0x0a4, fields: { HIGH: wo(31, 0) } },
  // There is no shared memory: "If no such region exists, the length is -1."
  SHMLenLow:         { offset: 0x0b0, reset: ones(32),    fields: { LOW: ro(31, 0) } },
  SHMLenHigh:        { offset: 0x0b4, reset: ones(32),    fields: { HIGH: ro(31, 0) } },
  ConfigGeneration:  { offset: 0x0fc, fields: { COUNT: ro(31, 0) } }
} as const satisfies Table

type Register = keyof typeof layout & string

/** The device's own configuration is behind the registers. */
const configurationAt = 0x100

/** "InterruptStatus". */
const causes = { queue: 1, configuration: 2 } as const satisfies Record<Cause, number>

export class VirtioMmio extends VirtioTransport implements Target {
  private readonly registers = new RegisterFile(layout)
  private readonly wire: Wire
  private raised = 0

  /** `interrupt`: its line, level-triggered and high active. */
  constructor(device: VirtioDevice, dma: Dma, interrupt: Wire) {
    super(device, dma)
    this.wire = interrupt
    this.powerUp()
    device.connect(this)
  }

  powerUp(): void {
    this.registers.reset()
    this.reset()
  }

  protected forget(): void {
    this.signal(0)
  }

  protected interrupt(cause: Cause): void {
    this.signal(this.raised | causes[cause])
  }

  private signal(raised: number): void {
    this.raised = raised
    this.wire(raised !== 0)
  }

  private get queue(): Virtqueue | undefined {
    return this.queues[this.registers.value("QueueSel")]
  }

  /** "Drivers must only use 32 bit wide and aligned reads and writes" of registers; of the configuration, as wide as its fields are. */
  read(offset: number, width: number): number {
    if (offset >= configurationAt) return readBytes(this.device.configuration, offset - configurationAt, width)
    if (width !== 32) return 0
    const { registers } = this
    registers.put("DeviceID", this.device.type)
    registers.put("DeviceFeatures", this.offered[registers.value("DeviceFeaturesSel")] ?? 0)
    // 0: there is no such queue.
    registers.put("QueueNumMax", this.queue === undefined ? 0 : maxQueueSize)
    registers.put("QueueReady", this.queue?.isEnabled ? 1 : 0)
    registers.put("InterruptStatus", this.raised)
    registers.put("Status", this.status)
    registers.put("ConfigGeneration", this.generation)
    return registers.read(offset, width)
  }

  write(offset: number, width: number, value: number): void {
    if (offset >= configurationAt) this.device.writeConfiguration?.(offset - configurationAt, width, value)
    else if (width === 32) this.registers.write(offset, width, value, this.written)
  }

  private readonly written = (name: Register, value: number): void => {
    const { registers } = this
    // What a driver writes holds where it is asked for later: only the selectors are.
    if (name.endsWith("Sel")) registers.put(name, value)
    switch (name) {
      case "DriverFeatures":
        this.acceptFeatures(registers.value("DriverFeaturesSel"), value)
        break
      case "QueueNotify":
        this.notify(value)
        break
      case "InterruptACK":
        this.signal(this.raised & ~value)
        break
      case "Status":
        this.setStatus(value & 0xff)
        break
      default:
        if (this.queue !== undefined) this.writtenToQueue(this.queue, name, value)
    }
  }

  /** A queue is configured before it is ready. */
  private writtenToQueue(queue: Virtqueue, name: Register, value: number): void {
    if (name === "QueueReady") {
      if (value === 1 && !queue.isEnabled) this.enable(queue)
      else if (value === 0) queue.isEnabled = false
    }
    if (queue.isEnabled) return
    const isHigh = name.endsWith("High")
    switch (name) {
      case "QueueNum":
        queue.size = value
        break
      case "QueueDescLow":
      case "QueueDescHigh":
        queue.descriptors = withHalf(queue.descriptors, isHigh, value)
        break
      case "QueueDriverLow":
      case "QueueDriverHigh":
        queue.available = withHalf(queue.available, isHigh, value)
        break
      case "QueueDeviceLow":
      case "QueueDeviceHigh":
        queue.used = withHalf(queue.used, isHigh, value)
    }
  }
}
