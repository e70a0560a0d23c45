/**
 * Registers that only privileged code changes: where they are in the state block, and what their bits are called.
 *
 * SDM vol. 3A, "System Architecture Overview"; vol. 1, "EFLAGS Register".
 */
import { at } from "../processor/State.ts"

/** Offsets from the start of memory, in bytes; 64-bit words unless it says otherwise. */
// biome-ignore format: a table
export const system = {
  /** DR0 to DR7. */
  debug:      at.system,
  gdtrBase:   at.system + 0x40,
  gdtrLimit:  at.system + 0x48,
  idtrBase:   at.system + 0x50,
  idtrLimit:  at.system + 0x58,
  /** TSC - count. */
  tscOffset:  at.system + 0x60,
  /**
   * The count (f64) before which no interrupt is taken: STI and MOV to SS inhibit them until the next instruction is
   * done.
   */
  shadow:     at.system + 0x68,
  /** The count (f64) at which RFLAGS.RF is 1: it is cleared by the first instruction that completes. */
  resume:     at.system + 0x70,
  /** i32: `activity`. */
  activity:   at.system + 0x78,
  /** i32: `nmi`; 0 if no NMI is blocked. */
  nmiBlocked: at.system + 0x7c,
  /** i32: `shadowOf`, what cast the shadow. */
  shadowBy:   at.system + 0x420,
  /** The four PDPTE registers of PAE paging. */
  pdptes:     at.system + 0x400,
  /** Model-specific registers with no other place: msr.ts. */
  msrs:       at.system + 0x80
} as const

/**
 * SDM vol. 3C, "Guest Non-Register State": the processor executes instructions, HLT has stopped it, a guest's triple fault has, or it waits to
 * be started; and, of this machine alone, MWAIT has stopped it.
 */
export const activity = { active: 0, halted: 1, shutdown: 2, waitForSipi: 3, mwait: 4 } as const

/** From the delivery of an NMI to the next IRET; and of a guest's virtual NMI. SDM vol. 3A, "Handling Multiple NMIs"; vol. 3C, "NMI-Window Exiting". */
export const nmi = { blocked: 1, virtualBlocked: 2 } as const

/** Which instruction inhibits interrupts until the next is done. */
export const shadowOf = { sti: 1, movSs: 2 } as const

// biome-ignore format: a table
export const RFLAGS = {
  one:  1 << 1,
  TF:   1 << 8,
  IF:   1 << 9,
  DF:   1 << 10,
  IOPL: 3 << 12,
  NT:   1 << 14,
  RF:   1 << 16,
  VM:   1 << 17,
  AC:   1 << 18,
  VIF:  1 << 19,
  VIP:  1 << 20,
  ID:   1 << 21,
  /** CF, PF, AF, ZF, SF, OF: not in `at.rflags`. */
  status: 0x8d5
} as const

// biome-ignore format: a table
export const CR0 = {
  PE: 1 << 0, MP: 1 << 1, EM: 1 << 2, TS: 1 << 3, ET: 1 << 4, NE: 1 << 5,
  WP: 1 << 16, AM: 1 << 18, NW: 1 << 29, CD: 1 << 30, PG: 1 << 31
} as const

// biome-ignore format: a table
export const CR4 = {
  VME: 1 << 0, PVI: 1 << 1, TSD: 1 << 2, DE: 1 << 3, PSE: 1 << 4, PAE: 1 << 5, MCE: 1 << 6, PGE: 1 << 7, PCE: 1 << 8,
  OSFXSR: 1 << 9, OSXMMEXCPT: 1 << 10, UMIP: 1 << 11, LA57: 1 << 12, VMXE: 1 << 13, FSGSBASE: 1 << 16, PCIDE: 1 << 17, OSXSAVE: 1 << 18,
  SMEP: 1 << 20, SMAP: 1 << 21, PKE: 1 << 22, PKS: 1 << 24
} as const

/** MXCSR after reset: every exception is masked. */
export const initialMxcsr = 0x1f80

/** What software may set. */
export const writableCr4 =
  CR4.VME |
  CR4.PVI |
  CR4.TSD |
  CR4.DE |
  CR4.PSE |
  CR4.PAE |
  CR4.MCE |
  CR4.PGE |
  CR4.PCE |
  CR4.OSFXSR |
  CR4.OSXMMEXCPT |
  CR4.UMIP |
  CR4.LA57 |
  CR4.VMXE |
  CR4.FSGSBASE |
  CR4.PCIDE |
  CR4.OSXSAVE |
  CR4.SMEP |
  CR4.SMAP |
  CR4.PKE |
  CR4.PKS

// biome-ignore format: a table
export const EFER = { SCE: 1 << 0, LME: 1 << 8, LMA: 1 << 10, NXE: 1 << 11 } as const

/** The vectors that the processor itself has. SDM vol. 3A, "Exception and Interrupt Vectors". */
// biome-ignore format: a table
export const vector = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8,
  TS: 10, NP: 11, SS: 12, GP: 13, PF: 14, MF: 16, AC: 17, MC: 18, XM: 19
} as const

/** The exceptions that push an error code. */
const withErrorCode: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17])
export const pushesErrorCode = (of: number): boolean => withErrorCode.has(of)
