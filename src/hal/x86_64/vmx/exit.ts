/**
 * VM exit: the guest's turn is over. SDM vol. 3C, "VM Exits": recording what happened, saving guest state, saving MSRs, loading host state,
 * loading MSRs, in the manual's order.
 */
import { entryFailure } from "../../../types/x86_64/ExitReason.ts"
import {
  EntryControl,
  ExitControl,
  Interruptibility,
  Interruption,
  PinBased,
  Secondary
} from "../../../types/x86_64/VmxControls.ts"
import { at, segments } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import { setDr7 } from "../system/control.ts"
import { msrAt } from "../system/msr.ts"
import { activity, CR0, CR4, EFER, nmi, RFLAGS, shadowOf, system } from "../system/registers.ts"
import { pdptePlaces } from "./guestRules.ts"
import { abort, loadMsrs, storeMsrs } from "./msrAreas.ts"
import { stopTimer } from "./preemptionTimer.ts"
import { breakpoints, enabledBreakpoint, keptOfCr0, loadPaging, segmentFields } from "./transition.ts"
import { place, type Vmcs } from "./Vmcs.ts"

/**
 * The exit that `core.vmx.exit` is about: the host goes on. `flags` are what is saved as the guest's RFLAGS; the transition takes the time of one
 * instruction.
 */
export const leaveGuest = (core: Core, flags: number): void => {
  const { vmx } = core
  const { vmcs } = vmx
  const isFailure = vmx.exit.reason >= entryFailure
  vmcs.willChange()
  record(core, vmcs, isFailure)
  if (!isFailure) {
    saveRegisters(core, vmcs, flags)
    saveNonRegisterState(core, vmcs)
    if (!storeMsrs(core, place.EXIT_MSR_STORE_ADDRESS, place.EXIT_MSR_STORE_COUNT)) abort(core, abortReason.saving)
  }
  const usesVpid = vmx.hasSecondary(Secondary.ENABLE_VPID)
  vmx.isGuest = false
  core.mmu.guard(-1, undefined)
  for (const word of [at.intercepts, at.cr0Mask, at.cr0Shadow]) core.set(word, 0, 0)
  loadHostState(core, vmcs)
  // "If VPID is 0, linear and combined mappings of VPID 0000H are invalidated", by the entry and by the exit.
  if (!usesVpid) core.mmu.tlb.flushAll(0)
  if (loadMsrs(core, place.EXIT_MSR_LOAD_ADDRESS, place.EXIT_MSR_LOAD_COUNT) !== 0) abort(core, abortReason.loading)
  core.clock.charge(1)
}

/** "VMX Aborts". */
const abortReason = { saving: 1, loading: 4 } as const

const record = ({ vmx: { exit } }: Core, vmcs: Vmcs, isFailure: boolean): void => {
  vmcs.set(place.EXIT_REASON, exit.reason | 0, 0)
  vmcs.set(place.EXIT_QUALIFICATION, exit.qualificationLow, exit.qualificationHigh)
  if (isFailure) return
  vmcs.set(place.EXIT_INTERRUPTION_INFORMATION, exit.interruption, 0)
  vmcs.set(place.EXIT_INTERRUPTION_ERROR_CODE, exit.errorCode, 0)
  vmcs.set(place.IDT_VECTORING_INFORMATION, exit.vectoring, 0)
  vmcs.set(place.IDT_VECTORING_ERROR_CODE, exit.vectoringErrorCode, 0)
  vmcs.set(place.EXIT_INSTRUCTION_LENGTH, exit.instructionLength, 0)
  vmcs.set(place.EXIT_INSTRUCTION_INFORMATION, exit.instructionInformation, 0)
  vmcs.set(place.GUEST_LINEAR_ADDRESS, exit.linearLow, exit.linearHigh)
  vmcs.set(place.GUEST_PHYSICAL_ADDRESS, exit.physicalLow, exit.physicalHigh)
  // "The valid bit ... is cleared on every VM exit."
  vmcs.set(
    place.ENTRY_INTERRUPTION_INFORMATION,
    vmcs.low(place.ENTRY_INTERRUPTION_INFORMATION) & ~Interruption.VALID,
    0
  )
}

// ---- "Saving Guest State"

const save = (core: Core, vmcs: Vmcs, from: number, to: number): void => vmcs.set(to, core.low(from), core.high(from))
const rightsOf = (access: number): number => (access & 0xf0ff) | (access & (1 << 8) ? 1 << 16 : 0)

