/**
 * Reset: the processor before its first instruction. SDM vol. 3A, "Processor State After Reset"; but in 64-bit mode,
 * as a boot loader leaves it, with the page tables that it was given.
 */
import { at, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { resetDebug, useRoot } from "./control.ts"
import { setFlat } from "./descriptors.ts"
import { msrAt, resetMsrs } from "./msr.ts"
import { activity, CR0, CR4, EFER, RFLAGS, system } from "./registers.ts"
import { unitOf } from "./x87/operations.ts"

/** The selectors that a loader had; no GDT is behind them. */
const [loaderCode, loaderData] = [0x08, 0x10]

export const reset = (
  core: Core,
  start: { readonly entry: number; readonly pml4: number } = { entry: 0, pml4: 0 }
): void => {
  core.i32.fill(0, at.general >> 2, at.end >> 2)
  resetMsrs(core)
  resetDebug(core)
  core.set(at.cr0, CR0.PE | CR0.ET | CR0.NE | CR0.PG, 0)
  core.set(at.cr4, CR4.PAE, 0)
  core.set(at.cr3, start.pml4 | 0, Math.floor(start.pml4 / 2 ** 32))
  const efer = EFER.LME | EFER.LMA
  core.set(msrAt.IA32_EFER, efer, 0)
  core.view.setFloat64(system.shadow, -1, true)
  core.view.setFloat64(system.resume, -1, true)
  core.i32[system.activity >> 2] = activity.active
  setFlat(core, loaderCode, loaderData, 0, 64)
  for (const segment of [segments.es, segments.ds, segments.fs, segments.gs])
    core.setSegment(segment, loaderData, 0xc093, -1, 0, 0)
  core.setSegment(segments.ldtr, 0, 1 << 8, 0, 0, 0)
  core.setSegment(segments.tr, 0, 0x8b, 0xffff, 0, 0)
  core.setRflags(RFLAGS.one)
  unitOf(core).initialize()
  core.set(at.rip, start.entry | 0, Math.floor(start.entry / 2 ** 32))
  useRoot(core)
  core.rulesChanged(efer)
}
