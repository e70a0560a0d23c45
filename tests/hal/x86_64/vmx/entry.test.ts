/** Every rule of a VM entry is broken in one way, and nothing else is. */
import { assert, describe, it } from "@effect/vitest"
import { controlRules } from "../../../../src/hal/x86_64/vmx/controlRules.ts"
import { guestRules } from "../../../../src/hal/x86_64/vmx/guestRules.ts"
import { hostRules } from "../../../../src/hal/x86_64/vmx/hostRules.ts"
import { ExitReason, entryFailure, VmInstructionError } from "../../../../src/types/x86_64/ExitReason.ts"
import { EntryControl, ExitControl, PinBased, Primary, Secondary } from "../../../../src/types/x86_64/VmxControls.ts"
import { hlt } from "../board.ts"
import { guestCode, Hypervisor, vmcsRegion } from "./hypervisor.ts"

type Break = (hypervisor: Hypervisor) => Hypervisor
const VALID = 2 ** 31
const tooHigh = 2n ** 45n
const notCanonical = 2n ** 60n

const withApic: Break = (h) => h.with("PRIMARY_CONTROLS", Primary.USE_TPR_SHADOW).set("VIRTUAL_APIC_ADDRESS", 0x5_5000)
const virtual8086: Break = (h) => {
  h.real(...hlt)
    .set("GUEST_CR0", 0x21)
    .set("GUEST_RFLAGS", 0x2_0002)
  for (const name of ["ES", "CS", "SS", "DS", "FS", "GS"] as const)
    h.set(`GUEST_${name}_SELECTOR`, 0)
      .set(`GUEST_${name}_BASE`, 0)
      .set(`GUEST_${name}_LIMIT`, 0xffff)
      .set(`GUEST_${name}_ACCESS_RIGHTS`, 0xf3)
  return h
}
const restricted: Break = (h) => h.without("SECONDARY_CONTROLS", Secondary.UNRESTRICTED_GUEST)

// biome-ignore format: a rule, a line
const controls: Readonly<Record<string, Break>> = {
  "reserved bits in the pin-based controls": (h) => h.with("PIN_BASED_CONTROLS", 1 << 10),
  "reserved bits in the primary": (h) => h.without("PRIMARY_CONTROLS", 1 << 1),
  "reserved bits in the secondary": (h) => h.with("SECONDARY_CONTROLS", Secondary.VMCS_SHADOWING),
  "the CR3-target count": (h) => h.set("CR3_TARGET_COUNT", 5),
  "bits 11:0 of each IO-bitmap": (h) => h.with("PRIMARY_CONTROLS", Primary.USE_IO_BITMAPS).set("IO_BITMAP_B", 0x5_4800),
  "bits 11:0 of the MSR-bitmap": (h) => h.with("PRIMARY_CONTROLS", Primary.USE_MSR_BITMAPS).set("MSR_BITMAPS", tooHigh),
  "bits 11:0 of the virtual-APIC": (h) => withApic(h).set("VIRTUAL_APIC_ADDRESS", 0x5_5010),
  "bits 31:4 of the TPR threshold": (h) => withApic(h).set("TPR_THRESHOLD", 16),
  "bits 3:0 of the TPR threshold": (h) => withApic(h).set("TPR_THRESHOLD", 1),
  "without NMI exiting": (h) => h.with("PIN_BASED_CONTROLS", PinBased.VIRTUAL_NMIS),
  "without virtual NMIs": (h) => h.with("PRIMARY_CONTROLS", Primary.NMI_WINDOW_EXITING),
  "bits 11:0 of the APIC-access": (h) => h.with("SECONDARY_CONTROLS", Secondary.VIRTUALIZE_APIC_ACCESSES).set("APIC_ACCESS_ADDRESS", 1),
  "without a TPR shadow": (h) => h.with("SECONDARY_CONTROLS", Secondary.APIC_REGISTER_VIRTUALIZATION),
  "with virtualize x2APIC mode": (h) => withApic(h).with("SECONDARY_CONTROLS", Secondary.VIRTUALIZE_X2APIC_MODE | Secondary.VIRTUALIZE_APIC_ACCESSES),
  "with virtual-interrupt delivery": (h) => withApic(h).with("SECONDARY_CONTROLS", Secondary.VIRTUAL_INTERRUPT_DELIVERY),
  "with posted interrupts": (h) => h.with("PIN_BASED_CONTROLS", PinBased.PROCESS_POSTED_INTERRUPTS),
  "with VPID": (h) => h.set("VPID", 0),
  "with EPT, the EPTP": (h) => h.set("EPT_POINTER", 0x5_8000 | 0x1f),
  "with unrestricted guest or": (h) => h.without("SECONDARY_CONTROLS", Secondary.ENABLE_EPT),
  "reserved bits in the VM-exit": (h) => h.with("EXIT_CONTROLS", 1 << 25),
  "without the VMX-preemption timer": (h) => h.with("EXIT_CONTROLS", ExitControl.SAVE_PREEMPTION_TIMER),
  "the VM-exit MSR-store": (h) => h.set("EXIT_MSR_STORE_COUNT", 1).set("EXIT_MSR_STORE_ADDRESS", 8),
  "the VM-exit MSR-load": (h) => h.set("EXIT_MSR_LOAD_COUNT", 1).set("EXIT_MSR_LOAD_ADDRESS", tooHigh),
  "reserved bits in the VM-entry": (h) => h.without("ENTRY_CONTROLS", 1),
  "the interruption type": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + (1 << 8)),
  "the vector must be": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + (2 << 8) + 3),
  "the deliver-error-code bit": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + (3 << 8) + 13),
  "reserved bits in the interruption-information": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + (1 << 12) + 0x50),
  "bits 31:16 of an error code": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + (1 << 11) + (3 << 8) + 13).set("ENTRY_EXCEPTION_ERROR_CODE", 1 << 16),
  "a software event's instruction": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + (4 << 8) + 0x50).set("ENTRY_INSTRUCTION_LENGTH", 16),
  "the VM-entry MSR-load": (h) => h.set("ENTRY_MSR_LOAD_COUNT", 1).set("ENTRY_MSR_LOAD_ADDRESS", 4),
  "entry to SMM": (h) => h
}
/** What another rule says already: nothing is offered that breaks only this one. */
const impliedControls = ["entry to SMM"]

