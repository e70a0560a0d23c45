/** FrameRing: Ethernet frames on their way through a ring, each behind its length. */
import type { ThreadMemory } from "../types/Gate.ts"
import { Ring } from "../user/Ring.ts"

const lengthBytes = 2

export class FrameRing {
  private readonly ring: Ring

  constructor(memory: ThreadMemory, address: number, bytes: number) {
    this.ring = new Ring(memory, address, bytes)
  }

  /** False: there is no room, and the frame is lost, as on any wire. */
  send(frame: Uint8Array): boolean {
    const record = new Uint8Array(lengthBytes + frame.length)
    if (frame.length > 0xffff || this.ring.room < record.length) return false
    new DataView(record.buffer).setUint16(0, frame.length, true)
    record.set(frame, lengthBytes)
    return this.ring.put(record) === record.length
  }

  /** The next frame. Of what cannot be one, nothing is left. */
  receive(): Uint8Array | undefined {
    const header = this.ring.peek(lengthBytes)
    if (header.length === 0) return undefined
    const length = header.length < lengthBytes ? 0 : new DataView(header.buffer).getUint16(0, true)
    const record = this.ring.peek(lengthBytes + length)
    if (length === 0 || record.length < lengthBytes + length) {
      this.ring.take()
      return undefined
    }
    return this.ring.take(record.length).subarray(lengthBytes)
  }
}
