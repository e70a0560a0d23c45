/**
 * edu: QEMU's educational PCI device. It computes, moves memory and interrupts, as drivers of real devices have it, in a page of registers.
 *
 * QEMU's documentation, "EDU device". Here a computation and a transfer each take 10 microseconds.
 */
import { PciFunction } from "./pciFunction.ts"
import { RegisterFile, ro, rw, type Table, wo } from "./registers.ts"
import type { Target, Timers } from "./Wires.ts"

// biome-ignore format: a register, a line
const table = {
  IDENTIFICATION:   { offset: 0x00, reset: 0x0100_00ed, fields: { ID: ro(31, 0) } },
  LIVENESS:         { offset: 0x04, fields: { VALUE: rw(31, 0) } },
  FACTORIAL:        { offset: 0x08, fields: { VALUE: rw(31, 0) } },
  STATUS:           { offset: 0x20, fields: { RAISE: rw(7), COMPUTING: ro(0) } },
  INTERRUPT_STATUS: { offset: 0x24, fields: { BITS: ro(31, 0) } },
  RAISE:            { offset: 0x60, fields: { BITS: wo(31, 0) } },
  ACKNOWLEDGE:      { offset: 0x64, fields: { BITS: wo(31, 0) } },
  SOURCE:           { offset: 0x80, fields: { LOW: rw(31, 0) } },
  SOURCE_HIGH:      { offset: 0x84, fields: { HIGH: rw(31, 0) } },
  DESTINATION:      { offset: 0x88, fields: { LOW: rw(31, 0) } },
  DESTINATION_HIGH: { offset: 0x8c, fields: { HIGH: rw(31, 0) } },
  COUNT:            { offset: 0x90, fields: { LOW: rw(31, 0) } },
  COUNT_HIGH:       { offset: 0x94, fields: { HIGH: rw(31, 0) } },
  COMMAND:          { offset: 0x98, fields: { RAISE: rw(2), FROM_DEVICE: rw(1), START: rw(0) } }
} as const satisfies Table

/** The device's own memory, as its DMA sees it. */
const buffer = { base: 0x4_0000, bytes: 0x1000 } as const

/** Bits of the interrupt status that the device sets itself. */
const cause = { computed: 0x001, moved: 0x100 } as const

const duration = 10_000

export class Edu {
  readonly fn: PciFunction
  private readonly timers: Timers
  private readonly name: string
  private readonly registers = new RegisterFile(table)
  private readonly memory = new Uint8Array(buffer.bytes)

  /** `name` tells its wake-ups from those of others. */
  constructor(timers: Timers, name = "edu") {
    this.timers = timers
    this.name = name
    this.fn = new PciFunction(
      { vendor: 0x1234, device: 0x11e8, revision: 0x10, classCode: 0xff_0000, interruptPin: 1 },
      () => this.reset()
    )
    this.fn.addRange(0, { kind: "memory", bytes: 0x10_0000, target: this.range })
    this.fn.addMsi(1)
  }

  private reset(): void {
    this.registers.reset()
    this.memory.fill(0)
    this.timers.cancel(`${this.name} factorial`)
    this.timers.cancel(`${this.name} DMA`)
  }

  private readonly range: Target = {
    read: (offset, width) => this.registers.read(offset, width),
    write: (offset, width, value) => {
      // A transfer is not disturbed.
      if (offset >= table.SOURCE.offset && this.registers.get("COMMAND", "START") === 1) return
      this.registers.write(offset, width, value, this.written)
    }
  }

  private written = (name: keyof typeof table, bits: number): void => {
    switch (name) {
      case "LIVENESS":
        this.registers.put(name, ~bits)
        break
      case "FACTORIAL":
        this.registers.set("STATUS", "COMPUTING", 1)
        this.timers.schedule(`${this.name} factorial`, this.timers.now() + duration, this.computed)
        break
      case "RAISE":
        this.interrupt(bits)
        break
      case "ACKNOWLEDGE":
        this.registers.put("INTERRUPT_STATUS", this.registers.value("INTERRUPT_STATUS") & ~bits)
        this.fn.setInterrupt(this.registers.value("INTERRUPT_STATUS") !== 0)
        break
      case "COMMAND":
        if (this.registers.get(name, "START") === 1)
          this.timers.schedule(`${this.name} DMA`, this.timers.now() + duration, this.moved)
    }
  }

  private interrupt(bits: number): void {
    this.registers.put("INTERRUPT_STATUS", this.registers.value("INTERRUPT_STATUS") | bits)
    if (this.registers.value("INTERRUPT_STATUS") === 0) return
    if (this.fn.hasMessages()) this.fn.signal(0)
    else this.fn.setInterrupt(true)
  }

  private computed = (): void => {
    this.registers.put("FACTORIAL", factorial(this.registers.value("FACTORIAL")))
    this.registers.set("STATUS", "COMPUTING", 0)
    if (this.registers.get("STATUS", "RAISE") === 1) this.interrupt(cause.computed)
  }

  /** What lies outside its buffer, or is refused upstream, is not moved. */
  private moved = (): void => {
    const isFromDevice = this.registers.get("COMMAND", "FROM_DEVICE") === 1
    const [source, destination, count] = [this.wide("SOURCE"), this.wide("DESTINATION"), this.wide("COUNT")]
    const at = (isFromDevice ? source : destination) - buffer.base
    if (at >= 0 && at + count <= buffer.bytes) {
      const bytes = this.memory.subarray(at, at + count)
      if (isFromDevice) this.fn.dma.write(destination, bytes)
      else this.fn.dma.read(source, bytes)
    }
    this.registers.set("COMMAND", "START", 0)
    if (this.registers.get("COMMAND", "RAISE") === 1) this.interrupt(cause.moved)
  }

  private wide(name: "SOURCE" | "DESTINATION" | "COUNT"): number {
    return this.registers.value(`${name}_HIGH`) * 2 ** 32 + this.registers.value(name)
  }
}

/** In 32 bits: from 34 on it is 0. */
const factorial = (of: number): number => {
  let product = 1
  for (let n = of; n > 1 && product !== 0; n--) product = Math.imul(product, n)
  return product >>> 0
}
