/** What VM entry and VM exit have in common: other translations are in force, and nothing is flushed. */
import type { Owner } from "../memory/Owner.ts"
import { segments } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import { formatOf, useRoot } from "../system/control.ts"
import { msrAt } from "../system/msr.ts"
import { CR0, system } from "../system/registers.ts"
import { place } from "./Vmcs.ts"

/** Bits of CR0 that neither VM entry nor VM exit changes: ET, CD, NW, and those that are reserved. */
export const keptOfCr0 = CR0.ET | CR0.CD | CR0.NW

/** By the names that the fields have. */
export const segmentFields = (
  [
    ["ES", segments.es],
    ["CS", segments.cs],
    ["SS", segments.ss],
    ["DS", segments.ds],
    ["FS", segments.fs],
    ["GS", segments.gs],
    ["LDTR", segments.ldtr],
    ["TR", segments.tr]
  ] as const
).map(([name, of]) => ({
  of,
  selector: place[`GUEST_${name}_SELECTOR`],
  base: place[`GUEST_${name}_BASE`],
  limit: place[`GUEST_${name}_LIMIT`],
  rights: place[`GUEST_${name}_ACCESS_RIGHTS`]
}))

export const loadPaging = (core: Core, owner: Owner): void => {
  const registers = core.i32.subarray(system.pdptes >> 2, (system.pdptes >> 2) + 8)
  core.mmu.enter(owner, formatOf(core), registers, core.rules(core.low(msrAt.IA32_EFER)))
  useRoot(core)
}

/** Bits of `at.intercepts`, which meanings look at: of instructions without an operation. */
// biome-ignore format: a table
export const intercepted = { descriptorTables: 1 << 0, rdrand: 1 << 1, rdseed: 1 << 2, noRdpid: 1 << 3 } as const

/** Table "Format of Pending-Debug-Exceptions": B3 to B0, and that one of them was enabled. */
export const breakpoints = 15
export const enabledBreakpoint = 1 << 12
