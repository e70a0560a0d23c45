/** machine: somebody else's kernel on the bare machine, with the terminal as its console. */
import { existsSync } from "node:fs"
import { setImmediate } from "node:timers/promises"
import { BootError, describe } from "../devices/boot/BootError.ts"
import { takesModules } from "../devices/boot/kernel.ts"
import type { File, Module, Payload } from "../devices/boot/Payload.ts"
import { Machine } from "../hal/x86_64/Machine.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { type Attached, attach, devicesOf } from "./board.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import { complain, report, statistics } from "./ending.ts"
import { type BadFile, badFile, contentsOf } from "./files.ts"
import { hardwareOf } from "./hardware.ts"
import * as Output from "./Output.ts"
import * as Terminal from "./Terminal.ts"
import * as Trace from "./Trace.ts"

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async (given: Given): Promise<number | UsageError> => {
  const { options, lists } = given
  const hardware = hardwareOf(options, "256M")
  if ("_tag" in hardware) return hardware
  const processors = processorsOf(options.cpus)
  if (typeof processors !== "number") return processors
  const onTripleFault = tripleFaultOf(options["triple-fault"])
  if (typeof onTripleFault !== "string") return onTripleFault
  const devices = devicesOf(given)
  if ("_tag" in devices) return devices
  const traced = Trace.kindsOf(lists.trace ?? [])
  if ("_tag" in traced) return traced
  const clock = clockOf(options.clock)
  if (typeof clock === "object") return clock
  if (typeof options.kernel !== "string") return usageError("'machine' wants --kernel FILE")
  const payload = payloadOf(options.kernel, given)
  if ("_tag" in payload) return complain(payload.why, exitCodes.usage)
  const log = typeof options.log === "string" ? Output.log(options.log) : undefined
  if (log !== undefined && "_tag" in log) return complain(log.why, exitCodes.usage)

  const output = Output.make(process.stdout, log)
  const late: { machine?: Machine } = {}
  const terminal = Terminal.open(process.stdin, {
    help: () => Output.note(Terminal.help),
    report: () => Output.note(late.machine?.report() ?? "")
  })
  try {
    const machine = new Machine({
      memoryBytes: hardware.memoryBytes,
      reading: await hardware.reading(),
      processors,
      onReset: options["no-reboot"] === true ? "stop" : "start",
      onTripleFault,
      helpers: devices.helpers,
      console: { write: output.byte, ...(!devices.isConsoleVirtual && { read: terminal.read }) }
    })
    late.machine = machine
    const attached = await attach(machine, devices, output.byte, terminal)
    if ("_tag" in attached) return complain(attached.why, exitCodes.usage)
    const error = machine.loadKernel(payload)
    if (error !== undefined) return complain(inFull(error), exitCodes.usage)

    const line = (text: string) => (log === undefined ? Output.note(text) : log.line(text))
    Trace.attach(machine, traced, line)
    if (terminal.isInteractive) Output.note(Terminal.help)
    const started = performance.now()
    const step = traced.has("instructions") ? tracing(machine, line) : (limit: number) => machine.run(limit)
    const isPaced = clock === "wall" || (clock === undefined && terminal.isInteractive)
    const stop = await run({ machine, terminal, attached, step, limit: hardware.limit, isPaced, flush: output.flush })
    output.flush()
    if (options.stats === true) statistics(machine, performance.now() - started)
    attached.close()
    return typeof stop === "number" ? stop : report(machine, stop)
  } finally {
    terminal.close()
    log?.close()
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

const clocks = ["wall", "instructions"] as const
type Clock = (typeof clocks)[number]

const clockOf = (text: string | boolean | undefined): Clock | undefined | UsageError => {
  if (text === undefined) return undefined
  return clocks.find((one) => one === text) ?? usageError(`there is no clock '${text}': there are ${clocks.join(", ")}`)
}

// ---- files

const fileOf = (name: string): File | BadFile => {
  const bytes = contentsOf(name)
  return "_tag" in bytes ? bytes : { name, bytes }
}

/** A module is a file and what it is told, which is all that was typed. */
const moduleOf = (typed: string): Module | BadFile => {
  const file = fileOf(typed.split(" ")[0]!)
  return "_tag" in file ? file : { ...file, commandLine: typed }
}

const payloadOf = (kernelName: string, { options, lists }: Given): Payload | BadFile => {
  const kernel = fileOf(kernelName)
  if ("_tag" in kernel) return kernel
  const commandLine = typeof options.append === "string" ? options.append : ""
  const typed = typeof options.initrd === "string" ? options.initrd : undefined
  const named = lists.module ?? []
  if (!takesModules(kernel)) {
    if (named.length > 0) return badFile(kernelName, "it is a Linux kernel, which takes an --initrd and no --module")
    const initrd = typed === undefined ? undefined : fileOf(typed)
    if (initrd !== undefined && "_tag" in initrd) return initrd
    return { kernel, commandLine, ...(initrd !== undefined && { initrd }) }
  }
  // As on boards of QEMU, a kernel of another kind has a list of modules as its initial RAM disk.
  const first = typed === undefined ? [] : existsSync(typed) ? [typed] : typed.split(",")
  const modules: Module[] = []
  for (const one of [...first, ...named]) {
    const module = moduleOf(one)
    if ("_tag" in module) return module
    modules.push(module)
  }
  return { kernel, modules, commandLine }
}

const inFull = (error: BootError): string =>
  BootError.$is("NoRoom")(error) ? `${describe(error)}: give the machine more with --memory` : describe(error)

// ---- the run

interface Running {
  readonly machine: Machine
  readonly terminal: Terminal.Terminal
  readonly attached: Attached
  readonly step: (limit: number) => Stop
  readonly limit: number
  readonly isPaced: boolean
  readonly flush: () => void
}

/** Instructions between two looks at the terminal: some milliseconds. */
const piece = 2_000_000
/** Instructions in a millisecond of the machine's. */
const perMillisecond = 1e6
/** A host that is slower than the machine is not caught up with when the machine rests: then it would rest too shortly. */
const mostBehind = 50

/** Until the machine stops, or somebody leaves: then it is the exit code. */
const run = async ({ machine, terminal, attached, step, limit, isPaced, flush }: Running): Promise<Stop | number> => {
  let began = performance.now()
  for (;;) {
    const stop = step(Math.min(limit, machine.instructions + piece))
    flush()
    const rests = stop._tag === "Idle" && machine.isInterruptible
    if ((stop._tag !== "Limit" && !rests) || machine.instructions >= limit) return stop
    const now = performance.now()
    const ahead = machine.instructions / perMillisecond - (now - began)
    if (ahead < -mostBehind) began = now - machine.instructions / perMillisecond
    if (rests) {
      if (terminal.isOver() && !attached.isBusy()) return stop
      const before = performance.now()
      await terminal.wait(Number.POSITIVE_INFINITY)
      began += performance.now() - before
    } else if ((isPaced || attached.isBusy()) && ahead > 1) await terminal.wait(ahead)
    else await setImmediate()
    const left = terminal.left()
    if (left !== undefined) return left
    attached.look()
    machine.consoleReady()
  }
}

/** One instruction after the other, each said before it is done. */
const tracing =
  (machine: Machine, line: (text: string) => void) =>
  (limit: number): Stop => {
    for (;;) {
      line(`${machine.instructions}  ${machine.next()}`)
      const stop = machine.run(machine.instructions + 1)
      if (stop._tag !== "Limit" || machine.instructions >= limit) return stop
    }
  }
