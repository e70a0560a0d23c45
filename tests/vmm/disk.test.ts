import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { slot } from "../../src/devices/pciBus.ts"
import { BlockDevice, type BlockStore, sectorBytes } from "../../src/devices/virtio/block.ts"
import { VirtioPci } from "../../src/devices/virtio/VirtioPci.ts"
import { Signal, Wait } from "../../src/user/Ipc.ts"
import { rootTask } from "../../src/user/RootTask.ts"
import { Shared_Address } from "../../src/user/Shared.ts"
import { Syscalls } from "../../src/user/Syscalls.ts"
import { defineSystem, startSystem, task } from "../../src/user/System.ts"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { diskObjects, diskSlot, disks } from "../../src/vmm/guests.ts"
import { SharedDisk } from "../../src/vmm/SharedDisk.ts"
import { run, started } from "./machine.ts"

/** A disk that counts what is done to it. */
const aDisk = (sectors: number, isReadOnly = false) => {
  const bytes = Uint8Array.from({ length: sectors * sectorBytes }, (_, n) => (n * 7) & 0xff)
  const counts = { reads: 0, writes: 0, flushes: 0 }
  const store: BlockStore = {
    sectors,
    isReadOnly,
    read: (sector, into) => {
      counts.reads++
      into.set(bytes.subarray(sectorBytes * sector, sectorBytes * sector + into.length))
      return true
    },
    write: (sector, from) => {
      counts.writes++
      bytes.set(from, sectorBytes * sector)
      return true
    },
    flush: () => {
      counts.flushes++
      return true
    }
  }
  return { bytes, counts, store }
}

const each = [
  ["anna", 0],
  ["bert", 1]
] as const
const names = ["anna", "bert"] as const

/** What a client does with its disk: it asks, and hears when it is told. */
interface Asking {
  readonly disk: SharedDisk
  readonly does: (ask: (done: (isDone: boolean) => void) => unknown) => Effect.Effect<boolean, never, Syscalls>
}

/** The disk server with two clients, which are tasks in the place of monitors. */
const between = (
  stores: readonly [BlockStore, BlockStore],
  programs: readonly [
    (asking: Asking) => Effect.Effect<unknown, never, Syscalls>,
    (asking: Asking) => Effect.Effect<unknown, never, Syscalls>
  ]
): ReadonlyArray<string> => {
  const client = (n: 0 | 1) =>
    task({ disk: "Frame", bell: "Notification", wake: "Notification" }, ({ disk: window, bell, wake }) =>
      Effect.gen(function* () {
        const { memory } = yield* Syscalls
        let isRinging = false
        const disk = new SharedDisk(memory, yield* Shared_Address(window), () => {
          isRinging = true
        })
        const services = yield* Effect.context<Effect.Services<ReturnType<typeof Signal<typeof bell>>>>()
        const waits = yield* Effect.context<Effect.Services<ReturnType<typeof Wait<typeof wake>>>>()
        const does: Asking["does"] = (ask) =>
          Effect.gen(function* () {
            let answer: boolean | undefined
            ask((isDone) => {
              answer = isDone
            })
            while (answer === undefined) {
              if (isRinging) yield* Effect.provideContext(Signal(bell), services)
              isRinging = false
              yield* Effect.provideContext(Wait(wake), waits)
              disk.answered()
            }
            return answer
          })
        yield* programs[n]({ disk, does })
      })
    )
  const grants = <const N extends "anna" | "bert">(name: N, badge: bigint) =>
    ({
      disk: { to: `${name}.disk`, rights: ["read", "write"] },
      bell: { to: "diskBell", rights: ["write"], badge },
      wake: { to: `${name}.wake`, rights: ["read"] }
    }) as const
  const system = defineSystem({
    objects: { ...diskObjects(each), "anna.wake": "Notification", "bert.wake": "Notification" },
    tasks: {
      disk: disks(names),
      anna: { program: client(0), priority: 100, grants: grants("anna", 1n) },
      bert: { program: client(1), priority: 100, grants: grants("bert", 2n) }
    }
  })
  const { system: booted, notes } = started(rootTask(startSystem(system)), {
    memoryBytes: 32 * 2 ** 20,
    trusted: stores.map((_, guest) => slot(diskSlot(guest)))
  })
  for (const [guest, store] of stores.entries())
    booted.machine.pc.pci.attach(slot(diskSlot(guest)), new VirtioPci(new BlockDevice(store, "disk")).fn)
  const stop = booted.run(2e9)
  assert.strictEqual(stop._tag, "Idle")
  return notes
}

describe("the disk server", { timeout: 120_000 }, () => {
  it("reads and writes the disk of each client, and of no other", () => {
    const [one, other] = [aDisk(2048), aDisk(1000, true)]
    const [seen, beside]: [Array<unknown>, Array<unknown>] = [[], []]
    const notes = between(
      [one.store, other.store],
      [
        ({ disk, does }) =>
          Effect.gen(function* () {
            const bytes = new Uint8Array(1024)
            seen.push(disk.sectors, disk.isReadOnly, yield* does((done) => disk.read(3, bytes, done)), bytes[10])
            seen.push(yield* does((done) => disk.write(7, bytes.fill(0xab), done)))
            seen.push(yield* does((done) => disk.flush(done)))
            // Beyond its end.
            seen.push(yield* does((done) => disk.read(2047, bytes, done)))
          }),
        ({ disk, does }) =>
          Effect.gen(function* () {
            beside.push(disk.sectors, disk.isReadOnly, yield* does((done) => disk.write(0, new Uint8Array(512), done)))
          })
      ]
    )
    assert.deepStrictEqual(notes, [])
    assert.deepStrictEqual(seen, [2048, false, true, 70, true, true, false])
    assert.deepStrictEqual(beside, [1000, true, false])
    assert.deepStrictEqual(one.bytes.subarray(7 * 512, 9 * 512), new Uint8Array(1024).fill(0xab))
    assert.deepStrictEqual([one.counts.writes, other.counts.writes], [1, 0])
    assert.isAbove(one.counts.flushes, 0)
  })

  it("that finds no disk says so, and guests go on without", () => {
    const hello = { payload: { _tag: "Flat", bytes: greeting } as const, hasDisk: true }
    const { logs, reports } = run({ guests: [hello] })
    assert.match(logs.join(), /disk: WARN no disk for guest1: there is no such device where it should be/)
    assert.deepStrictEqual(reports[0]?.ending, { _tag: "PowerOff" })
  })
})
