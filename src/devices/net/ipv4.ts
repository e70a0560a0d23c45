/** IPv4 (RFC 791), ICMP (RFC 792) and UDP (RFC 768): packets. Fragments and options are not understood. */
import { checksum, encode, get16, get32, withChecksum } from "./wire.ts"

/** An address: 32 bits. */
export type Address = number

export const address = (a: number, b: number, c: number, d: number): Address => ((a * 256 + b) * 256 + c) * 256 + d
export const dotted = (of: Address): string => [24, 16, 8, 0].map((shift) => (of >>> shift) & 0xff).join(".")

export const protocol = { icmp: 1, tcp: 6, udp: 17 } as const

export interface Packet {
  readonly from: Address
  readonly to: Address
  readonly protocol: number
  readonly payload: Uint8Array
}

const headerBytes = 20
const hops = 64
const [moreFragments, fragmentOffset] = [0x2000, 0x1fff]

/** Undefined: it is none, or a part of one. */
export const parsePacket = (bytes: Uint8Array): Packet | undefined => {
  if (bytes.length < headerBytes || bytes[0]! >>> 4 !== 4) return undefined
  const [header, total] = [(bytes[0]! & 15) * 4, get16(bytes, 2)]
  if (header < headerBytes || total < header || total > bytes.length) return undefined
  if (checksum(bytes.subarray(0, header)) !== 0 || get16(bytes, 6) & (moreFragments | fragmentOffset)) return undefined
  return {
    from: get32(bytes, 12),
    to: get32(bytes, 16),
    protocol: bytes[9]!,
    payload: bytes.subarray(header, total)
  }
}

export const packet = ({ from, to, protocol, payload }: Packet): Uint8Array => {
  const header = encode([
    [1, 0x45],
    [1, 0],
    [2, headerBytes + payload.length],
    [4, 0x4000],
    [1, hops],
    [1, protocol],
    [2, 0],
    [4, from],
    [4, to]
  ])
  return encode([withChecksum(header, 10), payload])
}

/** What TCP and UDP count in beside their own bytes. "Pseudo header". */
const pseudoHeader = ({ from, to, protocol }: Omit<Packet, "payload">, length: number): Uint8Array =>
  encode([
    [4, from],
    [4, to],
    [2, protocol],
    [2, length]
  ])

/** The payload with its checksum, which is at this offset. */
export const summed = (of: Omit<Packet, "payload">, payload: Uint8Array, at: number): Packet => ({
  ...of,
  payload: withChecksum(payload, at, pseudoHeader(of, payload.length))
})

// ---- ICMP

const [echoReply, unreachable, echo] = [0, 3, 8]
export const unreachableCode = { port: 3, administratively: 13 } as const

/** The answer to an echo request; undefined if it is none. */
export const echoed = ({ from, to, protocol, payload }: Packet): Packet | undefined => {
  if (payload.length < 8 || payload[0] !== echo || checksum(payload) !== 0) return undefined
  const reply = payload.slice()
  reply.set([echoReply, 0, 0, 0])
  return { from: to, to: from, protocol, payload: withChecksum(reply, 2) }
}

/** That a packet leads nowhere, for its sender: with the packet's header and 8 bytes of what it holds. */
export const notReached = (of: Packet, from: Address, code: number): Packet => ({
  from,
  to: of.from,
  protocol: protocol.icmp,
  payload: withChecksum(
    encode([[1, unreachable], [1, code], [2, 0], [4, 0], packet(of).subarray(0, headerBytes + 8)]),
    2
  )
})

// ---- UDP

export interface Datagram {
  readonly from: Address
  readonly fromPort: number
  readonly to: Address
  readonly toPort: number
  readonly payload: Uint8Array
}

const udpBytes = 8

export const parseDatagram = ({ from, to, payload }: Packet): Datagram | undefined => {
  const length = payload.length < udpBytes ? 0 : get16(payload, 4)
  if (length < udpBytes || length > payload.length) return undefined
  return {
    from,
    fromPort: get16(payload, 0),
    to,
    toPort: get16(payload, 2),
    payload: payload.subarray(udpBytes, length)
  }
}

export const datagram = ({ from, fromPort, to, toPort, payload }: Datagram): Packet =>
  summed(
    { from, to, protocol: protocol.udp },
    encode([[2, fromPort], [2, toPort], [2, udpBytes + payload.length], [2, 0], payload]),
    6
  )
