/** A machine with a kernel and guests in it: what they print, and how they end. */
import { Effect, Exit } from "effect"
import { boot } from "../../src/cli/System.ts"
import { slot } from "../../src/devices/pciBus.ts"
import { BlockDevice, type BlockStore } from "../../src/devices/virtio/block.ts"
import { NetworkDevice } from "../../src/devices/virtio/network.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import type { Machine } from "../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { MakeReading } from "../../src/hal/x86_64/processor/Reading.ts"
import { labels } from "../../src/types/SyscallError.ts"
import type { Allocator, NotMade } from "../../src/user/Allocator.ts"
import type { BootInfo } from "../../src/user/BootInfo.ts"
import { type RootTask, rootTask } from "../../src/user/RootTask.ts"
import type { Spawner } from "../../src/user/Spawn.ts"
import { type Arrived, type MessageCall, Syscalls, type SyscallsService } from "../../src/user/Syscalls.ts"
import { cardSlot, diskSlot } from "../../src/vmm/guests.ts"
import type { Report } from "../../src/vmm/Monitor.ts"
import { startMany, type Wanted } from "../../src/vmm/manyGuests.ts"

const MiB = 2 ** 20

export interface Options {
  readonly guests: ReadonlyArray<Partial<Wanted> & Pick<Wanted, "payload">>
  readonly reading?: MakeReading
  /** Disks, by the place of their guest. */
  readonly disks?: Readonly<Record<number, BlockStore>>
  /** What is at the other end of the wire of the machine's network card, if it has one. */
  readonly outside?: (machine: Machine, send: (frame: Uint8Array) => void) => (frame: Uint8Array) => void
  /** The machine's memory: what all of them need, if not this. */
  readonly machineBytes?: number
  /** Instructions. */
  readonly limit?: number
  /** What is typed at the console: each answer when its prompt has come. */
  readonly dialogue?: ReadonlyArray<readonly [prompt: string, answer: string]>
  /** Told when a prompt has come. */
  readonly prompted?: (machine: Machine) => void
  /** What is started before the guests. */
  readonly beside?: Effect.Effect<unknown, NotMade, Syscalls | Allocator | Spawner | BootInfo>
  /** Calls of the landlord to the kernel that come to nothing: IllegalOperation. */
  readonly refuses?: (call: MessageCall) => boolean
}

const memoryBytes = 16 * MiB

const { IllegalOperation: label } = labels
const refused: Arrived = { label, badge: 0n, words: [], extraCaps: 0, unwrapped: 0, badges: [] }

/** A machine with a kernel and a root task, before its first instruction; and, as it goes on, what tasks failed with, and what they log. */
export const started = (
  root: RootTask,
  options: Pick<Parameters<typeof boot>[0], "memoryBytes" | "input"> &
    Partial<Pick<Parameters<typeof boot>[0], "reading" | "output" | "trusted">>
) => {
  const notes: Array<string> = []
  const logs: Array<string> = []
  const fiber = root.fiber(
    {
      name: "root",
      logged: (task, line) => logs.push(`${task}: ${line}`),
      ended: (task, exit) => {
        if (Exit.isFailure(exit)) notes.push(`${task} failed: ${exit.cause}`)
      }
    },
    {}
  )
  const system = boot({
    reading: makeInterpreter,
    output: () => undefined,
    ...options,
    first: { _tag: "Fiber", fiber },
    note: (line) => notes.push(line)
  })
  if ("_tag" in system) throw new Error(system._tag)
  return { system, notes, logs }
}

export const run = ({
  guests,
  reading = makeInterpreter,
  disks = {},
  outside,
  machineBytes,
  limit = 3e9,
  dialogue = [],
  prompted,
  beside = Effect.void,
  refuses = () => false
}: Options) => {
  const wanted = guests.map(
    (guest, n): Wanted => ({ name: `guest${n + 1}`, memoryBytes, hasDisk: disks[n] !== undefined, ...guest })
  )
  const all = wanted.reduce(
    (sum, guest) => sum + Math.ceil(guest.memoryBytes / memoryBytes) * memoryBytes,
    (96 + 8 * wanted.length) * MiB
  )
  const reports: Array<Report> = []
  const refusing = (syscalls: SyscallsService): SyscallsService => ({
    ...syscalls,
    call: (call, outcome) => (refuses(call) ? outcome(refused) : syscalls.call(call, outcome))
  })
  const root = rootTask(
    Effect.andThen(
      beside,
      startMany(wanted, { network: outside ? "card" : "inside", ended: (report) => reports.push(report) })
    ).pipe(Effect.updateService(Syscalls, refusing))
  )
  let [seen, from] = ["", 0]
  const typed: Array<number> = []
  const rest = [...dialogue]
  const { system, notes, logs } = started(root, {
    memoryBytes: machineBytes ?? all,
    trusted: [...Object.keys(disks).map((guest) => slot(diskSlot(Number(guest)))), slot(cardSlot)],
    reading,
    output: (byte) => {
      seen += String.fromCharCode(byte)
    },
    input: () => typed.shift()
  })
  const { machine } = system
  for (const [guest, disk] of Object.entries(disks))
    machine.pc.pci.attach(slot(diskSlot(Number(guest))), new VirtioPci(new BlockDevice(disk, "disk")).fn)
  if (outside !== undefined) {
    const late: { receive?: (frame: Uint8Array) => void } = {}
    const card = new NetworkDevice(Uint8Array.of(0x52, 0x54, 0, 0, 0, 0xff), (frame) => late.receive?.(frame))
    machine.pc.pci.attach(slot(cardSlot), new VirtioPci(card).fn)
    late.receive = outside(machine, (frame) => card.receive(frame))
  }
  for (;;) {
    const stop = machine.run(machine.instructions + 5_000_000)
    const at = rest[0] === undefined ? -1 : seen.indexOf(rest[0][0], from)
    if (at >= 0) {
      from = at + rest[0]![0].length
      prompted?.(machine)
      typed.push(...new TextEncoder().encode(`${rest.shift()![1]}\n`))
      machine.consoleReady()
    } else if (stop._tag !== "Limit" || machine.instructions > limit)
      return { seen, reports, notes, logs, stop, machine, instructions: machine.instructions }
  }
}
