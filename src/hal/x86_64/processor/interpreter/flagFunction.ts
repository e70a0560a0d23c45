/** Flags of whatever rule, for code that cannot know which. */
import { Code } from "../../wasm/Code.ts"
import type { ValueType } from "../../wasm/instructions.ts"
import { type FunctionType, Module } from "../../wasm/Module.ts"
import { Emitter } from "../emit.ts"
import { holds, image, ruleOf, rules } from "../flags.ts"
import type { Condition } from "../Meaning.ts"
import { at } from "../State.ts"
import { Handler, noFunctions } from "./Handler.ts"

/** (number of a rule, its three inputs) */
export const flagFunctionType = (what: Condition | "status"): FunctionType => ({
  parameters: ["i32", "i64", "i64", "i64"],
  results: [what === "status" ? "i64" : "i32"]
})

export interface FlagFunction {
  readonly code: Code
  readonly locals: ReadonlyArray<ValueType>
}

/** In the place of one that nobody calls. */
export const uncalled: FlagFunction = { code: new Code(1).unreachable(), locals: [] }

const made = new Map<Condition | "status", FlagFunction>()

/** A condition, or the status flags, of the rule whose number is the first parameter and the inputs that follow it. */
export const flagFunction = (what: Condition | "status"): FlagFunction => {
  const known = made.get(what)
  if (known !== undefined) return known
  const found = make(what)
  made.set(what, found)
  return found
}

/** What gives the status flags of the state block. */
export const statusReader = (memory: WebAssembly.Memory): (() => number) => {
  const module = new Module()
  module.importMemory("machine", "memory")
  const { code, locals } = flagFunction("status")
  const status = module.addFunction(flagFunctionType("status"), locals, code)
  const reader = new Code().i32(0).load("i32.load", at.flagRule)
  for (let input = 0; input < 3; input++) reader.i32(0).load("i64.load", at.flagInput + 8 * input)
  reader.call(status).numeric("i32.wrap_i64")
  module.exportFunction("read", module.addFunction({ parameters: [], results: ["i32"] }, [], reader))
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { machine: { memory } })
  return exports.read as () => number
}

const make = (what: Condition | "status"): FlagFunction => {
  const emitter = new Emitter(4)
  const { code } = emitter
  const numbers = Array.from({ length: rules.length * 4 }, (_, number) => number)
  for (const _ of numbers) code.block()
  code.get(0).brTable(numbers.slice(0, -1), numbers.length - 1)
  for (const number of numbers) {
    const { rule, width } = ruleOf(number)
    const machine = new Handler([], { bits: 64, privilege: 0 }, undefined, noFunctions)
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
