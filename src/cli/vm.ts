/** vm: guests under the monitor, on the kernel, on the machine. */
import { realpathSync } from "node:fs"
import { Exit } from "effect"
import { describe as describeBoot } from "../devices/boot/BootError.ts"
import { slot } from "../devices/pciBus.ts"
import { BlockDevice, type BlockStore } from "../devices/virtio/block.ts"
import { VirtioPci } from "../devices/virtio/VirtioPci.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { ExitReason } from "../types/x86_64/ExitReason.ts"
import { budgetsOf, NoShare, timeOf } from "../user/FairShare.ts"
import { rootTask } from "../user/RootTask.ts"
import { type Ended, type Logged, TaskDefect } from "../user/Task.ts"
import { greeting } from "../vmm/guest/greeting.ts"
import { cardSlot, diskSlot } from "../vmm/guests.ts"
import type { Payload, Report } from "../vmm/Monitor.ts"
import { mostGuests, mostProcessors, startMany, type Wanted } from "../vmm/manyGuests.ts"
import { Exits } from "../vmm/VirtualCpu.ts"
import { Accounts } from "./Accounts.ts"
import { attend, type Running } from "./attend.ts"
import { attachNetwork, forwardedOf } from "./board.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import * as Disk from "./Disk.ts"
import { complain, report, statistics } from "./ending.ts"
import { failure } from "./failure.ts"
import type { BadFile } from "./files.ts"
import type { Forwarded } from "./HostNetwork.ts"
import { consoles, hardwareOf, oneOf, processorsOf, tripleFaultOf } from "./hardware.ts"
import * as Output from "./Output.ts"
import { payloadOf } from "./payload.ts"
import { boot, type System } from "./System.ts"
import * as Terminal from "./Terminal.ts"

/** What the kernel, the monitors and the servers have beside the guests' memory. */
const overhead = 96 * 2 ** 20
/** And for each guest that has a network card or a disk: large pages that its monitor shares with their servers. */
const overheadOfDevices = 8 * 2 ** 20
/** Memory of guests comes in such pieces. */
const piece = 2 ** 24
/** Of a guest. */
const most = 3 * 2 ** 30

/** The guests that were asked for, and what they have. */
interface Asked {
  readonly count: number
  readonly memoryBytes: number
  readonly payload: Payload
  /** By guest. */
  readonly disks: ReadonlyMap<number, BlockStore>
  readonly network: "switch" | "user" | undefined
  readonly forwarded: ReadonlyArray<Forwarded>
  readonly console: "serial" | "virtio"
  readonly virtio: "pci" | "mmio"
  /** Of each guest. */
  readonly processors: number
  readonly onReset: "restart" | "end"
  readonly onTripleFault: "stop" | "reset"
  /** The turn of each guest, in microseconds. */
  readonly budgets: ReadonlyArray<number> | undefined
}

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async (given: Given): Promise<number | UsageError> => {
  const { options } = given
  const hardware = hardwareOf(options, "256M")
  if ("_tag" in hardware) return hardware
  const asked = askedOf(given, hardware.memoryBytes)
  if ("_tag" in asked) return asked._tag === "BadFile" ? complain(asked.why, exitCodes.usage) : asked
  const { count, disks, network, forwarded, payload } = asked
  const devices = disks.size > 0 || network !== undefined ? overheadOfDevices * count : 0
  const memoryBytes = Math.ceil(hardware.memoryBytes / piece) * piece * count + overhead + devices
  if (memoryBytes > most)
    return usageError(`the guests' memory is at most ${(most - overhead - devices) / 2 ** 20}M together`)

  const reports: Array<Report> = []
  const failures: Array<string> = []
  const ended: Ended = (task, exit) => {
    if (Exit.isFailure(exit)) failures.push(`task '${task}' failed: ${failure(exit.cause)}`)
  }
  const logged: Logged = (task, line) => Output.note(`${task}: ${line}`)
  const guests = guestsOf(asked)
  const accounts = new Accounts()
  const root = rootTask(
    startMany(guests, {
      network: network === "user" ? "card" : "inside",
      ended: (one) => reports.push(one),
      ...(options.stats === true && { consumed: accounts.consumed })
    })
  )
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
      first: {
        _tag: "Fiber",
        fiber: root.fiber(
          { name: "root", ended, logged, ...(options.stats === true && { called: accounts.called }) },
          {}
        )
      },
      trusted: [
        ...Array.from(disks.keys(), (guest) => slot(diskSlot(guest))),
        ...(network === "user" ? [slot(cardSlot)] : [])
      ],
      output: output.byte,
      input: terminal.read,
      note: (line, what) => (what === "stopped" ? void failures.push(line) : Output.note(line))
    })
    if ("_tag" in system) return complain(describeBoot(system), exitCodes.usage)
    const { machine } = system
    for (const [guest, disk] of disks)
      machine.pc.pci.attach(slot(diskSlot(guest)), new VirtioPci(new BlockDevice(disk, `disk${guest + 1}`)).fn)
    const wire =
      network === "user" ? await attachNetwork(machine, cardSlot, { network, forwarded }, terminal.wake) : undefined
    if (wire !== undefined && "_tag" in wire) return complain(wire.why, exitCodes.usage)
    late.system = system
    if (terminal.isInteractive)
      Output.note(count > 1 ? `${Terminal.help}; Control-A 1 to ${count} say who hears` : Terminal.help)
    const started = performance.now()
    const stop = await ran({
      machine,
      terminal,
      ...(wire && { attached: { ...wire, look: () => undefined } }),
      step: system.run,
      limit: hardware.limit,
      isPaced: terminal.isInteractive,
      flush: output.flush,
      isDone: () => reports.length === count
    })
    output.flush()
    wire?.close()
    if (options.stats === true) {
      for (const { name, exits } of guests) showExits(name, exits!)
      for (const line of accounts.lines(machine.instructions - machine.idle)) Output.note(line)
      statistics(machine, performance.now() - started)
    }
    for (const failure of failures) Output.note(failure)
    if (stop instanceof TaskDefect) return complain(stop.message, exitCodes.failed)
    if (typeof stop === "number") return stop
    if (stop._tag !== "Idle") return report(machine, stop)
    if (failures.length > 0) return exitCodes.failed
    const codes = reports.map(endingOf)
    if (payload._tag === "Flat") Output.note(next)
    return codes.find((code) => code !== exitCodes.ok) ?? exitCodes.ok
  } finally {
    terminal.close()
  }
}

