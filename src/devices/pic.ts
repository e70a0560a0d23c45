/**
 * PIC: two interrupt controllers, the second behind input 2 of the first.
 *
 * Intel 8259A Programmable Interrupt Controller, "Programming the 8259A" (initialization command words ICW1 to ICW4, operation
 * command words OCW1 to OCW3) and "Interrupt Sequence"; the edge/level registers are the 82801 I/O Controller Hubs' ELCR1, ELCR2.
 */
import { get, ro, wo } from "./registers.ts"
import type { Target, Wire } from "./Wires.ts"

// biome-ignore format: a table
const ICW1 = {
  ICW:  wo(4),   // 1: this is ICW1, and a sequence begins
  SNGL: wo(1),   // no ICW3
  IC4:  wo(0)    // an ICW4 will follow
} as const

// biome-ignore format: a table
const ICW4 = {
  SFNM: wo(4),   // Special Fully Nested Mode
  AEOI: wo(1)    // Automatic End Of Interrupt
} as const

// biome-ignore format: a table
const OCW2 = {
  COMMAND: wo(7, 5),
  LEVEL:   wo(2, 0)
} as const

/** OCW2's R, SL and EOI. */
// biome-ignore format: a table
const command = {
  rotateInAutoEoiClear: 0b000,
  nonSpecificEoi:       0b001,
  none:                 0b010,
  specificEoi:          0b011,
  rotateInAutoEoiSet:   0b100,
  rotateOnNonSpecific:  0b101,
  setPriority:          0b110,
  rotateOnSpecific:     0b111
} as const

// biome-ignore format: a table
const OCW3 = {
  ESMM: wo(6),   // SMM is meant
  SMM:  wo(5),   // Special Mask Mode
  OCW3: wo(3),   // 1: this is OCW3
  P:    wo(2),   // Poll
  RR:   wo(1),   // RIS is meant
  RIS:  wo(0)    // the next reads are of ISR, not IRR
} as const

/** What a poll reads. */
const POLL = { I: ro(7), level: ro(2, 0) } as const

/** "Default IR7": what is acknowledged when nothing is requested any more. */
const spurious = 7

type Step = "ready" | "ICW2" | "ICW3" | "ICW4"

/** One 8259A. Levels are numbers 0 to 7; sets of levels are bytes. */
class Chip {
  private readonly isMaster: boolean
  private readonly levelTriggerable: number
  private readonly output: Wire
  private step: Step = "ready"
  private expectsIcw4 = false
  private expectsIcw3 = false
  private vectorBase = 0
  private imr = 0
  private isr = 0
  private lines = 0
  /** Edges seen and not yet acknowledged. */
  private edges = 0
  private levelTriggered = 0
  private lowest = 7
  private readsIsr = false
  private isPolled = false
  private specialMask = false
  private specialFullyNested = false
  private autoEoi = false
  private rotatesInAutoEoi = false

  constructor(isMaster: boolean, levelTriggerable: number, output: Wire) {
    this.isMaster = isMaster
    this.levelTriggerable = levelTriggerable
    this.output = output
  }

  reset(): void {
    this.initialize(0)
    this.step = "ready"
    this.vectorBase = 0
    this.levelTriggered = 0
    this.update()
  }

  /** Edge-triggered or not, an input must stay high until INTA: a request that goes away is none. */
  setLine(level: number, isHigh: boolean): void {
    const bit = 1 << level
    if (isHigh && (this.lines & bit) === 0) this.edges |= bit
    if (!isHigh) this.edges &= ~bit
    this.lines = isHigh ? this.lines | bit : this.lines & ~bit
    this.update()
  }

  /** The level that INT is for, or -1. */
  requested(): number {
    // "Special Mask Mode": a level whose mask bit is set inhibits itself only, and lets all other levels in.
    const serving = this.specialMask ? this.isr & ~this.imr : this.isr
    const waiting = this.irr() & ~this.imr
    for (let n = 1; n <= 8; n++) {
      const level = (this.lowest + n) & 7
      const bit = 1 << level
      // "Special Fully Nested Mode": a slave whose interrupt is in service is not locked out.
      const mayNest = this.isMaster && this.specialFullyNested && level === cascade
      if ((waiting & bit) !== 0 && ((serving & bit) === 0 || mayNest)) return level
      if ((serving & bit) !== 0 && !this.specialMask) return -1
    }
    return -1
  }

  /** INTA: the level that is served from now on, or the spurious one, which is not. */
  acknowledge(): number {
    const level = this.requested()
    if (level < 0) return spurious
    const bit = 1 << level
    this.edges &= ~bit
    if (!this.autoEoi) this.isr |= bit
    else if (this.rotatesInAutoEoi) this.lowest = level
    // INT goes low at INTA: what is still requested is an edge for a master.
    this.output(false)
    this.update()
    return level
  }

  vector(level: number): number {
    return this.vectorBase | level
  }

  readEdgeLevel(): number {
    return this.levelTriggered
  }

  writeEdgeLevel(value: number): void {
    this.levelTriggered = value & this.levelTriggerable
    this.update()
  }

  read(a0: boolean): number {
    if (this.isPolled) {
      // "Poll Command": the read is an interrupt acknowledge.
      this.isPolled = false
      return this.requested() < 0 ? 0 : (1 << POLL.I.lo) | this.acknowledge()
    }
    return a0 ? this.imr : this.readsIsr ? this.isr : this.irr()
  }

