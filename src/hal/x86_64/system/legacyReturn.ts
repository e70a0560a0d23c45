/** IRET outside of 64-bit mode. SDM vol. 2A, "IRET/IRETD/IRETQ", operation. */
import { isVirtual8086 } from "../processor/Meaning.ts"
import { at, segments } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { bits, isProtected, limitOf, loadReal, markAccessed, rplOf, setCode } from "./descriptors.ts"
import { stackInForce } from "./LegacyStack.ts"
import { returnCode, returnOuter } from "./legacyFar.ts"
import { popVirtualFlags } from "./poppedFlags.ts"
import { CR4, RFLAGS, vector } from "./registers.ts"
import { returnToTask } from "./taskSwitch.ts"

/** "TASK-RETURN": NT is 1, in protected mode that is not a part of IA-32e mode. */
export const returnsToTask = (core: Core): boolean =>
  isProtected(core.mode) && !core.isLongActive && (core.rflags() & RFLAGS.NT) !== 0

export const legacyReturn = (core: Core, size: 16 | 32, changeable: number): void => {
  const isLimited = isVirtual8086(core.mode) && (core.low(at.rflags) & RFLAGS.IOPL) !== RFLAGS.IOPL
  if (isLimited && !(core.low(at.cr4) & CR4.VME && size === 16)) core.raise(vector.GP)
  const stack = stackInForce(core)
  const old = core.rflags()
  const setFlags = (flags: number): void => {
    core.setRflags((old & ~changeable & ~RFLAGS.RF) | (flags & changeable))
    core.unblockNmis()
  }
  if (returnsToTask(core)) {
    returnToTask(core)
    return
  }
  // "IF IA32_EFER.LMA = 1 and NT = 1: #GP(0)"
  if (isProtected(core.mode) && old & RFLAGS.NT) core.raise(vector.GP)
  const offset = stack.pop(size)
  const selector = stack.pop(size) & 0xffff
  const flags = stack.pop(size)
  if (!isProtected(core.mode)) {
    if (offset > core.segmentLimit(segments.cs)) core.raise(vector.GP)
    if (isLimited) popVirtualFlags(core, flags)
    else setFlags(flags)
    loadReal(core, segments.cs, selector)
    core.set(at.rip, offset | 0, 0)
    stack.settle()
    core.unblockNmis()
    return
  }
  if (size === 32 && flags & RFLAGS.VM && core.privilege === 0 && !core.isLongActive) {
    const words = [0, 1, 2, 3, 4, 5].map(() => stack.pop(32))
    enterVirtual8086(core, [offset, selector, flags, ...words])
    return
  }
  const descriptor = returnCode(core, selector)
  const isLong = core.isLongActive && (descriptor.high & bits.L) !== 0
  if (!isLong && offset > limitOf(descriptor.low, descriptor.high)) core.raise(vector.GP)
  if (rplOf(selector) > core.privilege) {
    const pointer = stack.pop(size)
    const outer = stack.pop(size) & 0xffff
    returnOuter(core, { selector, descriptor, offset, pointer, stack: outer })
    setFlags(flags)
    return
  }
  markAccessed(core, descriptor)
  setCode(core, selector, descriptor, core.privilege)
  core.set(at.rip, offset | 0, 0)
  stack.settle()
  setFlags(flags)
}

/** "RETURN-TO-VIRTUAL-8086-MODE": EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS. */
const enterVirtual8086 = (core: Core, [eip, cs, flags, esp, ss, ...others]: readonly number[]): void => {
  if (eip! > 0xffff) core.raise(vector.GP)
  core.setRflags(flags!)
  core.enterMode(16, 3)
  for (const [n, of] of [segments.es, segments.ds, segments.fs, segments.gs].entries())
    loadReal(core, of, others[n]! & 0xffff)
  loadReal(core, segments.cs, cs! & 0xffff)
  loadReal(core, segments.ss, ss! & 0xffff)
  core.set(at.rip, eip! & 0xffff, 0)
  core.setRegister(4, 32, esp! | 0, 0)
  core.unblockNmis()
}
