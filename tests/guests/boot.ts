/** A Linux kernel as it starts, to be run by one reading and by another, and looked at in between. */
import { Machine } from "../../src/hal/x86_64/Machine.ts"
import type { Stop } from "../../src/hal/x86_64/Processor.ts"
import type { MakeReading, Reading } from "../../src/hal/x86_64/processor/Reading.ts"
import { at } from "../../src/hal/x86_64/processor/State.ts"
import { initrd, kernel } from "./debian.ts"

const memoryBytes = 128 * 2 ** 20
/** What has not ended by then does not end. */
const most = 20_000_000_000

/** What a machine has beside its chips, and what its kernel is told. */
export interface Board {
  readonly commandLine?: string
  readonly attach?: (machine: Machine) => void
}

export class Boot {
  readonly machine: Machine
  /** What the console has shown. */
  seen = ""
  private readonly typed: number[] = []

  /** `init`: what `/init` does; if it is empty, what it does of itself. */
  constructor(reading: MakeReading, processors = 1, init = "exec setsid cttyhack sh", board: Board = {}) {
    this.machine = new Machine({
      memoryBytes,
      reading,
      processors,
      console: {
        write: (byte) => {
          this.seen += String.fromCharCode(byte)
        },
        read: () => this.typed.shift()
      }
    })
    board.attach?.(this.machine)
    const error = this.machine.loadKernel({
      kernel: { name: "vmlinuz", bytes: kernel() },
      initrd: { name: "initrd", bytes: init === "" ? initrd() : initrd(init) },
      commandLine: board.commandLine ?? "console=ttyS0"
    })
    if (error !== undefined) throw new Error(`${error._tag}`)
  }

  /** The shell waits for a command. */
  get isReady(): boolean {
    return this.seen.includes("/ # ")
  }

  /** What a person at the console sees and types: each answer is typed when its prompt has come. @returns how it ends. */
  talk(dialogue: readonly (readonly [prompt: string, answer: string])[]): Stop {
    const { machine } = this
    const rest = [...dialogue]
    for (let from = 0; ; ) {
      const stop = machine.run(machine.instructions + 5_000_000)
      const at = rest[0] === undefined ? -1 : this.seen.indexOf(rest[0][0], from)
      if (at >= 0) {
        from = at + rest[0]![0].length
        this.typed.push(...new TextEncoder().encode(`${rest.shift()![1]}\n`))
        machine.consoleReady()
      }
      if (stop._tag !== "Limit" || machine.instructions > most) return stop
    }
  }

  memory(): string {
    return `memory ${this.machine.memoryHash()}`
  }

  /** The time, and the registers of the processor that runs, in a line. */
  registers(): string {
    const { core } = this.machine
    const words = (from: number, to: number) => {
      let sum = 0
      for (let word = from; word < to; word += 4) sum = Math.imul(sum ^ core.low(word), 0x9e37_79b1) | 0
      return (sum >>> 0).toString(16).padStart(8, "0")
    }
    return [
      `${this.machine.instructions} instructions`,
      `registers ${words(at.general, at.zero)} ${words(at.segment, at.system)} ${words(at.vectors, at.mxcsr + 4)}`,
      `flags ${core.rflags().toString(16)}`
    ].join(", ")
  }
}

/** Two readings of one machine, the first of them until it is said that the other goes on. They keep nothing in the same place. */
export const exchangeable = (first: MakeReading, second: MakeReading) => {
  const made: { first?: Reading; second?: Reading; inForce?: Reading } = {}
  const make: MakeReading = (parts) => {
    made.first = first(parts)
    made.second = second(parts)
    made.inForce = made.first
    const both = [made.first, made.second]
    return {
      run: () => made.inForce!.run(),
      step: () => made.inForce!.step(),
      status: () => made.inForce!.status(),
      codeWritten: (page) => {
        for (const reading of both) reading.codeWritten(page)
      },
      codeMapChanged: () => {
        for (const reading of both) reading.codeMapChanged()
      }
    }
  }
  return {
    make,
    use: (which: "first" | "second") => {
      made.inForce = made[which]!
    }
  }
}
