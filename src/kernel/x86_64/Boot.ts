/**
 * Boot: from the first gate to the first instruction of the root task.
 *
 * The loader has put the image and the modules into memory and the processor at the image's first gate, with page
 * tables of the loader's that show all memory at the window. What stands here happens behind that gate, once.
 *
 * The command line is words with blanks between. `root=NAME` says which module is the root task's program; without it
 * the first one is. `root=gate` says that it is a program of the host's, entered by the machine's gate. `fastpath=off`
 * says that no system call takes the fast path, and no switch of threads the short one. `domains=N` says how many
 * scheduling domains there are; without it there is one.
 */
import { Effect, Option } from "effect"
import { Boot, type BootService } from "../../hal/Boot.ts"
import { Gates } from "../../hal/Gates.ts"
import { InterruptLines, type InterruptLinesService } from "../../hal/InterruptLines.ts"
import { Memory, type MemoryService } from "../../hal/Memory.ts"
import { Paging, type PagingService } from "../../hal/Paging.ts"
import { Ports, type PortsService } from "../../hal/Ports.ts"
import { Processor, type ProcessorService } from "../../hal/Processor.ts"
import { Time, type TimeService } from "../../hal/Time.ts"
import { Virtualization, type VirtualizationService } from "../../hal/Virtualization.ts"
import { domainBytes, initialise } from "../Boot.ts"
import { Debug, type DebugService } from "../Debug.ts"
import * as Kernel from "../Kernel.ts"
import { mostDomains } from "../KernelData.ts"
import type { State } from "../State.ts"
import { ArchData, archDataBytes } from "./ArchData.ts"
import * as Architecture from "./Architecture.ts"
import { type BootError, stop } from "./BootError.ts"
import * as BootMemory from "./BootMemory.ts"
import { make as makeEntries } from "./Entry.ts"
import { Entry, Offset } from "./Image.ts"
import { build } from "./KernelTables.ts"
import type { Machine } from "./Machine.ts"
import * as Program from "./Program.ts"
import { wholeUnits } from "./Regions.ts"
import { create, type Root } from "./RootTask.ts"
import { direct, protect } from "./Startup.ts"
import * as ThreadContext from "./ThreadContext.ts"
import { start as startVirtualization } from "./VirtualizationStartup.ts"

/** What a kernel for this architecture needs of a machine, besides its gates. */
export interface Hal {
  readonly boot: BootService
  readonly memory: MemoryService
  readonly paging: PagingService
  readonly processor: ProcessorService
  readonly ports: PortsService
  readonly lines: InterruptLinesService
  readonly time: TimeService
  readonly debug: DebugService
  /** Undefined: the processor runs no guests. */
  readonly virtualization: VirtualizationService | undefined
}

/** The kernel is behind the machine's gates: it starts with the machine. */
export const install: Effect.Effect<
  void,
  never,
  Gates | Boot | Memory | Paging | Processor | Ports | InterruptLines | Time | Debug
> = Effect.gen(function* () {
  const gates = yield* Gates
  gates.install(
    gate({
      boot: yield* Boot,
      memory: yield* Memory,
      paging: yield* Paging,
      processor: yield* Processor,
      ports: yield* Ports,
      lines: yield* InterruptLines,
      time: yield* Time,
      debug: yield* Debug,
      virtualization: Option.getOrUndefined(yield* Effect.serviceOption(Virtualization))
    })
  )
})

/** The function behind every gate. The first to be entered is that of boot. */
export const gate = (hal: Hal): ((entry: number) => void) => {
  let enter = (_entry: number): void => {
    throw new Error("the kernel is entered before it has booted")
  }
  return (entry) => {
    if (entry === Entry.boot) enter = boot(hal)
    else enter(entry)
  }
}

/** The root task is the thread to run. The answer is what stands behind the gates from here on. */
export const boot = (hal: Hal): ((entry: number) => void) => {
  const { boot, memory, paging, processor, time, debug } = hal
  const { image } = boot
  const root = rootOf(boot, memory, paging.userEnd)
  if (isError(root)) return stop(root)
  const domains = Number(optionOf(boot, "domains") ?? 1)
  if (!Number.isInteger(domains) || domains < 1 || domains > mostDomains)
    return stop({ _tag: "BadDomains", most: mostDomains })

  const ram = wholeUnits(boot.memory, BootMemory.pageBytes)
  const inUse = [image, boot.loader, ...boot.modules.map(({ at }) => at)]
  const free = BootMemory.make(memory, ram, inUse)
  const kernelRoot = build({ memory, paging }, ram, image, () =>
    free.take("the kernel's page tables", BootMemory.pageBytes)
  )
  protect(processor, image, kernelRoot)
  direct(processor)

  const archData = image.start + Offset.archData
  memory.zero(archData, archDataBytes)
  const machine: Machine = {
    paging,
    processor,
    ports: hal.ports,
    lines: hal.lines,
    archData,
    image,
    virtualization: startVirtualization(hal, archData)
  }
  ArchData.kernelRoot.store(memory, machine.archData, kernelRoot)
  ArchData.root.store(memory, machine.archData, kernelRoot)
  const paths = optionOf(boot, "fastpath") === "off" ? "slow" : "fast and slow"
  const state: State = {
    memory,
    time,
    charge: time.charge,
    debug,
    data: image.start + Offset.kernelData,
    architecture: Architecture.make(machine, paths)
  }
  const { pageBytes } = BootMemory
  const rooms = Math.ceil(domainBytes(domains) / pageBytes) * pageBytes
  initialise(state, domains, rooms === 0 ? 0 : free.take("the ready queues of its domains", rooms, pageBytes))
  create({ state, machine, free, boot }, root)

  const kernel = Kernel.make(state, paths)
  const contexts = ThreadContext.make(memory, processor, image.start)
  kernel.start()
  const enter = makeEntries({ memory, time, contexts, kernel, machine })
  contexts.restore(Architecture.contextOf(ArchData.running.load(memory, machine.archData)))
  return enter
}

/** What the command line and the modules say the root task is. */
const rootOf = (boot: BootService, memory: MemoryService, userEnd: number): Root | BootError => {
  const option = optionOf(boot, "root")
  if (option === "gate") return { _tag: "Gate" }
  const { modules } = boot
  const module = option === undefined ? modules[0] : modules.find(({ name }) => name === option)
  if (module === undefined) return { _tag: "NoRootTask", wanted: option }
  const program = Program.read(memory, module, userEnd)
  return "_tag" in program ? program : { _tag: "Program", program }
}

/** What the command line says by a word `name=value`. */
const optionOf = ({ commandLine }: BootService, name: "root" | "fastpath" | "domains"): string | undefined =>
  commandLine
    .split(/\s+/)
    .find((word) => word.startsWith(`${name}=`))
    ?.slice(name.length + 1)

const isError = (root: Root | BootError): root is BootError => root._tag !== "Gate" && root._tag !== "Program"
