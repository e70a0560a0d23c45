/**
 * Local APIC: which interrupts wait for a processor, which is served, and what the processor sends to others.
 *
 * SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)". One state, seen through memory in xAPIC mode and through
 * MSRs in x2APIC mode; a register is at byte offset 16 * n of the one and at MSR 800H + n of the other.
 */
import { ApicTimer, timerMode } from "./apicTimer.ts"
import {
  deliveryMode,
  everybody,
  type Interrupt,
  type InterruptBus,
  type Receiver,
  reserved,
  type Shorthand,
  wideDestination
} from "./interruptMessages.ts"
import { ones, type Target, type Timers } from "./Wires.ts"

/** What software does with a register. The bits it can write; in x2APIC mode a write of any other is #GP. */
interface Row {
  readonly n: number
  readonly xApic: "RO" | "RW" | "WO" | "-"
  readonly x2Apic: "RO" | "RW" | "WO" | "-"
  readonly bits?: number
}

/** "Local APIC Register Address Map", with "Local APIC Register Address Map Supported by x2APIC". */
// biome-ignore format: a register, a line
const registers = {
  ID:              { n: 0x02, xApic: "RW", x2Apic: "RO", bits: 0xff00_0000 },
  VERSION:         { n: 0x03, xApic: "RO", x2Apic: "RO" },
  TPR:             { n: 0x08, xApic: "RW", x2Apic: "RW", bits: 0xff },
  APR:             { n: 0x09, xApic: "RO", x2Apic: "-" },
  PPR:             { n: 0x0a, xApic: "RO", x2Apic: "RO" },
  EOI:             { n: 0x0b, xApic: "WO", x2Apic: "WO", bits: 0 },
  RRD:             { n: 0x0c, xApic: "RO", x2Apic: "-" },
  LDR:             { n: 0x0d, xApic: "RW", x2Apic: "RO", bits: 0xff00_0000 },
  DFR:             { n: 0x0e, xApic: "RW", x2Apic: "-",  bits: 0xf000_0000 },
  SVR:             { n: 0x0f, xApic: "RW", x2Apic: "RW", bits: 0x0000_13ff },
  ESR:             { n: 0x28, xApic: "RW", x2Apic: "RW", bits: 0 },
  LVT_CMCI:        { n: 0x2f, xApic: "RW", x2Apic: "RW", bits: 0x0001_07ff },
  ICR:             { n: 0x30, xApic: "RW", x2Apic: "RW", bits: 0x000c_cfff },
  ICR_HIGH:        { n: 0x31, xApic: "RW", x2Apic: "-",  bits: 0xff00_0000 },
  LVT_TIMER:       { n: 0x32, xApic: "RW", x2Apic: "RW", bits: 0x0007_00ff },
  LVT_THERMAL:     { n: 0x33, xApic: "RW", x2Apic: "RW", bits: 0x0001_07ff },
  LVT_PERFORMANCE: { n: 0x34, xApic: "RW", x2Apic: "RW", bits: 0x0001_07ff },
  LVT_LINT0:       { n: 0x35, xApic: "RW", x2Apic: "RW", bits: 0x0001_a7ff },
  LVT_LINT1:       { n: 0x36, xApic: "RW", x2Apic: "RW", bits: 0x0001_a7ff },
  LVT_ERROR:       { n: 0x37, xApic: "RW", x2Apic: "RW", bits: 0x0001_00ff },
  INITIAL_COUNT:   { n: 0x38, xApic: "RW", x2Apic: "RW", bits: 0xffff_ffff },
  CURRENT_COUNT:   { n: 0x39, xApic: "RO", x2Apic: "RO" },
  DIVIDE:          { n: 0x3e, xApic: "RW", x2Apic: "RW", bits: 0xb },
  SELF_IPI:        { n: 0x3f, xApic: "-",  x2Apic: "WO", bits: 0xff }
} as const satisfies Record<string, Row>

type Name = keyof typeof registers
type Lvt = Extract<Name, `LVT_${string}`>

const names = Object.keys(registers) as readonly Name[]
const byNumber: ReadonlyMap<number, Name> = new Map(names.map((name) => [registers[name].n, name]))
const isLvt = (name: Name): name is Lvt => name.startsWith("LVT_")
const lvts = names.filter(isLvt)

