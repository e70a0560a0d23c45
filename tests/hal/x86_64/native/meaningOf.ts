/** What a line means, in short: two are alike if the same is said of the same operands. For a ledger, to tell whether a comparison still holds. */
import { createHash } from "node:crypto"
import { type Decoded, type Immediate, immediateValue } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import { type FunctionName, linearBits, type Machine } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import type { VectorFunction } from "../../../../src/hal/x86_64/processor/vectorFunctions.ts"
import { effectsIn, userMode } from "./cases.ts"
import type { Line } from "./kinds.ts"
import { Random } from "./Random.ts"
import { writtenIn } from "./written.ts"

/** So many instructions of a line are looked at: among them, with good chance, one with a register and one with memory where it may be either. */
const looks = 6

const now = writtenIn()

/** A hash. `written` has what is written of the functions that the line computes with, and of the operation in which it ends. */
export const meaningOf = ({ form, kind, name }: Line, written = now): string => {
  const hash = createHash("sha256").update(JSON.stringify({ ...form, name }))
  const random = new Random(1)
  const texts = new Set<string>()
  for (let n = 0; n < looks; n++) {
    const { instruction } = kind.make(form, random)
    const computes = (name: VectorFunction | FunctionName) => texts.add(written.computes(name))
    hash.update(statementsOf(form.meaning, instruction.operands as ReadonlyArray<Decoded>, computes))
    const { system } = effectsIn(instruction)
    if (kind.onMachine && system !== undefined) texts.add(written.operation(system))
  }
  for (const text of texts) hash.update(text)
  return hash.digest("hex").slice(0, 16)
}

/** What a meaning asks for and states, a line each; values by the lines that they come from. */
const statementsOf = (
  meaning: Line["form"]["meaning"],
  operands: ReadonlyArray<Decoded>,
  computes: (name: VectorFunction | FunctionName) => void
): string => {
  const lines: Array<string> = []
  const said = (value: unknown): string => {
    const operand = operands.indexOf(value as Decoded)
    if (operand >= 0) return `operand ${operand}`
    if (Array.isArray(value)) return `[${value.map(said).join(" ")}]`
    if (typeof value === "object" && value !== null) return "name" in value ? String(value.name) : "implied"
    return String(value)
  }
  const known: Partial<Recorder> = {
    mode: userMode,
    linearBits: linearBits(userMode),
    literal: (constant) => Number(immediateValue(constant as Immediate))
  }
  const recorder = new Proxy(known as Recorder, {
    get: (_, method: string) =>
      known[method as keyof Recorder] ??
      ((...inputs: ReadonlyArray<unknown>) => {
        if (method === "compute" || method === "apply") computes(inputs[0] as VectorFunction | FunctionName)
        const line = `$${lines.push(`${method} ${inputs.map(said).join(" ")}`)}`
        if (method === "vectors") return [`${line}a`, `${line}b`]
        return method === "compute" ? (inputs[1] as ReadonlyArray<unknown>).map((_, n) => `${line}.${n}`) : line
      })
  })
  meaning(recorder, ...operands)
  return `${operands.map(({ kind, width }) => `${kind}${width}`).join(" ")}\n${lines.join("\n")}\n`
}

type Recorder = Machine<string, string, string>
