/**
 * SYSENTER and SYSEXIT: the fast way into the kernel and back that every mode but real-address mode has. SDM vol. 2B, their operation.
 */
import { at } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { setFlat } from "./descriptors.ts"
import { msrAt } from "./msr.ts"
import { CR0, EFER, RFLAGS, vector } from "./registers.ts"

const [rcx, rdx, rsp] = [1, 2, 4].map((number) => at.general + number * 8) as [number, number, number]

/** "#GP(0) if protected mode is not enabled", or no selector is there. */
const selector = (core: Core): number => {
  const code = core.low(msrAt.IA32_SYSENTER_CS) & 0xfffc
  if (!(core.low(at.cr0) & CR0.PE) || code === 0) core.raise(vector.GP)
  return code
}

export const sysenter = (core: Core): void => {
  const code = selector(core)
  const isLong = (core.low(msrAt.IA32_EFER) & EFER.LMA) !== 0
  core.i32[at.rflags >> 2]! &= ~(RFLAGS.VM | RFLAGS.IF)
  core.set(rsp, core.low(msrAt.IA32_SYSENTER_ESP), isLong ? core.high(msrAt.IA32_SYSENTER_ESP) : 0)
  core.set(at.rip, core.low(msrAt.IA32_SYSENTER_EIP), isLong ? core.high(msrAt.IA32_SYSENTER_EIP) : 0)
  setFlat(core, code, code + 8, 0, isLong ? 64 : 32)
}

export const sysexit = (core: Core, width: number): void => {
  const code = selector(core)
  const is64 = width === 64
  if (is64 && !(core.isCanonical(core.high(rcx)) && core.isCanonical(core.high(rdx)))) core.raise(vector.GP)
  core.set(rsp, core.low(rcx), is64 ? core.high(rcx) : 0)
  core.set(at.rip, core.low(rdx), is64 ? core.high(rdx) : 0)
  const first = code + (is64 ? 32 : 16)
  setFlat(core, first | 3, (first + 8) | 3, 3, is64 ? 64 : 32)
}
