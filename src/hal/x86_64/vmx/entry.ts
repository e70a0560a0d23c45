/**
 * VM entry: VMLAUNCH and VMRESUME. SDM vol. 3C, "VM Entries": checks, loading guest state, loading MSRs, event injection, in the manual's order.
 */
import { ExitReason, entryFailure, VmInstructionError } from "../../../types/x86_64/ExitReason.ts"
import {
  EntryControl,
  Interruptibility,
  InterruptionType,
  PinBased,
  Primary,
  Secondary
} from "../../../types/x86_64/VmxControls.ts"
import { pageSize } from "../memory/layout.ts"
import { at, segments } from "../processor/State.ts"
import { BS } from "../system/breakpoints.ts"
import type { Core } from "../system/Core.ts"
import { setDr7 } from "../system/control.ts"
import { deliver, type Source } from "../system/exceptions.ts"
import { msrAt } from "../system/msr.ts"
import { CR0, EFER, nmi, RFLAGS, shadowOf, system } from "../system/registers.ts"
import { controlRules } from "./controlRules.ts"
import { leaveGuest } from "./exit.ts"
import { guestRules, pdptePlaces, usesPdptes } from "./guestRules.ts"
import { hostRules } from "./hostRules.ts"
import { loadMsrs } from "./msrAreas.ts"
import { startTimer } from "./preemptionTimer.ts"
import { firstBroken, hasSecondary, type Rule } from "./rules.ts"
import { breakpoints, enabledBreakpoint, intercepted, keptOfCr0, loadPaging, segmentFields } from "./transition.ts"
import { place, type Vmcs } from "./Vmcs.ts"
import { noPointer } from "./Vmx.ts"
import { apicAccessPage, enterVirtualApic } from "./virtualApic.ts"

const allRules = { control: controlRules, host: hostRules, guest: guestRules }
const againRules = {
  control: controlRules.filter(({ isAskedAgain }) => isAskedAgain),
  host: hostRules.filter(({ isAskedAgain }) => isAskedAgain),
  guest: guestRules.filter(({ isAskedAgain }) => isAskedAgain)
}

/** The number of the error with which the entry fails, -1 if there is no current VMCS; undefined if it went on: to the guest, or by a VM exit back. */
export const enterGuest = (core: Core, isLaunch: boolean): number | undefined => {
  const { vmx } = core
  const { vmcs } = vmx
  vmx.lastBroken = undefined
  if (vmcs.pointer === noPointer) return -1
  if (core.cameInShadow() && core.low(system.shadowBy) === shadowOf.movSs)
    return VmInstructionError.ENTRY_BLOCKED_BY_MOV_SS
  if (isLaunch && vmcs.isLaunched) return VmInstructionError.VMLAUNCH_NOT_CLEAR
  if (!isLaunch && !vmcs.isLaunched) return VmInstructionError.VMRESUME_NOT_LAUNCHED
  const isStillKept = vmx.kept.isStill(vmcs)
  const rules = isStillKept ? againRules : allRules
  const control = firstBroken(rules.control, vmcs, core)
  if (control) return broken(core, control, VmInstructionError.ENTRY_INVALID_CONTROLS)
  const host = firstBroken(rules.host, vmcs, core)
  if (host) return broken(core, host, VmInstructionError.ENTRY_INVALID_HOST_STATE)
  const guest = firstBroken(rules.guest, vmcs, core)
  if (guest) {
    broken(core, guest, 0)
    failEntry(core, ExitReason.INVALID_GUEST_STATE, guest.qualification ?? 0)
    return undefined
  }
  if (!isStillKept) vmx.kept.remember(vmcs)
  vmcs.willChange()
  vmx.enter()
  loadRegisters(core, vmcs)
  loadNonRegisterState(core, vmcs)
  const refused = loadMsrs(core, place.ENTRY_MSR_LOAD_ADDRESS, place.ENTRY_MSR_LOAD_COUNT)
  if (refused !== 0) {
    failEntry(core, ExitReason.MSR_LOADING, refused)
    return undefined
  }
  if (isLaunch) vmcs.isLaunched = true
  if (vmx.pinBased & PinBased.PREEMPTION_TIMER) startTimer(core)
  enterVirtualApic(core)
  inject(core, vmcs)
  return undefined
}

const broken = (core: Core, rule: Rule, error: number): number => {
  core.vmx.lastBroken = rule.says
  return error
}

/** "VM-Entry Failures During or After Loading Guest State". */
const failEntry = (core: Core, reason: number, qualification: number): void => {
  const exit = core.vmx.begin((reason | entryFailure) >>> 0)
  exit.qualificationLow = qualification
  leaveGuest(core, 0)
}

