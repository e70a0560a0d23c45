/**
 * Reset: the processor before its first instruction: as SDM vol. 3A, "Processor State After Reset", has it, or as a boot loader leaves it.
 */
import { at, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { resetDebug, useTables } from "./control.ts"
import { signature } from "./cpuid.ts"
import { setFlat } from "./descriptors.ts"
import { msrAt, resetMsrs, setMemoryTypes } from "./msr.ts"
import { activity, CR0, CR4, EFER, initialMxcsr, RFLAGS, system } from "./registers.ts"
import { unitOf } from "./x87/operations.ts"
import { component } from "./xsave.ts"

/** The selectors that a loader had; no GDT is behind them. */
const [loaderCode, loaderData] = [0x08, 0x10]

const dataSegments = [segments.es, segments.ds, segments.fs, segments.gs] as const

interface Mode {
  readonly cr0: number
  readonly cr4: number
  readonly efer: number
}

/** A part of the state block, in bytes. */
type Part = readonly [from: number, to: number]

/** The time goes on. */
const time: Part = [at.deadline, at.cause]

/** Everything that is the same however it starts. */
const clear = (core: Core, { cr0, cr4, efer }: Mode): void => {
  keeping(core, [time], () => core.i32.fill(0, at.general >> 2, at.end >> 2))
  resetMsrs(core)
  unitOf(core).initialize()
  core.set(at.mxcsr, initialMxcsr, 0)
  core.set(at.xcr0, component.x87, 0)
  core.set(at.random, core.surroundings.seed + core.apic.initialId, 0)
  begin(core, { cr0, cr4, efer })
}

const keeping = (core: Core, parts: readonly Part[], change: () => void): void => {
  const kept = parts.map(([from, to]) => core.i32.slice(from >> 2, to >> 2))
  change()
  for (const [n, [from]] of parts.entries()) core.i32.set(kept[n]!, from >> 2)
}

const begin = (core: Core, { cr0, cr4, efer }: Mode): void => {
  resetDebug(core)
  core.set(at.cr0, cr0, 0)
  core.set(at.cr4, cr4, 0)
  core.set(msrAt.IA32_EFER, efer, 0)
  core.view.setFloat64(system.shadow, -1, true)
  core.view.setFloat64(system.resume, -1, true)
  core.i32[system.activity >> 2] = activity.active
  core.setSegment(segments.ldtr, 0, 1 << 8, 0, 0, 0)
  core.setSegment(segments.tr, 0, 0x8b, 0xffff, 0, 0)
  core.setRflags(RFLAGS.one)
}

/** In 64-bit mode, with flat segments and the page tables that a loader made. */
export const reset = (
  core: Core,
  start: { readonly entry: number; readonly pml4: number } = { entry: 0, pml4: 0 }
): void => {
  const efer = EFER.LME | EFER.LMA
  clear(core, { cr0: CR0.PE | CR0.ET | CR0.NE | CR0.PG, cr4: CR4.PAE, efer })
  core.set(at.cr3, start.pml4 | 0, Math.floor(start.pml4 / 2 ** 32))
  setFlat(core, loaderCode, loaderData, 0, 64)
  for (const segment of dataSegments) core.setSegment(segment, loaderData, 0xc093, -1, 0, 0)
  core.set(at.rip, start.entry | 0, Math.floor(start.entry / 2 ** 32))
  useTables(core)
  core.rulesChanged(efer)
  setMemoryTypes(core)
}

/** In protected mode with flat segments of 32 bits, without paging: as the Multiboot specifications say, "Machine state". */
export const resetProtected = (core: Core, entry: number): void => {
  clear(core, { cr0: CR0.PE | CR0.ET, cr4: 0, efer: 0 })
  setFlat(core, loaderCode, loaderData, 0, 32)
  for (const segment of dataSegments) core.setSegment(segment, loaderData, 0xc093, -1, 0, 0)
  core.set(at.rip, entry | 0, 0)
  useTables(core)
  core.rulesChanged(0)
  setMemoryTypes(core)
}

/**
 * As after power-up: real-address mode, the first instruction 16 bytes below 4 GiB; all but the bootstrap processor wait to be started. Table "IA-32 and Intel 64 Processor States Following Power-up".
 */
export const powerUp = (core: Core): void => {
  clear(core, { cr0: CR0.ET | CR0.NW | CR0.CD, cr4: 0, efer: 0 })
  realMode(core)
  if (!core.apic.isBootstrap()) core.i32[system.activity >> 2] = activity.waitForSipi
}

/** What INIT leaves alone: the FPU and what belongs to it, the TSC, and MSRs but IA32_EFER. */
const surviving: readonly Part[] = [
  time,
  [at.xcr0, at.system],
  [system.tscOffset, system.shadow],
  [system.msrs, system.pdptes],
  [at.pkru, at.end]
]

/**
 * INIT. SDM vol. 3A, "Processor State After Reset": as after power-up, except that "the internal caches, MSRs, MTRRs, and x87 FPU state are
 * left unchanged"; so are CR0.CD and CR0.NW. The processor waits to be started.
 */
export const initialize = (core: Core): void => {
  const cached = core.low(at.cr0) & (CR0.CD | CR0.NW)
  keeping(core, surviving, () => core.i32.fill(0, at.general >> 2, at.end >> 2))
  begin(core, { cr0: CR0.ET | cached, cr4: 0, efer: 0 })
  core.apic.resetByInit()
  realMode(core)
  core.i32[system.activity >> 2] = activity.waitForSipi
}

/** A start-up message: "the vector ... an address of 000VV000H", in real-address mode. SDM vol. 3A, "Typical AP Initialization Sequence". */
export const startUp = (core: Core, vector: number): void => {
  beginAt(core, vector << 8, 0)
}

/** In real-address mode, as a reset has left it. */
export const beginAt = (core: Core, selector: number, offset: number): void => {
  core.setSegment(segments.cs, selector, 0x9b, 0xffff, selector << 4, 0)
  core.set(at.rip, offset, 0)
  core.i32[system.activity >> 2] = activity.active
}

const realMode = (core: Core): void => {
  for (const segment of [segments.ss, ...dataSegments]) core.setSegment(segment, 0, 0x93, 0xffff, 0, 0)
  core.setSegment(segments.cs, 0xf000, 0x9b, 0xffff, 0xffff_0000 | 0, 0)
  core.set(system.gdtrLimit, 0xffff, 0)
  core.set(system.idtrLimit, 0xffff, 0)
  core.setRegister(2, 32, signature, 0)
  core.set(at.rip, 0xfff0, 0)
  useTables(core)
  core.rulesChanged(0)
  core.enterMode(16, 0)
}
