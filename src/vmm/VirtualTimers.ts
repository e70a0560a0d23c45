/**
 * VirtualTimers: time as a guest's chips have it, and what happens when. It is the machine's: nothing is counted twice.
 *
 * Each event is some processor's to wait for, its *owner*: those of a local APIC are its processor's, those of all other chips the
 * first one's. Whoever looks lets everything happen that is due.
 */
import type { Timers } from "../devices/Wires.ts"

interface Event {
  readonly name: string
  readonly owner: number
  readonly due: number
  readonly happen: () => void
}

export class VirtualTimers implements Timers {
  /** Nanoseconds since the machine started. */
  readonly now: () => number
  private readonly events = new Map<string, Event>()
  /** By owner. */
  private readonly firsts: Array<Event | undefined> = []
  private readonly sooner: (owner: number) => void

  /** `sooner` is told whose first event is earlier than it was. */
  constructor(now: () => number, sooner: (owner: number) => void = () => undefined) {
    this.now = now
    this.sooner = sooner
  }

  schedule = (name: string, due: number, happen: () => void): void => this.add({ name, owner: 0, due, happen })

  cancel = (name: string): void => {
    const event = this.events.get(name)
    if (event === undefined) return
    this.events.delete(name)
    if (this.firsts[event.owner] === event) this.find(event.owner)
  }

  /** What is asked for here is this processor's to wait for. */
  of(owner: number): Timers {
    return {
      now: this.now,
      schedule: (name, due, happen) => this.add({ name, owner, due, happen }),
      cancel: this.cancel
    }
  }

  /** When the first of a processor's events is due, or infinity. */
  next(owner = 0): number {
    return this.firsts[owner]?.due ?? Number.POSITIVE_INFINITY
  }

  /** All that is due by now happens, in order of time. */
  runDue(): void {
    for (let event = this.first(); event !== undefined && event.due <= this.now(); event = this.first()) {
      this.cancel(event.name)
      event.happen()
    }
  }

  private add(event: Event): void {
    const { owner } = event
    const was = this.next(owner)
    this.cancel(event.name)
    this.events.set(event.name, event)
    this.find(owner)
    if (this.next(owner) < was) this.sooner(owner)
  }

  private first(): Event | undefined {
    let first: Event | undefined
    for (const event of this.firsts)
      if (event !== undefined && (first === undefined || event.due < first.due)) first = event
    return first
  }

  private find(owner: number): void {
    let first: Event | undefined
    for (const event of this.events.values())
      if (event.owner === owner && (first === undefined || event.due < first.due)) first = event
    this.firsts[owner] = first
  }
}
