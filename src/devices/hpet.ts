/**
 * HPET: a counter of 64 bits and three timers that compare with it.
 *
 * IA-PC HPET (High Precision Event Timers) Specification 1.0a, "Register Model". The counter is a function of the time. 64-bit
 * registers are accessed in halves, the lower first.
 */
import { hpetClock } from "./oscillator.ts"
import { get, RegisterFile, ro, rw, rw1c, type Table, wo } from "./registers.ts"
import type { Message, Target, Timers } from "./Wires.ts"

const timerCount = 3

/** A tick is 10 ns, which is 10,000,000 femtoseconds. */
const period = 10_000_000

// biome-ignore format: a table
const general = {
  // Intel, legacy replacement, 64 bits, 3 timers, revision 1.
  GCAP_ID:     { offset: 0x00, reset: 0x8086_0000 + (1 << 15) + (1 << 13) + ((timerCount - 1) << 8) + 1,
                 fields: { VENDOR_ID: ro(31, 16), LEG_RT_CAP: ro(15), COUNT_SIZE_CAP: ro(13), NUM_TIM_CAP: ro(12, 8), REV_ID: ro(7, 0) } },
  CLK_PERIOD:  { offset: 0x04, reset: period, fields: { PERIOD: ro(31, 0) } },
  GEN_CONF:    { offset: 0x10, fields: { LEG_RT_CNF: rw(1), ENABLE_CNF: rw(0) } },
  GINTR_STA:   { offset: 0x20, fields: { STATUS: rw1c(timerCount - 1, 0) } }
} as const satisfies Table

const MAIN_CNT = 0xf0

/** Timer n's are at 100H + 20H * n. */
const firstTimer = 0x100
const timerBytes = 0x20

/** IOAPIC pins that a timer can be routed to: 20 to 23. */
const routes = 0x00f0_0000

// biome-ignore format: a table
const timerTable = {
  CONF: {
    offset: 0x00,
    reset: 0x8030,
    fields: {
      FSB_INT_DEL_CAP: ro(15),
      FSB_EN_CNF:      rw(14),
      INT_ROUTE_CNF:   rw(13, 9),
      "32MODE_CNF":    rw(8),
      VAL_SET_CNF:     wo(6),
      SIZE_CAP:        ro(5),
      PER_INT_CAP:     ro(4),
      TYPE_CNF:        rw(3),      // 1 periodic
      INT_ENB_CNF:     rw(2),
      INT_TYPE_CNF:    rw(1)       // 1 level
    }
  },
  INT_ROUTE_CAP: { offset: 0x04, reset: routes, fields: { PINS: ro(31, 0) } },
  FSB_INT_VAL:   { offset: 0x10, fields: { VALUE: rw(31, 0) } },
  FSB_INT_ADDR:  { offset: 0x14, fields: { ADDRESS: rw(31, 0) } }
} as const satisfies Table

const COMPARATOR = 0x08

/** Where the interrupts go. */
export interface Outputs {
  /** An IOAPIC pin, high active. */
  readonly pin: (pin: number, level: boolean) => void
  /** "LegacyReplacement Route": IRQ 0 (IOAPIC pin 2) and IRQ 8, in place of the 8254's and the clock's. */
  readonly legacy: (irq: 0 | 8, level: boolean) => void
  /** The 8254 and the clock are cut off, or not. */
  readonly legacyReplacement: (isOn: boolean) => void
  readonly message: Message
}

/** What a timer is wired to at present. */
type Route = { readonly legacy: 0 | 8 } | { readonly pin: number }

class Timer {
  readonly registers = new RegisterFile(timerTable)
  private readonly hpet: Hpet
  private readonly n: number
  private comparator = 2n ** 64n - 1n
  /** What is added to the comparator at each match, in periodic mode. */
  private period = 0n
  /** VAL_SET_CNF: the next write sets the comparator itself, in periodic mode too. */
  private sets = false
  /** When the lower half was so written: the upper half of the same access goes with it. */
  private setAt = -1
  private route: Route | undefined

