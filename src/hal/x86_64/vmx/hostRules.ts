/** SDM vol. 3C, "Checks on Host Control Registers, MSRs, and SSP", "Checks on Host Segment and Descriptor-Table Registers", "Checks Related to Address-Space Size": broken, error 8. */
import { EntryControl, ExitControl } from "../../../types/x86_64/VmxControls.ts"
import { isCanonical, widest } from "../memory/Access.ts"
import { isPat } from "../system/msr.ts"
import { CR4, EFER } from "../system/registers.ts"
import { areCr0Bits, areCr4Bits } from "./fixedBits.ts"
import { askedAgain, isPhysical, type Rule } from "./rules.ts"
import { place, type Vmcs } from "./Vmcs.ts"

const exit = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.EXIT_CONTROLS, bit)
const is64 = (vmcs: Vmcs): boolean => exit(vmcs, ExitControl.HOST_ADDRESS_SPACE_SIZE)
const isCanonicalAt = (vmcs: Vmcs, of: number): boolean => isCanonical(vmcs.high(of), widest)

const selectors = [
  place.HOST_CS_SELECTOR,
  place.HOST_SS_SELECTOR,
  place.HOST_DS_SELECTOR,
  place.HOST_ES_SELECTOR,
  place.HOST_FS_SELECTOR,
  place.HOST_GS_SELECTOR,
  place.HOST_TR_SELECTOR
]
const bases = [place.HOST_FS_BASE, place.HOST_GS_BASE, place.HOST_GDTR_BASE, place.HOST_IDTR_BASE, place.HOST_TR_BASE]

const eferBits = EFER.SCE | EFER.LME | EFER.LMA | EFER.NXE

// biome-ignore format: a rule, a line or two
export const hostRules: readonly Rule[] = [
  { says: "CR0 must not set any bit to a value not supported in VMX operation",
    isKept: (v) => areCr0Bits(v.low(place.HOST_CR0), v.high(place.HOST_CR0), false) },
  { says: "CR4 must not set any bit to a value not supported in VMX operation",
    isKept: (v) => areCr4Bits(v.low(place.HOST_CR4), v.high(place.HOST_CR4)) },
  { says: "CR3 must not have bits set beyond the physical-address width",
    isKept: (v) => isPhysical(v.high(place.HOST_CR3)) },
  { says: "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP must be canonical",
    isKept: (v) => isCanonicalAt(v, place.HOST_IA32_SYSENTER_ESP) && isCanonicalAt(v, place.HOST_IA32_SYSENTER_EIP) },
  { says: "IA32_PAT must be one that could be written by WRMSR",
    isKept: (v) => !exit(v, ExitControl.LOAD_IA32_PAT) || (isPat(v.low(place.HOST_IA32_PAT)) && isPat(v.high(place.HOST_IA32_PAT))) },
  { says: "bits reserved in IA32_EFER must be 0, and LMA and LME be the host address-space size",
    isKept: (v) => {
      if (!exit(v, ExitControl.LOAD_IA32_EFER)) return true
      const efer = v.low(place.HOST_IA32_EFER)
      return v.high(place.HOST_IA32_EFER) === 0 && (efer & ~eferBits) === 0 && (efer & (EFER.LMA | EFER.LME)) === (is64(v) ? EFER.LMA | EFER.LME : 0)
    } },
  { says: "the RPL and the TI flag of each selector must be 0",
    isKept: (v) => selectors.every((of) => (v.low(of) & 7) === 0) },
  { says: "the selectors of CS and TR cannot be 0000H",
    isKept: (v) => v.low(place.HOST_CS_SELECTOR) !== 0 && v.low(place.HOST_TR_SELECTOR) !== 0 },
  { says: "the selector of SS cannot be 0000H for a host of 32 bits",
    isKept: (v) => is64(v) || v.low(place.HOST_SS_SELECTOR) !== 0 },
  { says: "the bases of FS, GS, GDTR, IDTR and TR must be canonical",
    isKept: (v) => bases.every((of) => isCanonicalAt(v, of)) },
  ...askedAgain([
    { says: "outside of IA-32e mode, neither the guest nor the host may be in IA-32e mode",
      isKept: (v, core) => core.isLongActive || (!is64(v) && !v.has(place.ENTRY_CONTROLS, EntryControl.IA32E_MODE_GUEST)) },
    { says: "in IA-32e mode, the host address-space size must be 1",
      isKept: (v, core) => !core.isLongActive || is64(v) }
  ]),
  { says: "of a host of 32 bits the guest is not in IA-32e mode, CR4.PCIDE and bits 63:32 of RIP are 0",
    isKept: (v) => is64(v) || (!v.has(place.ENTRY_CONTROLS, EntryControl.IA32E_MODE_GUEST) && !v.has(place.HOST_CR4, CR4.PCIDE) && v.high(place.HOST_RIP) === 0) },
  { says: "of a host of 64 bits CR4.PAE is 1, and RIP is canonical",
    isKept: (v) => !is64(v) || (v.has(place.HOST_CR4, CR4.PAE) && isCanonicalAt(v, place.HOST_RIP)) }
]
