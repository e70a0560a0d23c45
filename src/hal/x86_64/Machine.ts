/**
 * Machine: the parts wired together, and what they offer a kernel.
 *
 * Where to read on: `Processor` is the loop, `processor/` what instructions mean and the ways to run them, `memory/` how
 * an address leads to a byte, `system/` what privileged instructions, exceptions and interrupts do, `gate` where the
 * processor hands over to the host. `Clock`, `Bus` and the chips are beside this file; `Loader` puts a kernel in memory.
 */
import { Layer } from "effect"
import { serialPorts } from "../../devices/addresses.ts"
import { Bus } from "../../devices/Bus.ts"
import type { BootError, ElfError } from "../../devices/boot/BootError.ts"
import { loadKernel } from "../../devices/boot/kernel.ts"
import type { Payload as KernelPayload, Started } from "../../devices/boot/Payload.ts"
import { text } from "../../devices/boot/Ram.ts"
import { FwCfg, fwCfgItems, fwCfgKey } from "../../devices/fwCfg.ts"
import { type HelperName, usualHelpers } from "../../devices/helperNames.ts"
import { attachHelper } from "../../devices/helpers.ts"
import type { Surroundings } from "../../devices/localApic.ts"
import { type Board, Pc, resumePointer } from "../../devices/Pc.ts"
import type { DateTime } from "../../devices/rtc.ts"
import { type SerialLine, SerialPorts } from "../../devices/serial.ts"
import type { Fiber } from "../../types/Gate.ts"
import { Boot, type BootService } from "../Boot.ts"
import { Gates } from "../Gates.ts"
import { InterruptLines } from "../InterruptLines.ts"
import { Memory } from "../Memory.ts"
import { Paging } from "../Paging.ts"
import { Ports } from "../Ports.ts"
import { Processor as ProcessorTag } from "../Processor.ts"
import { Time } from "../Time.ts"
import { Virtualization } from "../Virtualization.ts"
import { Clock } from "./Clock.ts"
import { paging } from "./entries.ts"
import { Gate, gateRom, writeGateRom } from "./gate.ts"
import { hash } from "./hash.ts"
import { interruptLines } from "./interruptLines.ts"
import { load, type Payload } from "./Loader.ts"
import { DecodedPages } from "./memory/DecodedPages.ts"
import { layout, makeMemory, pageSize, processorRoom } from "./memory/layout.ts"
import { Mmu, type StaleUse } from "./memory/Mmu.ts"
import { PhysicalMemory } from "./memory/PhysicalMemory.ts"
import type { Watcher } from "./memory/Tlb.ts"
import { Window } from "./memory/Window.ts"
import { type Bounds, Processor, type Stop } from "./Processor.ts"
import { accessOf, Processors } from "./Processors.ts"
import { nextInstruction } from "./peek.ts"
import type { MakeReading, Reading } from "./processor/Reading.ts"
import { at, registerNames } from "./processor/State.ts"
import { report } from "./report.ts"
import { privilegedRegisters, timer } from "./services.ts"
import { Core } from "./system/Core.ts"
import { system } from "./system/registers.ts"
import { beginAt, powerUp, reset, resetProtected } from "./system/reset.ts"
import type { Source } from "./vmx/events.ts"
import { virtualization } from "./vmx/service.ts"

export interface Hardware {
  /** A multiple of 64 KiB, up to 3 GiB. */
  readonly memoryBytes: number
  readonly reading: MakeReading
  /** What COM1 leads to. */
  readonly console: SerialLine
  /** What COM2, COM3 and COM4 lead to: nowhere, where it is not said. */
  readonly serial?: readonly (SerialLine | undefined)[]
  /** How many; 1 if it is not said, at most 255. */
  readonly processors?: number
  /** What a reset leads to, by software or as INIT to the first processor: a stop, or the start of what was loaded. A stop if it is not said. */
  readonly onReset?: "stop" | "start"
  /** A triple fault stops the machine, for whoever wants to look at it; or it is a reset, as it is on boards. */
  readonly onTripleFault?: "stop" | "reset"
  /** What RDRAND and RDSEED begin with; the same for every run if it is not said. */
  readonly seed?: number
  /** The date and time of day when the machine starts. */
  readonly date?: DateTime
  /**
   * Whether system instructions that follow one another are done at once, if it is not said, or each by the reading. Nothing
   * but the host's time depends on it.
   */
  readonly sequels?: "done at once" | "read"
  /** Devices of QEMU's boards; `usualHelpers` if it is not said. */
  readonly helpers?: ReadonlySet<HelperName>
}

