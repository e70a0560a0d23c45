/** Flags of whatever rule, for code that cannot know which. */
import type { Code } from "../../wasm/Code.ts"
import type { ValueType } from "../../wasm/instructions.ts"
import type { FunctionType } from "../../wasm/Module.ts"
import { Emitter } from "../emit.ts"
import { holds, image, ruleOf, rules } from "../flags.ts"
import type { Condition } from "../Meaning.ts"
import { modeOf } from "../State.ts"
import { Handler, noFunctions } from "./Handler.ts"

/** (number of a rule, its three inputs) */
export const flagFunctionType = (what: Condition | "status"): FunctionType => ({
  parameters: ["i32", "i64", "i64", "i64"],
  results: [what === "status" ? "i64" : "i32"]
})

/** A condition, or the status flags, of the rule whose number is the first parameter and the inputs that follow it. */
export const flagFunction = (
  what: Condition | "status"
): { readonly code: Code; readonly locals: ReadonlyArray<ValueType> } => {
  const emitter = new Emitter(4)
  const { code } = emitter
  const numbers = Array.from({ length: rules.length * 4 }, (_, number) => number)
  for (const _ of numbers) code.block()
  code.get(0).brTable(numbers.slice(0, -1), numbers.length - 1)
  for (const number of numbers) {
    const { rule, width } = ruleOf(number)
    const machine = new Handler([], modeOf(0), undefined, noFunctions)
    const inputs = [1, 2, 3].slice(0, rule.inputs).map((each) => machine.local(each))
    const value = what === "status" ? image(machine, rule, width, inputs) : holds(machine, what, rule, width, inputs)
    emitter.begin([value])
    code.end()
    emitter.value(value)
    code.return()
  }
  code.unreachable()
  return { code, locals: emitter.locals }
}
