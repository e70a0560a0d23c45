/**
 * The helper devices of QEMU's PC, for images that are built for it: a way to end, a way to print, and something to test with.
 *
 * QEMU's `isa-debug-exit`, `isa-debugcon` and `pc-testdev`.
 */
import { ones, type Target } from "./Wires.ts"

export const helperPorts = { debugExit: 0xf4, debugConsole: [0xe9, 0x402] } as const
export const fwCfgPorts = { base: 0x510, count: 12 } as const

/** Port F4H: writing `v` ends the machine with status 2v + 1. */
export const debugExit = (exit: (status: number) => void): Target => ({
  read: () => 0,
  write: (_offset, _width, value) => exit(((value << 1) | 1) >>> 0)
})

/** Ports E9H and 402H: a byte written is printed, and reading says that the console is there. */
export const debugConsole = (print: (byte: number) => void): Target => ({
  read: () => 0xe9,
  write: (_offset, _width, value) => print(value & 0xff)
})

/** Where the test device of QEMU's PC is: ports E0H to E7H, a port for each interrupt line, and memory. */
export const testDevice = {
  latch: { base: 0xe0, count: 8 },
  lines: { base: 0x2000, count: 24 },
  memory: { base: 0xff00_0000, bytes: 0x1_0000 }
} as const

/** A doubleword that is read as it was written, in any width, from offset 0; offset 4 is a command that does nothing. */
export const testLatch = (): Target => {
  const bytes = new Uint8Array(4)
  return {
    read: (offset, width) => readLittleEndian(bytes, offset, width),
    write: (offset, width, value) => writeLittleEndian(bytes, offset, width, value)
  }
}

/** The port of a line: a byte raises (not 0) or lowers it. */
export const testLines = (setLine: (line: number, level: boolean) => void): Target => ({
  read: (_, width) => ones(width),
  write: (offset, _, value) => setLine(offset, (value & 0xff) !== 0)
})

/** Memory that is a device: every access comes here. */
export const testMemory = (): Target => {
  const bytes = new Uint8Array(testDevice.memory.bytes)
  return {
    read: (offset, width) => readLittleEndian(bytes, offset, width),
    write: (offset, width, value) => writeLittleEndian(bytes, offset, width, value)
  }
}

const readLittleEndian = (bytes: Uint8Array, offset: number, width: number): number => {
  let value = 0
  for (let n = 0; n < width / 8; n++) value += (bytes[offset + n] ?? 0) * 2 ** (8 * n)
  return value
}

const writeLittleEndian = (bytes: Uint8Array, offset: number, width: number, value: number): void => {
  for (let n = 0; n < width / 8; n++) bytes[offset + n] = value >>> (8 * n)
}
