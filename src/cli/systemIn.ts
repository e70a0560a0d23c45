/** The system that a file defines: what `inspect` and `export` are about. */
import type { System } from "../user/System.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { type BadFile, badFile } from "./files.ts"
import { exportsOf } from "./Program.ts"

/** The system that a file exports: the only one, or the one that was asked for by name. */
export const systemIn = async ({ arguments: [file], options }: Given): Promise<System | BadFile | UsageError> => {
  const exports = await exportsOf(file!)
  if ("_tag" in exports) return exports
  const { isSystem } = await import("../user/System.ts")
  const systems = [...exports].flatMap(([name, value]) => (isSystem(value) ? [[name, value] as const] : []))
  const names = systems.map(([name]) => `'${name}'`).join(", ")
  if (systems.length === 0) return badFile(file!, "it exports no system: define one with defineSystem, and export it")
  const { system: wanted } = options
  if (wanted === undefined) {
    const [[, only]] = systems as [readonly [string, System]]
    return systems.length === 1 ? only : usageError(`'${file}' has ${names}: say which with --system`)
  }
  const found = systems.find(([name]) => name === wanted)
  return found === undefined ? usageError(`'${file}' has no system '${wanted}': it has ${names}`) : found[1]
}
