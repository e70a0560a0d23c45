/**
 * SYSCALL, SYSRET and SWAPGS: the fast way into the kernel and back. SDM vol. 2B, their operation.
 */
import { at } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { setFlat } from "./descriptors.ts"
import { msrAt } from "./msr.ts"
import { EFER, RFLAGS, vector } from "./registers.ts"

const rcx = at.general + 1 * 8
const r11 = at.general + 11 * 8

export const syscall = (core: Core): void => {
  if (!(core.low(msrAt.IA32_EFER) & EFER.SCE)) core.raise(vector.UD)
  core.copy(at.rip, rcx)
  const flags = core.rflags()
  core.set(r11, flags, 0)
  core.copy(msrAt.IA32_LSTAR, at.rip)
  const selector = core.high(msrAt.IA32_STAR) & 0xfffc
  core.i32[at.rflags >> 2]! &= ~core.low(msrAt.IA32_FMASK)
  core.setStatus(flags & ~core.low(msrAt.IA32_FMASK))
  setFlat(core, selector, selector + 8, 0, 64)
}

/** "RFLAGS := (R11 & 3C7FD7H) | 2; (* Clear RF, VM, reserved bits; set bit 1 *)" */
const restored = 0x3c_7fd7

export const sysret = (core: Core, width: number): void => {
  if (!(core.low(msrAt.IA32_EFER) & EFER.SCE)) core.raise(vector.UD)
  if (core.privilege !== 0) core.raise(vector.GP)
  const is64 = width === 64
  if (is64 && !core.isCanonical(core.high(rcx))) core.raise(vector.GP)
  core.set(at.rip, core.low(rcx), is64 ? core.high(rcx) : 0)
  const base = core.high(msrAt.IA32_STAR) >>> 16
  setFlat(core, ((base + (is64 ? 16 : 0)) & 0xffff) | 3, ((base + 8) & 0xffff) | 3, 3, is64 ? 64 : 32)
  core.setRflags((core.low(r11) & restored) | RFLAGS.one)
}

export const swapgs = (core: Core): void => {
  const [lo, hi] = [core.low(at.gsBase), core.high(at.gsBase)]
  core.copy(msrAt.IA32_KERNEL_GS_BASE, at.gsBase)
  core.set(msrAt.IA32_KERNEL_GS_BASE, lo, hi)
}
