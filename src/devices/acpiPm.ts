/**
 * ACPI power management: the fixed hardware registers, the timer, sleep, and the reset register.
 *
 * ACPI Specification, "ACPI Hardware Specification", "Fixed Hardware Features": PM1 Event and Control Grouping, Power Management Timer.
 * The machine is always in ACPI mode: SCI_EN is 1 and FADT.SMI_CMD is 0. Port CF9H is the 82801 I/O Controller Hubs' RST_CNT.
 */
import { pmClock } from "./oscillator.ts"
import { get, RegisterFile, ro, rw, rw1c, type Table, wo } from "./registers.ts"
import type { Target, Timers, Wire } from "./Wires.ts"

/** Offsets from the block's first port. FADT says the same. */
// biome-ignore format: a table
const table = {
  PM1_STS: {
    offset: 0, width: 16,
    fields: { WAK_STS: rw1c(15), RTC_STS: rw1c(10), SLPBTN_STS: rw1c(9), PWRBTN_STS: rw1c(8), GBL_STS: rw1c(5), BM_STS: rw1c(4), TMR_STS: rw1c(0) }
  },
  PM1_EN: {
    offset: 2, width: 16,
    fields: { RTC_EN: rw(10), SLPBTN_EN: rw(9), PWRBTN_EN: rw(8), GBL_EN: rw(5), TMR_EN: rw(0) }
  },
  PM1_CNT: {
    offset: 4, width: 16, reset: 1,
    fields: { SLP_EN: wo(13), SLP_TYP: rw(12, 10), GBL_RLS: wo(2), BM_RLD: rw(1), SCI_EN: ro(0) }
  }
} as const satisfies Table

const PM_TMR = 8

/** Where the block is in port space, as on the boards that images are built for. */
export const pmBase = 0x600
export const pmBytes = 12

/** SLP_TYP of S5, soft off: \_S5 says it too. Software that knows only the boards of QEMU writes 2000H to port 604H. */
export const softOff = 0

/** The timer has 24 bits, and TMR_STS is set whenever the highest changes. */
const half = 2 ** 23

export interface PowerOutputs {
  /** The system control interrupt: level-triggered, IRQ 9. */
  readonly sci: Wire
  /** The machine is off. */
  readonly powerOff: () => void
}

export class AcpiPm implements Target {
  private readonly timers: Timers
  private readonly outputs: PowerOutputs
  private readonly registers = new RegisterFile(table)
  /** TMR_STS is known up to here. */
  private seen: number

  constructor(timers: Timers, outputs: PowerOutputs) {
    this.timers = timers
    this.outputs = outputs
    this.seen = timers.now()
  }

  reset(): void {
    this.registers.reset()
    this.seen = this.timers.now()
    this.await()
  }

  read(offset: number, width: number): number {
    this.settle()
    if (offset < PM_TMR) return this.registers.read(offset, width)
    const count = pmClock.ticksAt(this.timers.now()) % (2 * half)
    return ((count >>> ((offset - PM_TMR) * 8)) & (2 ** width - 1)) >>> 0
  }

  write(offset: number, width: number, value: number): void {
    this.settle()
    this.registers.write(offset, width, value, (register, bits) => {
      if (register === "PM1_CNT" && get(table.PM1_CNT.fields.SLP_EN, bits) === 1) this.sleep()
    })
    this.await()
  }

  /** Somebody presses the power button. */
  pressPowerButton(): void {
    this.registers.set("PM1_STS", "PWRBTN_STS", 1)
    this.await()
  }

  /** S5 is the only sleeping state that there is. */
  private sleep(): void {
    if (this.registers.get("PM1_CNT", "SLP_TYP") === softOff) this.outputs.powerOff()
  }

  private settle(): void {
    const now = this.timers.now()
    if (halvesAt(now) > halvesAt(this.seen)) this.registers.set("PM1_STS", "TMR_STS", 1)
    this.seen = now
  }

  /** The SCI is the OR of what is both set and enabled. */
  private await(): void {
    this.outputs.sci((this.registers.value("PM1_STS") & this.registers.value("PM1_EN")) !== 0)
    const isAwaited = this.registers.get("PM1_EN", "TMR_EN") === 1 && this.registers.get("PM1_STS", "TMR_STS") === 0
    if (isAwaited)
      this.timers.schedule("ACPI timer", pmClock.timeOf((halvesAt(this.timers.now()) + 1) * half), this.wake)
    else this.timers.cancel("ACPI timer")
  }

  private wake = (): void => {
    this.settle()
    this.await()
  }
}

const halvesAt = (now: number): number => Math.floor(pmClock.ticksAt(now) / half)

// biome-ignore format: a table
const RST_CNT = {
  RST_CNT: { offset: 0, width: 8, fields: { FULL_RST: rw(3), RST_CPU: rw(2), SYS_RST: rw(1) } }
} as const satisfies Table

/** Port CF9H: a reset begins when RST_CPU goes from 0 to 1. Here all resets are hard ones. */
export class ResetControl implements Target {
  private readonly registers = new RegisterFile(RST_CNT)
  private readonly asked: () => void

  constructor(asked: () => void) {
    this.asked = asked
  }

  reset(): void {
    this.registers.reset()
  }

  read(): number {
    return this.registers.value("RST_CNT")
  }

  write(_offset: number, _width: number, value: number): void {
    const before = this.registers.get("RST_CNT", "RST_CPU")
    this.registers.write(0, 8, value)
    if (before === 0 && this.registers.get("RST_CNT", "RST_CPU") === 1) this.asked()
  }
}
