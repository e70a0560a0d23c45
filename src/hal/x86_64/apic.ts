/**
 * The local APIC, in x2APIC mode: which interrupts wait, which is served, and the timer.
 *
 * SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)"; registers are those of "Local APIC Register
 * Address Map Supported by x2APIC", by their MSR numbers. The registers of xAPIC mode in memory are not there.
 */
import type { Clock } from "./Clock.ts"
import type { Core } from "./system/Core.ts"
import { vector as exception, system } from "./system/registers.ts"

type Halves = readonly [lo: number, hi: number]

// biome-ignore format: a register, a line
const registers = {
  ID:            { number: 0x802, access: "RO" },
  VERSION:       { number: 0x803, access: "RO" },
  TPR:           { number: 0x808, access: "RW", writable: 0xff },
  PPR:           { number: 0x80a, access: "RO" },
  EOI:           { number: 0x80b, access: "WO", writable: 0 },
  LDR:           { number: 0x80d, access: "RO" },
  SVR:           { number: 0x80f, access: "RW", writable: 0x0000_03ff },
  ESR:           { number: 0x828, access: "RW", writable: 0 },
  LVT_TIMER:     { number: 0x832, access: "RW", writable: 0x0007_00ff },
  LVT_THERMAL:   { number: 0x833, access: "RW", writable: 0x0001_07ff },
  LVT_PMI:       { number: 0x834, access: "RW", writable: 0x0001_07ff },
  LVT_LINT0:     { number: 0x835, access: "RW", writable: 0x0001_a7ff },
  LVT_LINT1:     { number: 0x836, access: "RW", writable: 0x0001_a7ff },
  LVT_ERROR:     { number: 0x837, access: "RW", writable: 0x0001_00ff },
  INITIAL_COUNT: { number: 0x838, access: "RW", writable: -1 },
  CURRENT_COUNT: { number: 0x839, access: "RO" },
  DIVIDE:        { number: 0x83e, access: "RW", writable: 0xb },
  SELF_IPI:      { number: 0x83f, access: "WO", writable: 0xff }
} as const satisfies Record<string, { readonly number: number; readonly access: "RO" | "RW" | "WO"; readonly writable?: number }>
type Name = keyof typeof registers

const byNumber: ReadonlyMap<number, Name> = new Map(
  (Object.keys(registers) as Name[]).map((name) => [registers[name].number, name])
)

/** Bit arrays of 256 vectors, 32 in each register. */
const ISR = 0x810
const TMR = 0x818
const IRR = 0x820
const ICR = 0x830

const version = 0x0005_0014 // six LVT entries; 14H: integrated
const lvt = ["LVT_TIMER", "LVT_THERMAL", "LVT_PMI", "LVT_LINT0", "LVT_LINT1", "LVT_ERROR"] as const
const masked = 1 << 16
const softwareEnable = 1 << 8

/** "Timer Mode", bits 18:17 of the LVT timer register. */
const timerMode = { oneShot: 0, periodic: 1, deadline: 2 } as const

/** IA32_APIC_BASE: at FEE0_0000H, bootstrap processor. */
const base = { BSP: 1 << 8, EXTD: 1 << 10, EN: 1 << 11, address: 0xfee0_0000 } as const

const two32 = 2 ** 32
const none = -1

export class Apic {
  private readonly clock: Clock
  /** An interrupt has become pending: whoever runs is to look. */
  private readonly noticed: () => void
  private readonly words = new Map<Name, number>()
  private readonly irr = new Int32Array(8)
  private readonly isr = new Int32Array(8)
  private deadline: Halves = [0, 0]
  /** Of the timer that counts down: when it was started, in counts. */
  private started = 0
  baseLow = base.address | base.BSP | base.EN | 0
  /** What `pending` says: worked out when something it depends on changes. */
  private next = none

  constructor(clock: Clock, noticed: () => void) {
    this.clock = clock
    this.noticed = noticed
    this.reset()
  }

  /** "Local APIC State After Power-Up or Reset". */
  private reset(): void {
    this.words.clear()
    this.words.set("SVR", 0xff)
    for (const name of lvt) this.words.set(name, masked)
    this.irr.fill(0)
    this.isr.fill(0)
    this.deadline = [0, 0]
    this.arbitrate()
    this.clock.cancel("APIC timer")
  }

