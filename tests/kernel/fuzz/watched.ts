/** A kernel whose invariants are checked as it works: after one entry of so many. */
import { Effect, Layer } from "effect"
import { Gates } from "../../../src/hal/Gates.ts"
import { guestPaging, paging } from "../../../src/hal/x86_64/entries.ts"
import type { Machine } from "../../../src/hal/x86_64/Machine.ts"
import { layout } from "../../../src/hal/x86_64/memory/layout.ts"
import type { PhysicalMemory } from "../../../src/hal/x86_64/memory/PhysicalMemory.ts"
import { Vmcs } from "../../../src/hal/x86_64/vmx/Vmcs.ts"
import * as Capability from "../../../src/kernel/Capability.ts"
import { Debug } from "../../../src/kernel/Debug.ts"
import { checkWorld, reach } from "../../../src/kernel/invariants.ts"
import { idleThread, KernelData } from "../../../src/kernel/KernelData.ts"
import type { View } from "../../../src/kernel/State.ts"
import { slotOf, tcbSlot } from "../../../src/kernel/Tcb.ts"
import { install } from "../../../src/kernel/x86_64/Boot.ts"
import { Entry, elf, Offset } from "../../../src/kernel/x86_64/Image.ts"
import { check as checkArchitecture, sizeOf } from "../../../src/kernel/x86_64/invariants.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import type { Memory } from "../../../src/types/Layout.ts"

/** The first task: an ELF file, or the fiber that the machine was given first. */
export type First = { readonly elf: Uint8Array; readonly domains?: number } | "fiber"

export interface Watched {
  /** Entries into the kernel: system calls, faults and interrupts. */
  readonly entries: number
  /** The first time that something was violated: what. */
  readonly wrong: ReadonlyArray<string>
}

/** What invariants look at: the kernel's own objects, where they are. */
class Watching implements View {
  readonly memory: Memory
  readonly data: number

  constructor(memory: Memory, data: number) {
    this.memory = memory
    this.data = data
  }

  get architecture(): never {
    throw new Error("invariants are about the kernel's own objects")
  }

  charge(): void {}
}

/** Physical memory, whose fields lie at multiples of their size. */
const inRam = ({ u8, u16, i32 }: PhysicalMemory): Memory => {
  const [bytes, shorts, words] = [layout.ram, layout.ram >>> 1, layout.ram >>> 2]
  return {
    load8: (address) => u8[bytes + address]!,
    load16: (address) => u16[shorts + (address >>> 1)]!,
    load32: (address) => i32[words + (address >>> 2)]!,
    store8: (address, value) => {
      u8[bytes + address] = value
    },
    store16: (address, value) => {
      u16[shorts + (address >>> 1)] = value
    },
    store32: (address, value) => {
      i32[words + (address >>> 2)] = value
    }
  }
}

/** The kernel is in the machine, about to start its first task. */
export const watched = (
  machine: Machine,
  first: First,
  every: number,
  print: (line: string) => void = () => undefined,
  putChar: (byte: number) => void = () => undefined
): Watched => {
  const booted = machine.load({
    kernel: { name: "the kernel", bytes: elf() },
    modules: first === "fiber" ? [] : [{ name: "root", bytes: first.elf }],
    commandLine: first === "fiber" ? "root=gate" : `domains=${first.domains ?? 1}`
  })
  if ("_tag" in booted) throw new Error(`the program is loaded: ${JSON.stringify(booted)}`)
  const ram = inRam(machine.memory)
  const data = booted.image.start + Offset.kernelData
  const view = new Watching(ram, data)
  const structure = new Vmcs(machine.memory)
  const fieldOf = (vcpu: number, field: number): number => {
    structure.use(vcpu)
    return (structure.readHigh(field) >>> 0) * 2 ** 32 + (structure.readLow(field) >>> 0)
  }
  const place = { archData: booted.image.start + Offset.archData, paging, guestPaging, fieldOf }
  const found: { entries: number; wrong: ReadonlyArray<string> } = { entries: 0, wrong: [] }
  let root = 0
  const inspect = (): void => {
    const current = KernelData.currentThread.load(ram, data)
    // The first task runs first: its capability space has all that there is.
    if (root === 0 && current !== idleThread(data)) root = Capability.object(view, slotOf(current, tcbSlot.cspace))
    if (root === 0 || ++found.entries % every !== 0 || found.wrong.length > 0) return
    const world = reach(view, [root + 32 * slots.cnode])
    found.wrong = [...checkWorld(view, world, sizeOf), ...checkArchitecture(view, world, place)]
  }
  const debug = Debug.of({ putChar, print, snapshot: () => {} })
  Effect.runSync(
    Effect.gen(function* () {
      const gates = yield* Gates
      const inspected = Gates.of({
        install: (enter) =>
          gates.install((entry) => {
            enter(entry)
            if (entry !== Entry.boot) inspect()
          })
      })
      yield* Effect.provideService(install, Gates, inspected)
    }).pipe(Effect.provide(Layer.merge(machine.layer(booted), Layer.succeed(Debug, debug))))
  )
  return found
}
