/**
 * AML: the bytes of ACPI's definition blocks.
 *
 * ACPI Specification, "ACPI Machine Language (AML) Specification", "AML Grammar Definition", and for resources "Resource Data Types
 * for ACPI". Only what a description of fixed hardware needs: names with data, and no methods.
 */

export type Aml = readonly number[]

const bytesOf = (value: number, count: number): Aml =>
  Array.from({ length: count }, (_, n) => Math.floor(value / 2 ** (8 * n)) % 256)

const characters = (text: string): Aml => Array.from(text, (character) => character.charCodeAt(0))

// ---- "AML Grammar Definition"

/** PkgLength: it counts itself. Bits 7 and 6 of the first byte say how many bytes follow. */
const packaged = (content: Aml): Aml => {
  const length = content.length
  if (length + 1 < 0x40) return [length + 1, ...content]
  const following = length + 2 < 0x1000 ? 1 : length + 3 < 0x10_0000 ? 2 : 3
  const total = length + 1 + following
  return [(following << 6) | (total & 0xf), ...bytesOf(Math.floor(total / 16), following), ...content]
}

/** A name: segments of four characters, filled up with underscores, from the root if it begins with a backslash. */
const nameString = (path: string): Aml => {
  const isFromRoot = path.startsWith("\\")
  const segments = path.slice(isFromRoot ? 1 : 0).split(".")
  if (segments.length > 2) throw new Error(`no name of more than two segments is written here: ${path}`)
  const prefix = segments.length === 2 ? [0x2e] : []
  return [
    ...(isFromRoot ? [0x5c] : []),
    ...prefix,
    ...segments.flatMap((segment) => characters(segment.padEnd(4, "_")))
  ]
}

export const integer = (value: number): Aml => {
  if (value < 2) return [value]
  if (value < 2 ** 8) return [0x0a, value]
  return value < 2 ** 16 ? [0x0b, ...bytesOf(value, 2)] : [0x0c, ...bytesOf(value, 4)]
}

export const name = (path: string, data: Aml): Aml => [0x08, ...nameString(path), ...data]

export const scope = (path: string, ...terms: readonly Aml[]): Aml => [
  0x10,
  ...packaged([...nameString(path), ...terms.flat()])
]

export const device = (path: string, ...terms: readonly Aml[]): Aml => [
  0x5b,
  0x82,
  ...packaged([...nameString(path), ...terms.flat()])
]

export const packageOf = (...elements: readonly Aml[]): Aml => [
  0x12,
  ...packaged([elements.length, ...elements.flat()])
]

export const buffer = (bytes: Aml): Aml => [0x11, ...packaged([...integer(bytes.length), ...bytes])]

/** "EISAID": three letters of five bits and four hexadecimal digits, the most significant byte first. */
export const eisaId = (id: string): Aml => {
  const [a, b, c] = characters(id.slice(0, 3)).map((letter) => letter - 0x40)
  const word = ((a! << 10) | (b! << 5) | c!) * 0x1_0000 + Number.parseInt(id.slice(3), 16)
  return [0x0c, ...bytesOf(word, 4).toReversed()]
}

export const string = (value: string): Aml => [0x0d, ...characters(value), 0]

// ---- "Resource Data Types for ACPI"

/** A resource template: resources and an end tag. */
export const resources = (...descriptors: readonly Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0])

/** "I/O Port Descriptor", 16-bit decode. */
export const ports = (base: number, count: number): Aml => [0x47, 1, ...bytesOf(base, 2), ...bytesOf(base, 2), 1, count]

/** "IRQ Descriptor": edge-triggered, high active, not shared. */
export const interrupt = (irq: number): Aml => [0x22, ...bytesOf(1 << irq, 2)]

/** "Extended Interrupt Descriptor" of a consumer: level-triggered, high active, not shared. */
export const levelInterrupt = (line: number): Aml => [0x89, 6, 0, 1, 1, ...bytesOf(line, 4)]

/** "32-bit Fixed Memory Range Descriptor", writable. */
export const memory = (base: number, bytes: number): Aml => [0x86, 9, 0, 1, ...bytesOf(base, 4), ...bytesOf(bytes, 4)]

const spaces = { memory: 0, io: 1, bus: 2 } as const

/** "Word Address Space Descriptor" of a producer: minimum and maximum are fixed. */
const wordSpace = (space: number, flags: number, base: number, count: number): Aml => [
  0x88,
  13,
  0,
  space,
  0x0c,
  flags,
  ...[0, base, base + count - 1, 0, count].flatMap((word) => bytesOf(word, 2))
]

export const busNumbers = (first: number, count: number): Aml => wordSpace(spaces.bus, 0, first, count)

export const portWindow = (base: number, count: number): Aml => wordSpace(spaces.io, 3, base, count)

/** "DWord Address Space Descriptor" of a producer of writable memory that is not cached. */
export const memoryWindow = (base: number, bytes: number): Aml => [
  0x87,
  23,
  0,
  spaces.memory,
  0x0c,
  1,
  ...[0, base, base + bytes - 1, 0, bytes].flatMap((word) => bytesOf(word, 4))
]
