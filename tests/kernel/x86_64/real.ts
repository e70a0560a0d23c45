/** The real machine, with a kernel and a root task of a few instructions. */
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Gates } from "../../../src/hal/Gates.ts"
import { Memory, type MemoryService } from "../../../src/hal/Memory.ts"
import { Time } from "../../../src/hal/Time.ts"
import { Machine } from "../../../src/hal/x86_64/Machine.ts"
import { makePlain } from "../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../src/hal/x86_64/processor/Reading.ts"
import { Debug } from "../../../src/kernel/Debug.ts"
import { install } from "../../../src/kernel/x86_64/Boot.ts"
import { write } from "../../../src/kernel/x86_64/Elf.ts"
import { Entry, elf } from "../../../src/kernel/x86_64/Image.ts"

/** Run this code as the root task. `before` happens in the kernel at each of its gates but the first. */
export const run = (
  code: readonly number[],
  before: (entry: number, memory: MemoryService, time: Time["Service"]) => void,
  { limit = 10_000_000, reading = makePlain as MakeReading } = {}
) => {
  const machine = new Machine({ memoryBytes: 8 * 2 ** 20, reading, console: { write: () => {} } })
  const program = write({
    entry: 0x40_0000n,
    segments: [
      {
        virtual: 0x40_0000n,
        physical: 0n,
        bytes: Uint8Array.from(code),
        memoryBytes: 0x1000,
        writable: false,
        executable: true
      }
    ]
  })
  const boot = machine.load({
    kernel: { name: "kernel", bytes: elf() },
    modules: [{ name: "root", bytes: program }],
    commandLine: ""
  })
  assert(!("_tag" in boot))
  const debug = Debug.of({ putChar: () => {}, print: () => {}, snapshot: () => {} })
  const hardware = machine.layer(boot)
  Effect.runSync(
    Effect.gen(function* () {
      const gates = yield* Gates
      const memory = yield* Memory
      const time = yield* Time
      const watched = Gates.of({
        install: (enter) =>
          gates.install((entry) => {
            if (entry !== Entry.boot) before(entry, memory, time)
            enter(entry)
          })
      })
      yield* Effect.provideService(install, Gates, watched)
    }).pipe(Effect.provide(Layer.merge(hardware, Layer.succeed(Debug, debug))))
  )
  return { machine, stop: machine.run(limit) }
}
