/** Ethernet frames, and ARP (RFC 826) by which stations of IPv4 find each other. */
import { encode, get16, get32 } from "./wire.ts"

/** The address of a station: 6 bytes. */
export type Mac = Uint8Array

export const broadcast: Mac = new Uint8Array(6).fill(0xff)

/** "EtherType". */
export const etherType = { ipv4: 0x0800, arp: 0x0806 } as const

const headerBytes = 14

export interface Frame {
  readonly to: Mac
  readonly from: Mac
  readonly type: number
  readonly payload: Uint8Array
}

export const parseFrame = (bytes: Uint8Array): Frame | undefined =>
  bytes.length < headerBytes
    ? undefined
    : {
        to: bytes.subarray(0, 6),
        from: bytes.subarray(6, 12),
        type: get16(bytes, 12),
        payload: bytes.subarray(headerBytes)
      }

export const frame = ({ to, from, type, payload }: Frame): Uint8Array => encode([to, from, [2, type], payload])

export const isSame = (a: Mac, b: Mac): boolean => a.every((byte, n) => byte === b[n])

// ---- ARP

const [ethernet, request, reply] = [1, 1, 2]
const arpBytes = 28

/** Who asks for an address of IPv4. */
export interface Question {
  readonly from: Mac
  readonly fromAddress: number
  readonly address: number
}

export const parseQuestion = (bytes: Uint8Array): Question | undefined =>
  bytes.length < arpBytes ||
  get16(bytes, 0) !== ethernet ||
  get16(bytes, 2) !== etherType.ipv4 ||
  get16(bytes, 6) !== request
    ? undefined
    : { from: bytes.subarray(8, 14), fromAddress: get32(bytes, 14), address: get32(bytes, 24) }

/** `mac` has the address that was asked for. */
export const answer = ({ from, fromAddress, address }: Question, mac: Mac): Uint8Array =>
  encode([[2, ethernet], [2, etherType.ipv4], [1, 6], [1, 4], [2, reply], mac, [4, address], from, [4, fromAddress]])
