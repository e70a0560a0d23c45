/** Time for a chip under test: it passes when the test says so, and what is due happens on the way. */

import type { Timers } from "../../src/devices/Wires.ts"

export class Time implements Timers {
  private time = 0
  private readonly events = new Map<string, { readonly due: number; readonly happen: () => void }>()

  now = (): number => this.time

  schedule = (name: string, due: number, happen: () => void): void => {
    if (!Number.isInteger(due)) throw new Error(`${name} is due at ${due}`)
    this.events.set(name, { due, happen })
  }

  cancel = (name: string): void => {
    this.events.delete(name)
  }

  /** When the first event is due, or infinity. */
  next(): number {
    return Math.min(...[...this.events.values()].map(({ due }) => due))
  }

  /** The time becomes `time`, and what is due until then happens. */
  passTo(time: number): void {
    while (this.next() <= time) {
      const [name, event] = [...this.events].reduce((a, b) => (b[1].due < a[1].due ? b : a))
      this.events.delete(name)
      this.time = Math.max(this.time, event.due)
      event.happen()
    }
    this.time = time
  }

  pass(nanoseconds: number): void {
    this.passTo(this.time + nanoseconds)
  }
}
