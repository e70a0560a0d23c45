import { assert, describe, it } from "vitest"
import type { Packet } from "../../../src/devices/net/ipv4.ts"
import { type Application, Connection, type Ends, flag, parseSegment } from "../../../src/devices/net/tcp.ts"
import { Time } from "../time.ts"

const near: Ends = { local: 1, localPort: 80, remote: 2, remotePort: 4000 }
const far: Ends = { local: 2, localPort: 4000, remote: 1, remotePort: 80 }

interface Side {
  readonly connection: Connection
  readonly received: number[]
  ended: boolean
  closed: boolean | undefined
  room: number
}

/** Two ends and the wire between them, on which some packets are lost. */
const wire = (isLost: (n: number) => boolean = () => false) => {
  const timers = new Time()
  const queue: (() => void)[] = []
  let sent = 0
  const side = (ends: Ends, initial: number, other: () => Side): Side => {
    const application: Application = {
      opened: () => {},
      received: (bytes) => made.received.push(...bytes),
      ended: () => {
        made.ended = true
      },
      closed: (isComplete) => {
        made.closed = isComplete
      },
      drained: () => {},
      room: () => made.room
    }
    const send = (packet: Packet) => {
      if (!isLost(sent++)) queue.push(() => deliver(packet, other()))
    }
    const made: Side = {
      connection: new Connection(ends, initial, send, timers, application),
      received: [],
      ended: false,
      closed: undefined,
      room: 0xffff
    }
    return made
  }
  const isAccepted = new Set<Side>()
  const deliver = ({ payload }: Packet, to: Side) => {
    const segment = parseSegment(payload)!
    if (segment.flags === flag.SYN && to === b && !isAccepted.has(b)) {
      isAccepted.add(b)
      to.connection.accept(segment)
    } else to.connection.arrived(segment)
  }
  const a: Side = side(near, 0xffff_fff0, () => b)
  const b: Side = side(far, 77, () => a)
  /** Until nothing is on the way, and for so long. */
  const run = (nanoseconds = 0) => {
    const until = timers.now() + nanoseconds
    for (;;) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) next()
      if (timers.now() >= until) return
      timers.pass(Math.min(1e8, until - timers.now()))
    }
  }
  return { a, b, run, timers }
}

const numbers = (length: number) => Uint8Array.from({ length }, (_, n) => (n * 7) ^ (n >> 8))

describe("a TCP connection", () => {
  it("carries what is written to either end, and ends when both have", () => {
    const { a, b, run } = wire()
    a.connection.open()
    run()
    a.connection.write(numbers(300_000))
    b.connection.write(numbers(10))
    run()
    assert.deepStrictEqual(Uint8Array.from(b.received), numbers(300_000))
    assert.deepStrictEqual(Uint8Array.from(a.received), numbers(10))
    b.connection.end()
    run()
    assert.deepStrictEqual([a.ended, b.ended, a.closed], [true, false, undefined])
    a.connection.end()
    run()
    assert.deepStrictEqual([b.ended, a.closed, b.closed], [true, true, true])
  })

  it("loses nothing when the wire does", () => {
    const { a, b, run } = wire((n) => n % 7 === 3)
    a.connection.open()
    run(3e9)
    a.connection.write(numbers(50_000))
    a.connection.end()
    b.connection.end()
    run(200e9)
    assert.deepStrictEqual(Uint8Array.from(b.received), numbers(50_000))
    assert.isTrue(b.ended)
  })

  it("waits while the other end has no room, and goes on when it has", () => {
    const { a, b, run } = wire()
    a.connection.open()
    run()
    b.room = 0
    a.connection.write(numbers(5000))
    run(10e9)
    assert.isAbove(a.connection.waiting, 0)
    b.room = 0xffff
    b.connection.hasRoom()
    run(20e9)
    assert.deepStrictEqual(Uint8Array.from(b.received), numbers(5000))
  })

  it("that nobody answers is given up", () => {
    const { a, run } = wire(() => true)
    a.connection.open()
    run(2000e9)
    assert.strictEqual(a.closed, false)
  })
})
