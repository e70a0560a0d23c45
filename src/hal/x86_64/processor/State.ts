/**
 * The state block: the processor's registers at the start of the machine's WebAssembly memory.
 *
 * Registers live here between blocks of the interpreter and between regions of the translator; inside those they may be in locals.
 * The current processor's block is always this one: with several processors, blocks are swapped, and no code depends on which it is.
 * All offsets are in bytes. A byte register is an offset too: AH is RAX's second byte.
 */

import type { Exception, Mode, Privilege, StateWord, Width } from "./Meaning.ts"

/** Encoding numbers of the general registers. SDM vol. 2A, "Register Operands in 64-Bit Mode". */
// biome-ignore format: in eights
export const registerNames = [
  "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
  "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"
] as const
export type RegisterName = (typeof registerNames)[number]

// biome-ignore format: a table
export const at = {
  // What programs see. Processor.registers (src/hal) shows words 0 to 18: the numbers in src/types/x86_64/Registers.
  general:        0x000, // 16 words
  rip:            0x080,
  fsBase:         0x088,
  gsBase:         0x090,
  /** Never written: stands for an absent base, index or segment base. */
  zero:           0x098,
  /** The status flags, lazily: the number of a rule at a width, and its inputs (3 words). */
  flagRule:       0x0a0, // i32
  flagInput:      0x0a8,
  /** RFLAGS without its status flags: bit 1, TF, IF, DF, IOPL, NT, RF, VM, AC, VIF, VIP, ID. */
  rflags:         0x0c0,

  // Time: the count of retired instructions is `deadline` - `countdown`.
  deadline:       0x0c8, // i64
  countdown:      0x0d0, // i32

  // Why running stopped, and what the stop is about.
  cause:          0x0d4, // i32: `cause`
  detail:         0x0d8, // i64: an address, an operation's inputs begin at `inputs`
  inputs:         0x0e0, // 4 words
  /** RIP of the instruction that a stop is about. */
  stoppedAt:      0x100,

  // Translation caches of the access modes in force: host addresses of their tables (tlb.ts).
  readTable:      0x108, // i32
  writeTable:     0x10c, // i32
  executeTable:   0x110, // i32
  /** `Mode` as a small number: part of the key of everything decoded. */
  mode:           0x114, // i32
  /** Not 0: the reading stops after the instruction that runs (memory/Access.ts). */
  attention:      0x128, // i32

  // The exception that a fault raises: `exceptions` says what it is made of.
  vector:         0x12c, // i32
  errorCode:      0x130, // i32; 0 where the vector has none
  /** Of #PF: what goes to CR2. */
  faultAddress:   0x138, // i64

  /** Segments ES CS SS DS FS GS LDTR TR, 16 bytes each: `segment`. */
  segment:        0x140,
  cr0:            0x1c0,
  cr2:            0x1c8,
  cr3:            0x1d0,
  cr4:            0x1d8,
  xcr0:           0x1e0,
  /** The x87 FPU: `x87` in x87.ts. */
  x87:            0xf00,
  // What else privileged code sees: `system/registers.ts`.
  system:         0x1e8,

  /** What ES CS SS DS FS GS allow outside of 64-bit mode, 16 bytes each: `bounds`. */
  bounds:         0x780,
  /** PKRU. */
  pkru:           0x7e0,
  /** IA32_TSC_AUX; 64 bits, of which the upper half is 0. */
  tscAux:         0x7e8,
  /** What the next random number is made of. */
  random:         0x7f0,
  /** XMM0 to XMM15, 16 bytes each; then the upper halves of YMM0 to YMM15. */
  vectors:        0x800,
  vectorsHigh:    0x900,
  mxcsr:          0xa00,
  /** Of a function of vectors: its inputs (3 of 128 bits), and what it gives; of vectors of 256 bits, those of the upper half after these. */
  vectorInputs:   0xa10,
  vectorResult:   0xa70,
  /** Bytes of an access that crosses a page, or that a device answered. */
  bounce:         0xaa0, // 32 bytes

  // Of a guest (vmx/); 0 of the host. `intercepted` (vmx/transition.ts) are VM exits. And the bits of CR0 that it does not see as they are, and how it sees them.
  intercepts:     0xb00,
  cr0Mask:        0xb08,
  cr0Shadow:      0xb10,

  /** What the fast page walk goes by: `walking` in memory/walker.ts. */
  walking:        0xb20,
  end:            0x1000
} as const

/** A segment register: where its parts are. FS and GS have their bases in `at.fsBase` and `at.gsBase` instead. SDM vol. 3A, "Segment Registers". */
// biome-ignore format: a table
export const segment = {
  selector: 0, // u16
  /** As bits 8 to 23 of the descriptor's upper half: type, S, DPL, P, AVL, L, D/B, G. Bit 8 (a part of the limit there): unusable. */
  access:   2, // u16
  /** In bytes, the last one. */
  limit:    4, // u32
  base:     8,
  bytes:    16
} as const