  private word(name: Name): number {
    return this.words.get(name) ?? 0
  }

  // ---- interrupts: which waits, which is served

  /** An interrupt arrives, edge triggered. Vectors 0 to 15 are illegal and go nowhere. */
  raise(vector: number): void {
    if (vector < 16 || !(this.word("SVR") & softwareEnable)) return
    this.irr[vector >>> 5]! |= 1 << (vector & 31)
    this.arbitrate()
    this.noticed()
  }

  /** The vector of the interrupt that would be taken now, or -1. "Task and Processor Priorities". */
  pending(): number {
    return this.next
  }

  private arbitrate(): void {
    const vector = highest(this.irr)
    this.next = vector >= 0 && vector >>> 4 > this.processorPriority() >>> 4 ? vector : none
  }

  /** The processor takes the interrupt that is pending. */
  acknowledge(): number {
    const vector = this.pending()
    if (vector < 0) throw new Error("no interrupt is pending that could be acknowledged")
    this.irr[vector >>> 5]! &= ~(1 << (vector & 31))
    this.isr[vector >>> 5]! |= 1 << (vector & 31)
    this.arbitrate()
    return vector
  }

  endOfInterrupt(): void {
    const vector = highest(this.isr)
    if (vector >= 0) this.isr[vector >>> 5]! &= ~(1 << (vector & 31))
    this.arbitrate()
  }

  get taskPriority(): number {
    return this.word("TPR")
  }

  setTaskPriority(value: number): void {
    this.words.set("TPR", value)
    this.arbitrate()
  }

  private processorPriority(): number {
    const served = highest(this.isr)
    const class_ = served < 0 ? 0 : served & 0xf0
    return this.taskPriority >>> 4 >= class_ >>> 4 ? this.taskPriority : class_
  }

  // ---- IA32_APIC_BASE

  /** "Invalid transitions" between disabled, xAPIC and x2APIC are #GP. */
  writeBase(core: Core, lo: number, hi: number): void {
    const [was, to] = [this.baseLow & (base.EN | base.EXTD), lo & (base.EN | base.EXTD)]
    const isInvalid =
      to === base.EXTD ||
      (was === (base.EN | base.EXTD) && to === base.EN) ||
      (was === 0 && to === (base.EN | base.EXTD))
    const isElsewhere = hi !== 0 || (lo & 0xffff_f000) !== (base.address | 0)
    if (isInvalid || isElsewhere || lo & 0x2ff) core.raise(exception.GP)
    if (to === 0) this.reset()
    this.baseLow = (lo & ~base.BSP) | base.BSP
  }

  private isX2(): boolean {
    return (this.baseLow & (base.EN | base.EXTD)) === (base.EN | base.EXTD)
  }

  // ---- registers

  readMsr(core: Core, number: number): Halves {
    if (!this.isX2()) core.raise(exception.GP)
    if (number >= ISR && number < ISR + 8) return [this.isr[number - ISR]!, 0]
    if (number >= TMR && number < TMR + 8) return [0, 0]
    if (number >= IRR && number < IRR + 8) return [this.irr[number - IRR]!, 0]
    if (number === ICR) return [0, 0]
    const name = byNumber.get(number)
    if (name === undefined || registers[name].access === "WO") return core.raise(exception.GP)
    switch (name) {
      case "ID":
        return [0, 0]
      case "LDR":
        return [1, 0]
      case "VERSION":
        return [version, 0]
      case "PPR":
        return [this.processorPriority(), 0]
      case "CURRENT_COUNT":
        return [this.currentCount() | 0, 0]
      default:
        return [this.word(name), 0]
    }
  }

  writeMsr(core: Core, number: number, lo: number, hi: number): void {
    if (!this.isX2()) core.raise(exception.GP)
    if (number === ICR) this.sendInterrupt(core, lo, hi)
    else this.writeRegister(byNumber.get(number) ?? core.raise(exception.GP), core, lo, hi)
  }

