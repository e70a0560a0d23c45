/**
 * Command: what can be typed, as data: what is parsed, and what the help says, come from the same table.
 */
import { parseArgs } from "node:util"

export interface Option {
  /** What stands for its value in the help; a switch has none. */
  readonly value?: string
  readonly short?: string
  /** It may be given several times. */
  readonly isList?: true
  readonly is: string
}

export interface Command {
  readonly name: string
  readonly is: string
  /** What its positional arguments are called: all of them are needed. */
  readonly arguments: ReadonlyArray<readonly [name: string, is: string]>
  readonly options: Readonly<Record<string, Option>>
  /** What follows the options in the help. */
  readonly notes?: string
}

/** What was typed is no command: the sentence that says why. */
export interface UsageError {
  readonly _tag: "UsageError"
  readonly why: string
}

export const usageError = (why: string): UsageError => ({ _tag: "UsageError", why })

export interface Given {
  readonly arguments: ReadonlyArray<string>
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  /** The values of what may be given several times, in order. */
  readonly lists: Readonly<Record<string, ReadonlyArray<string>>>
}

/** Read what was typed after a command's name. */
export const parse = (command: Command, typed: ReadonlyArray<string>): Given | UsageError => {
  try {
    const { values, positionals } = parseArgs({
      args: [...typed],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(command.options).map(([name, { value, short, isList }]) => [
          name,
          {
            type: value === undefined ? ("boolean" as const) : ("string" as const),
            ...(short !== undefined && { short }),
            ...(isList !== undefined && { multiple: isList })
          }
        ])
      )
    })
    if (values.help !== true && positionals.length !== command.arguments.length) {
      const wanted = command.arguments.map(([name]) => name).join(" ")
      return usageError(
        positionals.length < command.arguments.length
          ? `'${command.name}' wants ${wanted}`
          : `'${command.name}' wants ${wanted === "" ? "no arguments" : `${wanted} and no more`}, got '${positionals[command.arguments.length]}'`
      )
    }
    const options: Record<string, string | boolean> = {}
    const lists: Record<string, ReadonlyArray<string>> = {}
    for (const [name, value] of Object.entries(values)) {
      if (Array.isArray(value)) lists[name] = value.map(String)
      else if (value !== undefined) options[name] = value
    }
    return { arguments: positionals, options, lists }
  } catch (cause) {
    // What parseArgs says begins with a sentence, and goes on with advice on its own use.
    const [sentence] = (cause instanceof Error ? cause.message : String(cause)).split(/\.(?:\s|$)/)
    return usageError(sentence!.charAt(0).toLowerCase() + sentence!.slice(1))
  }
}

const columns = (rows: ReadonlyArray<readonly [left: string, right: string]>): string => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n")
}

const optionRows = (options: Readonly<Record<string, Option>>): ReadonlyArray<readonly [string, string]> =>
  Object.entries(options).map(([name, { value, short, is }]) => [
    `${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` ${value}`}`,
    is
  ])

/** The help of one command. */
export const help = (program: string, command: Command): string =>
  [
    `${command.is}\n`,
    `Usage: ${[program, command.name, ...command.arguments.map(([name]) => name), "[options]"].join(" ")}\n`,
    ...(command.arguments.length === 0 ? [] : [`${columns(command.arguments)}\n`]),
    `Options:\n${columns(optionRows(command.options))}`,
    ...(command.notes === undefined ? [] : [`\n${command.notes}`])
  ].join("\n")

/** The help of all of them. */
export const overview = (
  program: string,
  is: string,
  commands: ReadonlyArray<Command>,
  options: Readonly<Record<string, Option>>
): string =>
  [
    `${is}\n`,
    `Usage: ${program} COMMAND [options]\n`,
    `Commands:\n${columns(commands.map(({ name, is }) => [name, is]))}\n`,
    `Options:\n${columns(optionRows(options))}\n`,
    `'${program} COMMAND --help' says more of a command.`
  ].join("\n")
