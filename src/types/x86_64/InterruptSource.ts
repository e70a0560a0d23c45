/** InterruptSource: where a device's interrupt comes from. */

/** A pin of an IOAPIC, and how its device signals there. */
export interface IoapicPin {
  readonly ioapic: number
  readonly pin: number
  readonly trigger: "edge" | "level"
  readonly polarity: "high" | "low"
  /** Each handler has a vector of its own, from 0 on: the kernel says of how many. */
  readonly vector: number
}

/** A device that writes its interrupts to memory: where it is, and a vector as for a pin. */
export interface MsiSource {
  readonly bus: number
  readonly device: number
  readonly function: number
  /** Which of the device's messages it is. */
  readonly handle: number
  readonly vector: number
}

export type InterruptSource = IoapicPin | MsiSource
