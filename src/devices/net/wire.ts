/** Numbers on a wire: the most significant byte first. */

export const get16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
export const get32 = (bytes: Uint8Array, at: number): number => get16(bytes, at) * 2 ** 16 + get16(bytes, at + 2)

/** A part of a packet: a number of so many bytes, or bytes as they are. */
export type Field = readonly [bytes: 1 | 2 | 4, value: number] | Uint8Array

export const encode = (fields: readonly Field[]): Uint8Array => {
  const bytes = new Uint8Array(fields.reduce((sum, field) => sum + (isBytes(field) ? field.length : field[0]), 0))
  let at = 0
  for (const field of fields) {
    if (isBytes(field)) {
      bytes.set(field, at)
      at += field.length
    } else {
      const [length, value] = field
      for (let n = length - 1; n >= 0; n--) bytes[at++] = Math.floor(value / 2 ** (8 * n)) & 0xff
    }
  }
  return bytes
}

const isBytes = (field: Field): field is Uint8Array => field instanceof Uint8Array

/** RFC 1071: the complement of the sum of 16-bit words, carries added to it. Of a packet that holds its checksum it is 0. */
export const checksum = (...parts: readonly Uint8Array[]): number => {
  let sum = 0
  for (const part of parts) {
    for (let at = 0; at + 1 < part.length; at += 2) sum += get16(part, at)
    if (part.length % 2 === 1) sum += part.at(-1)! << 8
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 2 ** 16)
  return ~sum & 0xffff
}

/** With the checksum of all of it in its place. Parts before the last have an even number of bytes. */
export const withChecksum = (bytes: Uint8Array, at: number, ...before: readonly Uint8Array[]): Uint8Array => {
  const sum = checksum(...before, bytes)
  bytes[at] = sum >>> 8
  bytes[at + 1] = sum & 0xff
  return bytes
}
