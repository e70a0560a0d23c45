/**
 * Pc: the chips of one PC and the wires between them.
 *
 * Every chip is a file of its own and knows none of the others. Interrupts are wired as on boards with an 82801 I/O Controller Hub: an
 * ISA interrupt goes to the 8259As and to the IOAPIC, PCI's to the IOAPIC and, by fixed routes, to the 8259As; the 8259As' INTR to LINT0
 * of every local APIC.
 */

import { AcpiPm, ResetControl } from "./acpiPm.ts"
import { irq, memoryMap, pciIrqs, pciPins, pitPin, portMap, requester } from "./addresses.ts"
import type { Mapping } from "./Bus.ts"
import { Hpet } from "./hpet.ts"
import { I8042 } from "./i8042.ts"
import { InterruptBus } from "./interruptMessages.ts"
import { IoApic } from "./ioapic.ts"
import { LocalApic, type Surroundings } from "./localApic.ts"
import { assignResources, ConfigPorts, PciBus } from "./pciBus.ts"
import type { Upstream } from "./pciFunction.ts"
import { Pic } from "./pic.ts"
import { Pit } from "./pit.ts"
import { type DateTime, Rtc } from "./rtc.ts"
import { SystemControl } from "./systemControl.ts"
import type { Target, Timers } from "./Wires.ts"

/** Nanoseconds for an access to a chip behind the slowest of the buses. */
const southBridge = 500

const shutdown = { jumpAfterEoi: 0x05, jump: 0x0a } as const
/** OCW2, non-specific. */
const endOfInterrupt = 0x20
/** Where the pointer is that firmware goes on at: an offset, and a segment above it. */
export const resumePointer = 0x467

export interface Board {
  readonly timers: Timers
  readonly ramBytes: number
  /** The date at time 0. */
  readonly date: DateTime
  /** What each processor is to its local APIC, and the timers of that, if not the board's; the first is the bootstrap processor. */
  readonly processors: readonly (Surroundings & { readonly timers?: Timers })[]
  /** Memory as PCI devices reach it. */
  readonly memory: Pick<Upstream, "read" | "write">
  /** Interrupt messages of all senders, by requester ID, on their way to `interrupts`. If not said, they go there as they are. */
  readonly remap?: Upstream["message"]
  readonly powerOff: () => void
  readonly reset: () => void
  /** Address line 20 is on, or masked. */
  readonly a20: (isOn: boolean) => void
}

export class Pc {
  readonly interrupts = new InterruptBus()
  readonly localApics: readonly LocalApic[]
  readonly ioApic: IoApic
  readonly pic: Pic
  readonly pit: Pit
  readonly rtc: Rtc
  readonly hpet: Hpet
  readonly pm: AcpiPm
  readonly keyboard: I8042
  readonly pci: PciBus
  private readonly configPorts: ConfigPorts
  private readonly resetControl: ResetControl
  private readonly systemControl: SystemControl
  /** The HPET has taken the place of the 8254's and the clock's interrupts. */
  private isReplaced = false
  /** Which of the PCI lines are asserted. */
  private readonly pciLines = [false, false, false, false]

