/** What the processor offers a kernel for virtual machines: the VMX instructions of its gate. */
import type { VirtualizationService } from "../../Virtualization.ts"
import { guestPaging } from "../entries.ts"
import { at } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import { CR4, vector } from "../system/registers.ts"
import { invept, inveptType, invvpid, invvpidType, vmclear, vmptrld, vmwrite, vmxoff, vmxon } from "./instructions.ts"
import { hasField } from "./Vmcs.ts"
import { noPointer } from "./Vmx.ts"

const invvpidTypes = {
  page: invvpidType.address,
  one: invvpidType.single,
  all: invvpidType.all,
  oneButGlobals: invvpidType.singleButGlobals
} as const

/** Halves of a physical address. */
const halves = (address: number): readonly [lo: number, hi: number] => [address | 0, Math.floor(address / 2 ** 32)]

export const virtualization = (core: Core): VirtualizationService => {
  /** "#UD if not in VMX operation." */
  const check = (): void => {
    if (!core.vmx.isOn) core.raise(vector.UD)
  }
  const { vmcs } = core.vmx
  const reads = (field: number): boolean => vmcs.pointer !== noPointer && hasField(field)
  return {
    tables: guestPaging,
    begin: (page) => {
      if (!(core.low(at.cr4) & CR4.VMXE)) core.raise(vector.UD)
      return vmxon(core, ...halves(page))
    },
    end: () => {
      check()
      return vmxoff(core)
    },
    clear: (structure) => {
      check()
      return vmclear(core, ...halves(structure))
    },
    load: (structure) => {
      check()
      return vmptrld(core, ...halves(structure))
    },
    current: () => {
      check()
      return vmcs.pointer
    },
    hasField,
    fieldLow: (field) => {
      check()
      return reads(field) ? vmcs.readLow(field) : 0
    },
    fieldHigh: (field) => {
      check()
      return reads(field) ? vmcs.readHigh(field) : 0
    },
    setField: (field, low, high) => {
      check()
      return vmwrite(core, field, 0, low, high)
    },
    invalidateGuestPhysical: (which, rootLow, rootHigh) => {
      check()
      return invept(core, which === "one" ? inveptType.single : inveptType.all, rootLow, rootHigh)
    },
    invalidateGuest: (which, tag, addressLow, addressHigh) => {
      check()
      return invvpid(core, invvpidTypes[which], tag, addressLow, addressHigh)
    }
  }
}
