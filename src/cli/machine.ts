/** machine: somebody else's kernel on the bare machine, with the terminal as its console. */
import { BootError, describe } from "../devices/boot/BootError.ts"
import { Machine } from "../hal/x86_64/Machine.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { attend } from "./attend.ts"
import { attach, devicesOf } from "./board.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import { complain, report, statistics } from "./ending.ts"
import { hardwareOf, oneOf, processorsOf, tripleFaultOf } from "./hardware.ts"
import * as Output from "./Output.ts"
import { payloadOf } from "./payload.ts"
import { open as openSerial, serialOf } from "./serial.ts"
import * as Terminal from "./Terminal.ts"
import * as Trace from "./Trace.ts"

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async (given: Given): Promise<number | UsageError> => {
  const { options, lists } = given
  const hardware = hardwareOf(options, "256M")
  if ("_tag" in hardware) return hardware
  const processors = processorsOf(options.cpus, mostProcessors)
  if (typeof processors !== "number") return processors
  const onTripleFault = tripleFaultOf(options["triple-fault"])
  if (typeof onTripleFault !== "string") return onTripleFault
  const devices = devicesOf(given)
  if ("_tag" in devices) return devices
  const serial = serialOf(lists.serial)
  if ("_tag" in serial) return serial
  const traced = Trace.kindsOf(lists.trace ?? [])
  if ("_tag" in traced) return traced
  const clock = oneOf("clock", clocks, options.clock)
  if (typeof clock === "object") return clock
  if (typeof options.kernel !== "string") return usageError("'machine' wants --kernel FILE")
  const payload = payloadOf(options.kernel, given)
  if ("_tag" in payload) return complain(payload.why, exitCodes.usage)
  const log = typeof options.log === "string" ? Output.log(options.log) : undefined
  if (log !== undefined && "_tag" in log) return complain(log.why, exitCodes.usage)

  const serialFiles = openSerial(serial)
  if ("_tag" in serialFiles) return complain(serialFiles.why, exitCodes.usage)

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
      serial: serialFiles.lines,
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
    const stop = await attend({
      machine,
      terminal,
      attached,
      step,
      limit: hardware.limit,
      isPaced,
      flush: output.flush
    })
    output.flush()
    if (options.stats === true) statistics(machine, performance.now() - started)
    attached.close()
    return typeof stop === "number" ? stop : report(machine, stop)
  } finally {
    terminal.close()
    serialFiles.close()
    log?.close()
  }
}

/** APIC IDs are of 8 bits where software does not ask for more. */
const mostProcessors = 255

const clocks = ["wall", "instructions"] as const

const inFull = (error: BootError): string =>
  BootError.$is("NoRoom")(error) ? `${describe(error)}: give the machine more with --memory` : describe(error)

// ---- the run

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