// ---- "Loading Guest State"

/** Bit 16 of access rights: unusable. Bit 8 in a segment register's. */
const unusable = 1 << 16
const accessOf = (rights: number): number => (rights & 0xf0ff) | (rights & unusable ? 1 << 8 : 0)

const copy = (core: Core, vmcs: Vmcs, from: number, to: number): void => core.set(to, vmcs.low(from), vmcs.high(from))

const loadRegisters = (core: Core, vmcs: Vmcs): void => {
  const entry = vmcs.low(place.ENTRY_CONTROLS)
  const isLong = (entry & EntryControl.IA32E_MODE_GUEST) !== 0
  const kept = core.low(at.cr0) & keptOfCr0
  core.set(at.cr0, (vmcs.low(place.GUEST_CR0) & ~keptOfCr0) | kept, 0)
  copy(core, vmcs, place.GUEST_CR3, at.cr3)
  copy(core, vmcs, place.GUEST_CR4, at.cr4)
  if (entry & EntryControl.LOAD_DEBUG_CONTROLS) {
    setDr7(core, vmcs.low(place.GUEST_DR7))
    copy(core, vmcs, place.GUEST_IA32_DEBUGCTL, msrAt.IA32_DEBUGCTL)
  }
  core.set(msrAt.IA32_SYSENTER_CS, vmcs.low(place.GUEST_IA32_SYSENTER_CS), 0)
  copy(core, vmcs, place.GUEST_IA32_SYSENTER_ESP, msrAt.IA32_SYSENTER_ESP)
  copy(core, vmcs, place.GUEST_IA32_SYSENTER_EIP, msrAt.IA32_SYSENTER_EIP)
  core.set(msrAt.IA32_EFER, eferOf(core, vmcs, entry, isLong), 0)
  if (entry & EntryControl.LOAD_IA32_PAT) copy(core, vmcs, place.GUEST_IA32_PAT, msrAt.IA32_PAT)

  for (const { of, selector, base, limit, rights } of segmentFields)
    core.putSegment(
      of,
      vmcs.low(selector),
      accessOf(vmcs.low(rights)),
      vmcs.low(limit),
      vmcs.low(base),
      vmcs.high(base)
    )
  copy(core, vmcs, place.GUEST_GDTR_BASE, system.gdtrBase)
  core.set(system.gdtrLimit, vmcs.low(place.GUEST_GDTR_LIMIT), 0)
  copy(core, vmcs, place.GUEST_IDTR_BASE, system.idtrBase)
  core.set(system.idtrLimit, vmcs.low(place.GUEST_IDTR_LIMIT), 0)

  copy(core, vmcs, place.GUEST_RIP, at.rip)
  copy(core, vmcs, place.GUEST_RSP, at.general + 4 * 8)
  core.loadFlags(vmcs.low(place.GUEST_RFLAGS))
  if (usesPdptes(vmcs)) loadPdptes(core, vmcs)
  loadPaging(
    core,
    core.vmx.ownerOf(core.mmu.hostOwner, (number) => core.mmu.tlb.flushOwners((of) => of === number))
  )
  if (core.vmx.hasSecondary(Secondary.VIRTUALIZE_APIC_ACCESSES))
    core.mmu.guard(vmcs.address(place.APIC_ACCESS_ADDRESS) / pageSize, apicAccessPage(core))
  core.set(at.intercepts, interceptsOf(core), 0)
  core.set(at.cr0Mask, core.vmx.cr0Mask, 0)
  core.set(at.cr0Shadow, core.vmx.cr0Shadow, 0)
  const dpl = (vmcs.low(place.GUEST_SS_ACCESS_RIGHTS) >>> 5) & 3
  const privilege = core.low(at.rflags) & RFLAGS.VM ? 3 : (dpl as 0 | 1 | 2 | 3)
  core.enterMode(core.codeSize(core.segmentAccess(segments.cs)), privilege)
}

const interceptsOf = ({ vmx }: Core): number =>
  (vmx.hasSecondary(Secondary.DESCRIPTOR_TABLE_EXITING) ? intercepted.descriptorTables : 0) |
  (vmx.hasSecondary(Secondary.RDRAND_EXITING) ? intercepted.rdrand : 0) |
  (vmx.hasSecondary(Secondary.RDSEED_EXITING) ? intercepted.rdseed : 0) |
  (vmx.hasSecondary(Secondary.ENABLE_RDTSCP) ? 0 : intercepted.noRdpid)

