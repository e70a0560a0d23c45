/** Typed: the options of a script, as they were typed. */
import { type ParseArgsConfig, parseArgs } from "node:util"

type Options = NonNullable<ParseArgsConfig["options"]>

/** Ends the process with status 2: what was typed cannot be done. */
export const refuse = (usage: string, why: string): never => {
  console.error(`${why}\n\n${usage}`)
  process.exit(2)
}

/** The values of these options. `--help` prints `usage` and ends the process; what is no option is refused. */
export const typed = <const O extends Options>(usage: string, options: O) => {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    console.log(usage)
    process.exit(0)
  }
  try {
    return parseArgs({ options }).values
  } catch (cause) {
    return refuse(usage, cause instanceof Error ? cause.message : String(cause))
  }
}

/** A number from `least` on, whole unless it says otherwise; 1_000 is one. */
export const numberOf = (usage: string, name: string, text: string, least = 1, isWhole = true): number => {
  const number = text === "" ? Number.NaN : Number(text.replaceAll("_", ""))
  return number >= least && (!isWhole || Number.isInteger(number))
    ? number
    : refuse(usage, `--${name} is a ${isWhole ? "whole number" : "number"} from ${least} on, not '${text}'`)
}
