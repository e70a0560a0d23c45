import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import type { ThreadMemory } from "../../src/types/Gate.ts"
import { FrameRing } from "../../src/vmm/FrameRing.ts"
import { Switch } from "../../src/vmm/Switch.ts"

const broadcast = [255, 255, 255, 255, 255, 255]
const station = (n: number) => [2, 0, 0, 0, 0, n]
const frame = (to: ReadonlyArray<number>, from: ReadonlyArray<number>) =>
  Uint8Array.from([...to, ...from, 8, 0, 1, 2, 3])

const aSwitch = (ports: number) => {
  const sent: Array<number> = []
  const made = new Switch(Array.from({ length: ports }, (_, port) => () => void sent.push(port)))
  return {
    at: (port: number, to: ReadonlyArray<number>, from: ReadonlyArray<number>) => {
      sent.length = 0
      made.forward(port, frame(to, from))
      return [...sent]
    },
    made
  }
}

describe("a switch", () => {
  it("sends to all others what is for everybody, or for somebody whom it has not heard of", () => {
    const { at } = aSwitch(4)
    assert.deepStrictEqual(at(1, broadcast, station(1)), [0, 2, 3])
    assert.deepStrictEqual(at(1, station(2), station(1)), [0, 2, 3])
  })

  it("sends to one alone whom it has heard, where it has last heard it", () => {
    const { at } = aSwitch(4)
    at(2, broadcast, station(2))
    assert.deepStrictEqual(at(1, station(2), station(1)), [2])
    at(3, broadcast, station(2))
    assert.deepStrictEqual(at(1, station(2), station(1)), [3])
  })

  it("sends nothing back, and nothing that is no frame", () => {
    const { at, made } = aSwitch(2)
    at(0, broadcast, station(1))
    assert.deepStrictEqual(at(0, station(1), station(9)), [])
    made.forward(0, new Uint8Array(13))
  })

  it("hears of no station that has the address of a group", () => {
    const { at } = aSwitch(3)
    at(0, broadcast, [3, 0, 0, 0, 0, 1])
    assert.deepStrictEqual(at(1, [3, 0, 0, 0, 0, 1], station(1)), [0, 2])
  })

  it("keeps working for those it knows when one makes up addresses without end", () => {
    const { at } = aSwitch(3)
    at(0, broadcast, station(1))
    for (let n = 0; n < 5000; n++) at(1, broadcast, [2, 1, 0, 0, n >>> 8, n & 0xff])
    assert.deepStrictEqual(at(2, station(1), station(3)), [0])
  })
})

const aMemory = () => {
  const bytes = new Uint8Array(1024)
  const memory: ThreadMemory = {
    read: (address, into) => {
      into.set(bytes.subarray(address, address + into.length))
      return true
    },
    write: (address, from) => {
      bytes.set(from, address)
      return true
    }
  }
  return { bytes, memory }
}

describe("a ring of frames", () => {
  it("gives frames as they were sent, and loses those that do not fit", () => {
    const { memory } = aMemory()
    const ring = new FrameRing(memory, 0, 264)
    assert.isTrue(ring.send(Uint8Array.of(1, 2, 3)))
    assert.isTrue(ring.send(new Uint8Array(200).fill(7)))
    assert.isFalse(ring.send(new Uint8Array(200)))
    assert.deepStrictEqual([...ring.receive()!], [1, 2, 3])
    assert.deepStrictEqual([...ring.receive()!], Array(200).fill(7))
    assert.isUndefined(ring.receive())
  })

  it("survives whatever the other writes there", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 264, maxLength: 264 }), (noise) => {
        const { bytes, memory } = aMemory()
        bytes.set(noise)
        const ring = new FrameRing(memory, 0, 264)
        for (let n = 0; n < 300; n++) {
          const one = ring.receive()
          if (one === undefined) break
          assert.isAtMost(one.length, 254)
        }
        assert.isUndefined(ring.receive())
        assert.isTrue(ring.send(Uint8Array.of(1)))
        assert.deepStrictEqual([...ring.receive()!], [1])
      })
    )
  })
})
