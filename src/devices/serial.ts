/** Serial ports: COM1 and as many of its kind as there are, with the interrupts that they share. */
import { serialPorts } from "./addresses.ts"
import type { Mapping } from "./Bus.ts"
import { Uart16550 } from "./uart16550.ts"

/** What a serial port leads to. */
export interface SerialLine {
  /** A byte leaves the machine. */
  readonly write: (byte: number) => void
  /** The next byte for the machine, if there is one. */
  readonly read?: () => number | undefined
}

export class SerialPorts {
  private readonly uarts: readonly Uart16550[]
  private readonly levels: boolean[]

  /**
   * A port for each line, COM1 first; an undefined one leads nowhere. `setIrq`: the level of an ISA interrupt, which two ports share: it is high as
   * long as one of them asks.
   */
  constructor(lines: readonly (SerialLine | undefined)[], setIrq: (irq: number, level: boolean) => void) {
    this.levels = lines.map(() => false)
    this.uarts = lines.map(
      (line, n) =>
        new Uart16550({
          transmit: (byte) => line?.write(byte),
          receive: () => line?.read?.(),
          interrupt: (level) => {
            const { irq } = serialPorts[n]!
            this.levels[n] = level
            setIrq(
              irq,
              this.levels.some((each, other) => each && serialPorts[other]!.irq === irq)
            )
          }
        })
    )
  }

  /** Where they are, for a bus. */
  portMappings(): readonly Mapping[] {
    return this.uarts.map((target, n) => {
      const { name, base, count } = serialPorts[n]!
      return { name, start: base, bytes: count, target, widest: 8 }
    })
  }

  reset(): void {
    for (const uart of this.uarts) uart.reset()
  }

  /** Something may have arrived at the other end of a line. */
  look(): void {
    for (const uart of this.uarts) uart.look()
  }
}
