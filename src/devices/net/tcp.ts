/**
 * TCP (RFC 9293): one end of a connection with a station, on a wire that keeps order and seldom loses anything. What is out of order is
 * dropped, and sent again by the other end; there are no options but the maximum segment size.
 */
import type { Timers } from "../Wires.ts"
import { type Address, type Packet, protocol, summed } from "./ipv4.ts"
import { encode, get16, get32 } from "./wire.ts"

export const flag = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16 } as const

export interface Segment {
  readonly fromPort: number
  readonly toPort: number
  readonly sequence: number
  readonly acknowledged: number
  readonly flags: number
  readonly window: number
  /** "Maximum Segment Size", of a segment with SYN. */
  readonly most: number
  readonly payload: Uint8Array
}

const headerBytes = 20
const usualMost = 536
const ourMost = 1460
const mostOption = 0x0204

export const parseSegment = (bytes: Uint8Array): Segment | undefined => {
  const header = bytes.length < headerBytes ? 0 : (bytes[12]! >>> 4) * 4
  if (header < headerBytes || header > bytes.length) return undefined
  return {
    fromPort: get16(bytes, 0),
    toPort: get16(bytes, 2),
    sequence: get32(bytes, 4),
    acknowledged: get32(bytes, 8),
    flags: bytes[13]!,
    window: get16(bytes, 14),
    most: mostOf(bytes.subarray(headerBytes, header)),
    payload: bytes.subarray(header)
  }
}

const mostOf = (options: Uint8Array): number => {
  for (let at = 0; at + 3 < options.length; at += options[at] === 1 ? 1 : Math.max(options[at + 1]!, 2))
    if (get16(options, at) === mostOption) return get16(options, at + 2)
  return usualMost
}

/** The two ends of a connection, as this one sees them. */
export interface Ends {
  readonly local: Address
  readonly localPort: number
  readonly remote: Address
  readonly remotePort: number
}

const segment = ({ local, localPort, remote, remotePort }: Ends, of: Omit<Segment, "fromPort" | "toPort">): Packet =>
  summed(
    { from: local, to: remote, protocol: protocol.tcp },
    encode([
      [2, localPort],
      [2, remotePort],
      [4, of.sequence],
      [4, of.acknowledged],
      [1, ((headerBytes + (of.most === 0 ? 0 : 4)) / 4) << 4],
      [1, of.flags],
      [2, of.window],
      [4, 0],
      ...(of.most === 0
        ? []
        : ([
            [2, mostOption],
            [2, of.most]
          ] as const)),
      of.payload
    ]),
    16
  )

const nothing = new Uint8Array(0)

/** The answer to a segment that belongs to no connection. */
export const refuse = (ends: Ends, { flags, sequence, acknowledged, payload }: Segment): Packet | undefined => {
  if (flags & flag.RST) return undefined
  const next = (sequence + payload.length + (flags & flag.SYN ? 1 : 0) + (flags & flag.FIN ? 1 : 0)) >>> 0
  return segment(
    ends,
    flags & flag.ACK
      ? { sequence: acknowledged, acknowledged: 0, flags: flag.RST, window: 0, most: 0, payload: nothing }
      : { sequence: 0, acknowledged: next, flags: flag.RST | flag.ACK, window: 0, most: 0, payload: nothing }
  )
}

/** Who the connection is for. */
export interface Application {
  readonly opened: () => void
  readonly received: (bytes: Uint8Array) => void
  /** Nothing more will be received. */
  readonly ended: () => void
  /** The connection is gone; `isComplete` if both have said all. */
  readonly closed: (isComplete: boolean) => void
  /** Bytes were acknowledged: `waiting` is less than it was. */
  readonly drained: () => void
  /** For so many bytes it has room. */
  readonly room: () => number
}

/** After so long without an answer everything is sent again, so many times. */
const [patience, mostTries] = [1e9, 8]
const largestWindow = 0xffff

export class Connection {
  private readonly ends: Ends
  private readonly send: (packet: Packet) => void
  private readonly timers: Timers
  private readonly application: Application
  private readonly timer: string
  private isOpen = false
  private isClosed = false
  // What is sent: from `unacknowledged` on it may have to be sent again; up to `sent` it was sent once at least.
  private unacknowledged: number
  private next: number
  private sent: number
  private waitingBytes: Uint8Array = nothing
  private isEnding = false
  private isEndAcknowledged = false
  private window = 0
  private most = usualMost
  private tries = 0
  // What is received.
  private expected = 0
  private isAsked = false
  private hasEnded = false
  private advertised = 0

  constructor(ends: Ends, initial: number, send: (packet: Packet) => void, timers: Timers, application: Application) {
    this.ends = ends
    this.send = send
    this.timers = timers
    this.application = application
    this.unacknowledged = initial
    this.next = initial
    this.sent = initial
    this.timer = `TCP ${ends.local}:${ends.localPort} ${ends.remote}:${ends.remotePort}`
  }

  /** The other end has asked for the connection. */
  accept({ sequence, window, most }: Segment): void {
    this.isAsked = true
    this.expected = (sequence + 1) >>> 0
    this.window = window
    this.most = Math.min(most, ourMost)
    this.open()
  }

  /** Ask for the connection, or agree to it. */
  open(): void {
    this.advance(distance(this.unacknowledged, this.next) + 1)
    this.wait()
    this.transmit(this.isAsked ? flag.SYN | flag.ACK : flag.SYN, this.unacknowledged, nothing)
  }

  /** What is sent next is counted before it leaves: its answer may come at once. */
  private advance(count: number): void {
    this.next = (this.next + count) >>> 0
    if (distance(this.next, this.sent) > 0) this.sent = this.next
  }

