/**
 * Clock: time as the number of instructions retired, and what happens at a given time.
 *
 * The count is `at.deadline` - `at.countdown` of the state block, at every moment: readings take instructions off the
 * countdown, the host's work is charged to it. The deadline is never later than the first event; when the countdown
 * is used up, whoever runs comes back here.
 */
import { at } from "./processor/State.ts"

interface Event {
  readonly name: string
  due: number
  happen: () => void
}

/**
 * In `at.attention`: the countdown was shortened, and a reading that keeps what is left of it elsewhere must look again. To whoever
 * takes instructions off `at.countdown` itself it is no reason to stop.
 */
export const sooner = 2

/** The most that a countdown is set to: how long a reading may run before it comes back for no reason. */
const slice = 2 ** 20

export class Clock {
  private readonly i32: Int32Array
  /** What is to happen; each name at most once. */
  private readonly events: Event[] = []
  private first = Number.POSITIVE_INFINITY

  constructor(memory: Int32Array) {
    this.i32 = memory
  }

  now(): number {
    return (
      this.i32[(at.deadline + 4) >> 2]! * 2 ** 32 + (this.i32[at.deadline >> 2]! >>> 0) - this.i32[at.countdown >> 2]!
    )
  }

  /** `instructions` pass. */
  charge(instructions: number): void {
    this.i32[at.countdown >> 2]! -= instructions
  }

  /** `instructions` pass in the middle of one. What is due by then is looked at when that is done. */
  wait(instructions: number): void {
    this.charge(instructions)
    this.i32[at.attention >> 2] = 1
  }

  /** When the first event is due, or infinity. */
  next(): number {
    return this.first
  }

  isDue(): boolean {
    return this.first <= this.now()
  }

  /** Let `happen` be called when the count reaches `due`; it takes the place of the event that had this name. */
  schedule(name: string, due: number, happen: () => void): void {
    const event = this.find(name)
    const before = event === undefined ? Number.POSITIVE_INFINITY : event.due
    if (event === undefined) this.events.push({ name, due, happen })
    else {
      event.due = due
      if (event.happen !== happen) event.happen = happen
    }
    if (due <= this.first) this.first = due
    else if (before === this.first) this.findFirst()
    const now = this.now()
    const until = Math.max(now, due)
    if (until < now + this.i32[at.countdown >> 2]!) {
      this.countTo(until, now)
      this.i32[at.attention >> 2]! |= sooner
    }
  }

  cancel(name: string): void {
    const event = this.find(name)
    if (event === undefined) return
    this.events.splice(this.events.indexOf(event), 1)
    this.findFirst()
  }

  private find(name: string): Event | undefined {
    for (const event of this.events) if (event.name === name) return event
    return undefined
  }

  /** All that is due by now happens, in order of time. */
  runDue(): void {
    while (this.isDue()) {
      const event = this.events.reduce((a, b) => (b.due < a.due ? b : a))
      this.cancel(event.name)
      event.happen()
    }
  }

  /** Let the countdown end at the next event, at `limit`, or soon. */
  aim(limit: number): void {
    const now = this.now()
    this.countTo(Math.max(now, Math.min(this.first, limit, now + slice)), now)
  }

  /** How much of the count nothing was done in. */
  idle = 0

  /** Time goes on to `count` with nothing done: the processor is halted. */
  skipTo(count: number): void {
    this.idle += count - this.now()
    this.countTo(count, count)
  }

  private countTo(deadline: number, now: number): void {
    this.i32[at.deadline >> 2] = deadline | 0
    this.i32[(at.deadline + 4) >> 2] = Math.floor(deadline / 2 ** 32)
    this.i32[at.countdown >> 2] = deadline - now
  }

  private findFirst(): void {
    this.first = Number.POSITIVE_INFINITY
    for (const { due } of this.events) if (due < this.first) this.first = due
  }
}
