/** vm: guests under the monitor, on the kernel, on the machine. */
import { Exit } from "effect"
import { describe as describeBoot } from "../devices/boot/BootError.ts"
import { slot } from "../devices/pciBus.ts"
import { BlockDevice, sectorBytes } from "../devices/virtio/block.ts"
import { VirtioPci } from "../devices/virtio/VirtioPci.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { ExitReason } from "../types/x86_64/ExitReason.ts"
import { rootTask } from "../user/RootTask.ts"
import { type Ended, type Logged, TaskDefect } from "../user/Task.ts"
import { greeting } from "../vmm/guest/greeting.ts"
import type { Payload, Report } from "../vmm/Monitor.ts"
import { Exits } from "../vmm/VirtualCpu.ts"
import { startGuests, type Wanted } from "../vmm/virtualMachines.ts"
import { attend, type Running } from "./attend.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import * as Disk from "./Disk.ts"
import { complain, report, statistics } from "./ending.ts"
import { failure } from "./failure.ts"
import type { BadFile } from "./files.ts"
import { hardwareOf } from "./hardware.ts"
import * as Output from "./Output.ts"
import { payloadOf } from "./payload.ts"
import { boot, type System } from "./System.ts"
import * as Terminal from "./Terminal.ts"

/** What the kernel, the monitors and the servers have beside the guests' memory. */
const overhead = 96 * 2 ** 20
/** Memory of guests comes in such pieces. */
const piece = 2 ** 24
const mostGuests = 9
/** A disk is in memory, in large pages that two tasks have a capability to each. */
const mostDisk = 256 * 2 ** 20
const diskSlot = 2

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async (given: Given): Promise<number | UsageError> => {
  const { options } = given
  const hardware = hardwareOf(options, "256M")
  if ("_tag" in hardware) return hardware
  const count = Number(options.guests ?? 1)
  if (!Number.isInteger(count) || count < 1 || count > mostGuests)
    return usageError(`there are 1 to ${mostGuests} guests, not '${options.guests}'`)
  const payload = whatOf(given)
  if (payload._tag === "BadFile") return complain(payload.why, exitCodes.usage)
  if (payload._tag === "UsageError") return payload
  const disk = typeof options.disk === "string" ? Disk.open(options.disk) : undefined
  if (disk !== undefined && "_tag" in disk) return complain(disk.why, exitCodes.usage)
  if (disk !== undefined && disk.sectors * sectorBytes > mostDisk)
    return complain(
      `${options.disk} has more than ${mostDisk / 2 ** 20}M, which is the most of a guest's disk`,
      exitCodes.usage
    )
  const diskBytes = disk === undefined ? 0 : disk.sectors * sectorBytes
  const guestBytes = hardware.memoryBytes
  const memoryBytes = Math.ceil(guestBytes / piece) * piece * count + overhead + Math.ceil(diskBytes / piece) * piece
  if (memoryBytes > most) return usageError(`the guests' memory is at most ${(most - overhead) / 2 ** 20}M together`)

  const isNetworked = options.net !== undefined
  if (isNetworked && options.net !== "switch")
    return usageError(`there is no network '${options.net}': there is switch`)
  const reports: Array<Report> = []
  const failures: Array<string> = []
  const ended: Ended = (task, exit) => {
    if (Exit.isFailure(exit)) failures.push(`task '${task}' failed: ${failure(exit.cause)}`)
  }
  const logged: Logged = (task, line) => Output.note(`${task}: ${line}`)
  const guests = Array.from(
    { length: count },
    (_, n): Wanted => ({
      name: count === 1 ? "guest" : `guest${n + 1}`,
      memoryBytes: guestBytes,
      payload,
      devices: [],
      preemptionShift: 5,
      exits: new Exits(),
      ...(isNetworked && { mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56 + n) }),
      // The first has the disk.
      ...(disk !== undefined && n === 0 && { sectors: disk.sectors })
    })
  )
  const root = rootTask(startGuests(guests, (one) => reports.push(one)))
  const output = Output.make(process.stdout)
  const late: { system?: System } = {}
  const terminal = Terminal.open(process.stdin, {
    help: () => Output.note(Terminal.help),
    report: () => Output.note(late.system?.machine.report() ?? ""),
    forwards: count > 1
  })
  try {
    const system = boot({
      memoryBytes,
      reading: await hardware.reading(),
      first: { _tag: "Fiber", fiber: root.fiber({ name: "root", ended, logged }, {}) },
      output: output.byte,
      input: terminal.read,
      note: (line, what) => (what === "stopped" ? void failures.push(line) : Output.note(line))
    })
    if (!("_tag" in system) && disk !== undefined)
      system.machine.pc.pci.attach(slot(diskSlot), new VirtioPci(new BlockDevice(disk, "disk")).fn)
    if ("_tag" in system) return complain(describeBoot(system), exitCodes.usage)
    late.system = system
    if (terminal.isInteractive) Output.note(Terminal.help)
    const started = performance.now()
    const stop = await ran({
      machine: system.machine,
      terminal,
      step: system.run,
      limit: hardware.limit,
      isPaced: terminal.isInteractive,
      flush: output.flush,
      isDone: () => reports.length === count
    })
    output.flush()
    if (options.stats === true) {
      for (const { name, exits } of guests) showExits(name, exits!)
      statistics(system.machine, performance.now() - started)
    }
    for (const failure of failures) Output.note(failure)
    if (stop instanceof TaskDefect) return complain(stop.message, exitCodes.failed)
    if (typeof stop === "number") return stop
    if (stop._tag !== "Idle") return report(system.machine, stop)
    if (failures.length > 0) return exitCodes.failed
    const codes = reports.map(endingOf)
    if (payload._tag === "Flat") Output.note(next)
    return codes.find((code) => code !== exitCodes.ok) ?? exitCodes.ok
  } finally {
    terminal.close()
  }
}

