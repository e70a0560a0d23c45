/** A campaign of random system calls from machine code, with the kernel's invariants checked between them. */
import { Effect, Layer } from "effect"
import { Gates } from "../../../src/hal/Gates.ts"
import { guestPaging, paging } from "../../../src/hal/x86_64/entries.ts"
import { type Hardware, Machine } from "../../../src/hal/x86_64/Machine.ts"
import { layout } from "../../../src/hal/x86_64/memory/layout.ts"
import { makeInterpreter } from "../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import * as Capability from "../../../src/kernel/Capability.ts"
import { Debug } from "../../../src/kernel/Debug.ts"
import { check, reach } from "../../../src/kernel/invariants.ts"
import { idleThread, KernelData } from "../../../src/kernel/KernelData.ts"
import type { View } from "../../../src/kernel/State.ts"
import { slotOf, tcbSlot } from "../../../src/kernel/Tcb.ts"
import { install } from "../../../src/kernel/x86_64/Boot.ts"
import { Entry, elf, Offset } from "../../../src/kernel/x86_64/Image.ts"
import { check as checkArchitecture, sizeOf } from "../../../src/kernel/x86_64/invariants.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import { overBytes } from "../../../src/types/Layout.ts"
import { build } from "../programs/programs.ts"

export interface Campaign {
  /** System calls, faults and interrupts to go through. */
  readonly calls: number
  readonly seed: bigint
  /** Invariants are checked after each call of so many. */
  readonly every: number
  /** How the machine does the way into the kernel. */
  readonly sequels?: Hardware["sequels"]
  /** Called now and then with the number of calls that were made. */
  readonly progress?: (calls: number) => void
}

export interface Found {
  /** The calls that went before. */
  readonly calls: number
  readonly instructions: number
  /** What the memory of the machine is then. */
  readonly memory: string
  /** What was violated, or why the machine stopped. Nothing, if all is well. */
  readonly wrong: ReadonlyArray<string>
}

const defaultSeed = 0x5eed_5eed_5eed_5eedn

/** The program with another seed in the place of its own. */
const seeded = (program: Uint8Array, seed: bigint): Uint8Array => {
  const bytes = Uint8Array.from(program)
  const view = new DataView(bytes.buffer)
  for (let at = 0; at + 8 <= bytes.length; at += 8)
    if (view.getBigUint64(at, true) === defaultSeed) {
      view.setBigUint64(at, seed, true)
      return bytes
    }
  throw new Error("the program has a seed")
}

const slice = 1_000_000

export const run = ({ calls, seed, every, sequels, progress }: Campaign): Found => {
  const machine = new Machine({
    memoryBytes: 16 * 2 ** 20,
    reading: makeInterpreter,
    console: { write: () => {} },
    ...(sequels && { sequels })
  })
  const booted = machine.load({
    kernel: { name: "the kernel", bytes: elf() },
    modules: [{ name: "root", bytes: seeded(build("../fuzz/fuzz"), seed) }],
    commandLine: ""
  })
  if ("_tag" in booted) throw new Error(`the program is loaded: ${JSON.stringify(booted)}`)
  const ram = overBytes(machine.memory.u8.subarray(layout.ram))
  const data = booted.image.start + Offset.kernelData
  const view: View = {
    memory: ram,
    charge: () => {},
    data,
    get architecture(): never {
      throw new Error("invariants are about the kernel's own objects")
    }
  }
  const place = { archData: booted.image.start + Offset.archData, paging, guestPaging }
  let root = 0
  let made = 0
  let wrong: ReadonlyArray<string> = []
  const inspect = (): void => {
    const current = KernelData.currentThread.load(ram, data)
    // The first task runs first: its capability space has all that there is.
    if (root === 0 && current !== idleThread(data)) root = Capability.object(view, slotOf(current, tcbSlot.cspace))
    if (root === 0 || ++made % every !== 0 || wrong.length > 0) return
    const roots = [root + 32 * slots.cnode]
    wrong = [...check(view, roots, sizeOf), ...checkArchitecture(view, reach(view, roots), place)]
  }
  const debug = Debug.of({ putChar: () => {}, print: () => {}, snapshot: () => {} })
  Effect.runSync(
    Effect.gen(function* () {
      const gates = yield* Gates
      const watched = Gates.of({
        install: (enter) =>
          gates.install((entry) => {
            enter(entry)
            if (entry !== Entry.boot) inspect()
          })
      })
      yield* Effect.provideService(install, Gates, watched)
    }).pipe(Effect.provide(Layer.merge(machine.layer(booted), Layer.succeed(Debug, debug))))
  )
  while (made < calls && wrong.length === 0) {
    const stop = machine.run(machine.instructions + slice)
    if (stop._tag !== "Limit") wrong = [JSON.stringify(stop)]
    progress?.(made)
  }
  return { calls: made, instructions: machine.instructions, memory: machine.memoryHash(), wrong }
}
