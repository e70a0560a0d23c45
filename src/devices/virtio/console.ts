/**
 * Console: characters in and out. VIRTIO 1.2, "Console Device", with one port.
 *
 * With MULTIPORT the driver says when the port is open. What comes in before that waits: drivers throw away what they are given for a port that nobody
 * has opened.
 */

import type { Transport, VirtioDevice } from "./VirtioDevice.ts"

/** "Feature bits". */
const F = { SIZE: 0, MULTIPORT: 1, EMERG_WRITE: 2 } as const

/** "Virtqueues" of port 0, and for control. */
const queue = { receive: 0, transmit: 1, controlReceive: 2, controlTransmit: 3 } as const

/** "Multiport Device Operation": messages of the control queues. */
const event = { DEVICE_READY: 0, DEVICE_ADD: 1, PORT_READY: 3, CONSOLE_PORT: 4, PORT_OPEN: 6 } as const

/** struct virtio_console_control: id, event, value. */
const controlBytes = 8
const port = 0
const control = (what: number, value: number): Uint8Array => {
  const bytes = new Uint8Array(controlBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, port, true)
  view.setUint16(4, what, true)
  view.setUint16(6, value, true)
  return bytes
}

/** "Device configuration layout": columns, rows, ports, and the character that is written without a queue. */
const configurationOf = (columns: number, rows: number): Uint8Array => {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, columns, true)
  view.setUint16(2, rows, true)
  view.setUint32(4, 1, true)
  return bytes
}
const emergencyWrite = 8

const chunk = 4096

export class ConsoleDevice implements VirtioDevice {
  readonly type = 3
  readonly classCode = 0x07_8000
  readonly queues = 4
  readonly features = [F.SIZE, F.MULTIPORT, F.EMERG_WRITE]
  readonly configuration: Uint8Array
  private readonly output: (bytes: Uint8Array) => void
  private transport: Transport | undefined
  /** What has come in and has no buffer yet. */
  private waiting = new Uint8Array(0)
  /** The driver has opened the port. */
  private isOpen = false
  /** Messages for the driver that have no buffer yet. */
  private messages: Uint8Array[] = []

  /** `output`: bytes leave; they are valid during the call. */
  constructor(output: (bytes: Uint8Array) => void, size = { columns: 80, rows: 25 }) {
    this.output = output
    this.configuration = configurationOf(size.columns, size.rows)
  }

  connect(transport: Transport): void {
    this.transport = transport
  }

  /** What waits is of the world outside: it stays. */
  reset(): void {
    this.isOpen = false
    this.messages = []
  }

  /** Bytes come in. */
  input(bytes: Uint8Array): void {
    const all = new Uint8Array(this.waiting.length + bytes.length)
    all.set(this.waiting)
    all.set(bytes, this.waiting.length)
    this.waiting = all
    this.fill()
  }

  notified(n: number): void {
    switch (n) {
      case queue.receive:
        this.fill()
        break
      case queue.transmit:
        this.drain(n, this.output)
        break
      case queue.controlReceive:
        this.tell()
        break
      case queue.controlTransmit:
        this.drain(n, this.hear)
        break
    }
  }

  writeConfiguration(offset: number, _width: number, value: number): void {
    if (offset === emergencyWrite) this.output(Uint8Array.of(value & 0xff))
  }

  // ---- control

  /** A message of the driver's; what is no message that it sends has no effect. */
  private readonly hear = (bytes: Uint8Array): void => {
    if (bytes.length < controlBytes) return
    const view = new DataView(bytes.buffer, bytes.byteOffset, controlBytes)
    const [id, what, value] = [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true)]
    if (what === event.DEVICE_READY && value === 1) this.messages.push(control(event.DEVICE_ADD, 1))
    else if (id === port && what === event.PORT_READY && value === 1)
      this.messages.push(control(event.CONSOLE_PORT, 1), control(event.PORT_OPEN, 1))
    else if (id === port && what === event.PORT_OPEN) {
      this.isOpen = value === 1
      this.fill()
    }
    this.tell()
  }

  private tell(): void {
    const transport = this.transport!
    while (this.messages.length > 0) {
      const chain = transport.take(queue.controlReceive)
      if (chain === undefined) break
      if (!chain.writable.next(this.messages.shift()!)) {
        transport.fail()
        return
      }
      transport.give(queue.controlReceive, chain, controlBytes)
    }
    transport.flush(queue.controlReceive)
  }

  // ---- characters

  private fill(): void {
    const transport = this.transport!
    if (transport.has(F.MULTIPORT) && !this.isOpen) return
    while (this.waiting.length > 0) {
      const chain = transport.take(queue.receive)
      if (chain === undefined) break
      const part = this.waiting.subarray(0, Math.min(this.waiting.length, chain.writable.remaining))
      if (!chain.writable.next(part)) {
        transport.fail()
        return
      }
      this.waiting = this.waiting.slice(part.length)
      transport.give(queue.receive, chain, part.length)
    }
    transport.flush(queue.receive)
  }

  /** What the driver sends on a queue goes to `hear`, in pieces of at most `chunk` bytes. */
  private drain(n: number, hear: (bytes: Uint8Array) => void): void {
    const transport = this.transport!
    for (let chain = transport.take(n); chain !== undefined; chain = transport.take(n)) {
      while (chain.readable.remaining > 0) {
        const bytes = new Uint8Array(Math.min(chain.readable.remaining, chunk))
        if (!chain.readable.next(bytes)) {
          transport.fail()
          return
        }
        hear(bytes)
      }
      transport.give(n, chain, 0)
    }
    transport.flush(n)
  }
}
