/**
 * Processors: those of one machine, one running at a time.
 *
 * *Time* is the number of instructions that all of them have retired together: one clock, which never goes back whoever looks at it.
 * Each runs for a *turn*, in the order of their numbers. A turn is `turn` instructions; it is over sooner when the processor
 * waits (HLT, MWAIT, or for a start-up message), after a PAUSE, by which it says that another has to do something first, and after the instruction that sends something to another processor, or at the instant
 * of an event that does: an interrupt, NMI, INIT, start-up message. What was sent is there when the other's turn begins. While all
 * wait, time skips to the next event.
 *
 * So everything happens at an instant that depends on the machine's state alone: however the instructions are run, and however
 * often `run` returns in between. Between two instructions of one processor nothing of another is half done: every access is
 * atomic, LOCK or not, and all see one order of writes. That is stronger than SDM vol. 3A, "Memory Ordering", promises.
 *
 * The state block is at one address: a turn begins by putting the processor's own there.
 */
import type { Clock } from "./Clock.ts"
import type { Access } from "./memory/Access.ts"
import { processorRoom } from "./memory/layout.ts"
import type { PhysicalMemory } from "./memory/PhysicalMemory.ts"
import type { Find } from "./memory/walker.ts"
import type { Bounds, Processor, Stop } from "./Processor.ts"
import { at } from "./processor/State.ts"
import { system } from "./system/registers.ts"
import { powerUp } from "./system/reset.ts"

/** No count: of what holds until the next instruction of a processor that does not run. */
const aside = Number.POSITIVE_INFINITY

/** Instructions. The last few before a given count are left to plain execution: beginning a turn takes as long as some thousands. */
const turn = 50_000

export class Processors {
  private readonly memory: PhysicalMemory
  private readonly clock: Clock
  private readonly all: readonly Processor[]
  private readonly bounds: Bounds
  private current = 0

  /** `bounds` is what the processors have in common. */
  constructor(memory: PhysicalMemory, clock: Clock, all: readonly Processor[], bounds: Bounds) {
    this.memory = memory
    this.clock = clock
    this.all = all
    this.bounds = bounds
    this.beginTurn()
  }

  /** The one whose state block is in place. */
  get running(): Processor {
    return this.all[this.current]!
  }

  /** The machine stops after the instruction that runs. */
  stop(reason: Stop): void {
    this.bounds.stopped ??= reason
    this.attend()
  }

  /** Something has arrived for processor `n`. */
  notice(n: number): void {
    this.all[n]!.waits = false
    if (n !== this.current) this.bounds.turnEnds = this.clock.now()
    this.attend()
  }

  /** There is a store to this physical page: whoever has watched it goes on. */
  written(page: number): void {
    for (const [n, processor] of this.all.entries()) if (processor.written(page) && processor.waits) this.notice(n)
  }

  /** Who spins has the others go on. */
  pause(): void {
    if (this.bounds.turnEnds === Number.POSITIVE_INFINITY) return
    this.bounds.turnEnds = this.clock.now()
    this.attend()
  }

  private attend(): void {
    this.memory.i32[at.attention >> 2] = 1
  }

  /**
   * Run until there is a reason to stop. Stopped by the limit, it goes on when called again, as if it had not
   * stopped.
   */
  run(limit: number): Stop {
    const { clock, bounds } = this
    bounds.stopped = undefined
    for (;;) {
      this.running.run(limit)
      if (bounds.stopped) return bounds.stopped
      if (clock.now() >= limit) return { _tag: "Limit" }
      if (!this.passTurn()) {
        if (!this.skip(limit)) return { _tag: "Idle" }
        clock.runDue()
      }
    }
  }

  /** The next in order that does not wait has its turn. False if all wait. */
  private passTurn(): boolean {
    const { all, current } = this
    for (let n = 1; n <= all.length; n++) {
      const next = (current + n) % all.length
      if (all[next]!.waits) continue
      this.swap(next)
      this.beginTurn()
      return true
    }
    return false
  }

  /** It has no end while there is nobody else. */
  private beginTurn(): void {
    const { all, bounds, current, clock } = this
    const isAlone = all.every(({ waits }, n) => waits || n === current)
    bounds.turnEnds = isAlone ? Number.POSITIVE_INFINITY : clock.now() + turn
  }

  /** All as after power-up. The first has its turn. */
  powerUp(): void {
    for (let n = this.all.length - 1; n >= 0; n--) {
      this.swap(n)
      this.running.reset()
      powerUp(this.running.core)
    }
    this.beginTurn()
  }

  /** The state block of this processor is put in place. */
  private swap(next: number): void {
    const { memory, clock, current } = this
    if (next === current) return
    const now = clock.now()
    const [out, into] = [current, next].map((n) => processorRoom(memory.ramBytes, n).state)
    this.move(now, aside)
    memory.u8.copyWithin(out!, 0, at.end)
    memory.u8.copyWithin(0, into!, into! + at.end)
    this.current = next
    this.running.core.mmu.tellWalker()
    clock.skipTo(now)
    this.move(aside, now)
  }

  /** What holds at the count when a processor is put aside holds at the count when it goes on. */
  private move(from: number, to: number): void {
    const { view } = this.memory
    for (const count of [system.shadow, system.resume])
      if (view.getFloat64(count, true) === from) view.setFloat64(count, to, true)
  }

  /** Nothing is done until the next event. False if there is none that could wake a processor. */
  private skip(limit: number): boolean {
    const { clock } = this
    if (clock.next() === Number.POSITIVE_INFINITY || !this.isWakeable) return false
    clock.skipTo(Math.max(clock.now(), Math.min(clock.next(), limit)))
    return true
  }

  /** An interrupt would be taken. */
  get isWakeable(): boolean {
    return this.all.some((processor) => processor.isWakeable)
  }
}

/** Accesses of whichever processor runs, for a reading that they share. The walker goes by what is in the state block: any is that of all. */
export const accessOf = (running: () => Access, find: Find): Access => ({
  read: (lo, hi, width) => running().read(lo, hi, width),
  modify: (lo, hi, width) => running().modify(lo, hi, width),
  write: (lo, hi, width) => running().write(lo, hi, width),
  execute: (lo, hi) => running().execute(lo, hi),
  codeDecoded: (page) => running().codeDecoded(page),
  find
})
