import { Context } from "effect"

/**
 * Gates: where the processor hands over to the host.
 *
 * The kernel's entry stubs hold gates that are honoured in the most privileged mode. The processor calls `enter` with the
 * number in the gate; every register is as the program left it, and what `enter` leaves is what the processor goes on with.
 */
export interface GatesService {
  readonly install: (enter: (entry: number) => void) => void
}

export class Gates extends Context.Service<Gates, GatesService>()("skyscope/hal/Gates") {}

/**
 * The kernel cannot go on: thrown through the gate, it stops the machine. `report` says which promise broke, or which access was refused.
 */
export class Halt extends Error {
  override readonly name = "Halt"
  readonly report: string
  constructor(report: string) {
    super(report)
    this.report = report
  }
}
