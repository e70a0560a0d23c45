/** export: a system in the language of other tools. */
import { writeFileSync } from "node:fs"
import { toCapdl } from "../user/Capdl.ts"
import { type Given, type UsageError, usageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import { complain } from "./ending.ts"
import { because } from "./files.ts"
import { systemIn } from "./systemIn.ts"

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async (given: Given): Promise<number | UsageError> => {
  const { capdl, output } = given.options
  if (capdl !== true) return usageError("'export' wants a language: --capdl")
  const system = await systemIn(given)
  if ("_tag" in system) return system._tag === "BadFile" ? complain(system.why, exitCodes.usage) : system
  const text = toCapdl(system)
  if (typeof output !== "string") {
    process.stdout.write(text)
    return exitCodes.ok
  }
  try {
    writeFileSync(output, text)
    return exitCodes.ok
  } catch (cause) {
    return complain(because(output, cause).why, exitCodes.usage)
  }
}
