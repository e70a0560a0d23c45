/**
 * The bits of the VMX controls. SDM vol. 3C, "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control
 * Fields". What a processor offers of them, its capability MSRs say.
 */

/** Table "Definitions of Pin-Based VM-Execution Controls". */
// biome-ignore format: a table
export const PinBased = {
  EXTERNAL_INTERRUPT_EXITING:  1 << 0,
  NMI_EXITING:                 1 << 3,
  VIRTUAL_NMIS:                1 << 5,
  PREEMPTION_TIMER:            1 << 6,
  PROCESS_POSTED_INTERRUPTS:   1 << 7
} as const

/** Table "Definitions of Primary Processor-Based VM-Execution Controls". */
// biome-ignore format: a table
export const Primary = {
  INTERRUPT_WINDOW_EXITING:    1 << 2,
  USE_TSC_OFFSETTING:          1 << 3,
  HLT_EXITING:                 1 << 7,
  INVLPG_EXITING:              1 << 9,
  MWAIT_EXITING:               1 << 10,
  RDPMC_EXITING:               1 << 11,
  RDTSC_EXITING:               1 << 12,
  CR3_LOAD_EXITING:            1 << 15,
  CR3_STORE_EXITING:           1 << 16,
  CR8_LOAD_EXITING:            1 << 19,
  CR8_STORE_EXITING:           1 << 20,
  USE_TPR_SHADOW:              1 << 21,
  NMI_WINDOW_EXITING:          1 << 22,
  MOV_DR_EXITING:              1 << 23,
  UNCONDITIONAL_IO_EXITING:    1 << 24,
  USE_IO_BITMAPS:              1 << 25,
  MONITOR_TRAP_FLAG:           1 << 27,
  USE_MSR_BITMAPS:             1 << 28,
  MONITOR_EXITING:             1 << 29,
  PAUSE_EXITING:               1 << 30,
  ACTIVATE_SECONDARY_CONTROLS: 1 << 31
} as const

/** Table "Definitions of Secondary Processor-Based VM-Execution Controls". */
// biome-ignore format: a table
export const Secondary = {
  VIRTUALIZE_APIC_ACCESSES:    1 << 0,
  ENABLE_EPT:                  1 << 1,
  DESCRIPTOR_TABLE_EXITING:    1 << 2,
  ENABLE_RDTSCP:               1 << 3,
  VIRTUALIZE_X2APIC_MODE:      1 << 4,
  ENABLE_VPID:                 1 << 5,
  WBINVD_EXITING:              1 << 6,
  UNRESTRICTED_GUEST:          1 << 7,
  APIC_REGISTER_VIRTUALIZATION: 1 << 8,
  VIRTUAL_INTERRUPT_DELIVERY:  1 << 9,
  PAUSE_LOOP_EXITING:          1 << 10,
  RDRAND_EXITING:              1 << 11,
  ENABLE_INVPCID:              1 << 12,
  ENABLE_VM_FUNCTIONS:         1 << 13,
  VMCS_SHADOWING:              1 << 14,
  ENABLE_ENCLS_EXITING:        1 << 15,
  RDSEED_EXITING:              1 << 16,
  ENABLE_PML:                  1 << 17,
  EPT_VIOLATION_VE:            1 << 18,
  ENABLE_XSAVES:               1 << 20,
  MODE_BASED_EXECUTE:          1 << 22,
  USE_TSC_SCALING:             1 << 25
} as const

/** Table "Definitions of Primary VM-Exit Controls". */
// biome-ignore format: a table
export const ExitControl = {
  SAVE_DEBUG_CONTROLS:         1 << 2,
  HOST_ADDRESS_SPACE_SIZE:     1 << 9,
  LOAD_IA32_PERF_GLOBAL_CTRL:  1 << 12,
  ACKNOWLEDGE_INTERRUPT:       1 << 15,
  SAVE_IA32_PAT:               1 << 18,
  LOAD_IA32_PAT:               1 << 19,
  SAVE_IA32_EFER:              1 << 20,
  LOAD_IA32_EFER:              1 << 21,
  SAVE_PREEMPTION_TIMER:       1 << 22
} as const

/** Table "Definitions of VM-Entry Controls". */
// biome-ignore format: a table
export const EntryControl = {
  LOAD_DEBUG_CONTROLS:         1 << 2,
  IA32E_MODE_GUEST:            1 << 9,
  ENTRY_TO_SMM:                1 << 10,
  DEACTIVATE_DUAL_MONITOR:     1 << 11,
  LOAD_IA32_PERF_GLOBAL_CTRL:  1 << 13,
  LOAD_IA32_PAT:               1 << 14,
  LOAD_IA32_EFER:              1 << 15
} as const

/**
 * VM-entry and VM-exit interruption information, IDT-vectoring information: vector in bits 7:0, type in bits 10:8. Table "Format of
 * the VM-Entry Interruption-Information Field".
 */
export const Interruption = { ERROR_CODE: 1 << 11, NMI_UNBLOCKING: 1 << 12, VALID: 1 << 31 } as const
// biome-ignore format: a table
export const InterruptionType = {
  EXTERNAL_INTERRUPT:            0,
  NMI:                           2,
  HARDWARE_EXCEPTION:            3,
  SOFTWARE_INTERRUPT:            4,
  PRIVILEGED_SOFTWARE_EXCEPTION: 5,
  SOFTWARE_EXCEPTION:            6,
  OTHER_EVENT:                   7
} as const

/** Table "Format of Interruptibility State". */
export const Interruptibility = { BY_STI: 1 << 0, BY_MOV_SS: 1 << 1, BY_SMI: 1 << 2, BY_NMI: 1 << 3 } as const

/** "Guest Non-Register State": the activity state. */
export const ActivityState = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2, WAIT_FOR_SIPI: 3 } as const

/** Bits of an EPT paging-structure entry. Tables under "EPT Translation Mechanism". */
// biome-ignore format: a table
export const EptEntry = {
  READ: 1 << 0, WRITE: 1 << 1, EXECUTE: 1 << 2, MEMORY_TYPE: 7 << 3, IGNORE_PAT: 1 << 6, PAGE: 1 << 7, ACCESSED: 1 << 8, DIRTY: 1 << 9
} as const
/** Bits of the EPT pointer: memory type in 2:0, page-walk length less 1 in 5:3. */
export const EptPointer = {
  WRITE_BACK: 6,
  WALK_LENGTH_4: 3 << 3,
  WALK_LENGTH_5: 4 << 3,
  ACCESSED_DIRTY: 1 << 6
} as const
