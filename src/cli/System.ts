/** System: a machine with a kernel and a first task in it. */
import { Effect, Layer } from "effect"
import type { ElfError } from "../devices/boot/BootError.ts"
import { Machine } from "../hal/x86_64/Machine.ts"
import type { Stop } from "../hal/x86_64/Processor.ts"
import type { MakeReading } from "../hal/x86_64/processor/Reading.ts"
import { Debug } from "../kernel/Debug.ts"
import { install } from "../kernel/x86_64/Boot.ts"
import { elf as kernelImage } from "../kernel/x86_64/Image.ts"
import type { Fiber } from "../types/Gate.ts"

/** What the first task is. */
export type First =
  | { readonly _tag: "Fiber"; readonly fiber: Fiber }
  | { readonly _tag: "Elf"; readonly name: string; readonly bytes: Uint8Array }

export interface Options {
  readonly memoryBytes: number
  readonly reading: MakeReading
  readonly first: First
  /** A byte that a program gives to the serial port, or to the kernel's debug call. */
  readonly output: (byte: number) => void
  /** The next byte for the serial port to receive, if there is one. */
  readonly input?: () => number | undefined
  /** A line of the kernel's own. `stopped`: about a thread that did what it may not, and runs no more. */
  readonly note: (line: string, what?: "stopped") => void
  /** No system call takes the kernel's fast path: nothing but the host's time depends on it. */
  readonly fastPath?: "off"
  /** The PCI functions, by number, that may reach memory: no other does, whatever a program does with it. */
  readonly trusted?: ReadonlyArray<number>
  /** How many scheduling domains the kernel has: one, if nothing is said. */
  readonly domains?: number
}

export interface System {
  readonly machine: Machine
  /** Run until there is a reason to stop, at the latest when so many instructions have been retired. */
  readonly run: (limit?: number) => Stop
}

/** The number of the first fiber: registers begin as 0. */
const firstFiber = 0

/** A machine about to start its kernel; or what is wrong with the program. */
export const boot = ({
  memoryBytes,
  reading,
  first,
  output,
  input,
  note,
  fastPath,
  trusted = [],
  domains = 1
}: Options): System | ElfError => {
  const machine = new Machine({ memoryBytes, reading, console: { write: output, ...(input && { read: input }) } })
  if (first._tag === "Fiber" && machine.addFiber(first.fiber) !== firstFiber) {
    throw new Error("the first fiber of a machine is the one that its first thread enters")
  }
  const booted = machine.load({
    kernel: { name: "the kernel", bytes: kernelImage() },
    modules: first._tag === "Elf" ? [{ name: first.name, bytes: first.bytes }] : [],
    commandLine: [
      ...(first._tag === "Fiber" ? ["root=gate"] : []),
      ...(fastPath ? [`fastpath=${fastPath}`] : []),
      ...(domains === 1 ? [] : [`domains=${domains}`])
    ].join(" "),
    trusted
  })
  if ("_tag" in booted) return booted
  const debug = Debug.of({ putChar: output, print: note, snapshot: () => note(machine.report()) })
  Effect.runSync(Effect.provide(install, Layer.merge(machine.layer(booted), Layer.succeed(Debug, debug))))
  return { machine, run: (limit) => machine.run(limit) }
}
