/**
 * Interrupt messages: what travels between IOAPICs, devices, and local APICs.
 *
 * SDM vol. 3A, "Message Signalled Interrupts": "Message Address Register Format", "Message Data Register Format". An IOAPIC and a
 * local APIC that sends an IPI say the same things in other places; here they have one form.
 */
import type { Message } from "./Wires.ts"

/** SDM, "Delivery Mode" of LVT, ICR and message data. The names of the manual. */
// biome-ignore format: a table
export const deliveryMode = {
  fixed:          0b000,
  lowestPriority: 0b001,
  SMI:            0b010,
  NMI:            0b100,
  INIT:           0b101,
  startUp:        0b110,
  ExtINT:         0b111
} as const

/** The one that no sender has. */
export const reserved = 0b011

export interface Interrupt {
  readonly vector: number
  /** Of `deliveryMode`. */
  readonly mode: number
  readonly level: boolean
  readonly logical: boolean
  /** An APIC ID or a logical address, of 8 bits or (from an x2APIC) 32; or `everybody`. */
  readonly destination: number
}

/** "A broadcast IPI": FFH in 8 bits, FFFF_FFFFH in 32. */
export const everybody = 0xffff_ffff
export const wideDestination = (destination: number): number => (destination === 0xff ? everybody : destination)

/** Where messages of any sender go: addresses FEEx_xxxxH. */
export const isMessageAddress = (address: number): boolean => address >= 0xfee0_0000 && address < 0xfef0_0000

/** With the redirection hint set, the message goes to the processor with the lowest interrupt priority among those addressed. */
export const interruptOf = (address: number, data: number): Interrupt => {
  const mode = (data >>> 8) & 7
  const redirected = (address & 8) !== 0 && mode === deliveryMode.fixed
  return {
    vector: data & 0xff,
    mode: redirected ? deliveryMode.lowestPriority : mode,
    level: (data & 0x8000) !== 0,
    logical: (address & 4) !== 0,
    destination: wideDestination((address >>> 12) & 0xff)
  }
}

/** A local APIC as those who send to it see it. */
export interface Receiver {
  readonly id: () => number
  readonly isAddressed: (interrupt: Interrupt) => boolean
  /** The processor priority, by which the one with the lowest is found. */
  readonly priority: () => number
  readonly accept: (interrupt: Interrupt) => void
}

export type Shorthand = "none" | "self" | "all" | "others"

/** The paths between all local APICs and what sends to them: "Interrupt Distribution Mechanisms". */
export class InterruptBus {
  private readonly receivers: Receiver[] = []
  private readonly listeners: ((vector: number) => void)[] = []

  attach(receiver: Receiver): void {
    this.receivers.push(receiver)
  }

  /** An IOAPIC hears every EOI of a level-triggered interrupt. */
  attachListener(endOfInterrupt: (vector: number) => void): void {
    this.listeners.push(endOfInterrupt)
  }

  /** Devices start no processors up. */
  message: Message = (address, data) => {
    const interrupt = interruptOf(address, data)
    return interrupt.mode !== reserved && interrupt.mode !== deliveryMode.startUp && this.send(interrupt)
  }

  /** False: no local APIC is addressed. */
  send(interrupt: Interrupt, shorthand: Shorthand = "none", from?: Receiver): boolean {
    const addressed = this.receivers.filter((receiver) => {
      const isMeant = shorthand === "none" || shorthand === "all" || (shorthand === "self") === (receiver === from)
      return isMeant && receiver.isAddressed(interrupt)
    })
    if (interrupt.mode === deliveryMode.lowestPriority && addressed.length > 0) {
      addressed.reduce((a, b) => (b.priority() < a.priority() ? b : a)).accept(interrupt)
    } else for (const receiver of addressed) receiver.accept(interrupt)
    return addressed.length > 0
  }

  endOfInterrupt(vector: number): void {
    for (const heard of this.listeners) heard(vector)
  }
}
