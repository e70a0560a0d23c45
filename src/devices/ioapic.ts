/**
 * IOAPIC: 24 interrupt pins, each made into a message to local APICs.
 *
 * Intel 82093AA I/O Advanced Programmable Interrupt Controller, "Register Description"; the EOI register is the 82801 I/O
 * Controller Hubs' ("APIC Registers"), and so is the version, 20H, that says it is there.
 */
import { deliveryMode } from "./interruptMessages.ts"
import { afterWrite, get, type Register, RegisterFile, ro, rw, set } from "./registers.ts"
import type { Message, Target } from "./Wires.ts"

export const pins = 24

/** What software sees at FEC0_0000H: a window on the registers below. */
const IOREGSEL = 0x00
const IOWIN = 0x10
const EOIR = 0x40

/** Each register of the window is a doubleword: offsets are 4 times the index in IOREGSEL. */
// biome-ignore format: a table
const table = {
  IOAPICID:  { offset: 0x00 * 4, fields: { ID: rw(27, 24) } },
  IOAPICVER: { offset: 0x01 * 4, reset: (pins - 1) << 16 | 0x20, fields: { MRE: ro(23, 16), VERSION: ro(7, 0) } },
  IOAPICARB: { offset: 0x02 * 4, fields: { ARB: ro(27, 24) } }
} as const

/** Entry n of the redirection table is registers 10H + 2n, its lower half, and 11H + 2n. */
const firstEntry = 0x10

// biome-ignore format: a table
const LOW = {
  offset: 0,
  fields: {
    MASK:     rw(16),
    TRIGGER:  rw(15),    // 1 level, 0 edge
    RIRR:     ro(14),    // Remote IRR
    POLARITY: rw(13),    // 1 low active
    DELIVS:   ro(12),    // Delivery Status: 1 is Send Pending
    DESTMOD:  rw(11),    // 1 logical
    DELMOD:   rw(10, 8),
    VECTOR:   rw(7, 0)
  }
} as const satisfies Register

/** The destination, and below it the bits by which an entry in remappable format says its index. */
const HIGH = { offset: 4, fields: { DEST: rw(31, 16) } } as const satisfies Register

const masked = set(LOW.fields.MASK, 0, 1)

/** SMI, NMI, INIT and ExtINT are edge-triggered, whatever the entry says. */
const canBeLevel = (delivery: number): boolean =>
  delivery === deliveryMode.fixed || delivery === deliveryMode.lowestPriority

export class IoApic implements Target {
  private readonly registers = new RegisterFile(table)
  /** The lower and the upper half of each entry. */
  private readonly entries = new Uint32Array(2 * pins)
  private readonly message: Message
  private select = 0
  /** The voltage of each pin: a bit is 1 for high. */
  private lines: number

  /** `idle`: the level of each pin before anybody drives it. PCI's interrupt lines idle high. */
  constructor(message: Message, idle = 0) {
    this.message = message
    this.lines = idle
    this.reset()
  }

  reset(): void {
    this.registers.reset()
    for (let pin = 0; pin < pins; pin++) this.entries.set([masked, 0], 2 * pin)
    this.select = 0
  }

  read(offset: number, width: number): number {
    const value = (offset & ~3) === IOREGSEL ? this.select : (offset & ~3) === IOWIN ? this.readSelected() : 0
    return ((value >>> ((offset & 3) * 8)) & (2 ** width - 1)) >>> 0
  }

  /** Registers are written as doublewords; the select and the EOI register take a byte too. */
  write(offset: number, width: number, value: number): void {
    if (offset === IOREGSEL) this.select = value & 0xff
    else if (offset === EOIR) this.endOfInterrupt(value & 0xff)
    else if (offset === IOWIN && width === 32) this.writeSelected(value)
  }

