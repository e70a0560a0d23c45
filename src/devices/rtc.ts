/**
 * RTC: a clock with a calendar, an alarm, and memory that keeps its contents.
 *
 * Motorola MC146818, "Address Map", "Time, Calendar, and Alarm Locations", "Registers"; ports 70H to 73H as the 82801 I/O
 * Controller Hubs have them ("RTC I/O Registers"). The time of day is the machine's time, told from a date given at its start.
 */
import { dayNumber, dayOf, weekday } from "./calendar.ts"
import { get, RegisterFile, ro, rw, set, type Table } from "./registers.ts"
import { ones, type Target, type Timers, type Wire } from "./Wires.ts"

// biome-ignore format: a table
const address = {
  seconds: 0x00, secondsAlarm: 0x01, minutes: 0x02, minutesAlarm: 0x03, hours: 0x04, hoursAlarm: 0x05,
  dayOfWeek: 0x06, dayOfMonth: 0x07, month: 0x08, year: 0x09, A: 0x0a, B: 0x0b, C: 0x0c, D: 0x0d,
  /** Not the chip's: where ACPI's FADT says that the century is. */
  century: 0x32
} as const

// biome-ignore format: a table
const registers = {
  A: {
    offset: address.A, width: 8, reset: 0x26,
    fields: {
      UIP: ro(7),      // Update In Progress
      DV:  rw(6, 4),   // divider: 2 for a crystal of 32.768 kHz, 6 and 7 hold it in reset
      RS:  rw(3, 0)    // rate of the periodic interrupt
    }
  },
  B: {
    offset: address.B, width: 8, reset: 0x02,
    fields: {
      SET:    rw(7),   // no updates: software sets the time
      PIE:    rw(6),
      AIE:    rw(5),
      UIE:    rw(4),
      SQWE:   rw(3),
      DM:     rw(2),   // 1 binary, 0 BCD
      "24/12": rw(1),  // 1 for 24 hours
      DSE:    rw(0)    // daylight saving: kept, and not obeyed
    }
  }
} as const satisfies Table

/** Register C: reading clears it. */
// biome-ignore format: a table
const C = { IRQF: ro(7), PF: ro(6), AF: ro(5), UF: ro(4) } as const

/** Register D: the battery is good. */
const validRamAndTime = 0x80

const second = 1_000_000_000

/** UIP is 1 from 244 microseconds before an update cycle, which takes 1984 microseconds with a crystal of 32.768 kHz. */
const updating = (244 + 1984) * 1000

/** IBM Personal Computer AT Technical Reference, "Shutdown status byte". */
const shutdownStatus = 0x0f

/** "A don't care code": any hexadecimal byte from C0H to FFH, in each of the three alarm bytes. */
const isAny = (code: number): boolean => code >= 0xc0

export interface DateTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
}

export class Rtc implements Target {
  private readonly timers: Timers
  private readonly irq: Wire
  private readonly registers = new RegisterFile(registers)
  private readonly cmos = new Uint8Array(256)
  private index = 0
  private extendedIndex = 0x80
  /** Seconds since day 0 of the calendar at the time `since`; the clock's second begins there. */
  private epoch: number
  private since = 0
  /** What the chip says for the day of the week, against the calendar. */
  private weekdayOffset = 0
  /** While it is being set: fields as they were written, which may be no time at all. */
  private frozen: Map<number, number> | undefined
  private flags = 0
  /** Flags are known up to here. */
  private seen = 0

  /** `ramBytes`: the memory sizes that firmware leaves in the CMOS. */
  constructor(timers: Timers, irq: Wire, start: DateTime, ramBytes: number) {
    this.timers = timers
    this.irq = irq
    this.epoch = dayNumber(start) * 86_400 + start.hours * 3600 + start.minutes * 60 + start.seconds
    this.cmos.set(memorySizes(ramBytes))
    this.since = timers.now()
    this.seen = this.since
  }

  /** RESET: interrupts are off and their flags clear; the time and the memory stay. */
  reset(): void {
    this.settle()
    for (const enable of ["PIE", "AIE", "UIE", "SQWE"] as const) this.registers.set("B", enable, 0)
    this.flags = 0
    this.await()
  }

  /** Memory of the CMOS as firmware leaves it. */
  putMemory(at: number, value: number): void {
    this.cmos[at] = value
  }

  /** The shutdown status byte: what software that is about to reset the processor has asked firmware for. It is cleared. */
  takeShutdownStatus(): number {
    const status = this.cmos[shutdownStatus]!
    this.cmos[shutdownStatus] = 0
    return status
  }

  // ---- ports 70H to 73H

  read(offset: number): number {
    if (offset === 1) return this.readByte(this.index)
    return offset === 3 ? this.readByte(this.extendedIndex) : ones(8)
  }

