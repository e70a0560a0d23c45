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
  IA32_PAT:                0x277,
  IA32_TSC_DEADLINE:       0x6e0,
  IA32_EFER:               0xc000_0080,
  IA32_STAR:               0xc000_0081,
  IA32_LSTAR:              0xc000_0082,
  IA32_CSTAR:              0xc000_0083,
  IA32_FMASK:              0xc000_0084,
  IA32_FS_BASE:            0xc000_0100,
  IA32_GS_BASE:            0xc000_0101,
  IA32_KERNEL_GS_BASE:     0xc000_0102,

  // SDM vol. 3A, "Local APIC Register Address Map Supported by x2APIC".
  X2APIC_TPR:              0x808,
  X2APIC_EOI:              0x80b,
  X2APIC_SPURIOUS:         0x80f,
  X2APIC_LVT_TIMER:        0x832,
  X2APIC_LVT_LINT0:        0x835,
  X2APIC_LVT_LINT1:        0x836,
  X2APIC_LVT_ERROR:        0x837
} as const
export type SystemRegister = (typeof SystemRegister)[keyof typeof SystemRegister]