  private writeRegister(name: Name, core: Core, lo: number, hi: number): void {
    const register = registers[name]
    if (!("writable" in register) || hi !== 0 || lo & ~register.writable) core.raise(exception.GP)
    switch (name) {
      case "EOI":
        this.endOfInterrupt()
        break
      case "TPR":
        this.setTaskPriority(lo)
        break
      case "SELF_IPI":
        this.raise(lo)
        break
      case "SVR":
        this.words.set(name, lo)
        // "When software disabled, the mask bits of all LVT entries are set; attempts to reset them are ignored."
        if (!(lo & softwareEnable)) for (const entry of lvt) this.words.set(entry, this.word(entry) | masked)
        break
      case "LVT_TIMER":
        this.writeTimer(lo)
        break
      case "INITIAL_COUNT":
        this.words.set(name, lo)
        this.startCounting()
        break
      default:
        this.words.set(name, isLvt(name) && !(this.word("SVR") & softwareEnable) ? lo | masked : lo)
    }
  }

  /** ICR: a fixed interrupt to this processor is all that there is to send, as long as it is alone. */
  private sendInterrupt(core: Core, lo: number, hi: number): void {
    if (lo & ~0x000c_cfff) core.raise(exception.GP)
    const shorthand = (lo >>> 18) & 3
    const isPhysical = (lo & (1 << 11)) === 0
    const isFixed = ((lo >>> 8) & 7) === 0
    const reaches =
      shorthand === 1 || shorthand === 2 || (shorthand === 0 && (isPhysical ? hi === 0 || hi === -1 : (hi & 1) !== 0))
    if (isFixed && reaches) this.raise(lo & 0xff)
  }

  // ---- the timer

  private get mode(): number {
    return (this.word("LVT_TIMER") >>> 17) & 3
  }

  private writeTimer(value: number): void {
    const before = this.mode
    this.words.set("LVT_TIMER", this.word("SVR") & softwareEnable ? value : value | masked)
    if (this.mode === before) return
    // "A write to the LVT Timer Register that changes the timer mode disarms the local APIC timer."
    this.deadline = [0, 0]
    this.words.set("INITIAL_COUNT", 0)
    this.clock.cancel("APIC timer")
  }

  private expire = (): void => {
    this.deadline = [0, 0]
    if (!(this.word("LVT_TIMER") & masked)) this.raise(this.word("LVT_TIMER") & 0xff)
    if (this.mode === timerMode.periodic) {
      this.started += this.period()
      this.clock.schedule("APIC timer", this.started + this.period(), this.expire)
    }
  }

  /** IA32_TSC_DEADLINE: 0 if the timer is not armed, or in another mode. */
  readDeadline(): Halves {
    return this.deadline
  }

  writeDeadline(core: Core, lo: number, hi: number): void {
    if (this.mode !== timerMode.deadline) return
    this.deadline = [lo, hi]
    const offset = core.high(system.tscOffset) * two32 + (core.low(system.tscOffset) >>> 0)
    if (lo === 0 && hi === 0) this.clock.cancel("APIC timer")
    else this.clock.schedule("APIC timer", (hi >>> 0) * two32 + (lo >>> 0) - offset, this.expire)
  }

  /** "Divide Configuration Register", bits 3, 1 and 0: 2, 4, 8, ... 128, and 1. */
  private divisor(): number {
    const value = this.word("DIVIDE")
    const n = ((value >>> 1) & 4) | (value & 3)
    return n === 7 ? 1 : 2 << n
  }

  private period(): number {
    return (this.word("INITIAL_COUNT") >>> 0) * this.divisor()
  }

  private startCounting(): void {
    if (this.mode === timerMode.deadline) return
    this.started = this.clock.now()
    if (this.word("INITIAL_COUNT") === 0) this.clock.cancel("APIC timer")
    else this.clock.schedule("APIC timer", this.started + this.period(), this.expire)
  }

  private currentCount(): number {
    if (this.mode === timerMode.deadline) return 0
    const passed = Math.floor((this.clock.now() - this.started) / this.divisor())
    return Math.max(0, (this.word("INITIAL_COUNT") >>> 0) - passed)
  }
}

const isLvt = (name: Name): boolean => (lvt as readonly string[]).includes(name)

/** The highest vector in a bit array, or -1. */
const highest = (array: Int32Array): number => {
  for (let n = 7; n >= 0; n--) if (array[n] !== 0) return n * 32 + 31 - Math.clz32(array[n]!)
  return -1
}
