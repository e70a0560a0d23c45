/**
 * Controls: what the kernel lets a virtual processor be told, of what the processor offers.
 *
 * SDM vol. 3D, Appendix A, "VMX Capability Reporting Facility": a capability register has in its lower half the bits that
 * must be 1, in its upper half those that may be. The kernel's own needs are on top of both: interrupts end the guest's
 * turn, its memory and its IO ports are those that it was given, the registers that guests and threads share are
 * switched. What uses a page by its physical address is chosen only while the virtual processor has such a page.
 */
import type { ProcessorService } from "../../hal/Processor.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { VmcsField } from "../../types/x86_64/VmcsField.ts"
import { EntryControl, ExitControl, PinBased, Primary, Secondary } from "../../types/x86_64/VmxControls.ts"

/** The bits of a control that are always 1, and all that may be. */
export interface Bits {
  readonly on: number
  readonly may: number
}

/** What of `value` is allowed. */
export const allowed = ({ on, may }: Bits, value: number): number => (value | on) & may

export interface Controls {
  readonly pin: Bits
  readonly primary: Bits
  readonly secondary: Bits
  readonly exit: Bits
  readonly entry: Bits
  /** Of the guest's CR0 and CR4: their lower halves, the upper are 0. */
  readonly cr0: Bits
  readonly cr4: Bits
  /** What a page must hold that the processor is to take for a control structure. */
  readonly revision: number
}

/** Of a set of controls: what the kernel needs, and what else a program may choose. */
interface Wanted {
  readonly needs: number
  readonly choice: number
}

const bits = (...flags: readonly number[]): number => flags.reduce((all, flag) => all | flag, 0)

const pin: Wanted = {
  needs: bits(PinBased.EXTERNAL_INTERRUPT_EXITING, PinBased.NMI_EXITING, PinBased.VIRTUAL_NMIS),
  choice: bits(PinBased.PREEMPTION_TIMER, PinBased.PROCESS_POSTED_INTERRUPTS)
}

const primary: Wanted = {
  needs: bits(Primary.USE_IO_BITMAPS, Primary.USE_MSR_BITMAPS, Primary.ACTIVATE_SECONDARY_CONTROLS),
  choice: bits(
    Primary.INTERRUPT_WINDOW_EXITING,
    Primary.USE_TSC_OFFSETTING,
    Primary.HLT_EXITING,
    Primary.INVLPG_EXITING,
    Primary.MWAIT_EXITING,
    Primary.RDPMC_EXITING,
    Primary.RDTSC_EXITING,
    Primary.CR3_LOAD_EXITING,
    Primary.CR3_STORE_EXITING,
    Primary.CR8_LOAD_EXITING,
    Primary.CR8_STORE_EXITING,
    Primary.USE_TPR_SHADOW,
    Primary.NMI_WINDOW_EXITING,
    Primary.MOV_DR_EXITING,
    Primary.UNCONDITIONAL_IO_EXITING,
    Primary.MONITOR_TRAP_FLAG,
    Primary.MONITOR_EXITING,
    Primary.PAUSE_EXITING
  )
}

// Not to be chosen: what takes physical addresses of the program's choice, or of what is not a page (`pages`).
const secondary: Wanted = {
  needs: bits(Secondary.ENABLE_EPT, Secondary.ENABLE_VPID),
  choice: bits(
    Secondary.VIRTUALIZE_APIC_ACCESSES,
    Secondary.DESCRIPTOR_TABLE_EXITING,
    Secondary.ENABLE_RDTSCP,
    Secondary.VIRTUALIZE_X2APIC_MODE,
    Secondary.WBINVD_EXITING,
    Secondary.UNRESTRICTED_GUEST,
    Secondary.APIC_REGISTER_VIRTUALIZATION,
    Secondary.VIRTUAL_INTERRUPT_DELIVERY,
    Secondary.PAUSE_LOOP_EXITING,
    Secondary.RDRAND_EXITING,
    Secondary.ENABLE_INVPCID,
    Secondary.RDSEED_EXITING,
    Secondary.ENABLE_XSAVES,
    Secondary.USE_TSC_SCALING
  )
}

const exit: Wanted = {
  needs: bits(
    ExitControl.SAVE_DEBUG_CONTROLS,
    ExitControl.HOST_ADDRESS_SPACE_SIZE,
    ExitControl.ACKNOWLEDGE_INTERRUPT,
    ExitControl.SAVE_IA32_PAT,
    ExitControl.LOAD_IA32_PAT,
    ExitControl.SAVE_IA32_EFER,
    ExitControl.LOAD_IA32_EFER
  ),
  choice: ExitControl.SAVE_PREEMPTION_TIMER
}

