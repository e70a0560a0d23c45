/** DNS (RFC 1035): questions for an address of a name, and their answers. */
import type { Address } from "./ipv4.ts"
import { encode, get16 } from "./wire.ts"

export const port = 53

const headerBytes = 12
const [isResponse, recursion] = [0x8000, 0x0180]
const [typeA, classIn] = [1, 1]
/** "RCODE". */
export const outcome = { ok: 0, formatError: 1, serverFailure: 2, noName: 3 } as const
/** An answer's name is the question's, which follows the header. */
const nameOfQuestion = 0xc00c
const seconds = 60

export interface Question {
  readonly id: number
  readonly name: string
  /** It asks for an address of IPv4; others are answered with nothing. */
  readonly isForAddress: boolean
  /** The question as it was asked. */
  readonly bytes: Uint8Array
}

/** A message with one question; undefined if it is none. */
export const parseQuestion = (message: Uint8Array): Question | undefined => {
  if (message.length < headerBytes + 5 || get16(message, 2) & isResponse || get16(message, 4) !== 1) return undefined
  const labels: string[] = []
  let at = headerBytes
  for (let length = message[at]!; length !== 0; length = message[at] ?? 64) {
    if (length > 63 || at + 1 + length >= message.length) return undefined
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + length)))
    at += 1 + length
  }
  if (at + 5 > message.length) return undefined
  return {
    id: get16(message, 0),
    name: labels.join(".").toLowerCase(),
    isForAddress: get16(message, at + 1) === typeA && get16(message, at + 3) === classIn,
    bytes: message.slice(headerBytes, at + 5)
  }
}

export const answer = (
  { id, bytes, isForAddress }: Question,
  rcode: number,
  addresses: readonly Address[] = []
): Uint8Array => {
  const records = isForAddress ? addresses : []
  return encode([
    [2, id],
    [2, isResponse | recursion | rcode],
    [2, 1],
    [2, records.length],
    [4, 0],
    bytes,
    ...records.flatMap((address) => [
      [2, nameOfQuestion] as const,
      [2, typeA] as const,
      [2, classIn] as const,
      [4, seconds] as const,
      [2, 4] as const,
      [4, address] as const
    ])
  ])
}