/** Arrays of 256 bits, a register for each 32. */
const arrays = { ISR: 0x10, TMR: 0x18, IRR: 0x20 } as const

/** "Local Vector Table (LVT)". Delivery status is always idle. */
const LVT = { mask: 1 << 16, level: 1 << 15, remoteIrr: 1 << 14, deliveryStatus: 1 << 12 } as const

/** "Spurious-Interrupt Vector Register (SVR)". */
const SVR = { enable: 1 << 8, suppressBroadcast: 1 << 12 } as const

/** "Error Status Register (ESR)". */
export const ESR = { sendIllegalVector: 1 << 5, receiveIllegalVector: 1 << 6, illegalRegister: 1 << 7 } as const

/** "IA32_APIC_BASE MSR". */
const BASE = { BSP: 1 << 8, EXTD: 1 << 10, EN: 1 << 11, address: 0xfee0_0000 } as const

/** Seven LVT entries, EOI broadcasts can be suppressed, integrated APIC. */
const version = (1 << 24) | ((lvts.length - 1) << 16) | 0x15

/** What `pending` gives for an interrupt whose vector an 8259A says when asked. */
export const external = 256

/** The halves of a 64-bit register. */
export type Halves = readonly [lo: number, hi: number]

/** The processor at one side of the local APIC, and the machine at the other. */
export interface Surroundings {
  /** Something may be pending that was not. */
  readonly noticed: () => void
  readonly nmi: () => void
  readonly smi: () => void
  readonly init: () => void
  readonly startUp: (vector: number) => void
  /** The registers are in memory at this address, or (undefined) not in memory. */
  readonly mapped: (address: number | undefined) => void
  /** What IA32_TIME_STAMP_COUNTER is ahead of the time, modulo 2^64. */
  readonly tscOffset: () => Halves
}

export class LocalApic implements Receiver, Target {
  /** The x2APIC ID; of the xAPIC, what the ID register begins with. */
  readonly initialId: number
  private readonly bus: InterruptBus
  private readonly surroundings: Surroundings
  private readonly externalVector: () => number
  private readonly timers: Timers
  private readonly timer: ApicTimer
  private readonly words = new Uint32Array(0x40)
  private readonly irr = new Int32Array(8)
  /** False: nothing is in IRR. Between any two runs of instructions this is asked, and mostly it is so. */
  private mayBeRequested = false
  private readonly isr = new Int32Array(8)
  private readonly tmr = new Int32Array(8)
  private base: Halves
  /** IA32_TSC_DEADLINE, in halves. */
  private deadlineLow = 0
  private deadlineHigh = 0
  /** Errors since ESR was last written; the next error is an interrupt only if ESR was written since the last that was. */
  private errors = 0
  private isErrorArmed = true
  private hasExternal = false
  /** LINT0 and LINT1. */
  private readonly pins: [boolean, boolean] = [false, false]

  /** The one with ID 0 is the bootstrap processor's. `externalVector` is INTA as the 8259As answer it. */
  constructor(id: number, timers: Timers, bus: InterruptBus, surroundings: Surroundings, externalVector: () => number) {
    this.initialId = id
    this.bus = bus
    this.timers = timers
    this.surroundings = surroundings
    this.externalVector = externalVector
    this.timer = new ApicTimer(timers, `local APIC ${id}`, this.timerExpired)
    this.base = [(BASE.address | BASE.EN | (id === 0 ? BASE.BSP : 0)) >>> 0, 0]
    bus.attach(this)
    this.resetRegisters()
  }

  /** Power-up or RESET. */
  reset(): void {
    this.base = [(BASE.address | BASE.EN | (this.base[0] & BASE.BSP)) >>> 0, 0]
    this.resetRegisters()
    this.surroundings.mapped(this.window())
  }

  /** "Local APIC State After an INIT Reset": as after power-up, except the APIC ID and IA32_APIC_BASE. */
  resetByInit(): void {
    const id = this.word("ID")
    this.resetRegisters()
    this.put("ID", id)
  }

