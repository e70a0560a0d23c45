/** run: a program on a kernel on a machine, from the file to the exit code. */
import { Exit } from "effect"
import { describe } from "../devices/boot/BootError.ts"
import { slot } from "../devices/pciBus.ts"
import { BlockDevice } from "../devices/virtio/block.ts"
import { VirtioPci } from "../devices/virtio/VirtioPci.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import { type Ended, type Logged, TaskDefect } from "../user/Task.ts"
import { diskSlot } from "../vmm/guests.ts"
import { disksOf } from "./board.ts"
import type { Given, UsageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import * as Disk from "./Disk.ts"
import { complain, report, statistics } from "./ending.ts"
import { failure } from "./failure.ts"
import { domainsOf, hardwareOf } from "./hardware.ts"
import * as Output from "./Output.ts"
import { read } from "./Program.ts"
import { boot, type System } from "./System.ts"
import { run as watched } from "./Watch.ts"

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async ({ arguments: [file], options, lists }: Given): Promise<number | UsageError> => {
  const hardware = hardwareOf(options, "64M")
  if ("_tag" in hardware) return hardware
  const { memoryBytes, limit } = hardware
  const domains = domainsOf(options.domains)
  if (typeof domains !== "number") return domains
  const files = disksOf(lists.disk)
  if ("_tag" in files) return files

  const failures: Array<string> = []
  const ended: Ended = (task, exit) => {
    if (Exit.isFailure(exit)) failures.push(`task '${task}' failed: ${failure(exit.cause)}`)
  }
  const logged: Logged = (task, line) => Output.note(`${task}: ${line}`)
  const first = await read(file!, { ended, logged })
  if (first._tag === "BadFile") return complain(first.why, exitCodes.usage)

  const disks: Array<BlockDevice> = []
  for (const [n, file] of files.entries()) {
    const disk = Disk.open(file)
    if ("_tag" in disk) return complain(disk.why, exitCodes.usage)
    disks.push(new BlockDevice(disk, `disk${n}`))
  }
  const output = Output.make(process.stdout)
  const reading = await hardware.reading()
  const note = (line: string, what?: "stopped") => {
    if (what === "stopped") failures.push(line)
    else Output.note(line)
  }
  const system = boot({
    memoryBytes,
    reading,
    first,
    output: output.byte,
    note,
    domains,
    trusted: disks.map((_, n) => slot(diskSlot(n)))
  })
  if ("_tag" in system) return complain(describe(system), exitCodes.usage)
  for (const [n, disk] of disks.entries()) system.machine.pc.pci.attach(slot(diskSlot(n)), new VirtioPci(disk).fn)
  const started = performance.now()
  const stop = run(system, limit)
  output.flush()
  if (options.stats === true) statistics(system.machine, performance.now() - started)
  for (const failure of failures) Output.note(failure)
  const code = stop instanceof TaskDefect ? complain(stop.message, exitCodes.failed) : report(system.machine, stop)
  return code === exitCodes.ok && failures.length > 0 ? exitCodes.failed : code
}

/** A program that does what none should stops the machine. */
const run = (system: System, limit: number): Stop | TaskDefect => {
  try {
    return watched(system, limit)
  } catch (cause) {
    if (cause instanceof TaskDefect) return cause
    throw cause
  }
}
