/**
 * A campaign: Debian's memtest86+ completes a pass over a small memory of the bare machine without errors.
 *
 *     npm run campaign:memtest -- [--memory 8] [--reading translate]
 *
 * Nearly all of the time is test 10: it waits, with RDTSC and PAUSE, twice for 80 seconds of the machine's, which are instructions here. All
 * before it is over after 7 G instructions.
 */
import { Machine } from "../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makeTranslator } from "../src/hal/x86_64/processor/translator/Translator.ts"
import { memtest } from "../tests/guests/debian.ts"
import { numberOf, refuse, typed } from "./typed.ts"

const readings = { interpret: makeInterpreter, translate: makeTranslator }
const usage = `Usage: npm run campaign:memtest -- [options]

  --memory N     MiB of RAM: the test itself needs some four of them (default: 8)
  --reading NAME how instructions are run: ${Object.keys(readings).join(", ")} (default: translate)

Exit codes: 0 a pass without errors, 1 errors were found, 2 what was typed is no campaign.`
const values = typed(usage, {
  memory: { type: "string", default: "8" },
  reading: { type: "string", default: "translate" }
})
const reading =
  Object.entries(readings).find(([name]) => name === values.reading)?.[1] ??
  refuse(usage, `--reading is one of ${Object.keys(readings).join(", ")}, not '${values.reading}'`)
const command = "console=ttyS0 nosmp nobench nosm nopause nobigstatus"
/** Instructions between two looks at what it prints. */
const piece = 100_000_000

let seen = ""
const machine = new Machine({
  memoryBytes: numberOf(usage, "memory", values.memory, 4) * 2 ** 20,
  reading,
  console: {
    write: (byte) => {
      seen += String.fromCharCode(byte)
    }
  }
})
const error = machine.loadKernel({ kernel: { name: "memtest86+x64.bin", bytes: memtest() }, commandLine: command })
if (error !== undefined) throw new Error(error._tag)

/** The last of what it has shown at this place of its screen. */
const last = (pattern: RegExp): string => [...seen.matchAll(pattern)].at(-1)?.[1] ?? ""

/** Milliseconds after which it is said how far it is, though it shows nothing new. */
const patience = 60_000

const started = performance.now()
let told = started
for (let [said, passes, errors] = ["", 0, 0]; passes === 0 && errors === 0; ) {
  const { _tag } = machine.run(machine.instructions + piece)
  if (_tag !== "Limit") throw new Error(`the machine stopped: ${_tag}\n${machine.report()}`)
  passes = Number(last(/Pass: +(\d+)/g))
  errors = Number(last(/Errors: +(\d+)/g))
  const line = `pass ${last(/\[2;35H[^ ]* *(\d+)%/g)} %, test ${last(/#(\d+ +\[[^\]]*\])/g)}, ${errors} errors`
  if (line !== said || performance.now() - told > patience) {
    told = performance.now()
    console.log(
      `${((performance.now() - started) / 1000).toFixed(0)} s, ${(machine.instructions / 1e9).toFixed(1)} G instructions: ${line}`
    )
  }
  said = line
  seen = seen.slice(-20_000)
  process.exitCode = errors === 0 ? 0 : 1
}
console.log(process.exitCode === 0 ? "a pass without errors" : "errors were found")