  private resetRegisters(): void {
    this.words.fill(0)
    this.put("ID", this.initialId << 24)
    this.put("DFR", 0xffff_ffff)
    this.put("SVR", 0xff)
    for (const name of lvts) this.put(name, LVT.mask)
    for (const array of [this.irr, this.isr, this.tmr]) array.fill(0)
    this.clearDeadline()
    this.errors = 0
    this.isErrorArmed = true
    this.hasExternal = false
    this.timer.reset()
  }

  // ---- what the processor asks

  /** The vector of the interrupt that would be delivered now, `external`, or -1. "Interrupt Acceptance for Fixed Interrupts". */
  pending(): number {
    if (this.hasExternal || this.isExternalAsserted()) return external
    if (!this.mayBeRequested) return -1
    const vector = highest(this.irr)
    this.mayBeRequested = vector >= 0
    return vector >= 0 && vector >>> 4 > this.priority() >>> 4 ? vector : -1
  }

  /** The processor takes what is pending. If it has just been masked: "the local APIC will deliver a spurious-interrupt vector." */
  acknowledge(): number {
    const vector = this.pending()
    if (vector === external) {
      this.hasExternal = false
      return this.externalVector()
    }
    if (vector < 0) return this.word("SVR") & 0xff
    clear(this.irr, vector)
    put(this.isr, vector)
    return vector
  }

  /** TPR, of which CR8 is bits 7 to 4. */
  get taskPriority(): number {
    return this.word("TPR")
  }

  setTaskPriority(value: number): void {
    this.put("TPR", value & 0xff)
    this.surroundings.noticed()
  }

  /** PPR. "Task and Processor Priorities". */
  priority(): number {
    const served = Math.max(highest(this.isr), 0)
    return this.taskPriority >>> 4 >= served >>> 4 ? this.taskPriority : served & 0xf0
  }

  // ---- what others send: Receiver

  id(): number {
    return this.isX2() ? this.initialId : this.word("ID") >>> 24
  }

  /** "Determining IPI Destination". Whoever is software disabled still hears INIT, NMI, SMI and SIPI. */
  isAddressed({ mode, logical, destination }: Interrupt): boolean {
    const isForEnabled = mode === deliveryMode.fixed || mode === deliveryMode.lowestPriority
    if (!this.isEnabled() || (isForEnabled && !this.isSoftwareEnabled())) return false
    if (destination === everybody) return true
    if (!logical) return destination === this.id()
    const address = this.logicalId()
    if (this.isX2()) return destination >>> 16 === address >>> 16 && (destination & address & 0xffff) !== 0
    const isFlat = this.word("DFR") >>> 28 === 0xf
    return isFlat
      ? (destination & address) !== 0
      : destination >>> 4 === address >>> 4 && (destination & address & 0xf) !== 0
  }

  accept({ mode, vector, level }: Interrupt): void {
    switch (mode) {
      case deliveryMode.fixed:
      case deliveryMode.lowestPriority:
        this.request(vector, level)
        break
      case deliveryMode.SMI:
        this.surroundings.smi()
        break
      case deliveryMode.NMI:
        this.surroundings.nmi()
        break
      case deliveryMode.INIT:
        this.surroundings.init()
        break
      case deliveryMode.startUp:
        this.surroundings.startUp(vector)
        break
      case deliveryMode.ExtINT:
        this.hasExternal = true
        this.surroundings.noticed()
        break
    }
  }

  private request(vector: number, level: boolean): void {
    // Vectors 0 to 15 are illegal, and never set a bit of IRR.
    if (vector < 16) {
      this.note(ESR.receiveIllegalVector)
      return
    }
    put(this.irr, vector)
    this.mayBeRequested = true
    if (level) put(this.tmr, vector)
    else clear(this.tmr, vector)
    this.surroundings.noticed()
  }

  // ---- local interrupts

  /** The level of LINT0 (0) or LINT1 (1). Without an APIC they are INTR and NMI. */
  setPin(pin: 0 | 1, level: boolean): void {
    const rises = level && !this.pins[pin]
    this.pins[pin] = level
    const entry = this.word(pin === 0 ? "LVT_LINT0" : "LVT_LINT1")
    if (!this.isEnabled()) {
      if (pin === 0) this.surroundings.noticed()
      else if (rises) this.surroundings.nmi()
    } else if ((entry & LVT.mask) === 0 && isLevel(entry)) this.servePin(pin)
    else if (isOf(entry, deliveryMode.ExtINT)) this.surroundings.noticed()
    else if (rises) this.deliver(pin === 0 ? "LVT_LINT0" : "LVT_LINT1")
  }

