/**
 * Virtqueue: a ring through which a driver gives buffers to a device and gets them back.
 *
 * Virtual I/O Device (VIRTIO) 1.2, "Split Virtqueues". All of it is in the guest's memory, written by the driver: nothing found
 * there is believed. What is against the rules is `broken`, and the device then needs a reset.
 */
import type { Dma } from "../Wires.ts"

/** "The Virtqueue Descriptor Table": struct virtq_desc. */
const descriptor = { bytes: 16, addr: 0, len: 8, flags: 12, next: 14 } as const
const F = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const

/** "The Virtqueue Available Ring" and "The Virtqueue Used Ring": flags, index, and the ring. */
const ring = { flags: 0, idx: 2, elements: 4 } as const
const availableBytes = 2
const usedBytes = 8

/** "Used Buffer Notification Suppression": the driver wants no interrupts. */
const NO_INTERRUPT = 1

export const maxQueueSize = 256

interface Segment {
  readonly address: number
  readonly length: number
}

/** A place in a list of segments, moving on. Nothing is allocated for what a driver says: bytes are moved as many as are asked for. */
export class Cursor {
  private readonly segments: readonly Segment[]
  private readonly move: (address: number, bytes: Uint8Array) => boolean
  private segment = 0
  private done = 0
  remaining: number

  constructor(segments: readonly Segment[], move: (address: number, bytes: Uint8Array) => boolean) {
    this.segments = segments
    this.move = move
    this.remaining = segments.reduce((sum, { length }) => sum + length, 0)
  }

  /** The next bytes are read into `bytes`, or written from it. False: there are not as many, or memory refuses. */
  next(bytes: Uint8Array): boolean {
    return this.advance(bytes.length, (address, at, count) => this.move(address, bytes.subarray(at, at + count)))
  }

  /** Bytes are passed over. False: there are not as many. */
  skip(count: number): boolean {
    return this.advance(count, () => true)
  }

  private advance(count: number, each: (address: number, at: number, count: number) => boolean): boolean {
    if (count > this.remaining) return false
    for (let at = 0; at < count; ) {
      const { address, length } = this.segments[this.segment]!
      const part = Math.min(count - at, length - this.done)
      if (part > 0 && !each(address + this.done, at, part)) return false
      at += part
      this.done += part
      this.remaining -= part
      if (this.done === length) {
        this.segment++
        this.done = 0
      }
    }
    return true
  }
}

/** A buffer: what the device reads of it, and then what it writes. */
export interface Chain {
  readonly head: number
  readonly readable: Cursor
  readonly writable: Cursor
}

export class Virtqueue {
  private readonly dma: Dma
  readonly maxSize: number
  size: number
  isEnabled = false
  descriptors = 0
  available = 0
  used = 0
  /** MSI-X vector of its interrupts. */
  vector = noVector
  /** VIRTIO_F_EVENT_IDX was negotiated. */
  usesEvents = false
  /** VIRTIO_F_INDIRECT_DESC was negotiated. */
  allowsIndirect = false
  private taken = 0
  private given = 0
  /** Where `given` stood at the last decision about an interrupt. */
  private told = 0
  private readonly word = new Uint8Array(8)
  private readonly view = new DataView(this.word.buffer)

  constructor(dma: Dma, maxSize = maxQueueSize) {
    this.dma = dma
    this.maxSize = maxSize
    this.size = maxSize
  }

  reset(): void {
    this.size = this.maxSize
    this.isEnabled = false
    this.descriptors = 0
    this.available = 0
    this.used = 0
    this.vector = noVector
    this.taken = 0
    this.given = 0
    this.told = 0
  }

  /** A size is a power of 2. */
  isValid(): boolean {
    return this.size > 0 && this.size <= this.maxSize && (this.size & (this.size - 1)) === 0
  }