// biome-ignore format: a rule, a line
const host: Readonly<Record<string, Break>> = {
  "CR0 must not set": (h) => h.set("HOST_CR0", 0x8000_0001),
  "CR4 must not set": (h) => h.set("HOST_CR4", 0x20),
  "CR3 must not have": (h) => h.set("HOST_CR3", tooHigh),
  "IA32_SYSENTER_ESP": (h) => h.set("HOST_IA32_SYSENTER_EIP", notCanonical),
  "IA32_PAT must be": (h) => h.with("EXIT_CONTROLS", ExitControl.LOAD_IA32_PAT).set("HOST_IA32_PAT", 2),
  "bits reserved in IA32_EFER": (h) => h.with("EXIT_CONTROLS", ExitControl.LOAD_IA32_EFER).set("HOST_IA32_EFER", 0x100),
  "the RPL and the TI": (h) => h.set("HOST_DS_SELECTOR", 3),
  "the selectors of CS and TR": (h) => h.set("HOST_TR_SELECTOR", 0),
  "the selector of SS": (h) => h.without("EXIT_CONTROLS", ExitControl.HOST_ADDRESS_SPACE_SIZE).set("HOST_SS_SELECTOR", 0),
  "the bases of FS": (h) => h.set("HOST_GS_BASE", notCanonical),
  "in IA-32e mode, the host": (h) => h.without("EXIT_CONTROLS", ExitControl.HOST_ADDRESS_SPACE_SIZE),
  "of a host of 64 bits": (h) => h.set("HOST_RIP", notCanonical)
}
/** They are about a host that is not in IA-32e mode: the one here is, and breaks another rule first. */
const otherHosts = ["outside of IA-32e mode, neither", "of a host of 32 bits"]