  /** An event of the processor: it has no pin. The performance counters' interrupt masks its own entry. */
  signal(name: "LVT_CMCI" | "LVT_THERMAL" | "LVT_PERFORMANCE"): void {
    this.deliver(name)
    if (name === "LVT_PERFORMANCE") this.put(name, this.word(name) | LVT.mask)
  }

  private deliver(name: Lvt): void {
    const entry = this.word(name)
    if ((entry & LVT.mask) !== 0 || !this.isEnabled()) return
    const mode = (entry >>> 8) & 7
    if (localModes.has(mode))
      this.accept({ mode, vector: entry & 0xff, level: false, logical: false, destination: this.id() })
  }

  /** A level-triggered pin: remote IRR is set when its interrupt is accepted, and reset by the EOI. */
  private servePin(pin: 0 | 1): void {
    const name = pin === 0 ? "LVT_LINT0" : "LVT_LINT1"
    const entry = this.word(name)
    if (!this.pins[pin] || (entry & (LVT.mask | LVT.remoteIrr)) !== 0 || !isLevel(entry)) return
    this.put(name, entry | LVT.remoteIrr)
    this.request(entry & 0xff, true)
  }

  private isExternalAsserted(): boolean {
    // Between any two runs of instructions this is asked, and mostly the pin is low.
    if (!this.pins[0]) return false
    const entry = this.word("LVT_LINT0")
    return !this.isEnabled() || (isOf(entry, deliveryMode.ExtINT) && (entry & LVT.mask) === 0)
  }

  private timerExpired = (): void => {
    this.clearDeadline()
    this.deliver("LVT_TIMER")
  }

  private note(error: number): void {
    this.errors |= error
    if (!this.isErrorArmed) return
    this.isErrorArmed = false
    this.deliver("LVT_ERROR")
  }

  // ---- EOI

  endOfInterrupt(): void {
    const vector = highest(this.isr)
    if (vector < 0) return
    clear(this.isr, vector)
    this.ended(vector)
    this.surroundings.noticed()
  }

  /** The interrupt of this vector is served no more: who raised it hears of it, if it is a level. */
  ended(vector: number): void {
    if (has(this.tmr, vector)) {
      // "Support for directed EOI": software then writes the EOI register of the IOAPIC itself.
      if ((this.word("SVR") & SVR.suppressBroadcast) === 0) this.bus.endOfInterrupt(vector)
      this.endOfPin(0, vector)
      this.endOfPin(1, vector)
    }
  }

  private endOfPin(pin: 0 | 1, vector: number): void {
    const name = pin === 0 ? "LVT_LINT0" : "LVT_LINT1"
    if ((this.word(name) & 0xff) !== vector) return
    this.put(name, this.word(name) & ~LVT.remoteIrr)
    this.servePin(pin)
  }

  // ---- IA32_APIC_BASE

  readBase(): Halves {
    return this.base
  }

  /** False: #GP. "x2APIC State Transitions": x2APIC is entered from xAPIC, and left by disabling. `maxAddress` is 2^MAXPHYADDR. */
  writeBase(lo: number, hi: number, maxAddress: number): boolean {
    const both = BASE.EN | BASE.EXTD
    const [was, to] = [this.base[0] & both, lo & both]
    const isInvalid = to === BASE.EXTD || (was === 0 && to === both) || (was === both && to === BASE.EN)
    const isReserved = (lo & 0x2ff & ~BASE.BSP) !== 0 || toNumber(lo, hi) >= maxAddress
    if (isInvalid || isReserved) return false
    this.base = [lo >>> 0, hi >>> 0]
    if (to === 0) this.resetRegisters()
    this.surroundings.mapped(this.window())
    this.surroundings.noticed()
    return true
  }

  /** Where the registers are in memory. */
  window(): number | undefined {
    return this.isEnabled() && !this.isX2() ? toNumber(this.base[0] & ~0xfff, this.base[1]) : undefined
  }