  constructor({ timers, ramBytes, date, processors, memory, remap, powerOff, reset, a20 }: Board) {
    const { interrupts } = this
    const message = remap ?? ((_, address, data) => interrupts.message(address, data))
    this.pic = new Pic((level) => {
      for (const apic of this.localApics) apic.setPin(0, level)
    })
    this.localApics = processors.map(
      (each, id) => new LocalApic(id, each.timers ?? timers, interrupts, each, () => this.pic.acknowledge())
    )
    this.ioApic = new IoApic(
      (address, data) => message(requester.ioApic, address, data),
      ((1 << pciPins.count) - 1) << pciPins.first
    )
    interrupts.attachListener((vector) => {
      this.ioApic.endOfInterrupt(vector)
      this.ioApic.retry()
    })
    this.pit = new Pit(timers, (level) => this.unlessReplaced(irq.pit, level))
    this.rtc = new Rtc(timers, (level) => this.unlessReplaced(irq.rtc, level), date, ramBytes)
    this.hpet = new Hpet(timers, {
      pin: (pin, level) => this.ioApic.setPin(pin, level),
      legacy: (line, level) => this.setIrq(line, level),
      legacyReplacement: (isOn) => {
        this.isReplaced = isOn
      },
      message: (address, data) => message(requester.hpet, address, data)
    })
    this.pm = new AcpiPm(timers, { sci: (level) => this.setIrq(irq.sci, level), powerOff })
    this.keyboard = new I8042({ irq: (level) => this.setIrq(irq.keyboard, level), a20, reset })
    const upstream: Upstream = {
      read: (source, address, bytes) => memory.read(source, address, bytes),
      write: (source, address, bytes) => memory.write(source, address, bytes),
      message
    }
    this.resetControl = new ResetControl(reset)
    this.systemControl = new SystemControl(this.keyboard, reset)
    this.pci = new PciBus(upstream, (line, isAsserted) => this.setPciLine(line, isAsserted))
    this.configPorts = new ConfigPorts(this.pci, this.resetControl)
  }

  /** All chips but those whose contents survive: memory, and the clock. */
  reset(): void {
    for (const chip of [
      ...this.localApics,
      this.ioApic,
      this.pic,
      this.pit,
      this.rtc,
      this.hpet,
      this.pm,
      this.keyboard,
      this.resetControl,
      this.systemControl
    ])
      chip.reset()
    this.pci.reset()
    this.configPorts.reset()
  }

  // ---- interrupt lines

  /** An ISA interrupt. */
  setIrq(line: number, level: boolean): void {
    this.pic.setLine(line, level)
    this.ioApic.setPin(line === irq.pit ? pitPin : line, level)
  }

  /** An interrupt line by its number at the IOAPIC: the first 16 are ISA's. */
  setLine(line: number, level: boolean): void {
    if (line < 16) this.setIrq(line, level)
    else this.ioApic.setPin(line, level)
  }

  private unlessReplaced(line: number, level: boolean): void {
    if (!this.isReplaced) this.setIrq(line, level)
  }

  /** Lines are low active at the IOAPIC; at the 8259As two share an interrupt. */
  private setPciLine(line: number, isAsserted: boolean): void {
    this.pciLines[line] = isAsserted
    this.ioApic.setPin(pciPins.first + line, !isAsserted)
    const shared = pciIrqs[line]!
    this.pic.setLine(
      shared,
      this.pciLines.some((each, n) => each && pciIrqs[n] === shared)
    )
  }

  // ---- firmware's part of a reset

  /**
   * Software may have the processor reset to get back to real-address mode. IBM Personal Computer AT Technical Reference, "Shutdown status byte":
   * firmware then goes on at the pointer in 40H:67H, for one of the two values after it has ended the 8259As' interrupts. False: it starts anew.
   */
  takeResume(): boolean {
    const status = this.rtc.takeShutdownStatus()
    if (status === shutdown.jumpAfterEoi) for (const chip of this.pic.commands) chip.write(0, 8, endOfInterrupt)
    return status === shutdown.jumpAfterEoi || status === shutdown.jump
  }

  // ---- where everything is

