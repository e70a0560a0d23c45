/**
 * The 256 interrupt vectors: what each is for.
 *
 * 0 to 31 are the processor's exceptions. From 32 on a vector is an interrupt of the machine, or, at the top, an INT
 * instruction by which a program makes a system call that the kernel does not know.
 */

/** SDM vol. 3A, "Exceptions and Interrupts", table "Protected-Mode Exceptions and Interrupts". */
// biome-ignore format: a table
export const Vector = {
  DE: 0, DB: 1, NMI: 2, BP: 3, OF: 4, BR: 5, UD: 6, NM: 7, DF: 8, TS: 10, NP: 11, SS: 12, GP: 13, PF: 14,
  MF: 16, AC: 17, MC: 18, XM: 19, VE: 20, CP: 21,

  firstInterrupt: 0x20,
  /** What says to the processor that interrupts were posted for the guest that it runs. When it runs none, it is nobody's. */
  posted:         0x2f,
  /** Interrupts that programs can have: vectors 0 to 109 of their count. */
  firstUser:      0x30,
  lastUser:       0x9d,
  timer:          0x9e,
  iommu:          0x9f,
  firstTrap:      0xa0,
  lastTrap:       0xfe,
  spurious:       0xff
} as const

export const vectors = 256

/** Exceptions that push an error code by themselves. */
const errorCode: ReadonlySet<number> = new Set([
  Vector.DF,
  Vector.TS,
  Vector.NP,
  Vector.SS,
  Vector.GP,
  Vector.PF,
  Vector.AC,
  Vector.CP
])
export const pushesErrorCode = (vector: number): boolean => errorCode.has(vector)

/**
 * Exceptions with a stack of their own (SDM vol. 3A, "Interrupt Stack Table"): those that can come between SYSCALL,
 * which leaves the program's RSP, and the gate behind it.
 */
export const ownStack: readonly number[] = [Vector.PF, Vector.DF, Vector.NMI, Vector.MC, Vector.DB]

/** Vectors that a program may name in an INT instruction. Any other in one is #GP. */
export const isTrap = (vector: number): boolean =>
  vector === Vector.BP || (vector >= Vector.firstTrap && vector <= Vector.lastTrap)

const exceptions = new Map(
  Object.entries(Vector)
    .filter(([, vector]) => vector < Vector.firstInterrupt)
    .map(([name, vector]) => [vector as number, `#${name}`])
)

/** An exception's name in the manual; the number of any other vector. */
export const nameOf = (vector: number): string => exceptions.get(vector) ?? `vector ${vector}`