// biome-ignore format: a rule, a line
const guest: Readonly<Record<string, Break>> = {
  "CR0 must not set": (h) => h.set("GUEST_CR0", 0x8000_0001),
  "if CR0.PG is 1": (h) => h.set("GUEST_CR0", 0x8000_0020),
  "CR4 must not set": (h) => h.set("GUEST_CR4", 0x20),
  "bits reserved in IA32_DEBUGCTL": (h) => h.with("ENTRY_CONTROLS", EntryControl.LOAD_DEBUG_CONTROLS).set("GUEST_IA32_DEBUGCTL", 1),
  "in IA-32e mode, CR0.PG": (h) => h.set("GUEST_CR4", 0x2000),
  "outside of IA-32e mode, CR4.PCIDE": (h) => h.real(...hlt).set("GUEST_CR4", 0x2_2000),
  "CR3 must not have": (h) => h.set("GUEST_CR3", tooHigh),
  "bits 63:32 of DR7": (h) => h.with("ENTRY_CONTROLS", EntryControl.LOAD_DEBUG_CONTROLS).set("GUEST_DR7", 2n ** 32n),
  "IA32_SYSENTER_ESP": (h) => h.set("GUEST_IA32_SYSENTER_ESP", notCanonical),
  "IA32_PAT must be": (h) => h.with("ENTRY_CONTROLS", EntryControl.LOAD_IA32_PAT).set("GUEST_IA32_PAT", 3n << 56n),
  "bits reserved in IA32_EFER": (h) => h.with("ENTRY_CONTROLS", EntryControl.LOAD_IA32_EFER).set("GUEST_IA32_EFER", 0x100),
  "TR's selector": (h) => h.set("GUEST_TR_SELECTOR", 0x2c),
  "LDTR's selector": (h) => h.set("GUEST_LDTR_ACCESS_RIGHTS", 0x82).set("GUEST_LDTR_SELECTOR", 4),
  "the RPL of SS": (h) => restricted(h).set("GUEST_SS_SELECTOR", 0x13),
  "the bases of TR": (h) => h.set("GUEST_FS_BASE", notCanonical),
  "bits 63:32 of the base of CS": (h) => h.set("GUEST_DS_BASE", 2n ** 32n),
  "in virtual-8086 mode": (h) => virtual8086(h).set("GUEST_DS_BASE", 16),
  "the type of CS": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xa098),
  "the type of SS": (h) => h.set("GUEST_SS_ACCESS_RIGHTS", 0xc091),
  "the types of DS": (h) => h.set("GUEST_ES_ACCESS_RIGHTS", 0xc092),
  "CS is code or data": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xa08b),
  "SS, DS, ES, FS and GS are code": (h) => h.set("GUEST_GS_ACCESS_RIGHTS", 0xc083),
  "the DPL of CS": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xa0fb),
  "the DPL of SS": (h) => restricted(h).set("GUEST_SS_ACCESS_RIGHTS", 0xc0f3).set("GUEST_CS_ACCESS_RIGHTS", 0xa0fb),
  "the DPL of DS": (h) => restricted(h).set("GUEST_DS_SELECTOR", 0x13),
  "CS is present": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xa01b),
  "SS, DS, ES, FS and GS are present": (h) => h.set("GUEST_DS_ACCESS_RIGHTS", 0xc013),
  "reserved bits in the access rights of CS": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xa19b),
  "reserved bits in the access rights of SS": (h) => h.set("GUEST_FS_ACCESS_RIGHTS", 0xc293),
  "CS.D/B is 0": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xe09b),
  "the granularity of CS": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0x209b),
  "the granularity of SS": (h) => h.set("GUEST_DS_ACCESS_RIGHTS", 0x4093),
  "TR is a busy": (h) => h.set("GUEST_TR_ACCESS_RIGHTS", 0x89),
  "TR is a system": (h) => h.set("GUEST_TR_ACCESS_RIGHTS", 0x1_008b),
  "LDTR, if it is usable": (h) => h.set("GUEST_LDTR_ACCESS_RIGHTS", 0x81),
  "the bases of GDTR": (h) => h.set("GUEST_GDTR_BASE", notCanonical),
  "bits 31:16 of the limits": (h) => h.set("GUEST_IDTR_LIMIT", 0x1_0000),
  "bits 63:32 of RIP": (h) => h.set("GUEST_CS_ACCESS_RIGHTS", 0xc09b).set("GUEST_RIP", 2n ** 32n),
  "RIP must be canonical": (h) => h.set("GUEST_RIP", notCanonical),
  "reserved bits 63:22": (h) => h.set("GUEST_RFLAGS", 0),
  "RFLAGS.VM must be 0": (h) => virtual8086(h).set("GUEST_CR0", 0x20),
  "RFLAGS.IF must be 1": (h) => h.set("ENTRY_INTERRUPTION_INFORMATION", VALID + 0x50),
  "the activity state must be one": (h) => h.set("GUEST_ACTIVITY_STATE", 4),
  "the activity state must not be HLT": (h) => h.set("GUEST_ACTIVITY_STATE", 1).set("GUEST_SS_ACCESS_RIGHTS", 0xc0f3).set("GUEST_CS_ACCESS_RIGHTS", 0xa0fb),
  "the activity state must be active": (h) => h.set("GUEST_ACTIVITY_STATE", 1).set("GUEST_INTERRUPTIBILITY_STATE", 2),
  "an inactive guest": (h) => h.set("GUEST_ACTIVITY_STATE", 1).set("ENTRY_INTERRUPTION_INFORMATION", VALID + (3 << 8) + 6),
  "reserved bits 31:5": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 32),
  "there must not be blocking both": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 3).set("GUEST_RFLAGS", 0x202),
  "there must not be blocking by STI if": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 1),
  "an external interrupt must not": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 1).set("GUEST_RFLAGS", 0x202).set("ENTRY_INTERRUPTION_INFORMATION", VALID + 0x50),
  "an NMI must not be injected into blocking by MOV SS": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 2).set("ENTRY_INTERRUPTION_INFORMATION", VALID + (2 << 8) + 2),
  "there must not be blocking by SMI": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 4),
  "an NMI must not be injected into blocking by STI": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 1).set("GUEST_RFLAGS", 0x202).set("ENTRY_INTERRUPTION_INFORMATION", VALID + (2 << 8) + 2),
  "a virtual NMI": (h) => h.with("PIN_BASED_CONTROLS", PinBased.NMI_EXITING | PinBased.VIRTUAL_NMIS).set("GUEST_INTERRUPTIBILITY_STATE", 8).set("ENTRY_INTERRUPTION_INFORMATION", VALID + (2 << 8) + 2),
  "reserved bits of the pending": (h) => h.set("GUEST_PENDING_DEBUG_EXCEPTIONS", 16),
  "a single step is pending": (h) => h.set("GUEST_INTERRUPTIBILITY_STATE", 2).set("GUEST_RFLAGS", 0x102),
  "the VMCS link pointer": (h) => h.set("VMCS_LINK_POINTER", vmcsRegion),
  "of PDPTEs that are present": (h) => h.real(...hlt).set("GUEST_CR0", 0x8000_0021).set("GUEST_CR4", 0x2020).set("GUEST_CS_ACCESS_RIGHTS", 0x9b).set("GUEST_PDPTE_2", 0x2003)
}

