/** A machine with a kernel and guests in it: what they print, and how they end. */
import { Exit } from "effect"
import { boot } from "../../src/cli/System.ts"
import { slot } from "../../src/devices/pciBus.ts"
import { BlockDevice, type BlockStore, sectorBytes } from "../../src/devices/virtio/block.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import type { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { MakeReading } from "../../src/hal/x86_64/processor/Reading.ts"
import { rootTask } from "../../src/user/RootTask.ts"
import type { Report } from "../../src/vmm/Monitor.ts"
import { startGuests, type Wanted } from "../../src/vmm/virtualMachines.ts"

const MiB = 2 ** 20

export interface Options {
  readonly guests: ReadonlyArray<Partial<Wanted> & Pick<Wanted, "payload">>
  readonly reading?: MakeReading
  /** The machine's disk: of the guest that says how many sectors it has. */
  readonly disk?: BlockStore
  /** The machine's memory: what all of them need, if not this. */
  readonly machineBytes?: number
  /** Instructions. */
  readonly limit?: number
  /** What is typed at the console: each answer when its prompt has come. */
  readonly dialogue?: ReadonlyArray<readonly [prompt: string, answer: string]>
  /** Told when a prompt has come. */
  readonly prompted?: (machine: Machine) => void
}

const memoryBytes = 16 * MiB

export const run = ({
  guests,
  reading = makeInterpreter,
  disk,
  machineBytes,
  limit = 3e9,
  dialogue = [],
  prompted
}: Options) => {
  const wanted = guests.map(
    (guest, n): Wanted => ({ name: `guest${n + 1}`, memoryBytes, devices: [], preemptionShift: 5, ...guest })
  )
  const diskBytes = (disk?.sectors ?? 0) * sectorBytes
  const all = wanted.reduce(
    (sum, guest) => sum + Math.ceil(guest.memoryBytes / memoryBytes) * memoryBytes,
    96 * MiB + Math.ceil(diskBytes / memoryBytes) * memoryBytes
  )
  const reports: Array<Report> = []
  const notes: Array<string> = []
  const root = rootTask(startGuests(wanted, (report) => reports.push(report)))
  const fiber = root.fiber(
    {
      name: "root",
      ended: (task, exit) => {
        if (Exit.isFailure(exit)) notes.push(`${task} failed: ${exit.cause}`)
      }
    },
    {}
  )
  let [seen, from] = ["", 0]
  const typed: Array<number> = []
  const rest = [...dialogue]
  const system = boot({
    memoryBytes: machineBytes ?? all,
    reading,
    first: { _tag: "Fiber", fiber },
    output: (byte) => {
      seen += String.fromCharCode(byte)
    },
    input: () => typed.shift(),
    note: (line) => notes.push(line)
  })
  if ("_tag" in system) throw new Error(system._tag)
  const { machine } = system
  if (disk !== undefined) machine.pc.pci.attach(slot(2), new VirtioPci(new BlockDevice(disk, "disk")).fn)
  for (;;) {
    const stop = machine.run(machine.instructions + 5_000_000)
    const at = rest[0] === undefined ? -1 : seen.indexOf(rest[0][0], from)
    if (at >= 0) {
      from = at + rest[0]![0].length
      prompted?.(machine)
      typed.push(...new TextEncoder().encode(`${rest.shift()![1]}\n`))
      machine.consoleReady()
    } else if (stop._tag !== "Limit" || machine.instructions > limit)
      return { seen, reports, notes, stop, machine, instructions: machine.instructions }
  }
}
