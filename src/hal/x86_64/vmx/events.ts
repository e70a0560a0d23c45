/**
 * Events of a guest: which of them are the hypervisor's business. SDM vol. 3C, "Other Causes of VM Exits"; "Information for VM Exits Due to
 * Vectored Events", "Information for VM Exits During Event Delivery".
 */
import { ExitReason } from "../../../types/x86_64/ExitReason.ts"
import { ExitControl, Interruption, InterruptionType, PinBased, Primary } from "../../../types/x86_64/VmxControls.ts"
import { vmExit } from "../memory/Access.ts"
import type { GuestPhysicalRefusal } from "../memory/Mmu.ts"
import { bit } from "../memory/paging.ts"
import { table } from "../memory/Tlb.ts"
import { at } from "../processor/State.ts"
import type { Core } from "../system/Core.ts"
import { activity, CR0, nmi, pushesErrorCode, RFLAGS, shadowOf, system, vector } from "../system/registers.ts"
import { leaveGuest } from "./exit.ts"
import { beginAtRip } from "./instructionInformation.ts"
import { place } from "./Vmcs.ts"
import type { Exit } from "./Vmx.ts"
import { emulateApicWrite, processPosted } from "./virtualApic.ts"

/** Something on its way to a handler: what `deliver` is given. */
export interface Event {
  readonly which: number
  /** Of #DB: what DR6 is to say. */
  readonly errorCode: number
  readonly source: Source
  /** RFLAGS as they are pushed. */
  readonly flags: number
}

/** What makes the processor go to a handler. */
export type Source =
  /** The instruction cannot be done: RIP is at it. */
  | "fault"
  /** It has been done, and RIP is behind it. */
  | "trap"
  /** INT n: the gate must allow the program to call it. */
  | "software"
  /** INT3 and INTO, which are checked likewise. */
  | "softwareException"
  /** INT1. */
  | "privileged"
  /** From outside. */
  | "interrupt"
  | "nmi"

export const isSoftware = (source: Source): boolean => source === "software" || source === "softwareException"

// biome-ignore format: a table
const types: Readonly<Record<Source, number>> = {
  fault:             InterruptionType.HARDWARE_EXCEPTION,
  trap:              InterruptionType.HARDWARE_EXCEPTION,
  software:          InterruptionType.SOFTWARE_INTERRUPT,
  softwareException: InterruptionType.SOFTWARE_EXCEPTION,
  privileged:        InterruptionType.PRIVILEGED_SOFTWARE_EXCEPTION,
  interrupt:         InterruptionType.EXTERNAL_INTERRUPT,
  nmi:               InterruptionType.NMI
}

const hasErrorCode = (core: Core, { which, source }: Event): boolean =>
  source === "fault" && pushesErrorCode(which) && (core.low(at.cr0) & CR0.PE) !== 0

const informationOf = (core: Core, event: Event): number =>
  event.which |
  (types[event.source] << 8) |
  (hasErrorCode(core, event) ? Interruption.ERROR_CODE : 0) |
  Interruption.VALID

/** "Exceptions": a bit of the exception bitmap for each; of #PF, the error code decides whether that counts or its opposite. */
export const interceptsException = (core: Core, { which, errorCode, source }: Event): boolean => {
  if (source === "interrupt" || source === "nmi" || source === "software") return false
  const { vmx } = core
  const isSet = ((vmx.exceptionBitmap >>> which) & 1) !== 0
  if (which !== vector.PF) return isSet
  const matches = (errorCode & vmx.vmcs.low(place.PAGE_FAULT_MASK)) === vmx.vmcs.low(place.PAGE_FAULT_MATCH)
  return isSet === matches
}

/** The length of an instruction that is itself the event: RIP is behind it, and at it once the guest is left. */
const lengthOf = (core: Core, source: Source): number =>
  isSoftware(source) || source === "privileged" ? core.vmx.instructionLength() : 0

const backToInstruction = (core: Core, source: Source): void => {
  if (isSoftware(source) || source === "privileged") core.copy(at.stoppedAt, at.rip)
}

/** An exception that is the hypervisor's; `during` the delivery of another event, unless the two made a double fault. */
export const exitOnException = (core: Core, event: Event, during: Event | undefined): void => {
  const exit = core.vmx.begin(ExitReason.EXCEPTION_OR_NMI)
  exit.interruption = informationOf(core, event)
  if (hasErrorCode(core, event)) exit.errorCode = event.errorCode
  if (event.which === vector.PF && event.source === "fault") {
    exit.qualificationLow = core.low(at.faultAddress)
    exit.qualificationHigh = core.high(at.faultAddress)
  }
  if (event.which === vector.DB) exit.qualificationLow = event.errorCode
  exit.instructionLength = lengthOf(core, event.source)
  backToInstruction(core, event.source)
  if (during) vectoringFor(core, exit, during)
  else if (isUnblocking(core)) exit.interruption |= Interruption.NMI_UNBLOCKING
  leaveGuest(core, event.flags)
}

