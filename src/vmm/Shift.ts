/**
 * Shift: which of a monitor's threads is at work.
 *
 * A monitor has a thread for each of its guest's processors. They are threads of one program, and share all that it has; one of them is at
 * work at a time, from an answer of the machine to its next request, and nothing of another comes between.
 */
import { Clock, Effect } from "effect"
import type { ThreadMemory } from "../types/Gate.ts"
import { Syscalls } from "../user/Syscalls.ts"

/** A thread of a monitor. Before it has begun it is never at work. */
export class Worker {
  /** Notifications that it signals before it goes on: capability pointers. */
  readonly signals: Array<bigint>
  private clock: (() => number) | undefined
  private own: ThreadMemory | undefined

  constructor(signals: Array<bigint>) {
    this.signals = signals
  }

  /** The thread that runs this is the one that is meant. */
  readonly begin: Effect.Effect<void, never, Syscalls> = Effect.gen({ self: this }, function* () {
    const clock = yield* Clock.Clock
    this.clock = () => Number(clock.currentTimeNanosUnsafe())
    this.own = (yield* Syscalls).memory
  })

  /** Nanoseconds since the machine started, as this thread knows it. */
  now(): number {
    return this.clock!()
  }

  get memory(): ThreadMemory {
    return this.own!
  }
}

export class Shift {
  private worker: Worker

  constructor(first: Worker) {
    this.worker = first
  }

  /** This thread is at work from here on. */
  begin(worker: Worker): void {
    this.worker = worker
  }

  isAtWork(worker: Worker): boolean {
    return this.worker === worker
  }

  readonly now = (): number => this.worker.now()

  /** They have one address space. */
  readonly memory: ThreadMemory = {
    read: (address, into) => this.worker.memory.read(address, into),
    write: (address, bytes) => this.worker.memory.write(address, bytes)
  }

  /** Before the thread that is at work goes on, it signals this notification. */
  readonly signal = (notification: bigint): void => {
    const { signals } = this.worker
    if (!signals.includes(notification)) signals.push(notification)
  }
}
