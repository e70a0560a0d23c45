/** SDM vol. 3C, "Checks on VMX Controls": broken, VMLAUNCH and VMRESUME fail with error 7. */
import {
  EntryControl,
  ExitControl,
  Interruption,
  InterruptionType,
  PinBased,
  Primary,
  Secondary
} from "../../../types/x86_64/VmxControls.ts"
import { CR0, pushesErrorCode, vector } from "../system/registers.ts"
import * as capabilities from "./capabilities.ts"
import { isEptPointer } from "./ept.ts"
import { askedAgain, hasSecondary, isAligned, isPhysical, type Rule } from "./rules.ts"
import { place, type Vmcs } from "./Vmcs.ts"

const pin = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.PIN_BASED_CONTROLS, bit)
const primary = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.PRIMARY_CONTROLS, bit)
const exit = (vmcs: Vmcs, bit: number): boolean => vmcs.has(place.EXIT_CONTROLS, bit)
const implies = (a: boolean, b: boolean): boolean => !a || b

/** "If the count is not 0, the lower 4 bits of the address must be 0, and it and the last byte must be within the physical-address width." */
const isMsrArea = (vmcs: Vmcs, address: number, count: number): boolean => {
  const entries = vmcs.low(count) >>> 0
  if (entries === 0) return true
  const last = vmcs.address(address) + entries * 16 - 1
  return isAligned(vmcs, address, 4) && isPhysical(Math.floor(last / 2 ** 32)) && last < 2 ** 52
}

// ---- event injection: "VM-Entry Controls for Event Injection"

const injects = (vmcs: Vmcs): boolean => vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION) < 0
const typeOf = (vmcs: Vmcs): number => (vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION) >>> 8) & 7
const vectorOf = (vmcs: Vmcs): number => vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION) & 255
const delivers = (vmcs: Vmcs): boolean => vmcs.has(place.ENTRY_INTERRUPTION_INFORMATION, Interruption.ERROR_CODE)

const isVectorOfType = (vmcs: Vmcs): boolean => {
  switch (typeOf(vmcs)) {
    case InterruptionType.NMI:
      return vectorOf(vmcs) === vector.NMI
    case InterruptionType.HARDWARE_EXCEPTION:
      return vectorOf(vmcs) < 32
    case InterruptionType.OTHER_EVENT:
      return vectorOf(vmcs) === 0
    default:
      return true
  }
}

/** "The deliver-error-code bit is 1 if and only if": a hardware exception that has one, and CR0.PE = 1 in the guest, where it may be 0. */
const deliversRightly = (vmcs: Vmcs): boolean => {
  const isProtected = !hasSecondary(vmcs, Secondary.UNRESTRICTED_GUEST) || (vmcs.low(place.GUEST_CR0) & CR0.PE) !== 0
  const should = typeOf(vmcs) === InterruptionType.HARDWARE_EXCEPTION && isProtected && pushesErrorCode(vectorOf(vmcs))
  return delivers(vmcs) === should
}

const isSoftware = (vmcs: Vmcs): boolean =>
  typeOf(vmcs) === InterruptionType.SOFTWARE_INTERRUPT ||
  typeOf(vmcs) === InterruptionType.PRIVILEGED_SOFTWARE_EXCEPTION ||
  typeOf(vmcs) === InterruptionType.SOFTWARE_EXCEPTION

const reservedInformation = 0x7fff_f000

/** Bits 7:4 of the virtual TPR. */
const virtualTaskPriority = 0x80

