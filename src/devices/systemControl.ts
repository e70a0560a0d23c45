/**
 * System control port A, port 92H: address line 20 and the processor's reset, sooner than by the keyboard controller. IBM Personal System/2
 * Hardware Interface Technical Reference, "System Control Port A (Hex 0092)".
 */
import type { I8042 } from "./i8042.ts"
import type { Target } from "./Wires.ts"

/** Bits of the port. The others are 0. */
const PORT = { FAST_RESET: 1, A20: 2 } as const

export class SystemControl implements Target {
  private readonly keyboard: Pick<I8042, "fastA20" | "driveA20">
  private readonly asked: () => void
  private hasReset = false

  /** Address line 20 is the keyboard controller's output; `asked`: for a reset. */
  constructor(keyboard: Pick<I8042, "fastA20" | "driveA20">, asked: () => void) {
    this.keyboard = keyboard
    this.asked = asked
  }

  reset(): void {
    this.hasReset = false
  }

  read(): number {
    return (this.keyboard.fastA20 ? PORT.A20 : 0) | (this.hasReset ? PORT.FAST_RESET : 0)
  }

  /** A reset begins when its bit goes from 0 to 1. */
  write(_offset: number, _width: number, value: number): void {
    this.keyboard.driveA20((value & PORT.A20) !== 0)
    const asks = (value & PORT.FAST_RESET) !== 0
    const begins = asks && !this.hasReset
    this.hasReset = asks
    if (begins) this.asked()
  }
}
