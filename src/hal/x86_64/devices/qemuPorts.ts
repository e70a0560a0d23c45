/**
 * The helper ports of QEMU's PC, for images that are built for it: a way to end, and a way to print.
 *
 * QEMU's documentation of `isa-debug-exit` and `isa-debugcon`.
 */
import type { Target } from "./Wires.ts"

export const helperPorts = { debugExit: 0xf4, debugConsole: [0xe9, 0x402] } as const

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