/** What leaves the guest is IRET's, which had ended a blocking of NMIs. */
const isUnblocking = ({ vmx }: Core): boolean => {
  const was = vmx.isUnblocking
  vmx.isUnblocking = false
  return was
}

const vectoringFor = (core: Core, exit: Exit, during: Event): void => {
  exit.vectoring = informationOf(core, during)
  if (hasErrorCode(core, during)) exit.vectoringErrorCode = during.errorCode
  const length = lengthOf(core, during.source)
  if (length !== 0) exit.instructionLength = length
  backToInstruction(core, during.source)
}

/** The processor would shut down: "triple fault". */
export const exitOnTripleFault = (core: Core, flags: number): void => {
  core.vmx.begin(ExitReason.TRIPLE_FAULT)
  leaveGuest(core, flags)
}

/** What the vector in the state block says is no exception but a VM exit: with an access, or with an instruction. `during` the delivery of an event. */
export const isExit = (which: number): boolean => which >= vmExit.guestPhysical && which <= vmExit.raised

export const exitFor = (core: Core, which: number, during?: Event): void => {
  const { vmx } = core
  if (which === vmExit.guestPhysical) recordRefusal(core, during !== undefined)
  if (which === vmExit.apicAccess) recordApicAccess(core, during !== undefined)
  if (which === vmExit.raised) beginAtRip(core)
  if (during) vectoringFor(core, vmx.exit, during)
  else if (isUnblocking(core) && vmx.exit.reason === ExitReason.EPT_VIOLATION)
    vmx.exit.qualificationLow |= Interruption.NMI_UNBLOCKING
  // "EPT violations and misconfigurations": RF is 1 unless an event was being delivered; of an instruction that exits, it is 0.
  const rf = which === vmExit.guestPhysical || which === vmExit.apicAccess ? RFLAGS.RF : 0
  leaveGuest(core, during ? during.flags : (core.rflags() & ~RFLAGS.RF) | rf)
}

/** "Exit Qualification for EPT Violations". */
const linearValid = 1 << 7
const ofTheAccess = 1 << 8
/** "Advanced VM-exit information for EPT violations": what the guest's own tables say of the page. */
const advanced = { user: 1 << 9, writable: 1 << 10, notExecutable: 1 << 11 } as const

const ownRights = ({ allowed, isExecutable }: GuestPhysicalRefusal): number =>
  (allowed & bit.US ? advanced.user : 0) |
  (allowed & bit.RW ? advanced.writable : 0) |
  (isExecutable ? 0 : advanced.notExecutable)

const recordRefusal = (core: Core, isDelivery: boolean): void => {
  const { refusal } = core.mmu
  const { reason, qualification, address } = core.vmx.refused()
  const exit = core.vmx.begin(reason)
  if (reason === ExitReason.APIC_ACCESS) {
    exit.qualificationLow = typeOfAccess(isDelivery ? apicAccess.physicalDuringDelivery : apicAccess.physical)
    return
  }
  exit.physicalLow = address | 0
  exit.physicalHigh = Math.floor(address / 2 ** 32)
  if (reason === ExitReason.EPT_MISCONFIGURATION) return
  exit.qualificationLow = qualification
  if (!refusal.hasLinear) return
  exit.qualificationLow |= linearValid | (refusal.isOfPage ? ofTheAccess | ownRights(refusal) : 0)
  exit.linearLow = refusal.linearLow
  exit.linearHigh = refusal.linearHigh
}

/**
 * "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses": the type of the access. Of those that are
 * guest-physical, the offset in the page is undefined: it is 0.
 */
// biome-ignore format: a table
const apicAccess = {
  read: 0, write: 1, fetch: 2, duringDelivery: 3, physicalDuringDelivery: 10, physical: 15
} as const
const typeOfAccess = (kind: number): number => kind << 12

const recordApicAccess = (core: Core, isDelivery: boolean): void => {
  const { offset, which } = core.mmu.guardRefusal
  const kind = isDelivery
    ? apicAccess.duringDelivery
    : which === table.read
      ? apicAccess.read
      : which === table.write
        ? apicAccess.write
        : apicAccess.fetch
  core.vmx.begin(ExitReason.APIC_ACCESS).qualificationLow = offset | typeOfAccess(kind)
}

// ---- between two instructions

/** What waits outside. */
export interface Waiting {
  readonly nmi: boolean
  readonly interrupt: boolean
}

/** An exit for a reason that has no more to say. */
const leave = (core: Core, reason: number, qualification = 0): true => {
  core.vmx.begin(reason).qualificationLow = qualification
  leaveGuest(core, core.rflags())
  return true
}

/** What the last instruction has brought about: exits behind it come before its #DB. */
export const exitsAfterInstruction = (core: Core): boolean => {
  const { vmx } = core
  if (vmx.apicWritten !== -1) emulateApicWrite(core)
  return vmx.afterInstruction !== 0 && leave(core, vmx.afterInstruction, vmx.afterQualification)
}

/** The bits of a #DB that is due before the next instruction, or 0. Blocking by MOV SS keeps it back. */
export const takePendingDebug = (core: Core): number => {
  const { vmx } = core
  if (vmx.pendingDebug === 0 || (core.inShadow() && core.low(system.shadowBy) === shadowOf.movSs)) return 0
  const bits = vmx.pendingDebug
  vmx.pendingDebug = 0
  return bits
}