  constructor(hpet: Hpet, n: number) {
    this.hpet = hpet
    this.n = n
  }

  reset(): void {
    this.registers.reset()
    this.comparator = 2n ** 64n - 1n
    this.period = 0n
    this.sets = false
    this.setAt = -1
    this.drive(false)
    this.route = undefined
  }

  read(offset: number): number {
    if (offset === COMPARATOR) return Number(BigInt.asUintN(32, this.comparator))
    if (offset === COMPARATOR + 4) return Number(this.comparator >> 32n)
    return this.registers.read(offset, 32)
  }

  write(offset: number, value: number): void {
    if (offset === COMPARATOR || offset === COMPARATOR + 4) this.writeComparator(offset === COMPARATOR ? 0 : 1, value)
    else {
      this.registers.write(offset, 32, value)
      if (offset === timerTable.CONF.offset) this.configured(value)
    }
    this.await()
  }

  private configured(value: number): void {
    this.sets = this.isPeriodic() && get(timerTable.CONF.fields.VAL_SET_CNF, value) === 1
    this.setAt = -1
    if (this.is("32MODE_CNF")) this.comparator = BigInt.asUintN(32, this.comparator)
    this.reroute()
  }

  private writeComparator(half: 0 | 1, value: number): void {
    if (half === 1 && this.is("32MODE_CNF")) return
    const now = this.hpet.timers.now()
    const isSet = this.sets || (half === 1 && this.setAt === now)
    if (!this.isPeriodic() || isSet) this.comparator = withHalf(this.comparator, half, value)
    if (this.isPeriodic()) this.period = withHalf(this.period, half, value)
    this.setAt = half === 0 && isSet ? now : -1
    this.sets = false
  }

  /** Ask to be called at the next match. */
  await(isMatched = false): void {
    const name = `HPET timer ${this.n}`
    const width = this.is("32MODE_CNF") ? 32 : 64
    const ticks = Number(BigInt.asUintN(width, this.comparator - this.hpet.counter()))
    const until = ticks === 0 && isMatched ? 2 ** width : ticks
    // What is more than a year away does not happen.
    if (this.hpet.isCounting() && until < 2 ** 52) this.hpet.schedule(name, until, this.match)
    else this.hpet.timers.cancel(name)
  }

  private match = (): void => {
    if (this.isPeriodic()) this.advance()
    this.signal()
    this.await(true)
  }

  /** Periodic mode: at a match the comparator is increased by "the last value written to that register". */
  private advance(): void {
    if (this.period === 0n) return
    const width = this.is("32MODE_CNF") ? 32 : 64
    const behind = BigInt.asUintN(width, this.hpet.counter() - this.comparator)
    this.comparator = BigInt.asUintN(width, this.comparator + (behind / this.period + 1n) * this.period)
  }

  /** An edge is a rise: the line falls before the next. A timer whose interrupts are not enabled still sets its status. */
  private signal(): void {
    if (this.is("INT_TYPE_CNF")) {
      this.hpet.setStatus(this.n)
      this.drive(this.is("INT_ENB_CNF"))
    } else if (this.is("INT_ENB_CNF")) {
      if (this.is("FSB_EN_CNF"))
        this.hpet.outputs.message(this.registers.value("FSB_INT_ADDR"), this.registers.value("FSB_INT_VAL"))
      else {
        this.drive(false)
        this.drive(true)
      }
    }
  }

  /** Where the line goes may have changed: the old one falls. */
  reroute(): void {
    this.drive(false)
    this.route = this.routed()
    if (this.is("INT_TYPE_CNF") && this.is("INT_ENB_CNF")) this.drive(this.hpet.hasStatus(this.n))
  }

  private routed(): Route | undefined {
    if (this.hpet.isLegacy() && this.n < 2) return { legacy: this.n === 0 ? 0 : 8 }
    const pin = this.registers.get("CONF", "INT_ROUTE_CNF")
    return (routes >>> pin) & 1 ? { pin } : undefined
  }

  private drive(level: boolean): void {
    if (this.route === undefined) return
    if ("pin" in this.route) this.hpet.outputs.pin(this.route.pin, level)
    else this.hpet.outputs.legacy(this.route.legacy, level)
  }

