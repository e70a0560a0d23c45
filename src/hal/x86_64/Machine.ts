/**
 * Machine: the parts wired together, and what they offer a kernel.
 *
 * Where to read on: `Processor` is the loop, `processor/` what instructions mean and the ways to run them, `memory/` how
 * an address leads to a byte, `system/` what privileged instructions, exceptions and interrupts do, `gate` where the
 * processor hands over to the host. `Clock`, `Bus` and the chips are beside this file; `Loader` puts a kernel in memory.
 */
import { Layer } from "effect"
import type { Fiber } from "../../types/Gate.ts"
import { Boot, type BootService } from "../Boot.ts"
import { Gates } from "../Gates.ts"
import { Memory } from "../Memory.ts"
import { Paging } from "../Paging.ts"
import { Ports } from "../Ports.ts"
import { Processor as ProcessorTag } from "../Processor.ts"
import { Time } from "../Time.ts"
import { Apic } from "./apic.ts"
import { Bus } from "./Bus.ts"
import { Clock } from "./Clock.ts"
import { ones } from "./devices/Wires.ts"
import type { ElfError } from "./elf.ts"
import { paging } from "./entries.ts"
import { Gate, gateRom, writeGateRom } from "./gate.ts"
import { hash } from "./hash.ts"
import { load, type Payload } from "./Loader.ts"
import { layout, makeMemory, pageSize } from "./memory/layout.ts"
import { Mmu } from "./memory/Mmu.ts"
import { PhysicalMemory } from "./memory/PhysicalMemory.ts"
import { Window } from "./memory/Window.ts"
import { Processor, type Stop } from "./Processor.ts"
import type { MakeReading, Reading } from "./processor/Reading.ts"
import { at } from "./processor/State.ts"
import { report } from "./report.ts"
import { privilegedRegisters, timer } from "./services.ts"
import { Core } from "./system/Core.ts"
import { reset } from "./system/reset.ts"
import { Uart16550 } from "./uart16550.ts"

export interface Console {
  /** A byte that the machine sends on COM1. */
  readonly write: (byte: number) => void
  /** The next byte for it to receive, if there is one. */
  readonly read?: () => number | undefined
}

export interface Hardware {
  /** A multiple of 64 KiB, up to 3 GiB. */
  readonly memoryBytes: number
  readonly reading: MakeReading
  readonly console: Console
}

const COM1 = 0x3f8
/** "isa-debug-exit": a byte written ends the run with status 2 * byte + 1. */
const debugExit = 0xf4

/** A machine without software: the processor as `reset` leaves it. */
export class Machine {
  readonly memory: PhysicalMemory
  readonly core: Core
  readonly bus = new Bus()
  readonly window: Window
  readonly gate = new Gate()
  private readonly processor: Processor

  constructor({ memoryBytes, reading: makeReading, console }: Hardware) {
    const memory = makeMemory(memoryBytes)
    this.memory = new PhysicalMemory(memory, this.bus, [{ physicalPage: gateRom / pageSize, host: layout.rom }])
    writeGateRom(this.memory.u8.subarray(layout.rom, layout.rom + pageSize))

    // Memory tells the reading and the window of changes; both are made of memory.
    const listeners: { reading?: Reading; window?: Window } = {}
    const mmu = new Mmu(this.memory, {
      codeMapChanged: () => listeners.reading?.codeMapChanged(),
      codeWritten: (page) => listeners.reading?.codeWritten(page),
      globalsDropped: () => listeners.window?.forget(),
      codeDecoded: (page) => listeners.window?.forgetWrites(page)
    })
    this.window = new Window(mmu)
    listeners.window = this.window
    const reading = makeReading({ memory, access: mmu })
    listeners.reading = reading

    const clock = new Clock(this.memory.i32)
    const apic = new Apic(clock, () => {
      this.memory.i32[at.attention >> 2] = 1
    })
    this.core = new Core(mmu, clock, this.bus, apic, {
      status: () => reading.status(),
      gate: (number) => this.gate.enter(this.core, number),
      interrupt: (vector, source) => this.processor.interrupt(vector, source)
    })
    this.processor = new Processor(this.core, reading)
    this.bus.addPorts({ name: "COM1", start: COM1, bytes: 8, widest: 8, target: uart(console) })
    this.bus.addPorts({
      name: "debug exit",
      start: debugExit,
      bytes: 1,
      target: {
        read: (_offset, width) => ones(width),
        write: (_offset, _width, value) => this.processor.stop({ _tag: "Exit", status: value * 2 + 1 })
      }
    })
    reset(this.core)
  }

  /** Run until there is a reason to stop, at the latest when `limit` instructions have been retired since the start. */
  run(limit = Number.POSITIVE_INFINITY): Stop {
    this.gate.limit = limit
    return this.processor.run(limit)
  }

  /** Instructions retired since the start. */
  get instructions(): number {
    return this.core.clock.now()
  }

  /** Make a program known: a thread enters it through the gate ROM with this number in RBX. */
  addFiber(fiber: Fiber): number {
    return this.gate.add(fiber)
  }

  /** Two machines with this in common have, as far as anybody will ever see, the same RAM. */
  memoryHash(): string {
    return hash(this.memory.i32.subarray(layout.ram >>> 2))
  }

  /** Registers and page walks, in lines. */
  report(): string {
    return report(this.core)
  }

  /** What the machine offers the kernel that was loaded. */
  layer(boot: BootService): Layer.Layer<Memory | ProcessorTag | Time | Ports | Paging | Boot | Gates> {
    return Layer.mergeAll(
      Layer.succeed(Memory, this.window),
      Layer.succeed(ProcessorTag, privilegedRegisters(this.core)),
      Layer.succeed(Time, timer(this.core)),
      Layer.succeed(Ports, {
        read: (port, width) => this.bus.readPort(port, width),
        write: (port, width, value) => this.bus.writePort(port, width, value)
      }),
      Layer.succeed(Paging, paging),
      Layer.succeed(Boot, boot),
      Layer.succeed(Gates, { install: (enter) => this.gate.install(enter) })
    )
  }

  /** A kernel and its modules, in memory, and the processor at the entry; or what is wrong with the files. */
  load(payload: Payload): BootService | ElfError {
    const loaded = load(this.memory, payload)
    if ("_tag" in loaded) return loaded
    this.start(loaded.entry, loaded.pml4)
    return loaded.boot
  }

  /** 64-bit mode begins at this address, with these page tables. */
  start(entry: number, pml4: number): void {
    reset(this.core, { entry, pml4 })
  }
}

const uart = ({ write, read }: Console): Uart16550 =>
  new Uart16550({
    transmit: write,
    receive: () => read?.(),
    // Its line goes to the interrupt controllers of the chipset; there are none.
    interrupt: () => {}
  })