  /** Bytes that are not acknowledged. */
  get waiting(): number {
    return this.waitingBytes.length
  }

  write(bytes: Uint8Array): void {
    this.waitingBytes = encode([this.waitingBytes, bytes])
    this.push()
  }

  /** Nothing more will be written. */
  end(): void {
    if (this.isEnding) return
    this.isEnding = true
    this.push()
  }

  abort(): void {
    if (!this.isClosed) this.transmit(flag.RST | flag.ACK, this.next, nothing)
    this.close(false)
  }

  /** The application has room that it did not have. */
  hasRoom(): void {
    if (this.isOpen && !this.isClosed && this.advertised < ourMost) this.acknowledge()
  }

  arrived(of: Segment): void {
    if (this.isClosed) return
    if (of.flags & flag.RST) this.close(false)
    else if (this.isOpen || this.establish(of)) {
      this.acknowledgement(of)
      this.take(of)
      this.push()
      if (this.hasEnded && this.isEndAcknowledged) this.close(true)
    }
  }

  /** The handshake's last step. */
  private establish({ flags, sequence, acknowledged, window, most }: Segment): boolean {
    const isAnswer = (flags & flag.ACK) !== 0 && acknowledged === this.next
    const isAgreement = (flags & flag.SYN) !== 0
    if (!isAnswer || isAgreement === this.isAsked) return false
    if (isAgreement) {
      this.expected = (sequence + 1) >>> 0
      this.most = Math.min(most, ourMost)
    }
    this.isOpen = true
    this.unacknowledged = this.next
    this.window = window
    this.timers.cancel(this.timer)
    if (isAgreement) this.acknowledge()
    this.application.opened()
    return true
  }

  private acknowledgement({ flags, acknowledged, window }: Segment): void {
    if (!(flags & flag.ACK)) return
    this.window = window
    const count = distance(acknowledged, this.unacknowledged)
    if (count <= 0 || count > distance(this.sent, this.unacknowledged)) return
    const data = Math.min(count, this.waitingBytes.length)
    this.waitingBytes = this.waitingBytes.slice(data)
    this.isEndAcknowledged ||= count > data
    this.unacknowledged = acknowledged
    // What was to be sent again has arrived after all.
    if (distance(acknowledged, this.next) > 0) this.next = acknowledged
    this.tries = 0
    this.timers.cancel(this.timer)
    if (this.next !== acknowledged) this.wait()
    if (data > 0) this.application.drained()
  }

  private take({ sequence, payload, flags }: Segment): void {
    const isEnd = (flags & flag.FIN) !== 0
    if (payload.length === 0 && !isEnd) {
      // It asks whether this end is still there.
      if (sequence !== this.expected && !(flags & flag.SYN)) this.acknowledge()
      return
    }
    const ahead = distance(this.expected, sequence)
    if (ahead >= 0 && ahead <= payload.length && !this.hasEnded) {
      const fresh = payload.subarray(ahead, ahead + Math.max(0, this.application.room()))
      this.expected = (this.expected + fresh.length) >>> 0
      if (fresh.length > 0) this.application.received(fresh)
      if (isEnd && ahead + fresh.length === payload.length) {
        this.expected = (this.expected + 1) >>> 0
        this.hasEnded = true
        this.application.ended()
      }
    }
    this.acknowledge()
  }

  /** As much as the other end has room for; then the end, if nothing more will come. */
  private push(): void {
    if (!this.isOpen || this.isClosed || this.isEndAcknowledged) return
    for (;;) {
      const sent = distance(this.next, this.unacknowledged)
      const part = this.waitingBytes.subarray(sent, sent + Math.min(this.most, Math.max(0, this.window - sent)))
      if (part.length === 0) break
      const sequence = this.next
      this.advance(part.length)
      this.transmit(flag.ACK | flag.PSH, sequence, part)
    }
    const isAllSent = distance(this.next, this.unacknowledged) === this.waitingBytes.length
    if (this.isEnding && isAllSent && !this.isEndAcknowledged) {
      const sequence = this.next
      this.advance(1)
      this.transmit(flag.ACK | flag.FIN, sequence, nothing)
    }
    if (this.next !== this.unacknowledged || this.waitingBytes.length > 0) this.wait()
  }

  private acknowledge(): void {
    this.transmit(flag.ACK, this.next, nothing)
  }

  private transmit(flags: number, sequence: number, payload: Uint8Array): void {
    this.advertised = Math.min(largestWindow, Math.max(0, this.application.room()))
    const most = flags & flag.SYN ? ourMost : 0
    const acknowledged = flags & flag.ACK ? this.expected : 0
    this.send(segment(this.ends, { sequence, acknowledged, flags, window: this.advertised, most, payload }))
  }

  private wait(): void {
    if (this.isClosed) return
    this.timers.schedule(this.timer, this.timers.now() + patience * 2 ** this.tries, () => this.again())
  }

  /** Nothing was heard: all is sent again, or a byte to ask whether there is room. */
  private again(): void {
    this.tries++
    if (this.tries > mostTries) this.abort()
    else if (!this.isOpen) this.open()
    else {
      this.next = this.unacknowledged
      if (this.window === 0 && this.waitingBytes.length > 0) {
        this.advance(1)
        this.wait()
        this.transmit(flag.ACK, this.unacknowledged, this.waitingBytes.subarray(0, 1))
      } else this.push()
    }
  }

  private close(isComplete: boolean): void {
    if (this.isClosed) return
    this.isClosed = true
    this.timers.cancel(this.timer)
    this.application.closed(isComplete)
  }
}

/** How far a sequence number is behind another, around the circle. */
const distance = (a: number, b: number): number => (a - b) | 0
