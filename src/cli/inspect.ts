/** inspect: what the tasks of a system are, and who has which capability. */
import { distribution, show, showTasks } from "../user/Distribution.ts"
import type { Given, UsageError } from "./Command.ts"
import { exitCodes } from "./commands.ts"
import { complain } from "./ending.ts"
import { systemIn } from "./systemIn.ts"

/** @returns the exit code, or what was wrong with what was typed. */
export const start = async (given: Given): Promise<number | UsageError> => {
  const system = await systemIn(given)
  if ("_tag" in system) return system._tag === "BadFile" ? complain(system.why, exitCodes.usage) : system
  process.stdout.write(given.options.json === true ? `${json(distribution(system))}\n` : `${text(system)}\n`)
  return exitCodes.ok
}

const text = (system: Parameters<typeof show>[0]): string => `${showTasks(system)}\n\n${show(system)}`

/** A badge has 64 bits, which a number of JSON need not keep: it is a string of digits. */
const json = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? `${one}` : one), 2)
