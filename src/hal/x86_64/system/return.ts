/**
 * IRET: back to what an exception or interrupt came from. SDM vol. 2A, "IRET/IRETD/IRETQ", operation, IA-32e mode.
 */
import { at } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import {
  bits,
  checkPresent,
  dplOf,
  dropPrivileged,
  fetchCode,
  fetchStack,
  isConforming,
  isNull,
  markAccessed,
  rplOf,
  setCode,
  setStack
} from "./descriptors.ts"
import { offsetIn } from "./far.ts"
import { legacyReturn, returnsToTask } from "./legacyReturn.ts"
import { poppableFlags } from "./poppedFlags.ts"
import { RFLAGS, vector } from "./registers.ts"

type Halves = readonly [lo: number, hi: number]
const rspAt = at.general + 4 * 8

export const interruptReturn = (core: Core, width: number): void => {
  // A guest that would go back to a task is left with what is blocked.
  if (!core.vmx.isGuest || !returnsToTask(core)) core.beginInterruptReturn()
  if (core.mode.bits !== 64) {
    legacyReturn(core, width === 16 ? 16 : 32, changeableFlags(core, width))
    return
  }
  if (core.low(at.rflags) & RFLAGS.NT) core.raise(vector.GP)
  const pop = (n: number): Halves => core.wordAt(core.readStack(rspAt, (n * width) / 8, width), width)
  const [rip, cs, flags] = [pop(0), pop(1), pop(2)]
  const selector = cs[0] & 0xffff
  const privilege = rplOf(selector)
  const isOuter = privilege > core.privilege
  // "In 64-bit mode, IRET always pops SS:RSP", also when the ring stays the same.
  const [rsp, ss] = [pop(3), pop(4)]

  const descriptor = { ...fetchCode(core, selector) }
  const { high } = descriptor
  const dpl = dplOf(high)
  if (privilege < core.privilege || (isConforming(high) ? dpl > privilege : dpl !== privilege))
    core.raise(vector.GP, selector & ~3)
  checkPresent(core, high, selector)
  if ((high & (bits.L | bits.D)) === (bits.L | bits.D)) core.raise(vector.GP, selector & ~3)
  const is64 = (high & bits.L) !== 0
  const stack = ss[0] & 0xffff
  // A null SS goes only with 64-bit code; with what is not null, loading it says what is wrong.
  if (isNull(stack) && !is64) core.raise(vector.GP)

  const stackDescriptor = fetchStack(core, stack, privilege)
  // Processors look at the stack segment before they look at RIP.
  const target = offsetIn(core, descriptor, rip)
  markAccessed(core, descriptor)

  const changeable = changeableFlags(core, width)
  setStack(core, stack, stackDescriptor)
  setCode(core, selector, descriptor, privilege)
  core.set(at.rip, ...target)
  core.set(rspAt, ...rsp)
  core.setRflags((core.rflags() & ~changeable & ~RFLAGS.RF) | (flags[0] & changeable))
  core.unblockNmis()
  if (isOuter) dropPrivileged(core)
}

const changeableFlags = (core: Core, width: number): number =>
  poppableFlags(core, width) |
  (width === 16 ? 0 : RFLAGS.RF) |
  (width !== 16 && core.privilege === 0 ? RFLAGS.VIF | RFLAGS.VIP : 0)