  /** CPUID.01H:EDX.APIC[9] says the same. */
  isEnabled(): boolean {
    return (this.base[0] & BASE.EN) !== 0
  }

  /** IA32_APIC_BASE.BSP. */
  isBootstrap(): boolean {
    return (this.base[0] & BASE.BSP) !== 0
  }

  isX2(): boolean {
    return this.isEnabled() && (this.base[0] & BASE.EXTD) !== 0
  }

  private isSoftwareEnabled(): boolean {
    return (this.word("SVR") & SVR.enable) !== 0
  }

  // ---- registers on a page, a doubleword each 16 bytes: "Virtualized APIC Registers" of SDM vol. 3C

  /** What a processor that virtualizes them changes by itself is as on the page: TPR, ISR, IRR and ICR. */
  takeRegisters(page: Uint32Array): void {
    for (const name of ["TPR", "ICR"] as const) this.put(name, page[4 * registers[name].n]!)
    this.put("ICR_HIGH", page[this.isX2() ? 4 * registers.ICR.n + 1 : 4 * registers.ICR_HIGH.n]!)
    for (let n = 0; n < 8; n++) {
      this.isr[n] = page[4 * (arrays.ISR + n)]!
      this.irr[n] = page[4 * (arrays.IRR + n)]!
    }
    this.mayBeRequested = true
  }

  /** The page is as the registers are: all but the timer's current count, and those that are never read. */
  putRegisters(page: Uint32Array): void {
    for (const name of names) {
      const { n, xApic } = registers[name]
      if (name !== "CURRENT_COUNT" && xApic !== "WO" && xApic !== "-") page[4 * n] = this.value(name)
    }
    for (let n = arrays.ISR; n < arrays.IRR + 8; n++) page[4 * n] = this.inArray(n)
    if (!this.isX2()) return
    page[4 * registers.ID.n] = this.initialId
    page[4 * registers.LDR.n] = this.logicalId()
    page[4 * registers.ICR.n + 1] = this.word("ICR_HIGH")
  }

  // ---- registers in memory: xAPIC

  /** Registers are accessed as doublewords on 16-byte steps. The other 12 bytes of each read as 0. */
  read(offset: number, width: number): number {
    if ((offset & 0xf) >= 4) return 0
    return ((this.readMemory((offset >>> 4) & 0xff) >>> ((offset & 3) * 8)) & ones(width)) >>> 0
  }

  write(offset: number, width: number, value: number): void {
    if ((offset & 0xf) !== 0 || width !== 32) return
    const name = byNumber.get((offset >>> 4) & 0xff)
    if (name === undefined || registers[name].xApic === "-") {
      if (!isInArray((offset >>> 4) & 0xff)) this.note(ESR.illegalRegister)
      return
    }
    const row: Row = registers[name]
    if (row.xApic === "RO") return
    // The other bits of DFR read as ones.
    if (name === "DFR") this.put(name, value | 0x0fff_ffff)
    else if (isLvt(name)) this.writeLvt(name, value & row.bits!)
    else if (name === "ICR") this.command(value & row.bits!, wideDestination(this.word("ICR_HIGH") >>> 24))
    else this.perform(name, value & row.bits!)
  }

  private readMemory(n: number): number {
    const name = byNumber.get(n)
    if (name !== undefined && registers[name].xApic !== "-")
      return registers[name].xApic === "WO" ? 0 : this.value(name)
    if (!isInArray(n)) this.note(ESR.illegalRegister)
    return this.inArray(n)
  }

  // ---- registers as MSRs: x2APIC

  /** MSRs 800H to 8FFH. Undefined: #GP. */
  readMsr(number: number): Halves | undefined {
    const n = number - 0x800
    if (!this.isX2()) return undefined
    if (isInArray(n)) return [this.inArray(n), 0]
    const name = byNumber.get(n)
    if (name === undefined || registers[name].x2Apic === "-" || registers[name].x2Apic === "WO") return undefined
    if (name === "ID") return [this.initialId, 0]
    if (name === "LDR") return [this.logicalId(), 0]
    return [this.value(name), name === "ICR" ? this.word("ICR_HIGH") : 0]
  }

