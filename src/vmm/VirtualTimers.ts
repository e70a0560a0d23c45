/** VirtualTimers: time as a guest's chips have it, and what happens when. It is the machine's: nothing is counted twice. */
import type { Timers } from "../devices/Wires.ts"

interface Event {
  readonly name: string
  readonly due: number
  readonly happen: () => void
}

export class VirtualTimers implements Timers {
  /** Nanoseconds since the machine started. */
  readonly now: () => number
  private readonly events = new Map<string, Event>()
  private first: Event | undefined

  constructor(now: () => number) {
    this.now = now
  }

  schedule = (name: string, due: number, happen: () => void): void => {
    this.events.set(name, { name, due, happen })
    this.find()
  }

  cancel = (name: string): void => {
    if (this.events.delete(name)) this.find()
  }

  /** When the first of them is due, or infinity. */
  next(): number {
    return this.first?.due ?? Number.POSITIVE_INFINITY
  }

  /** All that is due by now happens, in order of time. */
  runDue(): void {
    for (let event = this.first; event !== undefined && event.due <= this.now(); event = this.first) {
      this.cancel(event.name)
      event.happen()
    }
  }

  private find(): void {
    this.first = undefined
    for (const event of this.events.values())
      if (this.first === undefined || event.due < this.first.due) this.first = event
  }
}
