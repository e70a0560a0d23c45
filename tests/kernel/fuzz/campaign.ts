/** A campaign of random system calls from machine code, with the kernel's invariants checked between them. */
import { type Hardware, Machine } from "../../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { build } from "../programs/programs.ts"
import { watched } from "./watched.ts"

export interface Campaign {
  /** System calls, faults and interrupts to go through. */
  readonly calls: number
  readonly seed: bigint
  /** Invariants are checked after each call of so many. */
  readonly every: number
  /** Scheduling domains of the kernel: one, if nothing is said. */
  readonly domains?: number
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

export const run = ({ calls, seed, every, domains = 1, sequels, progress }: Campaign): Found => {
  const machine = new Machine({
    memoryBytes: 16 * 2 ** 20,
    reading: makeInterpreter,
    console: { write: () => {} },
    ...(sequels && { sequels })
  })
  const found = watched(machine, { elf: seeded(build("../fuzz/fuzz"), seed), domains }, every)
  let wrong = found.wrong
  while (found.entries < calls && wrong.length === 0) {
    const stop = machine.run(machine.instructions + slice)
    wrong = stop._tag === "Limit" ? found.wrong : [JSON.stringify(stop)]
    progress?.(found.entries)
  }
  return { calls: found.entries, instructions: machine.instructions, memory: machine.memoryHash(), wrong }
}
