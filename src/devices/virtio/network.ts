/** Network: Ethernet frames in and out. VIRTIO 1.2, "Network Device", without offloads: every frame is whole and has its checksums. */

import type { Transport, VirtioDevice } from "./VirtioDevice.ts"

/** "Feature bits". */
const F = { MAC: 5, STATUS: 16 } as const

/** "Virtqueues". */
const queue = { receive: 0, transmit: 1 } as const

/** struct virtio_net_hdr: of what it says, only num_buffers is not 0, in a received frame. */
const headerBytes = 12
const numBuffers = 10

const longestFrame = 65_550

/** So many frames wait for buffers; more are lost, as on any wire. */
const backlog = 256

/** "Device configuration layout": the address, and that the link is up. */
const configurationOf = (mac: Uint8Array): Uint8Array => Uint8Array.from([...mac, 1, 0])

export class NetworkDevice implements VirtioDevice {
  readonly type = 1
  readonly classCode = 0x02_0000
  readonly queues = 2
  readonly features = [F.MAC, F.STATUS]
  readonly configuration: Uint8Array
  private readonly send: (frame: Uint8Array) => void
  private transport: Transport | undefined
  private readonly waiting: Uint8Array[] = []

  /** `mac`: 6 bytes. `send`: a frame leaves; it is the receiver's to keep. */
  constructor(mac: Uint8Array, send: (frame: Uint8Array) => void) {
    if (mac.length !== 6) throw new Error(`an Ethernet address has 6 bytes, not ${mac.length}`)
    this.send = send
    this.configuration = configurationOf(mac)
  }

  connect(transport: Transport): void {
    this.transport = transport
  }

  reset(): void {
    this.waiting.length = 0
  }

  /** A frame comes in. */
  receive(frame: Uint8Array): void {
    if (frame.length > longestFrame || this.waiting.length >= backlog) return
    this.waiting.push(frame.slice())
    this.fill()
  }

  notified(n: number): void {
    if (n === queue.receive) this.fill()
    else this.drain()
  }

  private fill(): void {
    const transport = this.transport!
    while (this.waiting.length > 0) {
      const chain = transport.take(queue.receive)
      if (chain === undefined) break
      const frame = this.waiting.shift()!
      const header = new Uint8Array(headerBytes)
      header[numBuffers] = 1
      // A buffer that is too small for a frame breaks the rule that says how large buffers are.
      if (!chain.writable.next(header) || !chain.writable.next(frame)) {
        transport.fail()
        return
      }
      transport.give(queue.receive, chain, headerBytes + frame.length)
    }
    transport.flush(queue.receive)
  }

  private drain(): void {
    const transport = this.transport!
    for (let chain = transport.take(queue.transmit); chain !== undefined; chain = transport.take(queue.transmit)) {
      const length = chain.readable.remaining - headerBytes
      const frame = new Uint8Array(Math.min(Math.max(length, 0), longestFrame))
      if (length !== frame.length || !chain.readable.skip(headerBytes) || !chain.readable.next(frame)) {
        transport.fail()
        return
      }
      this.send(frame)
      transport.give(queue.transmit, chain, 0)
    }
    transport.flush(queue.transmit)
  }
}
