/**
 * The local APIC's timer: its counts as functions of the time.
 *
 * SDM vol. 3A, "APIC Timer". It counts at one count for each nanosecond, divided. Nothing happens while it counts: the current count is
 * computed when it is read, and only an expiry that would be heard is asked for.
 */
import type { Timers } from "./Wires.ts"

/** "Timer Mode", bits 18:17 of the LVT timer register. */
export const timerMode = { oneShot: 0, periodic: 1, deadline: 2, reserved: 3 } as const

export class ApicTimer {
  private readonly timers: Timers
  private readonly name: string
  private readonly expired: () => void
  private mode: number = timerMode.oneShot
  private isHeard = false
  private divisor = 2
  initialCount = 0
  /** The count was `count` at time `from`. 0: the timer does not count. */
  private count = 0
  private from = 0
  /** In deadline mode: when it expires, or infinity. */
  private due = Number.POSITIVE_INFINITY

  /** `name` is the timer's among all that ask for wake-ups. */
  constructor(timers: Timers, name: string, expired: () => void) {
    this.timers = timers
    this.name = name
    this.expired = expired
  }

  reset(): void {
    this.mode = timerMode.oneShot
    this.isHeard = false
    this.divisor = 2
    this.disarm()
  }

  /**
   * A write to the LVT timer register: its mode, and whether an expiry is an interrupt. "A write to the LVT Timer Register that
   * changes the timer mode disarms the local APIC timer": processors do so on the way into and out of TSC-deadline mode; between
   * one-shot and periodic mode they count on.
   */
  configure(mode: number, isHeard: boolean): void {
    this.isHeard = isHeard
    if (mode !== this.mode) {
      this.settle()
      if (!isCounting(mode) || !isCounting(this.mode)) this.disarm()
      this.mode = mode
    }
    this.await()
  }

  /** "Divide Configuration Register": bits 3, 1 and 0 say 2, 4, 8, ... 128, and 1. */
  divide(configuration: number): void {
    const exponent = ((configuration >>> 1) & 4) | (configuration & 3)
    this.settle()
    if (this.count > 0) this.from = this.timers.now()
    this.divisor = exponent === 7 ? 1 : 2 << exponent
    this.await()
  }

  /** "In TSC-deadline mode, writes to the initial-count register are ignored." */
  start(initialCount: number): void {
    if (!isCounting(this.mode)) return
    this.initialCount = initialCount
    this.count = initialCount
    this.from = this.timers.now()
    this.await()
  }

  currentCount(): number {
    const passed = Math.floor((this.timers.now() - this.from) / this.divisor)
    if (passed < this.count) return this.count - passed
    // "In periodic mode, the current-count register is automatically reloaded from the initial-count register when the count reaches 0."
    const isReloaded = this.mode === timerMode.periodic && this.count > 0 && this.initialCount > 0
    return isReloaded ? this.initialCount - ((passed - this.count) % this.initialCount) : 0
  }

  /** Deadline mode: one expiry at `due`, in place of what was asked for before. Infinity disarms. */
  expireAt(due: number): void {
    this.due = due
    this.await()
  }

  private disarm(): void {
    this.initialCount = 0
    this.count = 0
    this.due = Number.POSITIVE_INFINITY
    this.timers.cancel(this.name)
  }

  /** The same count, told from the tick before now. */
  private settle(): void {
    const now = this.timers.now()
    this.count = this.currentCount()
    this.from = now - ((now - this.from) % this.divisor)
  }

  /** The first expiry after now. */
  private next(): number {
    if (this.mode === timerMode.deadline) return this.due
    if (this.count === 0 || !this.isHeard || !isCounting(this.mode)) return Number.POSITIVE_INFINITY
    const [now, first] = [this.timers.now(), this.from + this.count * this.divisor]
    if (now < first) return first
    const period = this.initialCount * this.divisor
    return this.mode === timerMode.periodic && period > 0
      ? first + (Math.floor((now - first) / period) + 1) * period
      : Number.POSITIVE_INFINITY
  }

  private await(): void {
    const due = this.next()
    if (due === Number.POSITIVE_INFINITY) this.timers.cancel(this.name)
    else this.timers.schedule(this.name, due, this.expire)
  }

  private expire = (): void => {
    this.due = Number.POSITIVE_INFINITY
    this.await()
    this.expired()
  }
}

const isCounting = (mode: number): boolean => mode === timerMode.oneShot || mode === timerMode.periodic