const entry: Wanted = {
  needs: bits(EntryControl.LOAD_DEBUG_CONTROLS, EntryControl.LOAD_IA32_PAT, EntryControl.LOAD_IA32_EFER),
  choice: EntryControl.IA32E_MODE_GUEST
}

// —— Pages that the processor uses by their physical addresses

/** The fields that hold the addresses. A set of pages has a bit for each, by its place here. */
export const pages: ReadonlyArray<number> = [
  VmcsField.VIRTUAL_APIC_ADDRESS,
  VmcsField.APIC_ACCESS_ADDRESS,
  VmcsField.POSTED_INTERRUPT_DESCRIPTOR
]
const [virtualApic, apicAccess, posted] = [1 << 0, 1 << 1, 1 << 2] as const

const virtualRegisters = bits(
  Secondary.VIRTUALIZE_X2APIC_MODE,
  Secondary.APIC_REGISTER_VIRTUALIZATION,
  Secondary.VIRTUAL_INTERRUPT_DELIVERY
)

/** SDM vol. 3C, "Virtual-APIC Address", "APIC-Access Address", "Posted-Interrupt Descriptor Address": which controls use them. */
const users: ReadonlyArray<readonly [field: number, controls: number, needed: number]> = [
  [VmcsField.PIN_BASED_CONTROLS, PinBased.PROCESS_POSTED_INTERRUPTS, virtualApic | posted],
  [VmcsField.PRIMARY_CONTROLS, Primary.USE_TPR_SHADOW, virtualApic],
  [VmcsField.SECONDARY_CONTROLS, Secondary.VIRTUALIZE_APIC_ACCESSES, apicAccess],
  [VmcsField.SECONDARY_CONTROLS, virtualRegisters, virtualApic]
]

/** What of `value` a field of controls may have, of a virtual processor that has this set of pages. */
export const backed = (field: number, value: number, set: number): number =>
  users.reduce(
    (kept, [of, controls, needed]) => (of === field && (set & needed) !== needed ? kept & ~controls : kept),
    value
  )

const taskPriority = Primary.CR8_LOAD_EXITING | Primary.CR8_STORE_EXITING

/**
 * CR8 is the processor's own task priority: a guest that set it would hold back the kernel's interrupts. It has it on its
 * virtual-APIC page, or not without an exit.
 */
export const guarded = (value: number): number => (value & Primary.USE_TPR_SHADOW ? value : value | taskPriority)

/** Of all that `x2ApicBitmap` lets a guest read and write, nothing is the processor's own. Without a TPR shadow it is not entered. */
export const virtualizesX2Apic = (value: number): boolean => (value & virtualRegisters) === virtualRegisters

const {
  IA32_VMX_BASIC,
  IA32_VMX_TRUE_PINBASED_CTLS,
  IA32_VMX_TRUE_PROCBASED_CTLS,
  IA32_VMX_PROCBASED_CTLS2,
  IA32_VMX_TRUE_EXIT_CTLS,
  IA32_VMX_TRUE_ENTRY_CTLS,
  IA32_VMX_CR0_FIXED0,
  IA32_VMX_CR0_FIXED1,
  IA32_VMX_CR4_FIXED0,
  IA32_VMX_CR4_FIXED1
} = SystemRegister

/** CR0.PE and CR0.PG: an unrestricted guest may have them clear. */
const protection = (1 << 0) | (1 << 31)
/** CR4.PKE: nobody switches what it enables. */
export const protectionKeys = 1 << 22

/** What there is on this processor. Undefined: it lacks something that the kernel needs. */
export const read = ({ systemLow, systemHigh }: ProcessorService): Controls | undefined => {
  let suffices = true
  const capability = (register: number, { needs, choice }: Wanted): Bits => {
    const [required, may] = [systemLow(register), systemHigh(register)]
    if ((needs & ~may) !== 0) suffices = false
    const on = needs | required
    return { on, may: (on | choice) & may }
  }
  const controls = {
    pin: capability(IA32_VMX_TRUE_PINBASED_CTLS, pin),
    primary: capability(IA32_VMX_TRUE_PROCBASED_CTLS, primary),
    secondary: capability(IA32_VMX_PROCBASED_CTLS2, secondary),
    exit: capability(IA32_VMX_TRUE_EXIT_CTLS, exit),
    entry: capability(IA32_VMX_TRUE_ENTRY_CTLS, entry),
    cr0: { on: systemLow(IA32_VMX_CR0_FIXED0) & ~protection, may: systemLow(IA32_VMX_CR0_FIXED1) },
    cr4: { on: systemLow(IA32_VMX_CR4_FIXED0), may: systemLow(IA32_VMX_CR4_FIXED1) & ~protectionKeys },
    // Bits 30:0.
    revision: systemLow(IA32_VMX_BASIC) & 0x7fff_ffff
  }
  return suffices ? controls : undefined
}