  write(a0: boolean, value: number): void {
    if (a0) this.writeData(value)
    else if (get(ICW1.ICW, value) === 1) this.initialize(value)
    else if (get(OCW3.OCW3, value) === 1) this.writeOcw3(value)
    else this.writeOcw2(get(OCW2.COMMAND, value), get(OCW2.LEVEL, value))
    this.update()
  }

  /** ICW1 sets back everything but the level-triggered inputs. */
  private initialize(value: number): void {
    this.edges = 0
    this.imr = 0
    this.isr = 0
    this.lowest = 7
    this.specialMask = false
    this.readsIsr = false
    this.isPolled = false
    this.specialFullyNested = false
    this.autoEoi = false
    this.rotatesInAutoEoi = false
    this.expectsIcw3 = get(ICW1.SNGL, value) === 0
    this.expectsIcw4 = get(ICW1.IC4, value) === 1
    this.step = "ICW2"
  }

  private writeData(value: number): void {
    switch (this.step) {
      case "ready":
        this.imr = value
        break
      case "ICW2":
        this.vectorBase = value & 0xf8
        this.step = this.expectsIcw3 ? "ICW3" : this.afterIcw3()
        break
      case "ICW3":
        // How the two are wired is not software's to say.
        this.step = this.afterIcw3()
        break
      case "ICW4":
        this.specialFullyNested = get(ICW4.SFNM, value) === 1
        this.autoEoi = get(ICW4.AEOI, value) === 1
        this.step = "ready"
        break
    }
  }

  private afterIcw3(): Step {
    return this.expectsIcw4 ? "ICW4" : "ready"
  }

  private writeOcw2(what: number, level: number): void {
    switch (what) {
      case command.nonSpecificEoi:
      case command.rotateOnNonSpecific: {
        const served = this.highestServed()
        if (served < 0) return
        this.isr &= ~(1 << served)
        if (what === command.rotateOnNonSpecific) this.lowest = served
        break
      }
      case command.specificEoi:
      case command.rotateOnSpecific:
        this.isr &= ~(1 << level)
        if (what === command.rotateOnSpecific) this.lowest = level
        break
      case command.setPriority:
        this.lowest = level
        break
      case command.rotateInAutoEoiSet:
        this.rotatesInAutoEoi = true
        break
      case command.rotateInAutoEoiClear:
        this.rotatesInAutoEoi = false
        break
    }
  }

  private writeOcw3(value: number): void {
    if (get(OCW3.ESMM, value) === 1) this.specialMask = get(OCW3.SMM, value) === 1
    if (get(OCW3.P, value) === 1) this.isPolled = true
    else if (get(OCW3.RR, value) === 1) this.readsIsr = get(OCW3.RIS, value) === 1
  }

  /** Which level a non-specific EOI is for, or -1. In special mask mode a masked level is left out. */
  private highestServed(): number {
    const served = this.specialMask ? this.isr & ~this.imr : this.isr
    for (let n = 1; n <= 8; n++) if (served & (1 << ((this.lowest + n) & 7))) return (this.lowest + n) & 7
    return -1
  }

  private irr(): number {
    return this.edges | (this.lines & this.levelTriggered)
  }

  private update(): void {
    this.output(this.requested() >= 0)
  }
}

/** The master's input that the slave's INT is wired to. */
const cascade = 2

/** Where a byte is: the chips at 20H and A0H, the edge/level registers at 4D0H. */
export class Pic {
  private readonly master: Chip
  private readonly slave: Chip
  /** IRQ 0 to 7 as ports 20H and 21H, IRQ 8 to 15 as A0H and A1H. */
  readonly commands: readonly [Target, Target]
  /** Ports 4D0H and 4D1H: a 1 makes the interrupt level-triggered. The timer, keyboard, cascade, clock and coprocessor stay edge-triggered. */
  readonly edgeLevel: Target

  /** `intr`: the processor's INTR pin, or LINT0 of its local APIC. */
  constructor(intr: Wire) {
    this.master = new Chip(true, 0b1111_1000, intr)
    this.slave = new Chip(false, 0b1101_1110, (level) => this.master.setLine(cascade, level))
    this.commands = [portsOf(this.master), portsOf(this.slave)]
    this.edgeLevel = {
      read: (offset) => (offset === 0 ? this.master : this.slave).readEdgeLevel(),
      write: (offset, _, value) => (offset === 0 ? this.master : this.slave).writeEdgeLevel(value)
    }
  }

  reset(): void {
    this.master.reset()
    this.slave.reset()
  }

  /** The level of an IRQ line, 0 to 15. Line 2 is the slave's. */
  setLine(irq: number, level: boolean): void {
    if (irq >= 8) this.slave.setLine(irq - 8, level)
    else if (irq !== cascade) this.master.setLine(irq, level)
  }

  /** INTA: the vector. Spurious interrupts have that of IRQ 7 or IRQ 15, and nothing is served for them. */
  acknowledge(): number {
    const level = this.master.acknowledge()
    return level === cascade ? this.slave.vector(this.slave.acknowledge()) : this.master.vector(level)
  }
}

const portsOf = (chip: Chip): Target => ({
  read: (offset) => chip.read((offset & 1) === 1),
  write: (offset, _, value) => chip.write((offset & 1) === 1, value & 0xff)
})
