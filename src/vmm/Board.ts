/**
 * Board: a PC for a guest: the same chips that the machine has, wired to what a monitor has.
 *
 * Time is the machine's, memory is the guest's, and each processor's local APIC tells the thread that runs it.
 */
import { memoryMap, virtioMmio } from "../devices/addresses.ts"
import { Bus } from "../devices/Bus.ts"
import type { LocalApic, Surroundings } from "../devices/localApic.ts"
import { Pc } from "../devices/Pc.ts"
import { slot } from "../devices/pciBus.ts"
import { debugConsole, debugExit, helperPorts } from "../devices/qemuPorts.ts"
import type { DateTime } from "../devices/rtc.ts"
import { SerialPorts } from "../devices/serial.ts"
import type { VirtioDevice } from "../devices/virtio/VirtioDevice.ts"
import { VirtioMmio } from "../devices/virtio/VirtioMmio.ts"
import { VirtioPci } from "../devices/virtio/VirtioPci.ts"
import type { Target } from "../devices/Wires.ts"
import type { GuestRam } from "./GuestRam.ts"
import type { VirtualTimers } from "./VirtualTimers.ts"

/** How a guest ended. */
export type Ending =
  | { readonly _tag: "PowerOff" }
  | { readonly _tag: "Reset" }
  /** What it wrote to the debug exit port. */
  | { readonly _tag: "Exit"; readonly status: number }
  /** It can do nothing any more: why. */
  | { readonly _tag: "Stopped"; readonly why: string }

/** How a driver reaches virtio devices. */
export type VirtioTransportName = "pci" | "mmio"

export interface Outside {
  readonly ram: GuestRam
  readonly timers: VirtualTimers
  /** The date and time of day when the machine starts. */
  readonly date: DateTime
  /** What each processor is to its local APIC. */
  readonly processors: ReadonlyArray<Surroundings>
  readonly console: { readonly write: (byte: number) => void; readonly read: () => number | undefined }
  /** Virtio devices, and how they are reached: in the order of their PCI slots, from 1 on, or of their places in memory. */
  readonly devices: ReadonlyArray<VirtioDevice>
  readonly transport: VirtioTransportName
  readonly ended: (ending: Ending) => void
  /** It asks to be reset. */
  readonly reset: () => void
}

export class Board {
  readonly bus = new Bus()
  readonly pc: Pc
  private readonly serial: SerialPorts
  private readonly inMemory: ReadonlyArray<VirtioMmio>
  private running: LocalApic

  constructor({ ram, timers, date, processors, console, devices, transport, ended, reset }: Outside) {
    this.pc = new Pc({
      timers,
      ramBytes: ram.ramBytes,
      date,
      processors: processors.map((each, id) => ({ ...each, timers: timers.of(id) })),
      memory: {
        read: (_source, address, bytes) => ram.read(address, bytes),
        write: (_source, address, bytes) => ram.write(address, bytes)
      },
      powerOff: () => ended({ _tag: "PowerOff" }),
      reset,
      a20: () => undefined
    })
    this.running = this.pc.localApics[0]!
    this.serial = new SerialPorts([console], (irq, level) => this.pc.setIrq(irq, level))
    this.inMemory = transport === "pci" ? [] : devices.map((device, n) => this.withoutBus(device, n, ram))
    if (transport === "pci")
      for (const [n, device] of devices.entries()) this.pc.pci.attach(slot(n + 1), new VirtioPci(device).fn)
    for (const mapping of this.pc.portMappings()) this.bus.addPorts(mapping)
    for (const mapping of this.pc.memoryMappings()) this.bus.addMemory(mapping)
    this.bus.addMemory(this.pc.localApicMapping(() => this.running))
    for (const mapping of this.serial.portMappings()) this.bus.addPorts(mapping)
    const exit = debugExit((status) => ended({ _tag: "Exit", status }))
    this.addPorts("debug exit", helperPorts.debugExit, 4, exit)
    for (const port of helperPorts.debugConsole) this.addPorts("debug console", port, 1, debugConsole(console.write))
  }

  private withoutBus(device: VirtioDevice, n: number, ram: GuestRam): VirtioMmio {
    const { bytes, pin } = virtioMmio
    const target = new VirtioMmio(device, ram, (level) => this.pc.setLine(pin + n, level))
    this.bus.addMemory({ name: "virtio", start: memoryMap.virtio.base + n * bytes, bytes, target })
    return target
  }

  private addPorts(name: string, start: number, bytes: number, target: Target, widest: 8 | 32 = 32): void {
    this.bus.addPorts({ name, start, bytes, target, widest })
  }

  /** The processor with this local APIC makes the accesses from here on. */
  runs(apic: LocalApic): void {
    this.running = apic
  }

  /** All chips as after power-up, and as firmware leaves them. */
  powerUp(): void {
    this.pc.reset()
    this.serial.reset()
    for (const device of this.inMemory) device.powerUp()
    this.pc.leaveFirmwareState()
  }

  /** The console has bytes that it did not have. */
  consoleReady(): void {
    this.serial.look()
  }
}
