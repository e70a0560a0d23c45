/** What the processor of this machine has, and which lines of the tables need more than that. */
import { readFileSync } from "node:fs"
import type { Form } from "../../../../src/hal/x86_64/processor/Form.ts"
import { opinion } from "../processor/iced.ts"
import { place } from "./cases.ts"
import { encode } from "./encode.ts"
import { Random } from "./Random.ts"

/** Where the operating system's name of a feature is not the disassembler's, in lower case. */
// biome-ignore format: a table
const names: Readonly<Record<string, string>> = {
  sse3: "pni", lzcnt: "abm", sha: "sha_ni", cmpxchg16b: "cx16", cmov: "cmov", syscall: "syscall", fxsr: "fxsr", cx8: "cx8",
  clfsh: "clflush", fpu: "fpu", fpu287: "fpu", fpu387: "fpu", movbe: "movbe", sep: "sep", prefetchw: "3dnowprefetch",
  rdseed: "rdseed", xsavec: "xsavec", xsaves: "xsaves", xsaveopt: "xsaveopt"
}
/** Those of every processor that runs 64-bit code. */
const always = /^(?:intel.*|x64|nop|multibytenop|cpuid|msr|tsc|pause|fpu.*|8086.*)$/

/** The vendor is among what it has. */
const intel = "genuineintel"
const flagsOfHost = (): ReadonlySet<string> => {
  const said = readFileSync("/proc/cpuinfo", "utf8")
  const found = (name: string): string => new RegExp(`^${name}\\s*:(.*)$`, "m").exec(said)?.[1]?.trim() ?? ""
  return new Set([...found("flags").split(/\s+/), found("vendor_id").toLowerCase()])
}

/** What of CPUID this line belongs to, as the disassembler has it. */
export const opinionOn = (form: Form): ReadonlyArray<string> =>
  opinion(encode(form, new Random(1), { start: place.start, data: () => place.data }), BigInt(place.start))?.features ??
  []

/** What this line needs that the processor of this machine has not. */
export const missingFor = (form: Form, host = flagsOfHost()): ReadonlyArray<string> =>
  [...opinionOn(form), ...(isOfIntel(form) ? [intel] : [])]
    .map((feature) => feature.toLowerCase())
    .filter((feature) => !always.test(feature) && !host.has(names[feature] ?? feature))

/** What processors of other vendors do otherwise: far pointers of 64 bits, and MOVSXD of 16. */
const isOfIntel = ({ name, operands }: Form): boolean =>
  operands.includes("m16:64") || (name === "movsxd" && operands.includes("r16"))

/** What it calls itself. */
export const nameOfHost = (): string =>
  /^model name\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.trim() ?? "unknown"