/** The operation that was done has brought something about, for the boundary behind it. */
export const isSomethingDue = ({ vmx }: Core): boolean =>
  vmx.afterInstruction !== 0 || vmx.apicWritten !== -1 || vmx.isVirtualInterruptPending

/** A #DB behind an instruction waits for the exits that come first. */
export const isDebugDeferred = (core: Core): boolean =>
  core.vmx.isGuest && (core.vmx.afterInstruction !== 0 || core.vmx.apicWritten !== -1)

/**
 * Between two instructions of a guest: whether something has ended its turn, in the order of their priorities. SDM vol. 3A, "Prioritization of
 * Concurrent Events"; vol. 3C, "VMX-Preemption Timer", "Interrupt-Window Exiting and NMI-Window Exiting".
 */
export const exitsBetweenInstructions = (core: Core, waiting: Waiting): boolean => {
  const { vmx } = core
  const doing = core.low(system.activity)
  if (doing !== activity.shutdown && doing !== activity.waitForSipi && core.clock.now() >= vmx.timerEnds)
    return leave(core, ExitReason.PREEMPTION_TIMER)
  if (doing === activity.waitForSipi) return false
  const inShadow = core.inShadow()
  const isOpen = !inShadow && doing !== activity.shutdown
  if (isOpen && vmx.primary & Primary.NMI_WINDOW_EXITING && !(core.low(system.nmiBlocked) & nmi.virtualBlocked))
    return leave(core, ExitReason.NMI_WINDOW)
  if (waiting.nmi && vmx.pinBased & PinBased.NMI_EXITING && !inShadow) return exitOnNmi(core)
  if (isOpen && vmx.primary & Primary.INTERRUPT_WINDOW_EXITING && core.low(at.rflags) & RFLAGS.IF)
    return leave(core, ExitReason.INTERRUPT_WINDOW)
  if (isVirtualInterruptDue(core) || !isOpen) return false
  if (waiting.interrupt && vmx.pinBased & PinBased.EXTERNAL_INTERRUPT_EXITING) return exitOnInterrupt(core)
  return false
}

const exitOnNmi = (core: Core): true => {
  const exit = core.vmx.begin(ExitReason.EXCEPTION_OR_NMI)
  exit.interruption = vector.NMI | (InterruptionType.NMI << 8) | Interruption.VALID
  leaveGuest(core, core.rflags())
  // "If the VM exit was due to an NMI, blocking by NMI is in effect."
  core.i32[system.nmiBlocked >> 2] = nmi.blocked
  return true
}

/** "INIT signals", "Start-up IPIs (SIPIs)". */
export const exitOnSignal = (core: Core, which: "INIT" | "SIPI", startUpVector = 0): void => {
  const exit = core.vmx.begin(which === "INIT" ? ExitReason.INIT_SIGNAL : ExitReason.SIPI)
  exit.qualificationLow = startUpVector
  leaveGuest(core, core.rflags())
}

/** "Acknowledge interrupt on exit": the vector is taken from the interrupt controller. */
const exitOnInterrupt = (core: Core): true => {
  const { vmx } = core
  const isTaken = vmx.vmcs.has(place.EXIT_CONTROLS, ExitControl.ACKNOWLEDGE_INTERRUPT)
  const taken = isTaken ? core.apic.acknowledge() : 0
  if (isTaken && processPosted(core, taken)) return true
  const exit = vmx.begin(ExitReason.EXTERNAL_INTERRUPT)
  if (isTaken) exit.interruption = taken | (InterruptionType.EXTERNAL_INTERRUPT << 8) | Interruption.VALID
  leaveGuest(core, core.rflags())
  return true
}

/** "A virtual interrupt is delivered at an instruction boundary": RFLAGS.IF is 1, and neither STI nor MOV SS blocks it. */
export const isVirtualInterruptDue = (core: Core): boolean =>
  core.vmx.isVirtualInterruptPending &&
  (core.low(at.rflags) & RFLAGS.IF) !== 0 &&
  !core.inShadow() &&
  core.low(system.activity) !== activity.shutdown

/** A window is asked for, or something waits, until the shadow of STI or MOV SS is over; or every instruction is to be heard of. */
export const singleSteps = (core: Core): boolean => {
  const { primary } = core.vmx
  if (primary & Primary.MONITOR_TRAP_FLAG) return true
  const opens = (primary & (Primary.INTERRUPT_WINDOW_EXITING | Primary.NMI_WINDOW_EXITING)) !== 0
  return (opens || core.vmx.isVirtualInterruptPending || core.vmx.pendingDebug !== 0) && core.inShadow()
}

/** After an instruction, or the delivery of an event: "a VM exit is pending on the boundary". */
export const noteTrapFlag = (core: Core): void => {
  if (core.vmx.primary & Primary.MONITOR_TRAP_FLAG) core.vmx.afterInstruction ||= ExitReason.MONITOR_TRAP_FLAG
}
