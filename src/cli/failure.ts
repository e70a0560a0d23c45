/** How a program failed, for its author. */
import type { Cause } from "effect"

/** What went wrong, in lines. An error of the program's is a value: its tag, then what it says. */
export const failure = (cause: Cause.Cause<unknown>): string => cause.reasons.map(reason).join("\n")

const reason = (reason: Cause.Reason<unknown>): string => {
  switch (reason._tag) {
    case "Fail":
      return error(reason.error)
    case "Die":
      return reason.defect instanceof Error ? (reason.defect.stack ?? reason.defect.message) : error(reason.defect)
    case "Interrupt":
      return "it was interrupted"
  }
}

const error = (value: unknown): string => {
  if (typeof value !== "object" || value === null || !("_tag" in value)) return plain(value)
  const { _tag, ...rest } = value
  const call = "call" in rest && typeof rest.call === "string" ? `${rest.call}: ` : ""
  const said = Object.entries(rest).filter(([name]) => name !== "call")
  return `${call}${_tag}${said.length === 0 ? "" : ` (${said.map(([name, one]) => `${name} ${error(one)}`).join(", ")})`}`
}

const plain = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? `${one}n` : one))
    : String(value)