const saveRegisters = (core: Core, vmcs: Vmcs, flags: number): void => {
  const exits = vmcs.low(place.EXIT_CONTROLS)
  save(core, vmcs, at.cr0, place.GUEST_CR0)
  save(core, vmcs, at.cr3, place.GUEST_CR3)
  save(core, vmcs, at.cr4, place.GUEST_CR4)
  if (exits & ExitControl.SAVE_DEBUG_CONTROLS) {
    save(core, vmcs, system.debug + 7 * 8, place.GUEST_DR7)
    save(core, vmcs, msrAt.IA32_DEBUGCTL, place.GUEST_IA32_DEBUGCTL)
  }
  vmcs.set(place.GUEST_IA32_SYSENTER_CS, core.low(msrAt.IA32_SYSENTER_CS), 0)
  save(core, vmcs, msrAt.IA32_SYSENTER_ESP, place.GUEST_IA32_SYSENTER_ESP)
  save(core, vmcs, msrAt.IA32_SYSENTER_EIP, place.GUEST_IA32_SYSENTER_EIP)
  if (exits & ExitControl.SAVE_IA32_PAT) save(core, vmcs, msrAt.IA32_PAT, place.GUEST_IA32_PAT)
  if (exits & ExitControl.SAVE_IA32_EFER) save(core, vmcs, msrAt.IA32_EFER, place.GUEST_IA32_EFER)

  for (const { of, selector, base, limit, rights } of segmentFields) {
    vmcs.set(selector, core.selector(of), 0)
    const access = core.segmentAccess(of)
    // "The value of the DPL of SS is always the current privilege level", even if SS is unusable.
    vmcs.set(rights, rightsOf(of === segments.ss ? (access & ~(3 << 5)) | (core.privilege << 5) : access), 0)
    vmcs.set(limit, core.segmentLimit(of) | 0, 0)
    save(core, vmcs, core.segmentBase(of), base)
  }
  save(core, vmcs, system.gdtrBase, place.GUEST_GDTR_BASE)
  vmcs.set(place.GUEST_GDTR_LIMIT, core.low(system.gdtrLimit), 0)
  save(core, vmcs, system.idtrBase, place.GUEST_IDTR_BASE)
  vmcs.set(place.GUEST_IDTR_LIMIT, core.low(system.idtrLimit), 0)

  save(core, vmcs, at.rip, place.GUEST_RIP)
  save(core, vmcs, at.general + 4 * 8, place.GUEST_RSP)
  vmcs.set(place.GUEST_RFLAGS, flags, 0)
}

const saveNonRegisterState = (core: Core, vmcs: Vmcs): void => {
  const { vmx } = core
  const doing = core.low(system.activity)
  vmcs.set(place.GUEST_ACTIVITY_STATE, doing === activity.mwait ? activity.active : doing, 0)
  const shadow = core.inShadow()
    ? core.low(system.shadowBy) === shadowOf.movSs
      ? Interruptibility.BY_MOV_SS
      : Interruptibility.BY_STI
    : 0
  const blocking = vmx.pinBased & PinBased.VIRTUAL_NMIS ? nmi.virtualBlocked : nmi.blocked
  const isBlocked = (core.low(system.nmiBlocked) & blocking) !== 0
  vmcs.set(place.GUEST_INTERRUPTIBILITY_STATE, shadow | (isBlocked ? Interruptibility.BY_NMI : 0), 0)
  const { pendingDebug } = vmx
  vmx.pendingDebug = 0
  vmcs.set(place.GUEST_PENDING_DEBUG_EXCEPTIONS, pendingDebug | (pendingDebug & breakpoints ? enabledBreakpoint : 0), 0)
  if (vmx.hasSecondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY))
    vmcs.set(place.GUEST_INTERRUPT_STATUS, vmx.rvi | (vmx.svi << 8), 0)
  // "A VM exit stores the value of IA32_EFER.LMA into the IA-32e mode guest VM-entry control."
  const entry = vmcs.low(place.ENTRY_CONTROLS) & ~EntryControl.IA32E_MODE_GUEST
  vmcs.set(place.ENTRY_CONTROLS, entry | (core.isLongActive ? EntryControl.IA32E_MODE_GUEST : 0), 0)
  if (vmx.hasSecondary(Secondary.ENABLE_EPT))
    for (let n = 0; n < pdptePlaces.length; n++) save(core, vmcs, system.pdptes + n * 8, pdptePlaces[n]!)
  if (vmx.pinBased & PinBased.PREEMPTION_TIMER) stopTimer(core)
}

