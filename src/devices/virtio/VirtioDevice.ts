/**
 * VirtioDevice: what a virtio device is, what the transport is to it, and what every transport does: VirtioPci and VirtioMmio are two.
 *
 * Virtual I/O Device (VIRTIO) 1.2, "Basic Facilities of a Virtio Device".
 */
import type { Dma } from "../Wires.ts"
import { type Chain, Virtqueue } from "./Virtqueue.ts"

/** "Device Status Field". */
// biome-ignore format: a table
export const status = {
  ACKNOWLEDGE: 1, DRIVER: 2, DRIVER_OK: 4, FEATURES_OK: 8, DEVICE_NEEDS_RESET: 0x40, FAILED: 0x80
} as const

/** "Reserved Feature Bits": those of every device. */
// biome-ignore format: a table
export const feature = {
  INDIRECT_DESC: 28, EVENT_IDX: 29, VERSION_1: 32, ACCESS_PLATFORM: 33
} as const

/** What a device is, apart from how it is reached. */
export interface VirtioDevice {
  /** "Device Types". */
  readonly type: number
  readonly classCode: number
  /** The bits of its own features that it offers. */
  readonly features: readonly number[]
  readonly queues: number
  /** Its configuration: as many bytes as it has. */
  readonly configuration: Uint8Array
  /** The driver has written configuration bytes; those that it may not are as they were. */
  readonly writeConfiguration?: (offset: number, width: number, value: number) => void
  readonly connect: (transport: Transport) => void
  /** The driver has made buffers available. */
  readonly notified: (queue: number) => void
  readonly reset: () => void
}

/** What the transport is to a device. */
export interface Transport {
  readonly has: (feature: number) => boolean
  /** The next buffer, if there is one, and the driver is ready. */
  readonly take: (queue: number) => Chain | undefined
  /** The buffer goes back, with as many bytes written; `flush` then tells the driver. */
  readonly give: (queue: number, chain: Chain, written: number) => void
  readonly flush: (queue: number) => void
  readonly configurationChanged: () => void
  /** The driver has broken a rule: nothing more is done until it resets the device. */
  readonly fail: () => void
}

/** Why a driver is interrupted. */
export type Cause = "queue" | "configuration"

/** "Device Initialization", queues, and the driver's notifications, however the driver reaches them. */
export abstract class VirtioTransport implements Transport {
  protected readonly device: VirtioDevice
  protected readonly queues: readonly Virtqueue[]
  /** Two words of feature bits. */
  protected readonly offered: readonly [number, number]
  protected readonly accepted: [number, number] = [0, 0]
  protected status = 0
  protected generation = 0

  constructor(device: VirtioDevice, dma: Dma) {
    this.device = device
    this.queues = Array.from({ length: device.queues }, () => new Virtqueue(dma))
    this.offered = wordsOf([...device.features, ...Object.values(feature)])
  }

  /** The driver hears that a queue has used buffers, or that the configuration has changed. */
  protected abstract interrupt(cause: Cause, queue?: Virtqueue): void

  /** What a transport has beside becomes as after power-up. */
  protected abstract forget(): void

  protected reset(): void {
    this.status = 0
    this.accepted.fill(0)
    this.forget()
    for (const queue of this.queues) queue.reset()
    this.device.reset()
  }

  // ---- Transport

  has = (bit: number): boolean => (((this.accepted[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1

  take = (n: number): Chain | undefined => {
    const queue = this.queues[n]!
    if (!this.isRunning() || !queue.isEnabled) return undefined
    const chain = queue.take()
    if (chain === "broken") this.fail()
    else if (chain !== "empty") return chain
    else if (!queue.awaitNotification()) this.fail()
    return undefined
  }

  give = (n: number, chain: Chain, written: number): void => {
    if (this.isRunning() && !this.queues[n]!.give(chain, written)) this.fail()
  }

  flush = (n: number): void => {
    if (!this.isRunning()) return
    const wants = this.queues[n]!.wantsInterrupt()
    if (wants === "broken") this.fail()
    else if (wants) this.interrupt("queue", this.queues[n]!)
  }

  configurationChanged = (): void => {
    this.generation = (this.generation + 1) & 0xff
    if (this.status & status.DRIVER_OK) this.interrupt("configuration")
  }

  /** "Device Requirements: Device Status Field": DEVICE_NEEDS_RESET, and a configuration change notification if the driver is running. */
  fail = (): void => {
    this.status |= status.DEVICE_NEEDS_RESET
    this.configurationChanged()
  }

  // ---- what the driver says

  private isRunning(): boolean {
    return (this.status & (status.DRIVER_OK | status.DEVICE_NEEDS_RESET)) === status.DRIVER_OK
  }

  protected notify(n: number): void {
    if (n < this.queues.length && this.isRunning() && this.queues[n]!.isEnabled) this.device.notified(n)
  }

  protected enable(queue: Virtqueue): void {
    if (!queue.isValid()) {
      this.fail()
      return
    }
    queue.usesEvents = this.has(feature.EVENT_IDX)
    queue.allowsIndirect = this.has(feature.INDIRECT_DESC)
    queue.isEnabled = true
  }

  protected acceptFeatures(word: number, bits: number): void {
    if (word < 2 && (this.status & status.FEATURES_OK) === 0) this.accepted[word] = bits
  }

  protected setStatus(value: number): void {
    if (value === 0) {
      this.reset()
      return
    }
    // FEATURES_OK stays only if all features that were accepted were offered, and VERSION_1 is one of them.
    const isAcceptable =
      this.accepted.every((word, n) => (word & ~this.offered[n]!) === 0) && this.has(feature.VERSION_1)
    this.status = isAcceptable ? value : value & ~status.FEATURES_OK
  }
}

const wordsOf = (bits: readonly number[]): readonly [number, number] => {
  const words: [number, number] = [0, 0]
  for (const bit of bits) words[bit >>> 5 === 0 ? 0 : 1] += 2 ** (bit & 31)
  return words
}

/** Bytes of a configuration, the lowest first; 0 behind its end. */
export const readBytes = (bytes: Uint8Array, offset: number, width: number): number => {
  let value = 0
  for (let n = 0; n < width / 8; n++) value += (bytes[offset + n] ?? 0) * 2 ** (8 * n)
  return value
}

/** An address of which a half is written. */
export const withHalf = (address: number, isHigh: boolean, value: number): number => {
  const [low, high] = [address % 2 ** 32, Math.floor(address / 2 ** 32)]
  return isHigh ? value * 2 ** 32 + low : high * 2 ** 32 + value
}
