/** Report: the registers and what the page tables say, for whoever asks why the machine stopped. */
import type { PhysicalMemory } from "./memory/PhysicalMemory.ts"
import { trace } from "./memory/paging.ts"
import { at, registerNames, segments } from "./processor/State.ts"
import type { Core } from "./system/Core.ts"
import { vector } from "./system/registers.ts"

const hex32 = (half: number): string => (half >>> 0).toString(16).toUpperCase().padStart(8, "0")
const hex = (core: Core, offset: number): string => `${hex32(core.high(offset))}_${hex32(core.low(offset))}`

export const report = (core: Core): string =>
  [
    ...generalRegisters(core),
    ...systemRegisters(core),
    lastException(core),
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
  Object.entries(segments)
    .map(([name, n]) => `${name.toUpperCase()} ${core.selector(n).toString(16).toUpperCase().padStart(4, "0")}`)
    .join("  ")
]

const walk = (core: Core, name: string, offset: number): readonly string[] => {
  const memory: PhysicalMemory = core.mmu.memory
  const root = core.high(at.cr3) * 2 ** 32 + ((core.low(at.cr3) & ~0xfff) >>> 0)
  const steps = trace(memory, core.mmu.format, root, core.low(offset), core.high(offset))
  return [
    `the page tables at ${name} = ${hex(core, offset)}:`,
    ...steps.map(
      ({ entry, address, low, high }) =>
        `  ${entry.padEnd(5)} at ${address.toString(16).toUpperCase()}H: ${hex32(high)}_${hex32(low)}`
    )
  ]
}
