/**
 * The interrupt lines that a PC offers a kernel: the pins of its IOAPIC, by the writes that a driver would make.
 *
 * Intel 82093AA I/O Advanced Programmable Interrupt Controller, "Register Description".
 */

import type { Target } from "../../devices/Wires.ts"
import type { InterruptLinesService } from "../InterruptLines.ts"

const IOREGSEL = 0x00
const IOWIN = 0x10
const IOAPICVER = 0x01
/** The lower half of the redirection table's entry for a pin; the upper one is behind it. */
const entry = (pin: number): number => 0x10 + 2 * pin

// biome-ignore format: a table
const Low = { masked: 1 << 16, level: 1 << 15, lowActive: 1 << 13 } as const

export const interruptLines = (ioApic: Target): InterruptLinesService => {
  const read = (register: number): number => {
    ioApic.write(IOREGSEL, 32, register)
    return ioApic.read(IOWIN, 32)
  }
  const write = (register: number, value: number): void => {
    ioApic.write(IOREGSEL, 32, register)
    ioApic.write(IOWIN, 32, value)
  }
  return {
    // "Maximum Redirection Entry": the number of the last one.
    pins: [((read(IOAPICVER) >>> 16) & 0xff) + 1],
    route: (_controller, pin, { vector, isLevel, isLow }) => {
      write(entry(pin), Low.masked)
      // The destination is the one processor, whose local APIC has identifier 0.
      write(entry(pin) + 1, 0)
      write(entry(pin), vector | Low.masked | (isLevel ? Low.level : 0) | (isLow ? Low.lowActive : 0))
    },
    mask: (_controller, pin, masked) => {
      const low = read(entry(pin))
      write(entry(pin), masked ? low | Low.masked : low & ~Low.masked)
    }
  }
}
