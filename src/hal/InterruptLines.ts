import { Context } from "effect"

/** What is signalled on a line, and how. */
export interface Line {
  /** The interrupt that the processor takes, by the number that its handlers go by. */
  readonly vector: number
  /** Asserted until its cause is gone: as long as it is, it comes again after each `endOfInterrupt`. */
  readonly isLevel: boolean
  /** Asserted at the lower of the two voltages. */
  readonly isLow: boolean
}

/**
 * InterruptLines: the wires by which chips interrupt the processor that send no messages. They end at pins of
 * controllers; both are counted from 0.
 */
export interface InterruptLinesService {
  /** Of each controller, how many pins it has. */
  readonly pins: readonly number[]
  /** Once this is done, what comes on the line is that interrupt. The line is masked. */
  readonly route: (controller: number, pin: number, line: Line) => void
  /** Nothing comes on a masked line. */
  readonly mask: (controller: number, pin: number, masked: boolean) => void
}

export class InterruptLines extends Context.Service<InterruptLines, InterruptLinesService>()(
  "skyscope/hal/InterruptLines"
) {}