const most = 3 * 2 ** 30

const next = `Linux next: 'skyscope get-linux', then
  skyscope vm --kernel linux/vmlinuz --initrd linux/initrd --append console=ttyS0`

/** What the guests begin with: a kernel, or what is built in. */
const whatOf = (given: Given): Payload | BadFile | UsageError => {
  const { kernel, initrd, append } = given.options
  if (typeof kernel !== "string") {
    if (initrd !== undefined || append !== undefined || (given.lists.module ?? []).length > 0)
      return usageError("--initrd, --module and --append are for a kernel: --kernel FILE")
    return { _tag: "Flat", bytes: greeting }
  }
  const payload = payloadOf(kernel, given)
  return "_tag" in payload ? payload : { _tag: "Kernel", ...payload }
}

/** What a guest's end is to who started it. */
const endingOf = ({ name, ending }: Report): number => {
  switch (ending._tag) {
    case "PowerOff":
    case "Reset":
      return exitCodes.ok
    case "Exit":
      return ending.status
    case "Stopped":
      return complain(`${name} stopped: ${ending.why}`, exitCodes.failed)
  }
}

const reasons = new Map<number, string>(Object.entries(ExitReason).map(([name, number]) => [number, name]))

const showExits = (name: string, { byReason, byDevice }: Exits): void => {
  const total = [...byReason.values()].reduce((sum, count) => sum + count, 0)
  Output.note(`${name} was left ${total} times:`)
  for (const [reason, count] of [...byReason].sort(([, a], [, b]) => b - a))
    Output.note(`  ${String(count).padStart(9)}  ${reasons.get(reason) ?? `reason ${reason}`}`)
  for (const [what, count] of [...byDevice].sort(([, a], [, b]) => b - a).slice(0, 8))
    Output.note(`  ${String(count).padStart(9)}    ${what}`)
}

/** A program that does what none should stops the machine. */
const ran = async (running: Running): Promise<Stop | number | TaskDefect> => {
  try {
    return await attend(running)
  } catch (cause) {
    if (cause instanceof TaskDefect) return cause
    throw cause
  }
}
