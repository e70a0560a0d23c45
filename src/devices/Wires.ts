/**
 * What a chip is connected to. A chip is a state machine that knows nothing else: buses, interrupt controllers and the clock
 * come to it as these.
 */

/** Who answers an access, at an offset from where it is mapped. `width` is in bits: 8, 16 or 32, naturally aligned; values are unsigned. */
export interface Target {
  readonly read: (offset: number, width: number) => number
  readonly write: (offset: number, width: number, value: number) => void
}

/** An output of a chip. It is called with the level that the output has from now on, and may be called when that is the same as before. */
export type Wire = (level: boolean) => void

/** A message signalled interrupt: a write of `data` to an address in FEEx_xxxxH. False: nobody accepted it. */
export type Message = (address: number, data: number) => boolean

/** Time, in nanoseconds since the machine started, and something to be called later. `Clock` is one. */
export interface Timers {
  readonly now: () => number
  /** Let `happen` be called when the time is `due`, a whole number; it takes the place of what had this name. In the past: as soon as may be. */
  readonly schedule: (name: string, due: number, happen: () => void) => void
  readonly cancel: (name: string) => void
}

/** A device's way to memory. False: refused, and nothing, or a part, was moved. Addresses may be any number: what is no memory is refused. */
export interface Dma {
  readonly read: (address: number, bytes: Uint8Array) => boolean
  readonly write: (address: number, bytes: Uint8Array) => boolean
}

/** What is read where nothing answers. */
export const ones = (width: number): number => 2 ** width - 1
