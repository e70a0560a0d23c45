/** Entropy: random bytes, from a seed, so that a run repeats. VIRTIO 1.2, "Entropy Device". */

import type { Transport, VirtioDevice } from "./VirtioDevice.ts"

/** xoshiro128** of Blackman and Vigna; its state is filled by a splitmix of the seed. */
export class Generator {
  private readonly state = new Uint32Array(4)

  constructor(seed: number) {
    let mixed = seed >>> 0
    for (let n = 0; n < 4; n++) {
      mixed = (mixed + 0x9e37_79b9) >>> 0
      let word = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b)
      word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35)
      this.state[n] = word ^ (word >>> 16)
    }
  }

  next(): number {
    const s = this.state
    const result = Math.imul(rotated(Math.imul(s[1]!, 5), 7), 9) >>> 0
    const shifted = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= shifted
    s[3] = rotated(s[3]!, 11)
    return result
  }

  fill(bytes: Uint8Array): Uint8Array {
    for (let n = 0; n < bytes.length; n += 4) {
      const word = this.next()
      for (let byte = 0; byte < 4 && n + byte < bytes.length; byte++) bytes[n + byte] = word >>> (8 * byte)
    }
    return bytes
  }
}

const rotated = (word: number, by: number): number => (word << by) | (word >>> (32 - by))

/** A buffer is given back with at most so many bytes: "at least one byte", says the specification. */
const most = 4096

export class EntropyDevice implements VirtioDevice {
  readonly type = 4
  readonly classCode = 0xff_0000
  readonly queues = 1
  readonly features: readonly number[] = []
  readonly configuration = new Uint8Array(0)
  private readonly generator: Generator
  private transport: Transport | undefined

  constructor(seed: number) {
    this.generator = new Generator(seed)
  }

  connect(transport: Transport): void {
    this.transport = transport
  }

  reset(): void {}

  notified(queue: number): void {
    const transport = this.transport!
    for (let chain = transport.take(queue); chain !== undefined; chain = transport.take(queue)) {
      const bytes = this.generator.fill(new Uint8Array(Math.min(chain.writable.remaining, most)))
      if (bytes.length === 0 || !chain.writable.next(bytes)) transport.fail()
      else transport.give(queue, chain, bytes.length)
    }
    transport.flush(queue)
  }
}
