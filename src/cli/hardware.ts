/** The machine that was asked for: what the options of every command that starts one mean. */
import type { MakeReading } from "../hal/x86_64/processor/Reading.ts"
import { mostDomains } from "../kernel/KernelData.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { type ReadingName, readings, usualReading } from "./commands.ts"

export interface Asked {
  readonly memoryBytes: number
  /** Instructions; infinity if nothing was said. */
  readonly limit: number
  /** Loaded when it is needed. */
  readonly reading: () => Promise<MakeReading>
}

export const hardwareOf = (options: Given["options"], memory: string): Asked | UsageError => {
  const memoryBytes = memoryOf(String(options.memory ?? memory))
  if (typeof memoryBytes !== "number") return memoryBytes
  const limit = countOf(options["max-instructions"])
  if (typeof limit !== "number") return limit
  const name = oneOf("reading", readings, options.reading) ?? usualReading
  if (typeof name === "object") return name
  return { memoryBytes, limit, reading: makers[name] }
}

const makers: { readonly [R in ReadingName]: () => Promise<MakeReading> } = {
  plain: async () => (await import("../hal/x86_64/processor/plain.ts")).makePlain,
  interpret: async () => (await import("../hal/x86_64/processor/interpreter/Interpreter.ts")).makeInterpreter,
  translate: async () => (await import("../hal/x86_64/processor/translator/Translator.ts")).makeTranslator
}

const units: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
/** Memory comes in such pieces. */
const piece = 2 ** 16
const most = 3 * 2 ** 30
/** Below, there is no room for a kernel and a task. */
const least = 8 * 2 ** 20

/** A number of bytes, as it is typed. */
export const sizeOf = (text: string): number | UsageError => {
  const [, digits, unit] = /^(\d+)([KMG])?$/i.exec(text) ?? []
  return digits === undefined
    ? usageError(`'${text}' is no size: 64M or 1G are`)
    : Number(digits) * (unit === undefined ? 1 : units[unit.toUpperCase()]!)
}

const memoryOf = (text: string): number | UsageError => {
  const bytes = sizeOf(text)
  if (typeof bytes !== "number") return bytes
  return bytes >= least && bytes <= most && bytes % piece === 0
    ? bytes
    : usageError(`the memory of a machine is a multiple of 64K from 8M to 3G, not ${text}`)
}

const countOf = (text: string | boolean | undefined): number | UsageError => {
  if (text === undefined) return Number.POSITIVE_INFINITY
  const count = Number(String(text).replaceAll("_", ""))
  return Number.isSafeInteger(count) && count > 0 ? count : usageError(`'${text}' is no number of instructions`)
}

/** Which of these names was typed, if one was. `what`: what they are names of. */
export const oneOf = <const N extends string>(
  what: string,
  names: ReadonlyArray<N>,
  text: string | boolean | undefined
): N | undefined | UsageError =>
  text === undefined
    ? undefined
    : (names.find((one) => one === text) ?? usageError(`there is no ${what} '${text}': there are ${names.join(", ")}`))

export const consoles = ["serial", "virtio"] as const

/** `--cpus`. */
export const processorsOf = (text: string | boolean | undefined, most: number): number | UsageError => {
  const count = text === undefined ? 1 : Number(text)
  return Number.isInteger(count) && count >= 1 && count <= most
    ? count
    : usageError(`there are 1 to ${most} processors, not ${text}`)
}

/** `--domains`. */
export const domainsOf = (text: string | boolean | undefined): number | UsageError => {
  const count = text === undefined ? 1 : Number(text)
  return Number.isInteger(count) && count >= 1 && count <= mostDomains
    ? count
    : usageError(`there are 1 to ${mostDomains} domains, not ${text}`)
}

/** `--triple-fault`. */
export const tripleFaultOf = (text: string | boolean | undefined): "stop" | "reset" | UsageError => {
  if (text === undefined) return "stop"
  return text === "stop" || text === "reset" ? text : usageError(`--triple-fault is stop or reset, not ${text}`)
}