  /** The next buffer that the driver has made available. */
  take(): Chain | "empty" | "broken" {
    const index = this.read16(this.available + ring.idx)
    if (index === undefined) return "broken"
    const waiting = (index - this.taken) & 0xffff
    if (waiting > this.size) return "broken"
    if (waiting === 0) return "empty"
    const head = this.read16(this.available + ring.elements + (this.taken % this.size) * availableBytes)
    if (head === undefined) return "broken"
    const chain = this.chain(head)
    if (chain !== "broken") this.taken = (this.taken + 1) & 0xffff
    return chain
  }

  /** The buffer goes back, with as many bytes written. False: broken. */
  give(chain: Chain, written: number): boolean {
    const entry = this.used + ring.elements + (this.given % this.size) * usedBytes
    this.view.setUint32(0, chain.head, true)
    this.view.setUint32(4, written, true)
    if (!this.dma.write(entry, this.word)) return false
    this.given = (this.given + 1) & 0xffff
    return this.write16(this.used + ring.idx, this.given)
  }

  /** The device looks at the ring no more until it is notified again: with VIRTIO_F_EVENT_IDX it says from where on. False: broken. */
  awaitNotification(): boolean {
    return !this.usesEvents || this.write16(this.used + ring.elements + this.size * usedBytes, this.taken)
  }

  /** Whether the driver wants an interrupt for what was given since it was last asked. */
  wantsInterrupt(): boolean | "broken" {
    const [before, now] = [this.told, this.given]
    this.told = now
    if (before === now) return false
    if (this.usesEvents) {
      const event = this.read16(this.available + ring.elements + this.size * availableBytes)
      if (event === undefined) return "broken"
      return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff)
    }
    const flags = this.read16(this.available + ring.flags)
    return flags === undefined ? "broken" : (flags & NO_INTERRUPT) === 0
  }

  /** Follow the descriptors. A chain is at most as long as the queue: so there is no loop. */
  private chain(head: number): Chain | "broken" {
    const [readable, writable]: [Segment[], Segment[]] = [[], []]
    let [table, entries, index] = [this.descriptors, this.size, head]
    let isIndirect = false
    for (let length = 0; length < this.size; ) {
      if (index >= entries) return "broken"
      const found = this.descriptor(table + index * descriptor.bytes)
      if (found === undefined) return "broken"
      const { address, length: bytes, flags, next } = found
      if (flags & F.INDIRECT) {
        // Not with a next, and not in an indirect table.
        const isAllowed = this.allowsIndirect && !isIndirect && (flags & F.NEXT) === 0
        if (!isAllowed || bytes === 0 || bytes % descriptor.bytes !== 0) return "broken"
        isIndirect = true
        ;[table, entries, index] = [address, bytes / descriptor.bytes, 0]
        continue
      }
      length++
      // What is written comes after all that is read.
      if ((flags & F.WRITE) === 0 && writable.length > 0) return "broken"
      const list = flags & F.WRITE ? writable : readable
      list.push({ address, length: bytes })
      if ((flags & F.NEXT) === 0)
        return { head, readable: new Cursor(readable, this.dma.read), writable: new Cursor(writable, this.dma.write) }
      index = next
    }
    return "broken"
  }

  private readonly entry = new Uint8Array(descriptor.bytes)
  private readonly entryView = new DataView(this.entry.buffer)

  private descriptor(at: number) {
    if (!this.dma.read(at, this.entry)) return undefined
    const { entryView: view } = this
    return {
      address: view.getUint32(descriptor.addr, true) + view.getUint32(descriptor.addr + 4, true) * 2 ** 32,
      length: view.getUint32(descriptor.len, true),
      flags: view.getUint16(descriptor.flags, true),
      next: view.getUint16(descriptor.next, true)
    }
  }

  private read16(address: number): number | undefined {
    const bytes = this.word.subarray(0, 2)
    return this.dma.read(address, bytes) ? this.view.getUint16(0, true) : undefined
  }

  private write16(address: number, value: number): boolean {
    this.view.setUint16(0, value, true)
    return this.dma.write(address, this.word.subarray(0, 2))
  }
}

/** VIRTIO_MSI_NO_VECTOR. */
export const noVector = 0xffff
