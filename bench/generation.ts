/** How long it takes to generate the interpreter for a loop, in this process: `node bench/generation.ts 0`, in JSON. */
import { Interpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import type { ReadingParts } from "../src/hal/x86_64/processor/Reading.ts"
import { type Generation, loops, machineFor } from "./readings.ts"

let made: Interpreter | undefined
const keep = (parts: ReadingParts): Interpreter => {
  made = new Interpreter(parts, { patience: Number.POSITIVE_INFINITY })
  return made
}

const loop = loops[Number(process.argv[2])]
if (loop === undefined) throw new Error(`the loops are numbered 0 to ${loops.length - 1}`)
const machine = machineFor(keep, loop, loop.rounds.plain)
// All of the loop is met, and left to plain execution.
machine.run(2000)
const interpreter = made!
const start = performance.now()
interpreter.generate()
const milliseconds = performance.now() - start
console.log(JSON.stringify({ milliseconds, ...interpreter.generated } satisfies Generation))
