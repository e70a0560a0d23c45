import { Context } from "effect"

/**
 * Time: retired instructions since the machine started, one nanosecond each. Whole numbers below 2^53.
 */
export interface TimeService {
  readonly now: () => number
  /** The work that the host does in place of instructions takes time: `instructions` pass. */
  readonly charge: (instructions: number) => void
  /** One interrupt of the timer, at the first instruction at or after `time`. It takes the place of the one asked for before. */
  readonly setDeadline: (time: number) => void
  readonly clearDeadline: () => void
  /** An interrupt waits that the processor would take if it were interruptible, or the deadline has passed. */
  readonly interruptPending: () => boolean
  /** The interrupt that the processor took last has been handled. */
  readonly endOfInterrupt: () => void
}

export class Time extends Context.Service<Time, TimeService>()("skyscope/hal/Time") {}
