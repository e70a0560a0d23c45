/**
 * PIT: three counters of 16 bits at 1.193182 MHz, and the port beside them that drives the speaker.
 *
 * Intel 8254 Programmable Interval Timer, "Programming the 8254", "Mode Definitions", "Read Operations"; port 61H is the 82801 I/O
 * Controller Hubs' NMI_SC, "NMI Status and Control Register". Counts and outputs are functions of the time.
 */
import { pitClock } from "./oscillator.ts"
import { get, RegisterFile, ro, rw, type Table, wo } from "./registers.ts"
import { ones, type Target, type Timers, type Wire } from "./Wires.ts"

// biome-ignore format: a table
const CONTROL = {
  SC:  wo(7, 6),   // Select Counter, 3: Read-Back Command
  RW:  wo(5, 4),   // 0: Counter Latch Command; 1 least, 2 most significant byte; 3 both
  M:   wo(3, 1),   // mode; bit 2 is not looked at in modes 2 and 3
  BCD: wo(0)
} as const

/** "Read-Back Command". A 0 in COUNT or STATUS latches it. */
// biome-ignore format: a table
const READ_BACK = {
  COUNT:  wo(5),
  STATUS: wo(4),
  CNT:    wo(3, 1)
} as const

/** "Status Byte". Bits 5 to 0 are the counter's control word. */
const STATUS = { OUTPUT: 1 << 7, NULL_COUNT: 1 << 6 } as const

// biome-ignore format: a table
const NMI_SC = {
  NMI_SC: {
    offset: 0,
    width: 8,
    fields: {
      OUT2:     ro(5),
      REFRESH:  ro(4),     // toggles with every refresh of memory
      ENABLES:  rw(3, 2),  // of errors that this machine does not have
      SPKR_DAT: rw(1),     // OUT of counter 2 drives the speaker
      GATE2:    rw(0)
    }
  }
} as const satisfies Table

/** RW of a control word. */
const access = { latch: 0, least: 1, most: 2, both: 3 } as const

/** Modes 2 and 3 are periodic; modes 1 and 5 are started by a rising edge of GATE. */
const isRepeating = (mode: number): boolean => mode === 2 || mode === 3
const isTriggered = (mode: number): boolean => mode === 1 || mode === 5

/** Bit 2 is "don't care" in modes 2 and 3. */
const modeOf = (M: number): number => (M >= 6 ? M - 4 : M)

/** When OUT changes, in ticks after the counting element was loaded with `count`; in modes 2 and 3 it is loaded again at the last of them. */
const changesOf = (mode: number, count: number): readonly number[] => {
  switch (mode) {
    case 0:
      return [count]
    case 1:
      return [0, count]
    case 2:
      return [count - 1, count]
    case 3:
      return [Math.ceil(count / 2), count]
    default:
      return [count, count + 1]
  }
}

/** One counter. Times are in ticks of the clock. */
class Counter {
  private readonly now: () => number
  /** Called when OUT, or what it will do next, may have changed. */
  private readonly changed: () => void
  private control = 0
  private mode = 0
  private gate: boolean
  /** The count register, as it was written. */
  private register = 0
  /** The least significant byte of a count whose most significant one is awaited. */
  private firstByte: number | undefined
  /** The count register was written since the control word. */
  private isWritten = false
  /** It was written, and the counting element has not got it. */
  private isNull = true
  /** The counting element got `count` at `start`; undefined: none yet. */
  private count: number | undefined
  private start = 0
  /** Ticks counted when GATE stopped the counting. */
  private stopped: number | undefined
  /** In modes 2 and 3: the count that is loaded at the end of the present cycle or half-cycle. */
  private next: { count: number; readonly at: number; readonly isHalf: boolean } | undefined
  private readsMost = false
  private latchedCount: number | undefined
  private latchedStatus: number | undefined

  constructor(now: () => number, gate: boolean, changed: () => void) {
    this.now = now
    this.gate = gate
    this.changed = changed
  }

  // ---- writes

  /** A control word resets the counter's logic at once, and OUT goes to its initial state. */
  setControl(word: number): void {
    this.control = word & 0x3f
    this.mode = modeOf(get(CONTROL.M, word))
    this.firstByte = undefined
    this.isWritten = false
    this.isNull = true
    this.count = undefined
    this.stopped = undefined
    this.next = undefined
    this.readsMost = false
    this.latchedCount = undefined
    this.changed()
  }

  write(byte: number): void {
    const how = get(CONTROL.RW, this.control)
    if (how !== access.both) this.setCount(how === access.most ? byte << 8 : byte)
    else if (this.firstByte === undefined) {
      this.firstByte = byte
      // Mode 0: the first byte stops the counting, and OUT is low at once.
      if (this.mode === 0) this.count = undefined
    } else {
      const word = this.firstByte | (byte << 8)
      this.firstByte = undefined
      this.setCount(word)
    }
    this.changed()
  }

