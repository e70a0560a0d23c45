/** Ram: the memory of a PC before its processor runs, as who loads something into it sees it. */

/** A part of physical memory: [start, end), in bytes. */
export interface Region {
  readonly start: number
  readonly end: number
}

export interface Ram {
  /** RAM is at physical addresses 0 to `ramBytes`. */
  readonly ramBytes: number
  /** The bytes of a part of it: what is written there is in memory. Nobody runs yet who could write as well. */
  readonly ram: (start: number, length: number) => Uint8Array
}

/** 32 bits, little-endian. */
export const put32 = (bytes: Uint8Array, offset: number, value: number): void => {
  for (let n = 0; n < 4; n++) bytes[offset + n] = (value >>> (8 * n)) & 0xff
}

export const overlap = (a: Region, b: Region): boolean => a.start < b.end && b.start < a.end

/** A text with the 0 that ends it. */
export const text = (characters: string): Uint8Array => new TextEncoder().encode(`${characters}\0`)