  /** False: #GP. */
  writeMsr(number: number, lo: number, hi: number): boolean {
    const name = byNumber.get(number - 0x800)
    if (!this.isX2() || name === undefined) return false
    const row: Row = registers[name]
    // What can only be read is not reserved: it may be written back.
    const readable = isLvt(name) ? LVT.remoteIrr | LVT.deliveryStatus : 0
    if (row.x2Apic === "-" || row.x2Apic === "RO" || (lo & ~row.bits! & ~readable) !== 0) return false
    if (hi !== 0 && name !== "ICR") return false
    if (name === "ICR") {
      this.put("ICR_HIGH", hi)
      this.command(lo, hi >>> 0)
    } else if (isLvt(name)) this.writeLvt(name, lo & row.bits!)
    else this.perform(name, lo >>> 0)
    return true
  }

  // ---- IA32_TSC_DEADLINE

  readDeadline(): Halves {
    return [this.deadlineLow, this.deadlineHigh]
  }

  /** In another mode writes are ignored. 0 disarms. */
  writeDeadline(lo: number, hi: number): void {
    if (this.mode() !== timerMode.deadline) return
    this.deadlineLow = lo
    this.deadlineHigh = hi
    this.tscChanged()
  }

  private clearDeadline(): void {
    this.deadlineLow = 0
    this.deadlineHigh = 0
  }

  /** The time-stamp counter has another value: the deadline is another time. */
  tscChanged(): void {
    if (this.mode() !== timerMode.deadline) return
    const [lo, hi] = [this.deadlineLow, this.deadlineHigh]
    const now = Math.floor(this.timers.now())
    const [aheadLow, aheadHigh] = this.surroundings.tscOffset()
    const tscLow = (now >>> 0) + (aheadLow >>> 0)
    const tscHigh = (Math.floor(now / 2 ** 32) + aheadHigh + (tscLow >= 2 ** 32 ? 1 : 0)) >>> 0
    const left = ((hi >>> 0) - tscHigh) * 2 ** 32 + (lo >>> 0) - (tscLow >>> 0)
    const isArmed = lo !== 0 || hi !== 0
    this.timer.expireAt(isArmed ? now + Math.max(0, left) : Number.POSITIVE_INFINITY)
  }

  // ---- what a register says, and what writing it does

  private value(name: Name): number {
    switch (name) {
      case "VERSION":
        return version
      case "PPR":
        return this.priority()
      case "APR":
        return this.arbitrationPriority()
      case "INITIAL_COUNT":
        return this.timer.initialCount
      case "CURRENT_COUNT":
        return this.timer.currentCount()
      default:
        return this.word(name)
    }
  }

  private perform(name: Exclude<Name, Lvt>, value: number): void {
    switch (name) {
      case "EOI":
        this.endOfInterrupt()
        break
      case "TPR":
        this.setTaskPriority(value)
        break
      case "SVR":
        this.put(name, value)
        // "Local APIC State After It Has Been Software Disabled": "the mask bits for all the LVT entries are set."
        if (!this.isSoftwareEnabled()) for (const entry of lvts) this.writeLvt(entry, this.word(entry))
        break
      case "ESR":
        // "This write clears any previously logged errors and updates the ESR with any errors detected since the last write."
        this.put(name, this.errors)
        this.errors = 0
        this.isErrorArmed = true
        break
      case "INITIAL_COUNT":
        this.timer.start(value)
        break
      case "DIVIDE":
        this.put(name, value)
        this.timer.divide(value)
        break
      case "SELF_IPI":
        this.send(deliveryMode.fixed, value, "self", false, everybody)
        break
      default:
        this.put(name, value)
    }
  }

  private writeLvt(name: Lvt, written: number): void {
    const kept = this.word(name) & LVT.remoteIrr
    const value = this.isSoftwareEnabled() ? written : written | LVT.mask
    // Remote IRR belongs to a level-triggered interrupt.
    this.put(name, isLevel(value) ? value | kept : value & ~LVT.remoteIrr)
    if (name === "LVT_TIMER") {
      if (this.mode() !== timerMode.deadline) this.clearDeadline()
      this.timer.configure(this.mode(), (value & LVT.mask) === 0)
    } else if (name === "LVT_LINT0") this.servePin(0)
    else if (name === "LVT_LINT1") this.servePin(1)
    if (name === "LVT_LINT0") this.surroundings.noticed()
  }