const networks = ["switch", "user"] as const

const askedOf = (given: Given, memoryBytes: number): Asked | BadFile | UsageError => {
  const { options, lists } = given
  const count = Number(options.guests ?? 1)
  if (!Number.isInteger(count) || count < 1 || count > mostGuests)
    return usageError(`there are 1 to ${mostGuests} guests, not '${options.guests}'`)
  const network = oneOf("network", networks, options.net)
  if (typeof network === "object") return network
  const forwarded = forwardedOf(lists.forward ?? [], network === "user")
  if ("_tag" in forwarded) return forwarded
  const console = oneOf("console", consoles, options.console) ?? "serial"
  if (typeof console === "object") return console
  const { virtio = "pci" } = options
  if (virtio !== "pci" && virtio !== "mmio")
    return usageError(`virtio devices are on no '${virtio}': there are pci, mmio`)
  const budgets = budgetsFor(options.weights, count)
  if (budgets !== undefined && "_tag" in budgets) return budgets
  const processors = processorsOf(options.cpus, mostProcessors)
  if (typeof processors !== "number") return processors
  const onReset = options["no-reboot"] === true ? "end" : "restart"
  const onTripleFault = tripleFaultOf(options["triple-fault"])
  if (typeof onTripleFault !== "string") return onTripleFault
  const payload = whatOf(given)
  if (payload._tag === "BadFile" || payload._tag === "UsageError") return payload
  const disks = disksOf(lists.disk ?? [], count)
  if ("_tag" in disks) return disks
  const each = { memoryBytes, payload, console, virtio, processors, onReset, onTripleFault } as const
  return { count, ...each, disks, network, forwarded, budgets }
}

/** Microseconds: every guest that computes has its turn once in so many. */
const round = 10_000

/** The turn of each guest, of so many weights. */
const budgetsFor = (
  text: string | boolean | undefined,
  count: number
): ReadonlyArray<number> | undefined | UsageError => {
  if (text === undefined) return undefined
  const weights = String(text).split(",")
  if (weights.length !== count)
    return usageError(
      `--weights is a number for each guest: of ${weights.length} for ${count} guests, nothing is known`
    )
  const budgets = budgetsOf(round, Object.fromEntries(weights.map((weight, n) => [`${n}`, Number(weight)])))
  const odd = weights.find((weight) => !(Number(weight) > 0))
  if (odd !== undefined) return usageError(`'${odd}' is no weight: 2,1 are weights`)
  return budgets instanceof NoShare
    ? usageError(
        `a weight of ${weights[Number(budgets.member)]} among ${text} leaves guest ${Number(budgets.member) + 1} no time`
      )
    : weights.map((_, n) => budgets[`${n}`]!)
}

/** Disks by guest: FILE is the first one's, N=FILE that of guest N. */
const disksOf = (
  texts: ReadonlyArray<string>,
  count: number
): ReadonlyMap<number, BlockStore> | BadFile | UsageError => {
  const disks = new Map<number, BlockStore>()
  const files = new Map<string, string>()
  for (const text of texts) {
    const [, number = "1", file = text] = /^(\d+)=(.*)$/.exec(text) ?? []
    const guest = Number(number) - 1
    if (guest < 0 || guest >= count) return usageError(`there is no guest ${number} for the disk '${file}'`)
    if (disks.has(guest)) return usageError(`guest ${number} has a disk: it cannot have '${file}' as well`)
    const disk = Disk.open(file)
    if ("_tag" in disk) return disk
    const other = files.get(realpathSync(file))
    if (other !== undefined && !disk.isReadOnly)
      return usageError(`'${file}' is the disk of guest ${other}: two guests that write it would destroy it`)
    files.set(realpathSync(file), number)
    disks.set(guest, disk)
  }
  return disks
}

const guestsOf = (asked: Asked): ReadonlyArray<Wanted> => {
  const { count, memoryBytes, payload, disks, network, console, virtio, budgets, processors, onReset, onTripleFault } =
    asked
  return Array.from({ length: count }, (_, n) => ({
    name: `guest${n + 1}`,
    ...{ memoryBytes, payload, console, virtio, processors, onReset, onTripleFault },
    seed: n + 1,
    exits: new Exits(),
    ...(network !== undefined && { mac: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x35, n + 1) }),
    ...(disks.has(n) && { hasDisk: true }),
    ...(budgets && { time: timeOf("turns", budgets[n]!, round) })
  }))
}

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
