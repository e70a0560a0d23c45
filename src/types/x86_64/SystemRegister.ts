/**
 * Numbers of the privileged registers, for `Processor.systemLow`, `systemHigh` and `setSystem`.
 *
 * A model-specific register has its own number, the one that RDMSR and WRMSR take in ECX; the others have numbers that
 * no model-specific register has. A write has the effects, and raises the exceptions, of the instruction that writes
 * the register.
 */
// biome-ignore format: a table
export const SystemRegister = {
  CR0:          0x1_0000_0000,
  CR2:          0x1_0000_0002,
  CR3:          0x1_0000_0003,
  CR4:          0x1_0000_0004,
  CR8:          0x1_0000_0008,
  DR0:          0x1_0000_0018,
  DR1:          0x1_0000_0019,
  DR2:          0x1_0000_001a,
  DR3:          0x1_0000_001b,
  DR6:          0x1_0000_001e,
  DR7:          0x1_0000_001f,
  XCR0:         0x1_0000_0010,
  /**
   * LGDT and LIDT: the base and the limit are written one after the other, and nothing is read through them in between.
   */
  GDTR_BASE:    0x1_0000_0020,
  GDTR_LIMIT:   0x1_0000_0021,
  IDTR_BASE:    0x1_0000_0022,
  IDTR_LIMIT:   0x1_0000_0023,
  /** A selector: writing it loads the descriptor (LTR, LLDT; a move to a segment register at the present privilege). */
  TR:           0x1_0000_0030,
  LDTR:         0x1_0000_0031,
  CS:           0x1_0000_0032,
  SS:           0x1_0000_0033,
  DS:           0x1_0000_0034,
  ES:           0x1_0000_0035,
  FS:           0x1_0000_0036,
  GS:           0x1_0000_0037,

  // SDM vol. 4, "Architectural MSRs".
  IA32_TIME_STAMP_COUNTER: 0x10,
  IA32_APIC_BASE:          0x1b,
  IA32_FEATURE_CONTROL:    0x3a,
  IA32_SYSENTER_CS:        0x174,
  IA32_SYSENTER_ESP:       0x175,
  IA32_SYSENTER_EIP:       0x176,
  IA32_PAT:                0x277,
  // SDM vol. 3D, Appendix A, "VMX Capability Reporting Facility".
  IA32_VMX_BASIC:               0x480,
  IA32_VMX_PINBASED_CTLS:       0x481,
  IA32_VMX_PROCBASED_CTLS:      0x482,
  IA32_VMX_EXIT_CTLS:           0x483,
  IA32_VMX_ENTRY_CTLS:          0x484,
  IA32_VMX_MISC:                0x485,
  IA32_VMX_CR0_FIXED0:          0x486,
  IA32_VMX_CR0_FIXED1:          0x487,
  IA32_VMX_CR4_FIXED0:          0x488,
  IA32_VMX_CR4_FIXED1:          0x489,
  IA32_VMX_VMCS_ENUM:           0x48a,
  IA32_VMX_PROCBASED_CTLS2:     0x48b,
  IA32_VMX_EPT_VPID_CAP:        0x48c,
  IA32_VMX_TRUE_PINBASED_CTLS:  0x48d,
  IA32_VMX_TRUE_PROCBASED_CTLS: 0x48e,
  IA32_VMX_TRUE_EXIT_CTLS:      0x48f,
  IA32_VMX_TRUE_ENTRY_CTLS:     0x490,

  IA32_TSC_DEADLINE:       0x6e0,
  IA32_EFER:               0xc000_0080,
  IA32_STAR:               0xc000_0081,
  IA32_LSTAR:              0xc000_0082,
  IA32_CSTAR:              0xc000_0083,
  IA32_FMASK:              0xc000_0084,
  IA32_FS_BASE:            0xc000_0100,
  IA32_GS_BASE:            0xc000_0101,
  IA32_KERNEL_GS_BASE:     0xc000_0102,
  IA32_TSC_AUX:            0xc000_0103,

  // SDM vol. 3A, "Local APIC Register Address Map Supported by x2APIC".
  X2APIC_TPR:              0x808,
  X2APIC_EOI:              0x80b,
  X2APIC_SPURIOUS:         0x80f,
  X2APIC_LVT_TIMER:        0x832,
  X2APIC_LVT_LINT0:        0x835,
  X2APIC_LVT_LINT1:        0x836,
  X2APIC_LVT_ERROR:        0x837,
  X2APIC_SELF_IPI:         0x83f
} as const
export type SystemRegister = (typeof SystemRegister)[keyof typeof SystemRegister]
