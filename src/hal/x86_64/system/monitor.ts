/**
 * MONITOR and MWAIT: to wait for a store. SDM vol. 2B, the pages of the same names; vol. 3A, "MONITOR/MWAIT Instruction".
 *
 * What is watched is the whole page: "the monitor hardware ... may be triggered by other events", and whoever waits looks again.
 */
import { effectiveType, type MemoryType } from "../memory/memoryTypes.ts"
import { at } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { hasMonitor, memoryTypeRegisters } from "./msr.ts"
import { vector } from "./registers.ts"

const [rcx] = [1] as const

/** "#UD if CPUID.01H:ECX.MONITOR = 0 ... if executed with CPL not 0." */
export const checkMonitor = (core: Core): void => {
  if (!hasMonitor(core) || core.privilege !== 0) core.raise(vector.UD)
}

/** RCX, or ECX outside of 64-bit mode, but for the bits that may be 1: "#GP(0) if ECX ≠ 0". */
const checkExtensions = (core: Core, allowed: number): void => {
  const hi = core.mode.bits === 64 ? core.high(at.general + rcx * 8) : 0
  if (core.low(at.general + rcx * 8) & ~allowed || hi !== 0) core.raise(vector.GP)
}

/** "The address range must use memory of the write-back type. Only write-back memory will correctly trigger the monitor." */
export const monitor = (core: Core, lo: number, hi: number): void => {
  checkMonitor(core)
  checkExtensions(core, 0)
  core.read(lo, hi, 8)
  const found = core.mmu.peek(lo, hi)
  const isCached = found !== undefined && core.mmu.memory.isRam(found.page) && typeOf(core, found, lo) === "WB"
  core.surroundings.monitor(isCached ? found.page : undefined)
}

const typeOf = (core: Core, { page, patIndex }: Found, lo: number): MemoryType =>
  effectiveType(memoryTypeRegisters(core), page * 0x1000 + (lo & 0xfff), patIndex)
type Found = NonNullable<ReturnType<Core["mmu"]["peek"]>>

/** Bit 0 of ECX: "treat interrupts as break events even if masked". The hints in EAX say nothing here. */
const breaksIfMasked = 1
export const mwait = (core: Core): void => {
  checkMonitor(core)
  checkExtensions(core, breaksIfMasked)
  core.surroundings.wait((core.low(at.general + rcx * 8) & breaksIfMasked) !== 0)
}
