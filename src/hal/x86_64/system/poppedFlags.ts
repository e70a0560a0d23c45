/** The flags that POPF and IRET take from the stack. SDM vol. 2B, "POPF/POPFD/POPFQ", table "Effect of POPF/POPFD on the EFLAGS Register". */
import { at } from "../processor/State.ts"
import type { Core } from "./Core.ts"
import { RFLAGS, vector } from "./registers.ts"

/**
 * POPF and IRET of 16 bits in virtual-8086 mode with CR4.VME and IOPL < 3: what would be IF is VIF. "#GP(0) if VIP is 1 and IF is to be, or TF is
 * to be 1".
 */
export const popVirtualFlags = (core: Core, value: number): void => {
  const old = core.rflags()
  const setsIf = (value & RFLAGS.IF) !== 0
  if (value & RFLAGS.TF || (setsIf && old & RFLAGS.VIP)) core.raise(vector.GP)
  const changes = RFLAGS.status | RFLAGS.DF | RFLAGS.NT | RFLAGS.TF
  core.setRflags((old & ~changes & ~RFLAGS.VIF & ~RFLAGS.RF) | (value & changes) | (setsIf ? RFLAGS.VIF : 0))
}

/** The flags that a privilege may change, by POPF and IRET. IRET has RF as well. */
export const poppableFlags = (core: Core, width: number): number => {
  const privilege = core.privilege
  const iopl = (core.low(at.rflags) & RFLAGS.IOPL) >>> 12
  return (
    RFLAGS.status |
    RFLAGS.TF |
    RFLAGS.DF |
    RFLAGS.NT |
    (width === 16 ? 0 : RFLAGS.AC | RFLAGS.ID) |
    (privilege <= iopl ? RFLAGS.IF : 0) |
    (privilege === 0 ? RFLAGS.IOPL : 0)
  )
}
