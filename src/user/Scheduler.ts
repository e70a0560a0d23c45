/**
 * Scheduler: which of a program's fibers runs next.
 *
 * They run one after the other until each waits for something, or until they have done as many operations as they may in one go.
 */
import type { Scheduler } from "effect"

/** A program's operations in one go. */
export const quantum = 256

type Waiting = readonly [priority: number, run: () => void]

export class TaskScheduler implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "sync"
  /** In the order in which they will run: a lower priority number first, and among equals who came first. */
  readonly #ready: Array<Waiting> = []
  #operations = 0

  /** What follows is one go. */
  begin(): void {
    this.#operations = 0
  }

  /** Operations since it began. */
  get operations(): number {
    return this.#operations
  }

  get idle(): boolean {
    return this.#ready.length === 0
  }

  /** Run fibers until all wait or the quantum is used up. */
  run(): void {
    while (this.#operations < quantum) {
      if (this.#ready.length === 0) return
      this.#ready.shift()![1]()
    }
  }

  shouldYield(): boolean {
    return ++this.#operations >= quantum
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(run: () => void, priority: number): void {
    let at = this.#ready.length
    while (at > 0 && this.#ready[at - 1]![0] > priority) at--
    this.#ready.splice(at, 0, [priority, run])
  }

  flush(): void {}
}