  /** A triggered mode waits for its trigger, a repeating one for the end of its cycle; the others are loaded "on the next CLK pulse". */
  private setCount(word: number): void {
    this.settle()
    this.register = word
    this.isWritten = true
    this.isNull = true
    // What is about to be loaded is loaded as it is then.
    if (this.count !== undefined && this.elapsed() < 0) this.count = this.decoded()
    if (isTriggered(this.mode)) return
    if (!isRepeating(this.mode) || this.count === undefined) this.load()
    else if (this.next) this.next.count = this.decoded()
    else if (this.elapsed() >= 0 && this.stopped === undefined) this.next = this.reload(this.count, this.elapsed())
  }

  /** A new count is loaded at the end of the cycle, in mode 3 "at the end of the current half-cycle". */
  private reload(count: number, elapsed: number): { count: number; at: number; isHalf: boolean } {
    const inCycle = elapsed % count
    const half = Math.ceil(count / 2)
    const isHalf = this.mode === 3 && inCycle < half
    return { count: this.decoded(), at: this.start + elapsed - inCycle + (isHalf ? half : count), isHalf }
  }

  private load(): void {
    this.count = this.decoded()
    this.start = this.now() + 1
    this.next = undefined
    this.isNull = false
    this.stopped = this.gate || isTriggered(this.mode) ? undefined : 0
  }

  setGate(level: boolean): void {
    if (level === this.gate) return
    this.settle()
    this.gate = level
    const isLoaded = this.count !== undefined
    if (level && (isTriggered(this.mode) ? this.isWritten : isRepeating(this.mode) && isLoaded)) this.load()
    else if (level && this.stopped !== undefined) {
      if (this.elapsed() >= 0) this.start = this.now() - this.stopped
      this.stopped = undefined
    } else if (!level && !isTriggered(this.mode) && isLoaded) this.stopped = Math.max(this.elapsed(), 0)
    this.changed()
  }

  // ---- reads

  read(): number {
    if (this.latchedStatus !== undefined) {
      const status = this.latchedStatus
      this.latchedStatus = undefined
      return status
    }
    const count = this.latchedCount ?? this.encoded(this.element())
    const how = get(CONTROL.RW, this.control)
    const isMost = how === access.most || (how === access.both && this.readsMost)
    if (how === access.both) this.readsMost = !isMost
    if (how !== access.both || isMost) this.latchedCount = undefined
    return isMost ? count >>> 8 : count & 0xff
  }

  /** "Counter Latch Command": a count that is latched and not read yet stays. */
  latchCount(): void {
    this.latchedCount ??= this.encoded(this.element())
  }

  latchStatus(): void {
    const isNull = this.isNull || this.elapsed() < 0
    this.latchedStatus ??= (this.output() ? STATUS.OUTPUT : 0) | (isNull ? STATUS.NULL_COUNT : 0) | this.control
  }

  // ---- the counting element and OUT at the present tick

  output(): boolean {
    this.settle()
    const elapsed = this.elapsed()
    if (this.count === undefined || elapsed < 0) return this.mode !== 0
    switch (this.mode) {
      case 0:
      case 1:
        return elapsed >= this.count
      case 2:
        return this.stopped !== undefined || elapsed % this.count !== this.count - 1
      case 3:
        return this.stopped !== undefined || elapsed % this.count < Math.ceil(this.count / 2)
      default:
        return elapsed !== this.count
    }
  }

  /** The tick of the next change of OUT, or before it one at which to ask again; or infinity. */
  nextChange(): number {
    this.settle()
    if (this.count === undefined || this.stopped !== undefined) return Number.POSITIVE_INFINITY
    const elapsed = this.elapsed()
    const cycle = isRepeating(this.mode) && elapsed > 0 ? elapsed - (elapsed % this.count) : 0
    const change = changesOf(this.mode, this.count).find((at) => cycle + at > elapsed)
    return Math.min(
      this.next?.at ?? Number.POSITIVE_INFINITY,
      this.start + cycle + (change ?? Number.POSITIVE_INFINITY)
    )
  }

  /** Ticks since the counting element was loaded; less than 0 before, with or without GATE. */
  private elapsed(): number {
    const elapsed = this.now() - this.start
    return elapsed < 0 ? elapsed : (this.stopped ?? elapsed)
  }

