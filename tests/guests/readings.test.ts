import { assert, describe, it } from "vitest"
import { makeInterpreter } from "../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../src/hal/x86_64/processor/plain.ts"
import { makeTranslator } from "../../src/hal/x86_64/processor/translator/Translator.ts"
import { Boot, exchangeable } from "./boot.ts"

const minutes = 60_000
const million = 1_000_000

/** How many instructions plain execution goes on for, in place of the interpreter. `npm run campaign:boot` goes further. */
const stretch = 150_000

/** The states at the ends of the stretches, and at the last of them memory. */
const states = (boot: Boot, places: readonly number[], use: (which: "first" | "second") => void) => [
  ...places.map((place) => {
    boot.machine.run(place * million)
    use("second")
    boot.machine.run(place * million + stretch)
    use("first")
    return boot.registers()
  }),
  boot.memory()
]

describe.each([
  { processors: 1, places: [0, 20, 60] },
  // Their number two is started at 133 million.
  { processors: 2, places: [132, 134, 136] }
])("a Linux kernel that starts on $processors processors", ({ processors, places }) => {
  it(
    "comes to the same in all readings, wherever plain execution takes over",
    () => {
      const { make, use } = exchangeable(makeInterpreter, makePlain)
      const interpreted = states(new Boot(makeInterpreter, processors), places, () => {})
      assert.deepStrictEqual(states(new Boot(make, processors), places, use), interpreted, "plain")
      assert.deepStrictEqual(
        states(new Boot(makeTranslator, processors), places, () => {}),
        interpreted,
        "translate"
      )
    },
    10 * minutes
  )
})