const aGuest = () => new Hypervisor().long(...hlt)
const says = (rules: readonly { readonly says: string }[], prefix: string) =>
  rules.filter((rule) => rule.says.startsWith(prefix)).map((rule) => rule.says)
const broken = (hypervisor: Hypervisor) => hypervisor.board.machine.core.vmx.lastBroken

const failsWith =
  (rules: readonly { readonly says: string }[], error: number) =>
  ([prefix, breaks]: readonly [string, Break]) => {
    const hypervisor = breaks(aGuest())
    hypervisor.enter()
    const [rule, ...others] = says(rules, prefix)
    assert.deepStrictEqual(others, [], "the row names one rule")
    assert.strictEqual(broken(hypervisor), rule)
    assert.strictEqual(hypervisor.number("VM_INSTRUCTION_ERROR"), error)
    assert.strictEqual(hypervisor.board.machine.core.rflags() & 0x8d5, 0x40)
  }

describe("a VM entry", () => {
  it("is made if no rule is broken", () => {
    const hypervisor = aGuest()
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
    assert.isUndefined(broken(hypervisor))
  })

  it("has a row below for every rule", () => {
    const missing = (rules: readonly { readonly says: string }[], prefixes: readonly string[]) =>
      rules.filter((rule) => !prefixes.some((prefix) => rule.says.startsWith(prefix))).map((rule) => rule.says)
    assert.deepStrictEqual(missing(controlRules, Object.keys(controls)), [])
    assert.deepStrictEqual(missing(hostRules, [...Object.keys(host), ...otherHosts]), [])
    assert.deepStrictEqual(missing(guestRules, Object.keys(guest)), [])
  })

  describe("fails with error 7 where controls break the rule:", () => {
    const rows = Object.entries(controls).filter(([prefix]) => !impliedControls.includes(prefix))
    it.each(rows)("%s", (...row) => failsWith(controlRules, VmInstructionError.ENTRY_INVALID_CONTROLS)(row))
  })

  describe("fails with error 8 where host state breaks the rule:", () => {
    it.each(Object.entries(host))("%s", (...row) =>
      failsWith(hostRules, VmInstructionError.ENTRY_INVALID_HOST_STATE)(row)
    )
  })

  describe("ends in a VM exit where guest state breaks the rule:", () => {
    it.each(Object.entries(guest))("%s", (prefix, breaks) => {
      const hypervisor = breaks(aGuest())
      hypervisor.enter()
      const [rule, ...others] = guestRules.filter((each) => each.says.startsWith(prefix))
      assert.deepStrictEqual(others, [], "the row names one rule")
      assert.strictEqual(broken(hypervisor), rule!.says)
      assert.strictEqual(hypervisor.number("EXIT_REASON"), entryFailure + ExitReason.INVALID_GUEST_STATE)
      assert.strictEqual(hypervisor.number("EXIT_QUALIFICATION"), rule!.qualification ?? 0)
    })
  })

  it("leaves the guest's state in the VMCS when it fails, and may be tried again", () => {
    const hypervisor = aGuest().set("GUEST_RFLAGS", 0)
    hypervisor.enter()
    assert.strictEqual(hypervisor.number("GUEST_RIP"), guestCode)
    hypervisor.set("GUEST_RFLAGS", 2).launchAgain()
    hypervisor.enter()
    assert.strictEqual(hypervisor.reason, ExitReason.HLT)
  })
})
