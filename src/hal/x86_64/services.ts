/**
 * What the processor offers a kernel at its gate: privileged registers, and time. Each access is the instruction's
 * that does the same.
 */

import { windowHigh } from "../../types/x86_64/KernelSpace.ts"
import { processorWords } from "../../types/x86_64/Registers.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import type { ProcessorService } from "../Processor.ts"
import type { TimeService } from "../Time.ts"
import { at, segments } from "./processor/State.ts"
import type { Core } from "./system/Core.ts"
import { readControl, readDebug, writeControl, writeDebug } from "./system/control.ts"
import { loadData, loadLocal, loadTask } from "./system/descriptors.ts"
import { fxrstor, fxsave } from "./system/fxsave.ts"
import { msrAccess, placeOfMsr, tscOf } from "./system/msr.ts"
import { system, vector } from "./system/registers.ts"
import { writeXcr0 } from "./system/xsave.ts"

interface Access {
  readonly read: (core: Core) => readonly [lo: number, hi: number]
  readonly write: (core: Core, lo: number, hi: number) => void
}

const control = (number: number): Access => ({
  read: (core) => readControl(core, number),
  write: (core, lo, hi) => writeControl(core, number, lo, hi)
})
const debug = (number: number): Access => ({
  read: (core) => readDebug(core, number),
  write: (core, lo, hi) => writeDebug(core, number, lo, hi)
})
const base = (offset: number): Access => ({
  read: (core) => [core.low(offset), core.high(offset)],
  write: (core, lo, hi) => {
    core.checkCanonical(hi)
    core.set(offset, lo, hi)
  }
})
const limit = (offset: number): Access => ({
  read: (core) => [core.low(offset), 0],
  write: (core, lo) => core.set(offset, lo & 0xffff, 0)
})
const selector = (of: number, load: (core: Core, selector: number) => void): Access => ({
  read: (core) => [core.selector(of), 0],
  write: (core, lo) => load(core, lo & 0xffff)
})
const data = (of: number): Access => selector(of, (core, value) => loadData(core, of, value))

/** CS changes by far transfers alone: writing it is #UD. */
const readOnly = (read: Access["read"]): Access => ({ read, write: (core) => core.raise(vector.UD) })

// biome-ignore format: a register, a line
const registers: ReadonlyMap<number, Access> = new Map([
  [SystemRegister.CR0,        control(0)],
  [SystemRegister.CR2,        control(2)],
  [SystemRegister.CR3,        control(3)],
  [SystemRegister.CR4,        control(4)],
  [SystemRegister.CR8,        control(8)],
  ...[SystemRegister.DR0, SystemRegister.DR1, SystemRegister.DR2, SystemRegister.DR3].map(
    (register, number): [number, Access] => [register, debug(number)]
  ),
  [SystemRegister.DR6,        debug(6)],
  [SystemRegister.DR7,        debug(7)],
  [SystemRegister.XCR0,       { read: (core) => [core.low(at.xcr0), core.high(at.xcr0)], write: writeXcr0 }],
  [SystemRegister.GDTR_BASE,  base(system.gdtrBase)],
  [SystemRegister.GDTR_LIMIT, limit(system.gdtrLimit)],
  [SystemRegister.IDTR_BASE,  base(system.idtrBase)],
  [SystemRegister.IDTR_LIMIT, limit(system.idtrLimit)],
  [SystemRegister.TR,         selector(segments.tr, loadTask)],
  [SystemRegister.LDTR,       selector(segments.ldtr, loadLocal)],
  [SystemRegister.CS,         readOnly((core) => [core.selector(segments.cs), 0])],
  [SystemRegister.SS,         data(segments.ss)],
  [SystemRegister.DS,         data(segments.ds)],
  [SystemRegister.ES,         data(segments.es)],
  [SystemRegister.FS,         data(segments.fs)],
  [SystemRegister.GS,         data(segments.gs)]
])

/** These, and registers of the model once they were asked for. */
const accesses = new Map(registers)
const msrOf = (number: number): Access => {
  const made = msrAccess(number)
  accesses.set(number, made)
  return made
}
const access = (register: number): Access => accesses.get(register) ?? msrOf(register)

const inState = new Map<number, number>([
  [SystemRegister.CR0, at.cr0],
  [SystemRegister.CR2, at.cr2],
  [SystemRegister.CR4, at.cr4]
])
const nowhere = -1
/** Where in the state block a register is that reads as it is there, or `nowhere`. */
const placeOf = (register: number): number => {
  const known = inState.get(register)
  if (known !== undefined) return known
  const place = registers.has(register) ? nowhere : (placeOfMsr(register) ?? nowhere)
  inState.set(register, place)
  return place
}

export const privilegedRegisters = (core: Core): ProcessorService => ({
  registers: core.i32.subarray(at.general >> 2, (at.general >> 2) + words * 2),
  systemLow: (register) => {
    const place = placeOf(register)
    return place === nowhere ? access(register).read(core)[0] : core.low(place)
  },
  systemHigh: (register) => {
    const place = placeOf(register)
    return place === nowhere ? access(register).read(core)[1] : core.high(place)
  },
  // What every change of address space writes, without looking for it.
  setSystem: (register, low, high) =>
    register === SystemRegister.CR3 ? writeControl(core, 3, low, high) : access(register).write(core, low, high),
  invalidatePage: (tag, low, high) => core.mmu.tlb.invalidate(tag, low, high),
  invalidateSpace: (tag) => core.mmu.tlb.flush(tag),
  saveFloatingPoint: (address) => fxsave(core, address | 0, windowHigh + Math.floor(address / 2 ** 32), 64),
  loadFloatingPoint: (address) => fxrstor(core, address | 0, windowHigh + Math.floor(address / 2 ** 32), 64)
})

const words = Math.max(...Object.values(processorWords)) + 1

/** IA32_TSC_DEADLINE in instructions, whatever the time-stamp counter was set to. */
export const timer = (core: Core): TimeService => ({
  now: () => core.clock.now(),
  charge: (instructions) => core.clock.charge(instructions),
  // 0 would disarm it.
  setDeadline: (time) => {
    const [lo, hi] = tscOf(core, Math.max(time, 1))
    core.apic.writeDeadline(lo, hi)
  },
  clearDeadline: () => core.apic.writeDeadline(0, 0),
  interruptPending: () => core.apic.pending() >= 0 || core.clock.isDue(),
  endOfInterrupt: () => core.apic.endOfInterrupt()
})