  /** Bit 7 of port 70H masks NMIs, of which this machine has none from outside. */
  write(offset: number, _width: number, value: number): void {
    if (offset === 0) this.index = value & 0x7f
    else if (offset === 2) this.extendedIndex = 0x80 | (value & 0x7f)
    else if (offset === 1) this.writeByte(this.index, value & 0xff)
    else this.writeByte(this.extendedIndex, value & 0xff)
  }

  private readByte(at: number): number {
    switch (at) {
      case address.A:
        return set(registers.A.fields.UIP, this.registers.value("A"), this.isUpdating() ? 1 : 0)
      case address.B:
        return this.registers.value("B")
      case address.C:
        return this.readC()
      case address.D:
        return validRamAndTime
      default:
        return timeFields.has(at) ? this.readTime(at) : this.cmos[at]!
    }
  }

  private writeByte(at: number, value: number): void {
    this.settle()
    if (at === address.A || at === address.B) this.writeControl(at, value)
    else if (timeFields.has(at)) this.writeTime(at, value)
    else if (at !== address.C && at !== address.D) this.cmos[at] = value
    this.await()
  }

  private writeControl(at: number, value: number): void {
    const wasRunning = this.isRunning()
    const before = this.fields()
    this.registers.write(at, 8, value)
    // SET clears UIE.
    if (this.registers.get("B", "SET") === 1) this.registers.set("B", "UIE", 0)
    if (wasRunning && !this.isRunning()) this.frozen = before
    if (!wasRunning && this.isRunning()) {
      // The first update comes half a second after the divider is released, and a second after the clock was set.
      this.start(this.frozen!, this.timers.now() - (at === address.A ? second / 2 : 0))
      this.frozen = undefined
    }
  }

  private isRunning(): boolean {
    return this.registers.get("B", "SET") === 0 && this.registers.get("A", "DV") === 2
  }

  // ---- the time

  private secondsPassed(now: number): number {
    return Math.floor((now - this.since) / second)
  }

  private isUpdating(): boolean {
    return this.isRunning() && (this.timers.now() - this.since) % second >= second - updating
  }

  /** The time as bare numbers, by address. */
  private fields(): Map<number, number> {
    if (this.frozen) return this.frozen
    const now = this.epoch + this.secondsPassed(this.timers.now())
    const number = Math.floor(now / 86_400)
    const { year, month, day } = dayOf(number)
    const inDay = now - number * 86_400
    return new Map([
      [address.seconds, inDay % 60],
      [address.minutes, Math.floor(inDay / 60) % 60],
      [address.hours, Math.floor(inDay / 3600)],
      [address.dayOfWeek, ((weekday(number) - 1 + this.weekdayOffset) % 7) + 1],
      [address.dayOfMonth, day],
      [address.month, month],
      [address.year, year % 100],
      [address.century, Math.floor(year / 100)]
    ])
  }

  private start(fields: Map<number, number>, since: number): void {
    const [year, century] = [fields.get(address.year)!, fields.get(address.century)!]
    const number = dayNumber({
      year: century * 100 + year,
      month: Math.min(Math.max(fields.get(address.month)!, 1), 12),
      day: fields.get(address.dayOfMonth)!
    })
    const inDay = fields.get(address.hours)! * 3600 + fields.get(address.minutes)! * 60 + fields.get(address.seconds)!
    this.epoch = number * 86_400 + inDay
    this.weekdayOffset = (fields.get(address.dayOfWeek)! - weekday(number) + 14) % 7
    this.since = since
  }

  private readTime(at: number): number {
    return at === address.hours ? this.encodedHours(this.fields().get(at)!) : this.encoded(this.fields().get(at)!)
  }

  /** Setting a running clock keeps the second's fraction. */
  private writeTime(at: number, value: number): void {
    const fields = new Map(this.fields())
    fields.set(at, at === address.hours ? this.decodedHours(value) : this.decoded(value))
    if (this.frozen) this.frozen = fields
    else this.start(fields, this.since + this.secondsPassed(this.timers.now()) * second)
  }

  private encoded(value: number): number {
    return this.registers.get("B", "DM") === 1 ? value : (Math.floor(value / 10) << 4) | (value % 10)
  }

  private decoded(code: number): number {
    return this.registers.get("B", "DM") === 1 ? code : (code >>> 4) * 10 + (code & 0xf)
  }

  /** In 12-hour mode bit 7 is for PM, and 12 o'clock comes before 1. */
  private encodedHours(hours: number): number {
    if (this.registers.get("B", "24/12") === 1) return this.encoded(hours)
    return this.encoded(hours % 12 === 0 ? 12 : hours % 12) | (hours >= 12 ? 0x80 : 0)
  }

  private decodedHours(code: number): number {
    if (this.registers.get("B", "24/12") === 1) return this.decoded(code)
    return (this.decoded(code & 0x7f) % 12) + (code & 0x80 ? 12 : 0)
  }

  // ---- interrupts

  /** Reading register C clears all flags, and the IRQ with them. */
  private readC(): number {
    this.settle()
    const value = this.flags | (this.isInterrupting() ? 1 << C.IRQF.lo : 0)
    this.flags = 0
    this.await()
    return value
  }

