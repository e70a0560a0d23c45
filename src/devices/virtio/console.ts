/** Console: characters in and out. VIRTIO 1.2, "Console Device", with one port. */

import type { Transport, VirtioDevice } from "./VirtioDevice.ts"

/** "Feature bits". */
const F = { SIZE: 0, EMERG_WRITE: 2 } as const

/** "Virtqueues" of port 0. */
const queue = { receive: 0, transmit: 1 } as const

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
  readonly queues = 2
  readonly features = [F.SIZE, F.EMERG_WRITE]
  readonly configuration: Uint8Array
  private readonly output: (bytes: Uint8Array) => void
  private transport: Transport | undefined
  /** What has come in and has no buffer yet. */
  private waiting = new Uint8Array(0)

  /** `output`: bytes leave; they are valid during the call. */
  constructor(output: (bytes: Uint8Array) => void, size = { columns: 80, rows: 25 }) {
    this.output = output
    this.configuration = configurationOf(size.columns, size.rows)
  }

  connect(transport: Transport): void {
    this.transport = transport
  }

  /** What waits is of the world outside: it stays. */
  reset(): void {}

  /** Bytes come in. */
  input(bytes: Uint8Array): void {
    const all = new Uint8Array(this.waiting.length + bytes.length)
    all.set(this.waiting)
    all.set(bytes, this.waiting.length)
    this.waiting = all
    this.fill()
  }

  notified(n: number): void {
    if (n === queue.receive) this.fill()
    else this.drain()
  }

  writeConfiguration(offset: number, _width: number, value: number): void {
    if (offset === emergencyWrite) this.output(Uint8Array.of(value & 0xff))
  }

  private fill(): void {
    const transport = this.transport!
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

  private drain(): void {
    const transport = this.transport!
    for (let chain = transport.take(queue.transmit); chain !== undefined; chain = transport.take(queue.transmit)) {
      while (chain.readable.remaining > 0) {
        const bytes = new Uint8Array(Math.min(chain.readable.remaining, chunk))
        if (!chain.readable.next(bytes)) {
          transport.fail()
          return
        }
        this.output(bytes)
      }
      transport.give(queue.transmit, chain, 0)
    }
    transport.flush(queue.transmit)
  }
}