/** Who wants to know what happens. It makes no difference to the machine. */
export interface Watch {
  /** A processor goes to a handler. RIP is where it was. */
  readonly delivered?: (which: number, errorCode: number, source: Source) => void
}

/** Runs are the same whenever they are made: the clock on the wall has no part in them. */
const firstDay: DateTime = { year: 2026, month: 1, day: 1, hours: 0, minutes: 0, seconds: 0 }

/** A machine without software: the processor as `reset` leaves it. */
export class Machine {
  readonly memory: PhysicalMemory
  readonly bus = new Bus((time) => this.timers.wait(time))
  readonly window: Window
  readonly gate = new Gate()
  readonly pc: Pc
  watch: Watch = {}
  private readonly serial: SerialPorts
  private readonly fwCfg: FwCfg
  /** The one clock: time is the count of instructions. */
  readonly timers: Clock
  private readonly processors: Processors
  private readonly all: readonly Processor[]
  private readonly code: DecodedPages
  private readonly hardware: Hardware
  /** Loads once more what was loaded. */
  private loadAgain: (() => void) | undefined

  constructor(hardware: Hardware) {
    const { memoryBytes, reading: makeReading, console, processors: count = 1, seed = 0 } = hardware
    const { serial: [com2, com3, com4] = [] } = hardware
    const { date = firstDay, helpers: asked = usualHelpers } = hardware
    this.hardware = hardware
    const numbers = Array.from({ length: count }, (_, n) => n)
    const memory = makeMemory(memoryBytes, count)
    this.memory = new PhysicalMemory(memory, memoryBytes, this.bus, [
      { physicalPage: gateRom / pageSize, host: layout.rom }
    ])
    writeGateRom(this.memory.u8.subarray(layout.rom, layout.rom + pageSize))

    // Memory tells the reading and the window of changes; both are made of memory.
    const listeners: { reading?: Reading; window?: Window } = {}
    this.code = new DecodedPages(this.memory, {
      codeWritten: (page) => {
        listeners.reading?.codeWritten(page)
        this.processors.written(page - layout.ram / pageSize)
      },
      codeDecoded: (page) => listeners.window?.forgetWrites(page)
    })
    const mmus = numbers.map((n) => {
      const watcher: Watcher = {
        codeMapChanged: () => listeners.reading?.codeMapChanged(),
        globalsDropped: () => n === 0 && listeners.window?.forget()
      }
      return new Mmu(this.memory, this.code, watcher, processorRoom(memoryBytes, n))
    })
    this.window = new Window(mmus[0]!)
    listeners.window = this.window
    const access = count === 1 ? mmus[0]! : accessOf(() => this.core.mmu, mmus[0]!.find)
    const reading = makeReading({ memory, access })
    listeners.reading = reading

    this.timers = new Clock(this.memory.i32)
    const reach = dma(this.memory)
    this.pc = new Pc({
      timers: this.timers,
      ramBytes: memoryBytes,
      date,
      processors: numbers.map((n) => this.surroundings(n)),
      memory: reach,
      powerOff: () => this.processors.stop({ _tag: "PowerOff" }),
      reset: () => this.processors.stop({ _tag: "Reset" }),
      // Address line 20 is never masked: no software that runs here has wrapped at 1 MiB since the 80286.
      a20: () => {}
    })
    const bounds: Bounds = { stopped: undefined, turnEnds: 0 }
    this.all = mmus.map((mmu, n) => {
      const core = new Core(mmu, this.timers, this.bus, this.pc.localApics[n]!, {
        processors: count,
        pause: () => this.processors.pause(),
        seed,
        monitor: (page) => {
          if (page !== undefined) this.code.add(layout.ram / pageSize + page)
          this.all[n]!.monitor(page)
        },
        wait: (breaksIfMasked) => this.all[n]!.mwait(breaksIfMasked),
        status: () => reading.status(),
        gate: (number) => this.gate.enter(core, number),
        interrupt: (vector, source) => this.all[n]!.interrupt(vector, source),
        noticed: () => this.processors.notice(n),
        shutdown: (report) => this.processors.stop({ _tag: "Halt", report }),
        delivered: (which, errorCode, source) => this.watch.delivered?.(which, errorCode, source)
      })
      return new Processor(core, reading, bounds, hardware.sequels !== "read")
    })
    this.processors = new Processors(this.memory, this.timers, this.all, bounds)
    for (const mapping of this.pc.portMappings()) this.bus.addPorts(mapping)
    for (const mapping of this.pc.memoryMappings()) this.bus.addMemory(mapping)
    this.bus.addMemory(this.pc.localApicMapping(() => this.core.apic))
    this.serial = new SerialPorts([console, com2, com3, com4], (irq, level) => this.pc.setIrq(irq, level))
    for (const mapping of this.serial.portMappings()) this.bus.addPorts(mapping)
    this.fwCfg = new FwCfg(fwCfgItems(memoryBytes, count), [], {
      read: (address, bytes) => reach.read(0, address, bytes),
      write: (address, bytes) => reach.write(0, address, bytes)
    })
    for (const name of asked) {
      attachHelper[name]({
        bus: this.bus,
        pc: this.pc,
        timers: this.timers,
        fwCfg: this.fwCfg,
        print: console.write,
        exit: (status) => this.processors.stop({ _tag: "Exit", status })
      })
    }
    this.processors.powerUp()
    reset(this.core)
  }

