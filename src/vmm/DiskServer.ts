/**
 * DiskServer: a task that has the machine's disks, and lets each of its clients have one for its own.
 *
 * A client writes a request into memory that both have, and rings. The disk reads and writes that memory by itself; where, and how much,
 * is looked at here: a client reaches nothing but its own disk and its own memory. What it was told is written is on the disk.
 */
import { Effect } from "effect"
import { sectorBytes } from "../devices/virtio/block.ts"
import type { Cap } from "../types/Capability.ts"
import { Signal, Wait } from "../user/Ipc.ts"
import { Frame_GetAddress } from "../user/PageTables.ts"
import { Shared_Address } from "../user/Shared.ts"
import { Syscalls } from "../user/Syscalls.ts"
import { serverTask } from "../user/System.ts"
import { type Disk, openDisk } from "./BlockDriver.ts"
import { diskRequests, diskWindow as window } from "./channels.ts"
import { queueBytes, registerBytes } from "./VirtioDriver.ts"
import { type Words, words } from "./Words.ts"

/** Where the registers of all its disks are on the bus: a large page. */
export const diskRegisters = { device: "LargePage", address: 0xc000_0000 } as const

/** What it has for all clients. */
const own = { registers: "Frame", queues: "Frame", bell: "Notification" } as const
/** And for each: the configuration of its disk, the window, and how it is told. */
const each = { config: "Frame", window: "Frame", wake: "Notification" } as const

type Memory<Q> = Cap<"Frame", "read" | "write", Q>
interface Held<R, Q, B> {
  readonly registers: Memory<R>
  readonly queues: Memory<Q>
  readonly bell: Cap<"Notification", "read", B>
}
interface Client<C, P, W> {
  readonly name: string
  readonly config: Memory<C>
  readonly window: Memory<P>
  readonly wake: Cap<"Notification", "write", W>
}

/** The task, for clients by these names. */
export const diskTask = <const N extends string>(names: ReadonlyArray<N>) =>
  serverTask(names, own, each, (has, clients) => serveDisks(has, clients))

const serveDisks = <R, Q, B, C, P, W>(
  { registers, queues, bell }: Held<R, Q, B>,
  clients: ReadonlyArray<Client<C, P, W>>
) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const [registersAt, queuesAt] = [yield* Shared_Address(registers), yield* Shared_Address(queues)]
    const queuesPhysical = yield* Frame_GetAddress(queues)
    const served = yield* Effect.forEach(clients, ({ name, config, window: page, wake }, n) =>
      Effect.gen(function* () {
        const disk = openDisk(memory, {
          configuration: yield* Shared_Address(config),
          registers: registersAt + n * registerBytes,
          bus: diskRegisters.address + n * registerBytes,
          queue: queuesAt + n * queueBytes,
          queuePhysical: queuesPhysical + n * queueBytes
        })
        const at = words(memory, yield* Shared_Address(page))
        if ("_tag" in disk) {
          // As its window says: of no sectors.
          yield* Effect.logWarning(`no disk for ${name}: ${disk.why}`)
          return { wake, answer: () => false }
        }
        at.put(window.sectors, 4, disk.sectors % 2 ** 32)
        at.put(window.sectorsHigh, 4, Math.floor(disk.sectors / 2 ** 32))
        at.put(window.isReadOnly, 4, disk.isReadOnly ? 1 : 0)
        const data = (yield* Frame_GetAddress(page)) + window.data.at
        return { wake, answer: answering(disk, at, data) }
      })
    )
    for (;;) {
      yield* Wait(bell)
      for (const { wake, answer } of served) if (answer()) yield* Signal(wake)
    }
  })

/** Does what a client has asked for, once. @returns whether it has asked for something. */
const answering = (disk: Disk, at: Words, data: number) => {
  let last = 0
  return (): boolean => {
    const number = at.get(window.request.number, 4)
    if (number === last) return false
    last = number
    const kind = diskRequests[at.get(window.request.kind, 4)]
    const sector = at.get(window.request.sector, 4) + at.get(window.request.sectorHigh, 4) * 2 ** 32
    const bytes = at.get(window.request.bytes, 4)
    const isSound = kind !== undefined && bytes <= window.data.bytes && bytes % sectorBytes === 0
    const isDone = isSound && disk.request(kind, sector, data, kind === "flush" ? 0 : bytes)
    at.put(window.answer.isDone, 4, isDone ? 1 : 0)
    at.put(window.answer.number, 4, number)
    return true
  }
}
