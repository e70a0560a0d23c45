/** machine: somebody else's kernel on the bare machine, with the terminal as its serial console. */
import { setImmediate } from "node:timers/promises"
import { describe } from "../devices/boot/BootError.ts"
import type { File } from "../devices/boot/Payload.ts"
import { slot } from "../devices/pciBus.ts"
import { BlockDevice } from "../devices/virtio/block.ts"
import { EntropyDevice } from "../devices/virtio/entropy.ts"
import { VirtioPci } from "../devices/virtio/VirtioPci.ts"
import { Machine } from "../hal/x86_64/Machine.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import * as Disk from "./Disk.ts"
import { complain, report, statistics } from "./ending.ts"
import { type BadFile, contentsOf } from "./files.ts"
import { hardwareOf } from "./hardware.ts"
import * as Output from "./Output.ts"
import * as Terminal from "./Terminal.ts"

/** PCI devices, by slot; 0 is the host bridge. */
const slots = { entropy: 1, disk: 2 } as const
/** What the entropy device begins with: the same in every run. */
const seed = 1

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async ({ options }: Given): Promise<number | UsageError> => {
  const hardware = hardwareOf(options, "256M")
  if ("_tag" in hardware) return hardware
  if (typeof options.kernel !== "string") return usageError("'machine' wants --kernel FILE")
  const processors = processorsOf(options.cpus)
  if (typeof processors !== "number") return processors
  const onTripleFault = tripleFaultOf(options["triple-fault"])
  if (typeof onTripleFault !== "string") return onTripleFault
  const kernel = fileOf(options.kernel)
  if ("_tag" in kernel) return complain(kernel.why, exitCodes.usage)
  const initrd = typeof options.initrd === "string" ? fileOf(options.initrd) : undefined
  if (initrd !== undefined && "_tag" in initrd) return complain(initrd.why, exitCodes.usage)
  const disk = typeof options.disk === "string" ? Disk.open(options.disk) : undefined
  if (disk !== undefined && "_tag" in disk) return complain(disk.why, exitCodes.usage)

  const terminal = Terminal.open(process.stdin)
  try {
    const write = (byte: number) => void process.stdout.write(Uint8Array.of(byte))
    const output = terminal.isInteractive ? { byte: write, flush: () => undefined } : Output.make(process.stdout)
    const machine = new Machine({
      memoryBytes: hardware.memoryBytes,
      reading: await hardware.reading(),
      processors,
      onReset: options["no-reboot"] === true ? "stop" : "start",
      onTripleFault,
      console: { write: output.byte, read: terminal.read }
    })
    machine.pc.pci.attach(slot(slots.entropy), new VirtioPci(new EntropyDevice(seed)).fn)
    if (disk !== undefined) machine.pc.pci.attach(slot(slots.disk), new VirtioPci(new BlockDevice(disk, "disk")).fn)
    const commandLine = typeof options.append === "string" ? options.append : ""
    const error = machine.loadKernel({ kernel, commandLine, ...(initrd !== undefined && { initrd }) })
    if (error !== undefined) return complain(describe(error), exitCodes.usage)

    const started = performance.now()
    const stop = await run(machine, terminal, hardware.limit)
    output.flush()
    if (options.stats === true) statistics(machine, performance.now() - started)
    return stop === undefined ? exitCodes.ok : report(machine, stop)
  } finally {
    terminal.close()
  }
}

/** APIC IDs are of 8 bits where software does not ask for more. */
const mostProcessors = 255

const processorsOf = (text: string | boolean | undefined): number | UsageError => {
  const count = text === undefined ? 1 : Number(text)
  return Number.isInteger(count) && count >= 1 && count <= mostProcessors
    ? count
    : usageError(`a machine has 1 to ${mostProcessors} processors, not ${text}`)
}

const tripleFaultOf = (text: string | boolean | undefined): "stop" | "reset" | UsageError => {
  if (text === undefined) return "stop"
  return text === "stop" || text === "reset" ? text : usageError(`--triple-fault is stop or reset, not ${text}`)
}

const fileOf = (name: string): File | BadFile => {
  const bytes = contentsOf(name)
  return "_tag" in bytes ? bytes : { name, bytes }
}

/** Instructions between two looks at the terminal: some milliseconds. */
const piece = 2_000_000

/** Until the machine stops. Undefined: the user has left. */
const run = async (machine: Machine, terminal: Terminal.Terminal, limit: number): Promise<Stop | undefined> => {
  const started = performance.now()
  for (;;) {
    const stop = machine.run(Math.min(limit, machine.instructions + piece))
    const isOver = stop._tag !== "Limit" && !(stop._tag === "Idle" && machine.isInterruptible)
    if (isOver || machine.instructions >= limit) return stop
    // To somebody at the terminal, time passes no faster than it does; else it waits only where nothing can happen but a key.
    const ahead = machine.instructions / 1e6 - (performance.now() - started)
    if (stop._tag === "Idle") {
      if (!(await terminal.wait(Number.POSITIVE_INFINITY))) return stop
    } else if (terminal.isInteractive && ahead > 1) await terminal.wait(ahead)
    else await setImmediate()
    if (terminal.isLeft()) return undefined
    machine.consoleReady()
  }
}