/**
 * The first and the last offset that may be read in a segment, and written: what follows from its limit and access rights (segmentation.ts).
 * Where nothing is allowed, the first is the highest and the last is 0. In bytes; each is u32.
 */
// biome-ignore format: a table
export const bounds = { readFirst: 0, readLast: 4, writeFirst: 8, writeLast: 12, bytes: 16 } as const

/** From one XMM register to the next. */
export const vectorBytes = 16
/** From an XMM register to the upper half of the YMM register that it is a part of. */
export const toUpperHalf = at.vectorsHigh - at.vectors

/** Segment registers by their encoding numbers. */
export const segments = { es: 0, cs: 1, ss: 2, ds: 3, fs: 4, gs: 5, ldtr: 6, tr: 7 } as const

const selectorOf = (name: keyof typeof segments) =>
  ({ offset: at.segment + segments[name] * segment.bytes + segment.selector, width: 16 }) as const

/** Where the words are that `Machine.get` gives. */
// biome-ignore format: a table
export const stateWords: Readonly<Record<StateWord, { readonly offset: number; readonly width: Width }>> = {
  rflags: { offset: at.rflags, width: 64 },
  fsBase: { offset: at.fsBase, width: 64 },
  gsBase: { offset: at.gsBase, width: 64 },
  cr0:    { offset: at.cr0,    width: 64 },
  cr0Mask:    { offset: at.cr0Mask,    width: 64 },
  cr0Shadow:  { offset: at.cr0Shadow,  width: 64 },
  intercepts: { offset: at.intercepts, width: 64 },
  cr4:    { offset: at.cr4,    width: 64 },
  xcr0:   { offset: at.xcr0,   width: 64 },
  mxcsr:  { offset: at.mxcsr,  width: 64 },
  tscAux: { offset: at.tscAux, width: 64 },
  random: { offset: at.random, width: 64 },
  es:     selectorOf("es"),
  cs:     selectorOf("cs"),
  ss:     selectorOf("ss"),
  ds:     selectorOf("ds"),
  fs:     selectorOf("fs"),
  gs:     selectorOf("gs"),
  ldtr:   selectorOf("ldtr"),
  tr:     selectorOf("tr")
}

/** Why a reading stopped: values of `at.cause`. */
// biome-ignore format: a table
export const cause = {
  /** What is left of the countdown does not cover the next block, or `at.attention` asks: the state is between two instructions. */
  countdown: 0,
  /** The instruction at RIP raises the exception in `at.vector`. It is not counted, and all is as it was before it. */
  fault:     1,
  /** The instruction ends in the system operation `systemNames[at.detail]` with `at.inputs`. It is counted; RIP is the next one's, its own is in `at.stoppedAt`. */
  system:    2
} as const

/** Exceptions that a meaning raises by itself: vector, and error code where there is one. SDM vol. 3A, "Exception and Interrupt Reference". */
// biome-ignore format: a table
export const exceptions = {
  "#DE":    { vector: 0 },
  "#DB":    { vector: 1 },
  "#BP":    { vector: 3 },
  "#OF":    { vector: 4 },
  "#BR":    { vector: 5 },
  "#UD":    { vector: 6 },
  "#NM":    { vector: 7 },
  "#SS(0)": { vector: 12 },
  "#GP(0)": { vector: 13 },
  "#MF":    { vector: 16 },
  "#XM":    { vector: 19 },
  /** No exception: vmExit.raised (memory/Access.ts). */
  "VM exit": { vector: 0x103 }
} as const satisfies Record<Exception, { readonly vector: number }>

/** `Mode` as the small number in `at.mode`, and back. */
export const modeNumber = (mode: Mode): number =>
  mode.bits === 64
    ? longMode | mode.privilege | (mode.isWide ? wide : 0)
    : (mode.bits === 32 ? code32 : 0) |
      mode.privilege |
      (mode.stack === 32 ? stack32 : 0) |
      (mode.isProtected ? 0 : real) |
      (mode.isFlat ? flat : 0)
export const modeOf = (number: number): Mode => {
  const privilege = (number & 3) as Privilege
  if (number & longMode) return number & wide ? { bits: 64, privilege, isWide: true } : { bits: 64, privilege }
  return {
    bits: number & code32 ? 32 : 16,
    privilege,
    stack: number & stack32 ? 32 : 16,
    isProtected: (number & real) === 0,
    isFlat: (number & flat) !== 0
  }
}
const [code32, longMode, stack32, real, flat] = [4, 8, 16, 32, 64] as const
const wide = 16
/** The number of any mode is less. */
export const modeNumbers = 128
/** The mode with this number is 64-bit mode. */
export const isLong = (number: number): boolean => (number & longMode) !== 0
