/**
 * Ring: bytes on their way from one task to another, in memory that both have.
 *
 * One puts, one takes; each counts what it has done, in a word that only it writes. What the other's word says is not believed: a count
 * that cannot be is taken for the nearest that can. Whoever has put something signals the other, by a notification that both agree on.
 */
import type { ThreadMemory } from "../types/Gate.ts"

/** Counts of bytes put and taken since the beginning, modulo 2^32; then the bytes. */
const [putAt, takenAt, dataAt] = [0, 4, 8] as const

export class Ring {
  private readonly memory: ThreadMemory
  private readonly address: number
  private readonly capacity: number
  private readonly word = new Uint8Array(4)
  private readonly view = new DataView(this.word.buffer)

  /** `bytes` of memory at `address`, all zeros at the beginning: 8 more than a power of two, which is what fits. */
  constructor(memory: ThreadMemory, address: number, bytes: number) {
    this.memory = memory
    this.address = address
    this.capacity = 2 ** Math.floor(Math.log2(bytes - dataAt))
  }

  /** The room that there is. */
  get room(): number {
    return this.capacity - this.waiting()
  }

  /** As many of the bytes as there is room for. @returns how many. */
  put(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.room)
    const from = this.load(putAt)
    this.copy(from, bytes.subarray(0, count), this.memory.write)
    this.store(putAt, from + count)
    return count
  }

  /** All that is there, but no more than `most`. */
  take(most = this.capacity): Uint8Array {
    const [bytes, put] = [this.peek(most), this.load(putAt)]
    if (bytes.length === 0) return bytes
    // Who has taken all that there can be is where the other says that it is, whatever that is.
    this.store(takenAt, bytes.length === this.waiting() ? put : this.load(takenAt) + bytes.length)
    return bytes
  }

  /** What `take` would take. */
  peek(most = this.capacity): Uint8Array {
    const bytes = new Uint8Array(Math.min(this.waiting(), most))
    if (bytes.length > 0) this.copy(this.load(takenAt), bytes, this.memory.read)
    return bytes
  }

  private waiting(): number {
    return Math.min((this.load(putAt) - this.load(takenAt)) >>> 0, this.capacity)
  }

  private copy(from: number, bytes: Uint8Array, move: (address: number, bytes: Uint8Array) => boolean): void {
    const at = from % this.capacity
    const first = Math.min(bytes.length, this.capacity - at)
    move(this.address + dataAt + at, bytes.subarray(0, first))
    if (first < bytes.length) move(this.address + dataAt, bytes.subarray(first))
  }

  private load(at: number): number {
    this.memory.read(this.address + at, this.word)
    return this.view.getUint32(0, true)
  }

  private store(at: number, value: number): void {
    this.view.setUint32(0, value >>> 0, true)
    this.memory.write(this.address + at, this.word)
  }
}