  /** Ports, for a bus. Serial ports are not among them, and neither are the helpers of QEMU's boards. */
  portMappings(): readonly Mapping[] {
    const { pic, pit, rtc, keyboard, pm, configPorts, pci } = this
    const control: Target = {
      read: () => keyboard.read(4),
      write: (_, width, value) => keyboard.write(4, width, value)
    }
    const pciPorts: Target = {
      read: (offset, width) => pci.ports.read(portMap.pci.base + offset, width),
      write: (offset, width, value) => pci.ports.write(portMap.pci.base + offset, width, value)
    }
    const at = (
      name: string,
      { base, count }: { base: number; count: number },
      target: Target,
      widest: 8 | 32 = 8
    ): Mapping => ({
      name,
      start: base,
      bytes: count,
      target,
      widest
    })
    // biome-ignore format: a table
    return [
      at("8259A master",           portMap.pic,             pic.commands[0]),
      at("8259A slave",            portMap.slavePic,        pic.commands[1]),
      at("edge/level registers",   portMap.edgeLevel,       pic.edgeLevel),
      at("8254",                   portMap.pit,             pit.ports),
      at("port 61H",               portMap.pitControl,      pit.control),
      at("keyboard data",          portMap.keyboard,        keyboard),
      at("keyboard control",       portMap.keyboardControl, control),
      at("real-time clock",        portMap.rtc,             rtc),
      at("system control port A",  portMap.systemControl,   this.systemControl),
      at("ACPI power management",  portMap.acpiPm,          pm,                  32),
      at("PCI address",            portMap.pciAddress,      configPorts.address, 32),
      at("PCI data",               portMap.pciData,         configPorts.data,    32),
      at("PCI ports",              portMap.pci,             pciPorts,            32)
    ]
  }

  /** The local APIC of the processor that runs: where its IA32_APIC_BASE says, or nowhere. The mapping moves with it. */
  localApicMapping(running: () => LocalApic): Mapping {
    return {
      name: "local APIC",
      get start() {
        return running().window() ?? Number.NaN
      },
      bytes: memoryMap.localApic.bytes,
      target: {
        read: (offset, width) => running().read(offset, width),
        write: (offset, width, value) => running().write(offset, width, value)
      }
    }
  }

  /** The rest of memory, for a bus. What drivers wait by takes its time, as it does on boards: they look at it in loops. */
  memoryMappings(): readonly Mapping[] {
    const { pci } = this
    const window = (base: number): Target => ({
      read: (offset, width) => pci.memory.read(base + offset, width),
      write: (offset, width, value) => pci.memory.write(base + offset, width, value)
    })
    const at = (name: string, { base, bytes }: { base: number; bytes: number }, target: Target): Mapping => ({
      name,
      start: base,
      bytes,
      target
    })
    // biome-ignore format: a table
    return [
      at("PCI memory",             memoryMap.pciLow,  window(memoryMap.pciLow.base)),
      at("PCI Express ECAM",       memoryMap.ecam,    pci.ecam),
      at("PCI memory above ECAM",  memoryMap.pciHigh, window(memoryMap.pciHigh.base)),
      at("IOAPIC",                 memoryMap.ioApic,  this.ioApic),
      { ...at("HPET",              memoryMap.hpet,    this.hpet), takes: southBridge }
    ]
  }

  // ---- what firmware leaves behind

  /**
   * PCI devices with addresses and interrupt lines; the 8259As at vectors 08H and 70H with the timer unmasked, SCI and PCI interrupts
   * level-triggered; the 8254 at 18.2 Hz; the 8259As' interrupts by way of the bootstrap processor's LINT0 ("virtual wire mode").
   */
  leaveFirmwareState(): void {
    assignResources(this.pci)
    this.initializePics()
    this.pit.ports.write(3, 8, 0x34)
    this.pit.ports.write(0, 8, 0)
    this.pit.ports.write(0, 8, 0)
    const apic = this.localApics[0]!
    apic.write(0xf0, 32, 0x1ff)
    apic.write(0x350, 32, 0x700)
    apic.write(0x360, 32, 0x400)
  }

  private initializePics(): void {
    const levels = [irq.sci, ...pciIrqs].reduce((bits, line) => bits | (1 << line), 0)
    for (const [n, vector, cascade, masks] of [
      [0, 0x08, 4, 0xfa],
      [1, 0x70, 2, 0xff]
    ] as const) {
      const chip = this.pic.commands[n]
      for (const [offset, word] of [
        [0, 0x11],
        [1, vector],
        [1, cascade],
        [1, 1],
        [1, masks]
      ] as const)
        chip.write(offset, 8, word)
      this.pic.edgeLevel.write(n, 8, (levels >>> (8 * n)) & 0xff)
    }
  }
}