  /**
   * The electrical level of a pin. "Edge-sensitive interrupts signaled on a masked interrupt pin are ignored (i.e., not delivered or
   * held pending)."
   */
  setPin(pin: number, level: boolean): void {
    const was = this.isAsserted(pin)
    this.lines = level ? this.lines | (1 << pin) : this.lines & ~(1 << pin)
    if (this.isLevel(pin)) {
      if (!this.isAsserted(pin)) this.put(pin, "DELIVS", 0)
      this.serve(pin)
    } else if (!was && this.isAsserted(pin) && this.field(pin, "MASK") === 0) this.send(pin)
  }

  /** An EOI message of a local APIC, or a write to the EOI register: Remote IRR of the level-triggered entries with this vector is cleared. */
  endOfInterrupt = (vector: number): void => {
    for (let pin = 0; pin < pins; pin++) {
      if (this.field(pin, "VECTOR") === vector && this.isLevel(pin)) {
        this.put(pin, "RIRR", 0)
        this.serve(pin)
      }
    }
  }

  /** Interrupts that nobody accepted are offered again. */
  retry(): void {
    for (let pin = 0; pin < pins; pin++) {
      if (this.field(pin, "DELIVS") === 1 && this.field(pin, "MASK") === 0) this.send(pin)
    }
  }

  private readSelected(): number {
    return this.select < firstEntry
      ? this.registers.read(this.select * 4, 32)
      : (this.entries[this.select - firstEntry] ?? 0)
  }

  private writeSelected(value: number): void {
    const half = this.select - firstEntry
    if (half < 0) {
      this.registers.write(this.select * 4, 32, value)
      // The arbitration ID is loaded when the ID is written.
      if (this.select === 0) this.registers.set("IOAPICARB", "ARB", this.registers.get("IOAPICID", "ID"))
    } else if (half < 2 * pins) {
      this.entries[half] = afterWrite(half % 2 === 0 ? LOW : HIGH, this.entries[half]!, value)
      this.reconfigured(half >> 1)
    }
  }

  /** Remote IRR is a state of level-triggered interrupts: software without an EOI register clears it by making the entry edge-triggered for a moment. */
  private reconfigured(pin: number): void {
    if (this.field(pin, "TRIGGER") === 0) this.put(pin, "RIRR", 0)
    if (this.isLevel(pin)) this.serve(pin)
  }

  /** An asserted, unmasked, level-triggered pin whose last interrupt was ended sends another. */
  private serve(pin: number): void {
    if (this.isAsserted(pin) && this.field(pin, "MASK") === 0 && this.field(pin, "RIRR") === 0) this.send(pin)
  }

  /** Remote IRR "is set to 1 when local APIC(s) accept the level interrupt sent by the IOAPIC". */
  private send(pin: number): void {
    const level = this.isLevel(pin)
    const destination = get(HIGH.fields.DEST, this.entries[2 * pin + 1]!)
    const address = 0xfee0_0000 + destination * 16 + this.field(pin, "DESTMOD") * 4
    const data = this.field(pin, "VECTOR") | (this.field(pin, "DELMOD") << 8) | (level ? 0xc000 : 0x4000)
    // Before the message: its interrupt may be ended before the sender hears of its acceptance.
    this.put(pin, "DELIVS", 0)
    if (level) this.put(pin, "RIRR", 1)
    if (!this.message(address, data)) {
      this.put(pin, "RIRR", 0)
      this.put(pin, "DELIVS", 1)
    }
  }

  private isAsserted(pin: number): boolean {
    return ((this.lines >>> pin) & 1) !== this.field(pin, "POLARITY")
  }

  private isLevel(pin: number): boolean {
    return this.field(pin, "TRIGGER") === 1 && canBeLevel(this.field(pin, "DELMOD"))
  }

  private field(pin: number, name: keyof typeof LOW.fields): number {
    return get(LOW.fields[name], this.entries[2 * pin]!)
  }

  private put(pin: number, name: keyof typeof LOW.fields, to: number): void {
    this.entries[2 * pin] = set(LOW.fields[name], this.entries[2 * pin]!, to)
  }
}
