/**
 * DiskServer: a task that has the machine's disk, and lets a guest have it for its own.
 *
 * The disk is read into memory that the guest's monitor has too; what the guest changes is written back when its monitor rings: at each
 * flush of the guest's, and when it ends. This task runs before the guest does: a flush is done when the guest hears of it.
 */
import { Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import { Wait } from "../user/Ipc.ts"
import { Frame_GetAddress } from "../user/PageTables.ts"
import { Shared_Address } from "../user/Shared.ts"
import { Syscalls } from "../user/Syscalls.ts"
import { type NoDisk, openDisk } from "./BlockDriver.ts"
import { pageBytes, partBytes } from "./SharedDisk.ts"

const sectorBytes = 512

type Shared<Q> = Cap<"Frame", "read" | "write", Q>

export interface Held<P, R, Q, C, B> {
  readonly config: Cap<"IOPort", "in" | "out", P>
  /** Memory of PCI devices, from `registersAt` on. */
  readonly registers: Shared<R>
  readonly queue: Shared<Q>
  readonly changes: Shared<C>
  readonly bell: Cap<"Notification", "read", B>
}

export const serveDisk = <P, R, Q, C, B, F>(
  { config, registers, queue, changes, bell }: Held<P, R, Q, C, B>,
  pages: ReadonlyArray<Shared<F>>,
  sectors: number
) =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const physical = yield* Effect.forEach(pages, (page) => Frame_GetAddress(page))
    const marks = yield* Shared_Address(changes)
    const request = yield* openDisk(config, memory, {
      registers: yield* Shared_Address(registers),
      queue: yield* Shared_Address(queue),
      queuePhysical: yield* Frame_GetAddress(queue)
    })
    const total = sectors * sectorBytes
    const move = (way: "read" | "write", at: number): Effect.Effect<void, NoDisk> => {
      const bytes = Math.min(partBytes, total - at)
      const to = physical[Math.floor(at / pageBytes)]! + (at % pageBytes)
      return request(way, at / sectorBytes, to, bytes)
        ? Effect.void
        : Effect.fail({ _tag: "NoDisk", why: `it cannot ${way} ${bytes} bytes at sector ${at / sectorBytes}` })
    }
    for (let at = 0; at < total; at += partBytes) yield* move("read", at)
    for (;;) {
      yield* Wait(bell)
      const bits = new Uint8Array(Math.ceil(total / partBytes / 8))
      memory.read(marks, bits)
      memory.write(marks, new Uint8Array(bits.length))
      for (const [index, byte] of bits.entries()) {
        for (let bit = 0; bit < 8; bit++) if ((byte >>> bit) & 1) yield* move("write", (8 * index + bit) * partBytes)
      }
      request("flush", 0, 0, 0)
    }
  })