/** "If it is not loaded, LMA and LME are set to the value of the IA-32e mode guest control"; LME only with paging. */
const eferOf = (core: Core, vmcs: Vmcs, entry: number, isLong: boolean): number => {
  if (entry & EntryControl.LOAD_IA32_EFER) return vmcs.low(place.GUEST_IA32_EFER)
  const old = core.low(msrAt.IA32_EFER)
  const isPaging = vmcs.has(place.GUEST_CR0, CR0.PG)
  const lme = isPaging ? (isLong ? EFER.LME : 0) : old & EFER.LME
  return (old & ~(EFER.LMA | EFER.LME)) | (isLong ? EFER.LMA : 0) | lme
}

const loadPdptes = (core: Core, vmcs: Vmcs): void => {
  const usesEpt = hasSecondary(vmcs, Secondary.ENABLE_EPT)
  const table = (vmcs.low(place.GUEST_CR3) & ~31) >>> 0
  for (const [n, of] of pdptePlaces.entries()) {
    if (usesEpt) copy(core, vmcs, of, system.pdptes + n * 8)
    else {
      const { memory } = core.mmu
      core.set(system.pdptes + n * 8, memory.load32(table + n * 8), memory.load32(table + n * 8 + 4))
    }
  }
}

const loadNonRegisterState = (core: Core, vmcs: Vmcs): void => {
  core.i32[system.activity >> 2] = vmcs.low(place.GUEST_ACTIVITY_STATE)
  const interruptibility = vmcs.low(place.GUEST_INTERRUPTIBILITY_STATE)
  if (interruptibility & Interruptibility.BY_STI) core.castShadow(shadowOf.sti)
  if (interruptibility & Interruptibility.BY_MOV_SS) core.castShadow(shadowOf.movSs)
  // "Delivery of Pending Debug Exceptions after VM Entry": an event that is injected takes their place.
  const pending = vmcs.low(place.GUEST_PENDING_DEBUG_EXCEPTIONS)
  const isPending = (pending & (BS | enabledBreakpoint)) !== 0 && vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION) >= 0
  core.vmx.pendingDebug = isPending ? pending & (BS | breakpoints) : 0
  const isVirtual = (core.vmx.pinBased & PinBased.VIRTUAL_NMIS) !== 0
  const isBlocked = (interruptibility & Interruptibility.BY_NMI) !== 0
  // "If virtual NMIs are 1, blocking by NMI is of virtual NMIs": those from outside are not blocked.
  core.i32[system.nmiBlocked >> 2] = isBlocked ? (isVirtual ? nmi.virtualBlocked : nmi.blocked) : 0
}

// ---- "Event Injection"

// biome-ignore format: a type, a line
const sources: Readonly<Record<number, Source>> = {
  [InterruptionType.EXTERNAL_INTERRUPT]:            "interrupt",
  [InterruptionType.NMI]:                           "nmi",
  [InterruptionType.HARDWARE_EXCEPTION]:            "fault",
  [InterruptionType.SOFTWARE_INTERRUPT]:            "software",
  [InterruptionType.PRIVILEGED_SOFTWARE_EXCEPTION]: "privileged",
  [InterruptionType.SOFTWARE_EXCEPTION]:            "softwareException"
}

const inject = (core: Core, vmcs: Vmcs): void => {
  const information = vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION)
  if (information >= 0) return
  const type = (information >>> 8) & 7
  const source = sources[type]
  if (source !== undefined) {
    if (source === "nmi")
      core.i32[system.nmiBlocked >> 2] = core.vmx.pinBased & PinBased.VIRTUAL_NMIS ? nmi.virtualBlocked : nmi.blocked
    core.copy(at.rip, at.stoppedAt)
    if (type >= InterruptionType.SOFTWARE_INTERRUPT) skipInstruction(core, vmcs.low(place.ENTRY_INSTRUCTION_LENGTH))
    deliver(core, information & 255, vmcs.low(place.ENTRY_EXCEPTION_ERROR_CODE), source, {
      flags: vmcs.low(place.GUEST_RFLAGS)
    })
  }
  // "If the monitor trap flag is 1, a VM exit is pending on the boundary before the first instruction"; an event of another type is just that.
  if (core.vmx.isGuest && (type === InterruptionType.OTHER_EVENT || core.vmx.primary & Primary.MONITOR_TRAP_FLAG))
    core.vmx.afterInstruction = ExitReason.MONITOR_TRAP_FLAG
}

/** What is pushed as RIP is behind the instruction that the event stands for. */
const skipInstruction = (core: Core, length: number): void => {
  const lo = core.low(at.rip)
  const is64 = core.mode.bits === 64
  core.set(at.rip, (lo + length) | 0, is64 ? (core.high(at.rip) + Math.floor(((lo >>> 0) + length) / 2 ** 32)) | 0 : 0)
}