// biome-ignore format: a rule, a line or two
export const controlRules: readonly Rule[] = [
  // "VM-Execution Control Fields"
  { says: "reserved bits in the pin-based controls must be set properly",
    isKept: (v) => capabilities.isAllowed(capabilities.pinBased, v.low(place.PIN_BASED_CONTROLS)) },
  { says: "reserved bits in the primary processor-based controls must be set properly",
    isKept: (v) => capabilities.isAllowed(capabilities.primary, v.low(place.PRIMARY_CONTROLS)) },
  { says: "reserved bits in the secondary processor-based controls must be cleared",
    isKept: (v) => implies(primary(v, Primary.ACTIVATE_SECONDARY_CONTROLS), capabilities.isAllowed(capabilities.secondary, v.low(place.SECONDARY_CONTROLS))) },
  { says: "the CR3-target count must not be greater than 4",
    isKept: (v) => v.low(place.CR3_TARGET_COUNT) >>> 0 <= capabilities.cr3Targets },
  { says: "bits 11:0 of each IO-bitmap address must be 0, and none beyond the physical-address width be set",
    isKept: (v) => implies(primary(v, Primary.USE_IO_BITMAPS), isAligned(v, place.IO_BITMAP_A, 12) && isAligned(v, place.IO_BITMAP_B, 12)) },
  { says: "bits 11:0 of the MSR-bitmap address must be 0, and none beyond the physical-address width be set",
    isKept: (v) => implies(primary(v, Primary.USE_MSR_BITMAPS), isAligned(v, place.MSR_BITMAPS, 12)) },
  { says: "bits 11:0 of the virtual-APIC address must be 0, and none beyond the physical-address width be set",
    isKept: (v) => implies(primary(v, Primary.USE_TPR_SHADOW), isAligned(v, place.VIRTUAL_APIC_ADDRESS, 12)) },
  { says: "bits 31:4 of the TPR threshold must be 0 without virtual-interrupt delivery",
    isKept: (v) => implies(primary(v, Primary.USE_TPR_SHADOW) && !hasSecondary(v, Secondary.VIRTUAL_INTERRUPT_DELIVERY), (v.low(place.TPR_THRESHOLD) & ~15) === 0) },
  ...askedAgain([
    { says: "bits 3:0 of the TPR threshold must not be greater than bits 7:4 of VTPR",
      isKept: (v, core) => implies(
        primary(v, Primary.USE_TPR_SHADOW) && !hasSecondary(v, Secondary.VIRTUALIZE_APIC_ACCESSES) && !hasSecondary(v, Secondary.VIRTUAL_INTERRUPT_DELIVERY),
        (v.low(place.TPR_THRESHOLD) & 15) <= ((core.mmu.memory.load32(v.address(place.VIRTUAL_APIC_ADDRESS) + virtualTaskPriority) >>> 4) & 15)) }
  ]),
  { says: "without NMI exiting, virtual NMIs must be 0",
    isKept: (v) => implies(!pin(v, PinBased.NMI_EXITING), !pin(v, PinBased.VIRTUAL_NMIS)) },
  { says: "without virtual NMIs, NMI-window exiting must be 0",
    isKept: (v) => implies(!pin(v, PinBased.VIRTUAL_NMIS), !primary(v, Primary.NMI_WINDOW_EXITING)) },
  { says: "bits 11:0 of the APIC-access address must be 0, and none beyond the physical-address width be set",
    isKept: (v) => implies(hasSecondary(v, Secondary.VIRTUALIZE_APIC_ACCESSES), isAligned(v, place.APIC_ACCESS_ADDRESS, 12)) },
  { says: "without a TPR shadow, virtualize x2APIC mode, APIC-register virtualization and virtual-interrupt delivery must be 0",
    isKept: (v) => implies(!primary(v, Primary.USE_TPR_SHADOW),
      !hasSecondary(v, Secondary.VIRTUALIZE_X2APIC_MODE | Secondary.APIC_REGISTER_VIRTUALIZATION | Secondary.VIRTUAL_INTERRUPT_DELIVERY)) },
  { says: "with virtualize x2APIC mode, virtualize APIC accesses must be 0",
    isKept: (v) => implies(hasSecondary(v, Secondary.VIRTUALIZE_X2APIC_MODE), !hasSecondary(v, Secondary.VIRTUALIZE_APIC_ACCESSES)) },
  { says: "with virtual-interrupt delivery, external-interrupt exiting must be 1",
    isKept: (v) => implies(hasSecondary(v, Secondary.VIRTUAL_INTERRUPT_DELIVERY), pin(v, PinBased.EXTERNAL_INTERRUPT_EXITING)) },
  { says: "with posted interrupts, virtual-interrupt delivery and acknowledge interrupt on exit must be 1, bits 15:8 of the notification vector 0, bits 5:0 of the descriptor's address 0, and none beyond the physical-address width be set",
    isKept: (v) => implies(pin(v, PinBased.PROCESS_POSTED_INTERRUPTS),
      hasSecondary(v, Secondary.VIRTUAL_INTERRUPT_DELIVERY) && exit(v, ExitControl.ACKNOWLEDGE_INTERRUPT) &&
      (v.low(place.POSTED_INTERRUPT_NOTIFICATION) & 0xff00) === 0 && isAligned(v, place.POSTED_INTERRUPT_DESCRIPTOR, 6)) },
  { says: "with VPID, it must not be 0000H",
    isKept: (v) => implies(hasSecondary(v, Secondary.ENABLE_VPID), v.low(place.VPID) !== 0) },
  { says: "with EPT, the EPTP must have a supported memory type and walk length, and no reserved bit set",
    isKept: (v) => implies(hasSecondary(v, Secondary.ENABLE_EPT), isEptPointer(v.low(place.EPT_POINTER), v.high(place.EPT_POINTER))) },
  { says: "with unrestricted guest or mode-based execute control, EPT must be enabled",
    isKept: (v) => implies(hasSecondary(v, Secondary.UNRESTRICTED_GUEST | Secondary.MODE_BASED_EXECUTE), hasSecondary(v, Secondary.ENABLE_EPT)) },

  // "VM-Exit Control Fields"
  { says: "reserved bits in the VM-exit controls must be set properly",
    isKept: (v) => capabilities.isAllowed(capabilities.exitControls, v.low(place.EXIT_CONTROLS)) },
  { says: "without the VMX-preemption timer, save VMX-preemption timer value must be 0",
    isKept: (v) => implies(!pin(v, PinBased.PREEMPTION_TIMER), !exit(v, ExitControl.SAVE_PREEMPTION_TIMER)) },
  { says: "the VM-exit MSR-store area must be aligned, and within the physical-address width",
    isKept: (v) => isMsrArea(v, place.EXIT_MSR_STORE_ADDRESS, place.EXIT_MSR_STORE_COUNT) },
  { says: "the VM-exit MSR-load area must be aligned, and within the physical-address width",
    isKept: (v) => isMsrArea(v, place.EXIT_MSR_LOAD_ADDRESS, place.EXIT_MSR_LOAD_COUNT) },

  // "VM-Entry Control Fields"
  { says: "reserved bits in the VM-entry controls must be set properly",
    isKept: (v) => capabilities.isAllowed(capabilities.entryControls, v.low(place.ENTRY_CONTROLS)) },
  { says: "the interruption type must not be reserved",
    isKept: (v) => implies(injects(v), typeOf(v) !== 1) },
  { says: "the vector must be consistent with the interruption type",
    isKept: (v) => implies(injects(v), isVectorOfType(v)) },
  { says: "the deliver-error-code bit is 1 if and only if the event has an error code",
    isKept: (v) => implies(injects(v), deliversRightly(v)) },
  { says: "reserved bits in the interruption-information field must be 0",
    isKept: (v) => implies(injects(v), (v.low(place.ENTRY_INTERRUPTION_INFORMATION) & reservedInformation) === 0) },
  { says: "bits 31:16 of an error code that is delivered must be 0",
    isKept: (v) => implies(injects(v) && delivers(v), v.low(place.ENTRY_EXCEPTION_ERROR_CODE) >>> 16 === 0) },
  { says: "a software event's instruction length must be 0 to 15",
    isKept: (v) => implies(injects(v) && isSoftware(v), v.low(place.ENTRY_INSTRUCTION_LENGTH) >>> 0 <= 15) },
  { says: "the VM-entry MSR-load area must be aligned, and within the physical-address width",
    isKept: (v) => isMsrArea(v, place.ENTRY_MSR_LOAD_ADDRESS, place.ENTRY_MSR_LOAD_COUNT) },
  { says: "entry to SMM and deactivate dual-monitor treatment must be 0 outside SMM",
    isKept: (v) => !v.has(place.ENTRY_CONTROLS, EntryControl.ENTRY_TO_SMM | EntryControl.DEACTIVATE_DUAL_MONITOR) }
]
