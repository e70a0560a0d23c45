/**
 * Oscillator: a clock of a chip, as a rational of the machine's time. Counts are computed from the time, exactly, and never kept.
 */
export interface Oscillator {
  /** How many ticks there were from time 0 to `now`. */
  readonly ticksAt: (now: number) => number
  /** The first nanosecond at which there have been `ticks`. */
  readonly timeOf: (ticks: number) => number
}

/** `ticks` ticks in every `nanoseconds`. Products are kept below 2^53 by whole periods being taken out first. */
const every = (nanoseconds: number, ticks: number): Oscillator => ({
  ticksAt: (now) => Math.floor(now / nanoseconds) * ticks + Math.floor(((now % nanoseconds) * ticks) / nanoseconds),
  timeOf: (count) => Math.floor(count / ticks) * nanoseconds + Math.ceil(((count % ticks) * nanoseconds) / ticks)
})

/** The PC's crystal of 14.31818 MHz, exactly 315/22 MHz, divided by 12: the 8254's 1.193182 MHz. */
export const pitClock = every(88_000, 105)

/** The same crystal divided by 4: ACPI's 3.579545 MHz. */
export const pmClock = every(88_000, 315)

/** 100 MHz: a period of 10,000,000 femtoseconds is exact in the HPET's register. */
export const hpetClock = every(10, 1)