  /** What its local APIC does to a processor; INIT to the first is a reset of the machine. */
  private surroundings(n: number): Surroundings {
    const send = (signal: (to: Processor) => void): void => {
      signal(this.all[n]!)
      this.processors.notice(n)
    }
    return {
      noticed: () => this.processors.notice(n),
      nmi: () => send((to) => to.nmi()),
      // There is no system management mode to enter.
      smi: () => {},
      init: () => (n === 0 ? this.processors.stop({ _tag: "Reset" }) : send((to) => to.init())),
      startUp: (vector) => send((to) => to.startUp(vector)),
      mapped: () => {},
      tscOffset: () => [this.core.low(system.tscOffset), this.core.high(system.tscOffset)]
    }
  }

  /** From now on `report` is told of every use of a translation that the tables do not give any more. It makes a machine slow. */
  watchStale(report: (use: StaleUse) => void): void {
    for (const { core } of this.all) core.mmu.watchStale(report)
  }

  /** Run until there is a reason to stop, at the latest when `limit` instructions have been retired since the start. */
  run(limit = Number.POSITIVE_INFINITY): Stop {
    this.gate.limit = limit
    for (;;) {
      const stop = this.seen(this.processors.run(limit))
      if (stop._tag === "Reset" && this.resumes()) continue
      if (stop._tag !== "Reset" || this.hardware.onReset !== "start" || this.loadAgain === undefined) return stop
      this.reset()
      this.loadAgain()
    }
  }

  /** Boards see a processor that has shut down, and reset it. */
  private seen(stop: Stop): Stop {
    return stop._tag === "TripleFault" && this.hardware.onTripleFault === "reset" ? { _tag: "Reset" } : stop
  }

  /** After a reset of the processor for which software has told firmware where to go on: it is there, in real-address mode. */
  private resumes(): boolean {
    if (this.loadAgain === undefined || !this.pc.takeResume()) return false
    this.processors.powerUp()
    const pointer = new DataView(this.memory.ram(resumePointer, 4).slice().buffer)
    beginAt(this.core, pointer.getUint16(2, true), pointer.getUint16(0, true))
    return true
  }

  /** Chips and processors as after power-up. Memory keeps what it has, and time goes on. */
  private reset(): void {
    this.code.everythingChanges()
    this.pc.reset()
    this.serial.reset()
    this.processors.powerUp()
  }

  /** The processor that runs: its registers are in the state block. */
  get core(): Core {
    return this.processors.running.core
  }

  /** Instructions retired since the start. */
  get instructions(): number {
    return this.timers.now()
  }

  /** So many of them were not retired: nothing was done until something happened. */
  get idle(): number {
    return this.timers.idle
  }

  /** Make a program known: a thread enters it through the gate ROM with this number in RBX. */
  addFiber(fiber: Fiber): number {
    return this.gate.add(fiber)
  }

  /** Two machines with this in common have, as far as anybody will ever see, the same RAM. */
  memoryHash(): string {
    return hash(this.memory.i32.subarray(layout.ram >>> 2, (layout.ram + this.memory.ramBytes) >>> 2))
  }

