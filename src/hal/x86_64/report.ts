/** Report: registers, memory at RIP and RSP, and what the page tables say, for whoever asks why the machine stopped. */
import { effectiveType } from "./memory/memoryTypes.ts"
import { linear, nextInstruction, peek, walkTo } from "./peek.ts"
import { at, registerNames, segments } from "./processor/State.ts"
import type { Core } from "./system/Core.ts"
import { memoryTypeRegisters, msrAt } from "./system/msr.ts"
import { system, vector } from "./system/registers.ts"

const hex32 = (half: number): string => (half >>> 0).toString(16).toUpperCase().padStart(8, "0")
const hex = (core: Core, offset: number): string => `${hex32(core.high(offset))}_${hex32(core.low(offset))}`

export const report = (core: Core): string =>
  [
    ...generalRegisters(core),
    ...systemRegisters(core),
    lastException(core),
    code(core),
    ...stack(core),
    ...walk(core, "RIP", at.rip),
    ...walk(core, "CR2", at.cr2)
  ].join("\n")

/** What was refused last: of a triple fault, the exception that no handler could be reached for in the end. */
const lastException = (core: Core): string => {
  const number = core.low(at.vector)
  const name = Object.entries(vector).find(([, of]) => of === number)?.[0] ?? number
  return `the last exception was #${name} with error code ${core.low(at.errorCode)}`
}

const generalRegisters = (core: Core): readonly string[] => {
  const cells = registerNames.map((name, n) => `${name.toUpperCase().padEnd(3)} ${hex(core, at.general + n * 8)}`)
  return [0, 4, 8, 12].map((n) => cells.slice(n, n + 4).join("  "))
}

const systemRegisters = (core: Core): readonly string[] => [
  `RIP ${hex(core, at.rip)}  RFLAGS ${hex32(core.rflags())}  CPL ${core.privilege}  instructions ${core.clock.now()}`,
  `CR0 ${hex(core, at.cr0)}  CR2 ${hex(core, at.cr2)}  CR3 ${hex(core, at.cr3)}  CR4 ${hex(core, at.cr4)}`,
  `EFER ${hex(core, msrAt.IA32_EFER)}  GDT ${table(core, system.gdtrBase, system.gdtrLimit)}  IDT ${table(core, system.idtrBase, system.idtrLimit)}`,
  ...Object.entries(segments).map(
    ([name, n]) => `${name.toUpperCase().padEnd(4)} ${hex16(core.selector(n))}  base ${hex(core, core.segmentBase(n))}`
  )
]

const table = (core: Core, base: number, limit: number): string => `${hex(core, base)} limit ${hex16(core.low(limit))}`

const hex16 = (value: number): string => (value & 0xffff).toString(16).toUpperCase().padStart(4, "0")
const hex8 = (value: number): string => value.toString(16).toUpperCase().padStart(2, "0")

const code = (core: Core): string => {
  const { bytes, text } = nextInstruction(core)
  return `the instruction at RIP: ${[...Array.from(bytes, hex8), text].join(" ")}`
}

/** Some words from the top of the stack on. */
const stack = (core: Core): readonly string[] => {
  const rsp = at.general + 8 * registerNames.indexOf("rsp")
  const bytes = peek(core, ...linear(core, segments.ss, rsp), 64)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const words = Array.from({ length: bytes.length >>> 3 }, (_, n) => {
    const [low, high] = [view.getUint32(8 * n, true), view.getUint32(8 * n + 4, true)]
    return `${hex32(high)}_${hex32(low)}`
  })
  if (words.length === 0) return ["the stack at RSP: nothing is mapped"]
  return [
    "the stack at RSP:",
    ...[0, 4].flatMap((n) => (words.length > n ? [`  ${words.slice(n, n + 4).join("  ")}`] : []))
  ]
}

const walk = (core: Core, name: string, offset: number): readonly string[] => {
  const steps = walkTo(core, core.low(offset), core.high(offset))
  return [
    `the page tables at ${name} = ${hex(core, offset)}:`,
    ...steps.map(
      ({ entry, address, low, high }) =>
        `  ${entry.padEnd(5)} at ${address.toString(16).toUpperCase()}H: ${hex32(high)}_${hex32(low)}`
    ),
    ...memoryType(core, offset)
  ]
}

/** Of what is mapped: how it may be cached. */
const memoryType = (core: Core, offset: number): readonly string[] => {
  const found = core.mmu.peek(core.low(offset), core.high(offset))
  if (found === undefined) return []
  const type = effectiveType(memoryTypeRegisters(core), found.page * 0x1000, found.patIndex)
  return [`  the page is at ${(found.page * 0x1000).toString(16).toUpperCase()}H, memory type ${type}`]
}
