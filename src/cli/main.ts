/** The command line. What a command needs is loaded when it is run, so that the rest answers at once. */
import "./asyncContext.ts"

import { readFileSync } from "node:fs"
import { type Command, type Given, help, type Option, overview, parse, type UsageError, usageError } from "./Command.ts"
import { exitCodes, exportSystem, getLinux, inspect, machine, run, vm } from "./commands.ts"
import { prepareEngine } from "./engine.ts"

const program = "skyscope"

/** Each command with the file that does it. */
const starts: ReadonlyArray<readonly [Command, () => Promise<{ readonly start: Start }>]> = [
  [run, () => import("./run.ts")],
  [vm, () => import("./vm.ts")],
  [machine, () => import("./machine.ts")],
  [getLinux, () => import("./getLinux.ts")],
  [inspect, () => import("./inspect.ts")],
  [exportSystem, () => import("./export.ts")]
]
type Start = (given: Given) => Promise<number | UsageError>

const commands: ReadonlyArray<Command> = starts.map(([command]) => command)

const options: Readonly<Record<string, Option>> = {
  help: { short: "h", is: "print this help" },
  version: { short: "v", is: "print the version" }
}

const version = (): string => {
  const { version }: { readonly version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  )
  return version
}

const main = async (typed: ReadonlyArray<string>): Promise<number> => {
  prepareEngine()
  const [first, ...rest] = typed
  if (first === undefined || first === "--help" || first === "-h" || first === "help") {
    const command = commands.find(({ name }) => name === rest[0])
    if (rest[0] !== undefined && command === undefined) return misused(usageError(`there is no command '${rest[0]}'`))
    const text =
      command === undefined
        ? overview(program, "A capability microkernel in TypeScript, on an emulated x86-64 machine.", commands, options)
        : help(program, command)
    // Asked for nothing is asked wrongly: what can be asked is said all the same.
    return first === undefined ? say(process.stderr, text, exitCodes.usage) : say(process.stdout, text, exitCodes.ok)
  }
  if (first === "--version" || first === "-v") return say(process.stdout, version(), exitCodes.ok)
  const [command, load] = starts.find(([{ name }]) => name === first) ?? []
  if (command === undefined || load === undefined) {
    return misused(
      usageError(first.startsWith("-") ? `there is no option '${first}'` : `there is no command '${first}'`)
    )
  }
  const given = parse(command, rest)
  if ("_tag" in given) return misused(given, command)
  if (given.options.help === true) return say(process.stdout, help(program, command), exitCodes.ok)
  const { start } = await load()
  const result = await start(given)
  return typeof result === "number" ? result : misused(result, command)
}

const say = (to: NodeJS.WriteStream, text: string, code: number): number => {
  to.write(`${text}\n`)
  return code
}

const misused = ({ why }: UsageError, command?: Command): number =>
  say(
    process.stderr,
    `${program}: ${why}.\nSee '${[program, ...(command === undefined ? [] : [command.name]), "--help"].join(" ")}'.`,
    exitCodes.usage
  )

process.exitCode = await main(process.argv.slice(2))