  /** The instruction that RIP is at, and where that is. */
  next(): string {
    const rip = [this.core.high(at.rip), this.core.low(at.rip)].map((half) =>
      (half >>> 0).toString(16).toUpperCase().padStart(8, "0")
    )
    return `${rip.join("_")}  ${nextInstruction(this.core).text}`
  }

  /** Registers and page walks, in lines. */
  report(): string {
    return report(this.core)
  }

  /** What the machine offers the kernel that was loaded. */
  layer(
    boot: BootService
  ): Layer.Layer<Memory | ProcessorTag | Virtualization | Time | Ports | InterruptLines | Paging | Boot | Gates> {
    return Layer.mergeAll(
      Layer.succeed(Memory, this.window),
      Layer.succeed(ProcessorTag, privilegedRegisters(this.core)),
      Layer.succeed(Virtualization, virtualization(this.core)),
      Layer.succeed(Time, timer(this.core)),
      Layer.succeed(Ports, {
        read: (port, width) => this.bus.readPort(port, width),
        write: (port, width, value) => this.bus.writePort(port, width, value)
      }),
      Layer.succeed(InterruptLines, interruptLines(this.pc.ioApic)),
      Layer.succeed(Paging, paging),
      Layer.succeed(Boot, boot),
      Layer.succeed(Gates, { install: (enter) => this.gate.install(enter) })
    )
  }

  /** A kernel and its modules, in memory, and the processor at the entry; or what is wrong with the files. */
  load(payload: Payload): BootService | ElfError {
    const loaded = load(this.memory, payload)
    if ("_tag" in loaded) return loaded
    this.pc.pci.confine(payload.trusted ?? [])
    this.start(loaded.entry, loaded.pml4)
    return loaded.boot
  }

  /** Somebody else's kernel and its files in memory, firmware's traces around it, and the processor at its entry; or what is wrong with the files. */
  loadKernel(payload: KernelPayload): BootError | undefined {
    this.loadAgain = () => this.loadKernel(payload)
    const started = loadKernel(this.memory, payload, { processors: this.all.length, serialPorts: serialPorts.length })
    if ("_tag" in started) return started
    this.fwCfg.provide(fwCfgKey.kernelData, payload.kernel.bytes)
    this.fwCfg.provide(fwCfgKey.initrdData, payload.initrd?.bytes ?? new Uint8Array(0))
    this.fwCfg.provide(fwCfgKey.commandLineData, text(payload.commandLine))
    this.pc.leaveFirmwareState()
    this.begin(started)
    return undefined
  }

  private begin(started: Started): void {
    const set = (register: (typeof registerNames)[number], value: number) =>
      this.core.set(at.general + 8 * registerNames.indexOf(register), value | 0, 0)
    if (started.mode === "64-bit") {
      this.start(started.entry, started.pml4)
      set("rsi", started.rsi)
      set("rbx", started.rbx ?? 0)
    } else {
      this.startProtected(started.entry)
      set("rax", started.eax)
      set("rbx", started.ebx)
    }
  }

  /** An interrupt would be taken: a halted machine goes on when one comes. */
  get isInterruptible(): boolean {
    return this.processors.isWakeable
  }

  /** A serial line has bytes that it did not have. */
  consoleReady(): void {
    this.serial.look()
  }

  /** 64-bit mode begins at this address, with these page tables. */
  start(entry: number, pml4: number): void {
    reset(this.core, { entry, pml4 })
  }

  /** Protected mode with flat segments of 32 bits and no paging begins at this address: what a Multiboot kernel expects. */
  startProtected(entry: number): void {
    resetProtected(this.core, entry)
  }

  /** Real-address mode begins where firmware would be, 16 bytes below 4 GiB. */
  powerUp(): void {
    powerUp(this.core)
  }
}

/** Devices reach RAM, and nothing else. What they write may be code. */
const dma = (memory: PhysicalMemory): Board["memory"] => {
  const isRam = (address: number, length: number) => address >= 0 && address + length <= memory.ramBytes
  return {
    read: (_source, address, bytes) => {
      if (!isRam(address, bytes.length)) return false
      bytes.set(memory.ram(address, bytes.length))
      return true
    },
    write: (_source, address, bytes) => {
      if (!isRam(address, bytes.length)) return false
      for (let page = address - (address % pageSize); page < address + bytes.length; page += pageSize)
        memory.written(page / pageSize)
      memory.ram(address, bytes.length).set(bytes)
      return true
    }
  }
}