  private mode(): number {
    return (this.words[registers.LVT_TIMER.n]! >>> 17) & 3
  }

  /** "Interrupt Command Register (ICR)". Delivery is at once: its status is always idle. To itself a processor sends fixed interrupts only. */
  private command(low: number, destination: number): void {
    this.put("ICR", low)
    const shorthand = shorthands[(low >>> 18) & 3]!
    const mode = shorthand === "self" ? deliveryMode.fixed : (low >>> 8) & 7
    // "INIT Level De-assert" is of no effect, and two modes are reserved.
    const isDeassert = mode === deliveryMode.INIT && (low & 0xc000) === 0x8000
    if (isDeassert || mode === reserved || mode === deliveryMode.ExtINT) return
    this.send(mode, low & 0xff, shorthand, (low & 0x800) !== 0, destination)
  }

  private send(mode: number, vector: number, shorthand: Shorthand, logical: boolean, destination: number): void {
    const hasVector = mode === deliveryMode.fixed || mode === deliveryMode.lowestPriority
    if (hasVector && vector < 16) this.note(ESR.sendIllegalVector)
    else {
      const to = shorthand === "none" ? destination : everybody
      this.bus.send({ mode, vector, level: false, logical, destination: to }, shorthand, this)
    }
  }

  /** "Deriving Logical x2APIC ID from the Local x2APIC ID". */
  private logicalId(): number {
    if (!this.isX2()) return this.word("LDR") >>> 24
    return (((this.initialId >>> 4) << 16) | (1 << (this.initialId & 0xf))) >>> 0
  }

  /** "Arbitration Priority Register": of TPR, ISRV and IRRV. */
  private arbitrationPriority(): number {
    const [served, waiting] = [Math.max(highest(this.isr), 0) & 0xf0, Math.max(highest(this.irr), 0) & 0xf0]
    const task = this.taskPriority & 0xf0
    return task >= waiting && task > served ? this.taskPriority : Math.max(task & served, waiting)
  }

  private inArray(n: number): number {
    if (n >= arrays.ISR && n < arrays.ISR + 8) return this.isr[n - arrays.ISR]! >>> 0
    if (n >= arrays.TMR && n < arrays.TMR + 8) return this.tmr[n - arrays.TMR]! >>> 0
    if (n >= arrays.IRR && n < arrays.IRR + 8) return this.irr[n - arrays.IRR]! >>> 0
    return 0
  }

  private word(name: Name): number {
    return this.words[registers[name].n]!
  }

  private put(name: Name, value: number): void {
    this.words[registers[name].n] = value
  }
}

/** Delivery modes of the LVT; the others are reserved. */
const localModes: ReadonlySet<number> = new Set([
  deliveryMode.fixed,
  deliveryMode.SMI,
  deliveryMode.NMI,
  deliveryMode.INIT,
  deliveryMode.ExtINT
])

/** "Destination Shorthand", bits 19:18 of the ICR. */
const shorthands: readonly Shorthand[] = ["none", "self", "all", "others"]

const isInArray = (n: number): boolean => n >= arrays.ISR && n < arrays.IRR + 8

const isOf = (entry: number, mode: number): boolean => ((entry >>> 8) & 7) === mode

const isLevel = (entry: number): boolean => (entry & LVT.level) !== 0 && isOf(entry, deliveryMode.fixed)

/** The highest vector in an array, or -1. */
const highest = (array: Int32Array): number => {
  for (let n = 7; n >= 0; n--) if (array[n] !== 0) return n * 32 + 31 - Math.clz32(array[n]!)
  return -1
}

const has = (array: Int32Array, vector: number): boolean => ((array[vector >>> 5]! >>> (vector & 31)) & 1) === 1

const put = (array: Int32Array, vector: number): void => {
  array[vector >>> 5]! |= 1 << (vector & 31)
}

const clear = (array: Int32Array, vector: number): void => {
  array[vector >>> 5]! &= ~(1 << (vector & 31))
}

const toNumber = (lo: number, hi: number): number => (hi >>> 0) * 2 ** 32 + (lo >>> 0)
