/** DHCP (RFC 2131, options of RFC 2132): a server that gives each station an address of its own, and tells it of the network. */
import type { Address } from "./ipv4.ts"
import { encode, type Field, get32 } from "./wire.ts"

export const ports = { server: 67, client: 68 } as const

const [request, reply] = [1, 2]
const cookie = 0x6382_5363
const optionsAt = 240
const message = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, NAK: 6, INFORM: 8 } as const
const option = { mask: 1, router: 3, dns: 6, requested: 50, lease: 51, type: 53, server: 54, end: 255 } as const
const forEver = 0xffff_ffff

export interface Network {
  readonly mask: Address
  readonly router: Address
  readonly dns: Address
}

/** The answer to a station's message, if it wants one. `addressOf`: the address of a station, by its hardware address. */
export const respond = (
  bytes: Uint8Array,
  { mask, router, dns }: Network,
  addressOf: (mac: Uint8Array) => Address
): Uint8Array | undefined => {
  if (bytes.length < optionsAt || bytes[0] !== request || get32(bytes, 236) !== cookie) return undefined
  const options = parseOptions(bytes.subarray(optionsAt))
  const mac = bytes.slice(28, 34)
  const mine = addressOf(mac)
  const number = (code: number) => {
    const value = options.get(code)
    return value?.length === 4 ? get32(value, 0) : undefined
  }
  const type = options.get(option.type)?.[0]
  const server = number(option.server)
  // Another server was chosen.
  if (server !== undefined && server !== router) return undefined
  const wanted = number(option.requested) ?? get32(bytes, 12)
  const answer =
    type === message.DISCOVER
      ? message.OFFER
      : type === message.INFORM
        ? message.ACK
        : type === message.REQUEST
          ? wanted === mine
            ? message.ACK
            : message.NAK
          : undefined
  if (answer === undefined) return undefined
  const told: readonly Field[] =
    answer === message.NAK
      ? []
      : [
          ...number32(option.mask, mask),
          ...number32(option.router, router),
          ...number32(option.dns, dns),
          ...number32(option.lease, forEver)
        ]
  return encode([
    [1, reply],
    bytes.slice(1, 12),
    // ciaddr, yiaddr, siaddr, giaddr
    [4, 0],
    [4, answer === message.NAK || type === message.INFORM ? 0 : mine],
    [4, router],
    [4, 0],
    bytes.slice(28, 44),
    new Uint8Array(192),
    [4, cookie],
    [1, option.type],
    [1, 1],
    [1, answer],
    ...number32(option.server, router),
    ...told,
    [1, option.end],
    // Some clients want as many bytes as BOOTP has.
    new Uint8Array(26)
  ])
}

const number32 = (code: number, value: number): readonly Field[] => [
  [1, code],
  [1, 4],
  [4, value]
]

const parseOptions = (bytes: Uint8Array): ReadonlyMap<number, Uint8Array> => {
  const found = new Map<number, Uint8Array>()
  for (let at = 0; at < bytes.length && bytes[at] !== option.end; ) {
    if (bytes[at] === 0) at += 1
    else {
      const length = bytes[at + 1] ?? 0
      found.set(bytes[at]!, bytes.subarray(at + 2, at + 2 + length))
      at += 2 + length
    }
  }
  return found
}