  private isInterrupting(): boolean {
    const { registers } = this
    return (
      (get(C.PF, this.flags) & registers.get("B", "PIE")) === 1 ||
      (get(C.AF, this.flags) & registers.get("B", "AIE")) === 1 ||
      (get(C.UF, this.flags) & registers.get("B", "UIE")) === 1
    )
  }

  /** Whatever happened since the flags were last looked at sets them. */
  private settle(): void {
    const [from, now] = [this.seen, this.timers.now()]
    this.seen = now
    const period = this.period()
    if (period > 0 && Math.floor((now - this.since) / period) > Math.floor((from - this.since) / period))
      this.flag("PF")
    if (!this.isRunning()) return
    if (this.secondsPassed(now) > this.secondsPassed(from)) this.flag("UF")
    if (this.nextAlarm(from) <= now) this.flag("AF")
  }

  private flag(name: "PF" | "AF" | "UF"): void {
    this.flags = set(C[name], this.flags, 1)
  }

  /** The rate of the periodic interrupt with a crystal of 32.768 kHz, as a period in nanoseconds; 0: none. */
  private period(): number {
    const [rate, divider] = [this.registers.get("A", "RS"), this.registers.get("A", "DV")]
    if (rate === 0 || divider !== 2) return 0
    return (second / 32_768) * 2 ** ((rate < 3 ? rate + 7 : rate) - 1)
  }

  /** When the first alarm after `from` is, at most a day later; or infinity. Hours and minutes in which none is are passed over. */
  private nextAlarm(from: number): number {
    if (!this.isPossible(address.minutesAlarm) || !this.isPossible(address.secondsAlarm))
      return Number.POSITIVE_INFINITY
    const first = this.epoch + this.secondsPassed(from) + 1
    for (let at = first; at < first + 86_400; ) {
      const inDay = at % 86_400
      if (!this.matches(address.hoursAlarm, this.encodedHours(Math.floor(inDay / 3600)))) at += 3600 - (inDay % 3600)
      else if (!this.matches(address.minutesAlarm, this.encoded(Math.floor(inDay / 60) % 60))) at += 60 - (inDay % 60)
      else if (!this.matches(address.secondsAlarm, this.encoded(inDay % 60))) at++
      else return this.since + (at - this.epoch) * second
    }
    return Number.POSITIVE_INFINITY
  }

  /** Software may ask for a minute or a second that there is not. */
  private isPossible(alarm: number): boolean {
    for (let n = 0; n < 60; n++) if (this.matches(alarm, this.encoded(n))) return true
    return false
  }

  private matches(alarm: number, code: number): boolean {
    return isAny(this.cmos[alarm]!) || this.cmos[alarm] === code
  }

  private await(): void {
    this.irq(this.isInterrupting())
    const next = this.nextInterrupt()
    if (next === Number.POSITIVE_INFINITY) this.timers.cancel("RTC")
    else this.timers.schedule("RTC", next, this.wake)
  }

  private wake = (): void => {
    this.settle()
    this.await()
  }

  /** When the next flag is set that is an interrupt and is not set already. */
  private nextInterrupt(): number {
    const now = this.timers.now()
    const isAwaited = (flag: "PF" | "AF" | "UF", enable: "PIE" | "AIE" | "UIE") =>
      get(C[flag], this.flags) === 0 && this.registers.get("B", enable) === 1
    let next = Number.POSITIVE_INFINITY
    const period = this.period()
    if (isAwaited("PF", "PIE") && period > 0) {
      next = Math.ceil(this.since + (Math.floor((now - this.since) / period) + 1) * period)
    }
    if (!this.isRunning()) return next
    if (isAwaited("UF", "UIE")) next = Math.min(next, this.since + (this.secondsPassed(now) + 1) * second)
    return isAwaited("AF", "AIE") ? Math.min(next, this.nextAlarm(now)) : next
  }
}

const timeFields: ReadonlySet<number> = new Set([
  address.seconds,
  address.minutes,
  address.hours,
  address.dayOfWeek,
  address.dayOfMonth,
  address.month,
  address.year,
  address.century
])

/** What firmware leaves: base memory in KiB at 15H; the memory above 1 MiB in KiB at 17H and 30H, that above 16 MiB in 64 KiB at 34H. */
const memorySizes = (ramBytes: number): Uint8Array => {
  const cmos = new Uint8Array(128)
  const put16 = (at: number, value: number) => cmos.set([value & 0xff, value >>> 8], at)
  const above = (start: number, unit: number) => Math.min(Math.max(Math.floor((ramBytes - start) / unit), 0), 0xffff)
  put16(0x15, 640)
  put16(0x17, above(0x10_0000, 0x400))
  put16(0x30, above(0x10_0000, 0x400))
  put16(0x34, above(0x100_0000, 0x1_0000))
  return cmos
}
