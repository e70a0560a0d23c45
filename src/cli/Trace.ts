/** Trace: what a machine does, a line for each thing, beginning with the count of instructions. */
import type { BusAccess } from "../devices/Bus.ts"
import type { Machine } from "../hal/x86_64/Machine.ts"
import { at, segments } from "../hal/x86_64/processor/State.ts"
import { vector } from "../hal/x86_64/system/registers.ts"
import type { Source } from "../hal/x86_64/vmx/events.ts"
import { type UsageError, usageError } from "./Command.ts"
import { type Kind, traced } from "./commands.ts"
import { reporter } from "./stale.ts"

const isKind = (name: string): name is Kind => name in traced

/** Names that are separated by commas, of all that were given. */
export const kindsOf = (given: ReadonlyArray<string>): ReadonlySet<Kind> | UsageError => {
  const names = given.flatMap((one) => one.split(","))
  const wrong = names.find((name) => !isKind(name))
  if (wrong !== undefined)
    return usageError(`nothing is called '${wrong}' that can be traced: there are ${Object.keys(traced).join(", ")}`)
  return new Set(names.filter(isKind))
}

const hex = (value: number, digits = 1): string => `${value.toString(16).toUpperCase().padStart(digits, "0")}H`

/** From now on the machine says what it does. Instructions are not its own to say: `run` asks for them one by one. */
export const attach = (machine: Machine, what: ReadonlySet<Kind>, line: (text: string) => void): void => {
  const say = (text: string) => line(`${machine.instructions}  ${text}`)
  if (what.has("interrupts")) {
    machine.watch = {
      delivered: (which, errorCode, source) => say(delivery(machine, which, errorCode, source))
    }
  }
  if (what.has("stale")) machine.watchStale(reporter(line, () => machine.instructions))
  if (what.has("ports") || what.has("devices")) {
    machine.bus.watch = (access) => {
      if (what.has(access.space === "ports" ? "ports" : "devices")) say(accessed(access))
    }
  }
}

const words: { readonly [S in Source]: string } = {
  fault: "exception",
  trap: "exception",
  software: "INT",
  softwareException: "exception",
  privileged: "exception",
  interrupt: "interrupt",
  nmi: "NMI"
}

const delivery = (machine: Machine, which: number, errorCode: number, source: Source): string => {
  const { core } = machine
  const name = Object.entries(vector).find(([, number]) => number === which)?.[0]
  const what = words[source] === "exception" ? `#${name ?? which}, error code ${hex(errorCode)}` : hex(which, 2)
  const where = `CS:RIP ${hex(core.selector(segments.cs), 4)}:${half(core.high(at.rip))}_${half(core.low(at.rip))}`
  const address =
    source === "fault" && which === vector.PF
      ? `, address ${half(core.high(at.faultAddress))}_${half(core.low(at.faultAddress))}`
      : ""
  return `${words[source]} ${what} at ${where}, CPL ${core.privilege}${address}`
}

const half = (value: number): string => (value >>> 0).toString(16).toUpperCase().padStart(8, "0")

const accessed = ({ space, isWrite, address, width, value, name = "nobody" }: BusAccess): string => {
  const verb = space === "ports" ? (isWrite ? "out" : "in") : isWrite ? "write" : "read"
  const digits = space === "ports" ? 4 : 8
  return `${verb} ${hex(address, digits)} ${isWrite ? "<-" : "->"} ${hex(value, width / 4)}  ${name}`
}