// ---- "Loading Host State"

const code64 = 0xa09b
const code32 = 0xc09b
const data = 0xc093
const busyTss = 0x8b
const unusable = 1 << 8

const dataSegments = [
  [segments.es, place.HOST_ES_SELECTOR],
  [segments.ss, place.HOST_SS_SELECTOR],
  [segments.ds, place.HOST_DS_SELECTOR]
] as const

const load = (core: Core, vmcs: Vmcs, from: number, to: number): void => core.set(to, vmcs.low(from), vmcs.high(from))

const loadHostState = (core: Core, vmcs: Vmcs): void => {
  const exits = vmcs.low(place.EXIT_CONTROLS)
  const is64 = (exits & ExitControl.HOST_ADDRESS_SPACE_SIZE) !== 0
  const kept = core.low(at.cr0) & keptOfCr0
  // What cannot be otherwise in VMX operation is so, whatever was written to the region since the checks.
  core.set(at.cr0, (vmcs.low(place.HOST_CR0) & ~keptOfCr0) | kept | CR0.PE | CR0.PG | CR0.NE, 0)
  load(core, vmcs, place.HOST_CR3, at.cr3)
  core.set(at.cr4, vmcs.low(place.HOST_CR4) | CR4.VMXE | (is64 ? CR4.PAE : 0), 0)
  setDr7(core, 0x400)
  core.set(msrAt.IA32_DEBUGCTL, 0, 0)
  core.set(msrAt.IA32_SYSENTER_CS, vmcs.low(place.HOST_IA32_SYSENTER_CS), 0)
  load(core, vmcs, place.HOST_IA32_SYSENTER_ESP, msrAt.IA32_SYSENTER_ESP)
  load(core, vmcs, place.HOST_IA32_SYSENTER_EIP, msrAt.IA32_SYSENTER_EIP)
  const efer = exits & ExitControl.LOAD_IA32_EFER ? vmcs.low(place.HOST_IA32_EFER) : core.low(msrAt.IA32_EFER)
  core.set(msrAt.IA32_EFER, (efer & ~(EFER.LME | EFER.LMA)) | (is64 ? EFER.LME | EFER.LMA : 0), 0)
  if (exits & ExitControl.LOAD_IA32_PAT) load(core, vmcs, place.HOST_IA32_PAT, msrAt.IA32_PAT)

  core.putSegment(segments.cs, vmcs.low(place.HOST_CS_SELECTOR), is64 ? code64 : code32, -1, 0, 0)
  for (const [of, from] of dataSegments) {
    const selector = vmcs.low(from)
    core.putSegment(of, selector, selector === 0 ? unusable : data, -1, 0, 0)
  }
  loadWithBase(core, vmcs, segments.fs, place.HOST_FS_SELECTOR, place.HOST_FS_BASE)
  loadWithBase(core, vmcs, segments.gs, place.HOST_GS_SELECTOR, place.HOST_GS_BASE)
  core.putSegment(
    segments.tr,
    vmcs.low(place.HOST_TR_SELECTOR),
    busyTss,
    0x67,
    vmcs.low(place.HOST_TR_BASE),
    vmcs.high(place.HOST_TR_BASE)
  )
  core.putSegment(segments.ldtr, 0, unusable, 0, 0, 0)
  load(core, vmcs, place.HOST_GDTR_BASE, system.gdtrBase)
  core.set(system.gdtrLimit, 0xffff, 0)
  load(core, vmcs, place.HOST_IDTR_BASE, system.idtrBase)
  core.set(system.idtrLimit, 0xffff, 0)

  load(core, vmcs, place.HOST_RIP, at.rip)
  load(core, vmcs, place.HOST_RSP, at.general + 4 * 8)
  core.loadFlags(RFLAGS.one)
  core.i32[system.activity >> 2] = activity.active
  loadPaging(core, core.mmu.hostOwner)
  core.enterMode(is64 ? 64 : 32, 0)
}

const loadWithBase = (core: Core, vmcs: Vmcs, of: number, selectorAt: number, base: number): void => {
  const selector = vmcs.low(selectorAt)
  core.putSegment(of, selector, selector === 0 ? unusable : data, -1, vmcs.low(base), vmcs.high(base))
}