  private isPeriodic(): boolean {
    return this.is("TYPE_CNF")
  }

  private is(field: keyof typeof timerTable.CONF.fields): boolean {
    return this.registers.get("CONF", field) === 1
  }
}

export class Hpet implements Target {
  readonly timers: Timers
  readonly outputs: Outputs
  private readonly registers = new RegisterFile(general)
  private readonly comparators: readonly Timer[]
  /** The main counter was `base` at tick `since`, and has counted since then if it is enabled. */
  private base = 0n
  private since = 0

  constructor(timers: Timers, outputs: Outputs) {
    this.timers = timers
    this.outputs = outputs
    this.comparators = Array.from({ length: timerCount }, (_, n) => new Timer(this, n))
  }

  reset(): void {
    this.registers.reset()
    this.base = 0n
    for (const timer of this.comparators) {
      timer.reset()
      timer.await()
    }
    this.outputs.legacyReplacement(false)
  }

  read(offset: number, width: number): number {
    const value = this.readWord(offset & ~3)
    return ((value >>> ((offset & 3) * 8)) & (2 ** width - 1)) >>> 0
  }

  /** Accesses are of 32 or 64 bits: a narrower write is none of the specification's. */
  write(offset: number, width: number, value: number): void {
    if (width !== 32) return
    const timer = this.comparators[Math.floor((offset - firstTimer) / timerBytes)]
    if (timer) timer.write(offset % timerBytes, value)
    else if (offset === MAIN_CNT || offset === MAIN_CNT + 4) this.setCounter(offset === MAIN_CNT ? 0 : 1, value)
    else this.writeGeneral(offset, value)
  }

  private readWord(offset: number): number {
    const timer = this.comparators[Math.floor((offset - firstTimer) / timerBytes)]
    if (timer) return timer.read(offset % timerBytes)
    if (offset === MAIN_CNT) return Number(BigInt.asUintN(32, this.counter()))
    if (offset === MAIN_CNT + 4) return Number(this.counter() >> 32n)
    return this.registers.read(offset, 32)
  }

  private writeGeneral(offset: number, value: number): void {
    const counter = this.counter()
    const wasLegacy = this.isLegacy()
    this.registers.write(offset, 32, value)
    this.base = counter
    this.since = this.ticks()
    if (this.isLegacy() !== wasLegacy) this.outputs.legacyReplacement(this.isLegacy())
    for (const timer of this.comparators) {
      timer.reroute()
      timer.await()
    }
  }

  /** Software is to write it while it is halted; if it counts, it goes on from there. */
  private setCounter(half: 0 | 1, value: number): void {
    this.base = withHalf(this.counter(), half, value)
    this.since = this.ticks()
    for (const timer of this.comparators) timer.await()
  }

  // ---- for the timers

  counter(): bigint {
    return this.isCounting() ? BigInt.asUintN(64, this.base + BigInt(this.ticks() - this.since)) : this.base
  }

  isCounting(): boolean {
    return this.registers.get("GEN_CONF", "ENABLE_CNF") === 1
  }

  isLegacy(): boolean {
    return this.registers.get("GEN_CONF", "LEG_RT_CNF") === 1
  }

  schedule(name: string, ticks: number, happen: () => void): void {
    this.timers.schedule(name, hpetClock.timeOf(this.ticks() + ticks), happen)
  }

  setStatus(n: number): void {
    this.registers.put("GINTR_STA", this.registers.value("GINTR_STA") | (1 << n))
  }

  hasStatus(n: number): boolean {
    return ((this.registers.value("GINTR_STA") >>> n) & 1) === 1
  }

  private ticks(): number {
    return hpetClock.ticksAt(this.timers.now())
  }
}

const withHalf = (word: bigint, half: 0 | 1, value: number): bigint =>
  half === 0 ? ((word >> 32n) << 32n) | BigInt(value >>> 0) : BigInt.asUintN(32, word) | (BigInt(value >>> 0) << 32n)