  private settle(): void {
    if (this.next === undefined || this.stopped !== undefined || this.now() < this.next.at) return
    const { count, at, isHalf } = this.next
    this.count = count
    // A half-cycle that begins is the second of its cycle.
    this.start = isHalf ? at - Math.ceil(count / 2) : at
    this.next = undefined
    this.isNull = false
  }

  private element(): number {
    this.settle()
    if (this.count === undefined) return this.decoded()
    const elapsed = Math.max(this.elapsed(), 0)
    if (this.mode === 2) return this.count - (elapsed % this.count)
    if (this.mode === 3) {
      // It is loaded, an odd count as one less, and then "decremented by two on succeeding CLK pulses".
      const [inCycle, half] = [elapsed % this.count, Math.ceil(this.count / 2)]
      return (this.count & ~1) - 2 * (inCycle < half ? inCycle : inCycle - half)
    }
    // At zero it does not stop, but goes on from the highest count.
    const range = this.range()
    return (((this.count - elapsed) % range) + range) % range
  }

  private isBcd(): boolean {
    return get(CONTROL.BCD, this.control) === 1
  }

  private range(): number {
    return this.isBcd() ? 10_000 : 0x1_0000
  }

  /** "0 is equivalent to 2^16 for binary counting and 10^4 for BCD counting." Modes 2 and 3 have no count of 1: it is 2 here. */
  private decoded(): number {
    const digits = [12, 8, 4, 0].map((shift) => (this.register >>> shift) & 0xf)
    const count = this.isBcd() ? digits.reduce((sum, digit) => sum * 10 + digit, 0) : this.register
    if (count === 1 && isRepeating(this.mode)) return 2
    return count === 0 ? this.range() : count
  }

  private encoded(count: number): number {
    const value = count % this.range()
    if (!this.isBcd()) return value
    return [1000, 100, 10, 1].reduce((word, unit) => (word << 4) | (Math.floor(value / unit) % 10), 0)
  }
}

/** Ticks between two refreshes of memory: counter 1 as every PC programs it. */
const refresh = 18

export class Pit {
  private readonly timers: Timers
  private readonly output: Wire
  private readonly counters: readonly [Counter, Counter, Counter]
  private readonly speaker = new RegisterFile(NMI_SC)
  /** Ports 40H to 43H. */
  readonly ports: Target
  /** Port 61H. */
  readonly control: Target

  /** `output`: OUT of counter 0. */
  constructor(timers: Timers, output: Wire) {
    this.timers = timers
    this.output = output
    const nothing = () => undefined
    this.counters = [
      new Counter(this.now, true, this.drive),
      new Counter(this.now, true, nothing),
      new Counter(this.now, false, nothing)
    ]
    this.ports = { read: this.read, write: this.write }
    this.control = { read: this.readControl, write: this.writeControl }
  }

  /** Counters have no defined state at power-on: here they stand. */
  reset(): void {
    for (const counter of this.counters) counter.setControl(0)
    this.writeControl(0, 8, 0)
  }

  private now = (): number => pitClock.ticksAt(this.timers.now())

  private read = (offset: number): number => this.counters[offset]?.read() ?? ones(8)

  private write = (offset: number, _: number, value: number): void => {
    const counter = this.counters[offset]
    if (counter) counter.write(value & 0xff)
    else this.command(value & 0xff)
  }

  private command(word: number): void {
    const counter = this.counters[get(CONTROL.SC, word)]
    if (!counter) this.readBack(word)
    else if (get(CONTROL.RW, word) === access.latch) counter.latchCount()
    else counter.setControl(word)
  }

  private readBack(word: number): void {
    for (const [n, counter] of this.counters.entries()) {
      if (((get(READ_BACK.CNT, word) >>> n) & 1) === 0) continue
      if (get(READ_BACK.COUNT, word) === 0) counter.latchCount()
      if (get(READ_BACK.STATUS, word) === 0) counter.latchStatus()
    }
  }

  private readControl = (): number => {
    this.speaker.set("NMI_SC", "OUT2", this.counters[2].output() ? 1 : 0)
    this.speaker.set("NMI_SC", "REFRESH", Math.floor(this.now() / refresh) & 1)
    return this.speaker.read(0, 8)
  }

  private writeControl = (_offset: number, _width: number, value: number): void => {
    this.speaker.write(0, 8, value)
    this.counters[2].setGate(this.speaker.get("NMI_SC", "GATE2") === 1)
  }

  /** OUT of counter 0 is what it is, until its next change. */
  private drive = (): void => {
    const [counter] = this.counters
    this.output(counter.output())
    const change = counter.nextChange()
    if (change === Number.POSITIVE_INFINITY) this.timers.cancel("PIT")
    else this.timers.schedule("PIT", pitClock.timeOf(change), this.drive)
  }
}
