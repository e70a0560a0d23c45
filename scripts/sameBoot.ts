/**
 * A campaign: a Linux kernel's start comes to the same, run twice by the interpreter to the shell's prompt, and run plainly for its first
 * instructions.
 *
 *     npm run campaign:boot -- [--instructions 200_000_000] [--cpus 1] [--every 5_000_000]
 *
 * All run side by side, and are compared every so often: what differs is found near where it begins. Debian's packages are fetched by name.
 */
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../src/hal/x86_64/processor/Reading.ts"
import { makeTranslator } from "../src/hal/x86_64/processor/translator/Translator.ts"
import { Boot } from "../tests/guests/boot.ts"
import { numberOf, typed } from "./typed.ts"

const usage = `Usage: npm run campaign:boot -- [options]

  --instructions N  how far the plain run goes: some half a million a second (default: 200_000_000)
  --cpus N          of so many processors (default: 1)
  --every N         compare after so many instructions each time (default: 5_000_000)

Exit codes: 0 all came to the same, 1 something differs, 2 what was typed is no campaign.`
const values = typed(usage, {
  instructions: { type: "string", default: "200_000_000" },
  cpus: { type: "string", default: "1" },
  every: { type: "string", default: "5_000_000" }
})
const count = (name: keyof typeof values): number => numberOf(usage, name, values[name])
const [instructions, cpus, every] = [count("instructions"), count("cpus"), count("every")]
/** A kernel that is not there by then does not start. */
const most = 4_000_000_000

const millions = (n: number): string => `${(n / 1e6).toFixed(0)} million instructions`
const started = performance.now()
const tell = (what: string): void => console.log(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}`)

/** Run side by side until `isOver`. False, with both states, where they differ. */
const compare = (name: string, a: MakeReading, b: MakeReading, isOver: (boot: Boot) => boolean): boolean => {
  const [one, other] = [new Boot(a, cpus), new Boot(b, cpus)]
  for (let to = every; !isOver(one); to += every) {
    const states = [one, other].map((boot) => {
      boot.machine.run(to)
      return `${boot.registers()}, ${boot.memory()}`
    })
    if (states[0] !== states[1]) {
      tell(`${name}: different by ${millions(to)}\n- ${states.join("\n- ")}`)
      return false
    }
    tell(`${name}: the same after ${millions(to)}, ${one.memory()}`)
  }
  return true
}

const isLong = (boot: Boot): boolean => boot.machine.instructions >= instructions
const isReady = (boot: Boot): boolean => boot.isReady || boot.machine.instructions > most
const found = [
  compare("plain and interpreted", makePlain, makeInterpreter, isLong),
  compare("interpreted twice, to the prompt", makeInterpreter, makeInterpreter, isReady),
  compare("translated and interpreted, to the prompt", makeTranslator, makeInterpreter, isReady)
]
process.exitCode = found.every((isSame) => isSame) ? 0 : 1
