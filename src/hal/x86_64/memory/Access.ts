/**
 * Access: a program's access to memory, whole and exact. The slow path of every reading's inline access, and the only
 * path of plain execution.
 *
 * Addresses are linear, as two halves (int32). `width` is in bits: 8, 16, 32, 64, 128 or 256; `| inStack` if the segment
 * is SS. Rights are those of the access mode in force (the three tables that the state block names). Before it calls,
 * a reading has stored what a device may look at: `at.countdown`, exact, without the instruction that runs. RIP only
 * has to be right when the reading stops.
 *
 * `fault` (-1) means: nothing was accessed, and `at.vector`, `at.errorCode` and `at.faultAddress` say which exception
 * the instruction raises. An access that crosses a page asks for both pages before it touches either; the exception
 * names the first byte that cannot be accessed.
 *
 * If `at.attention` is not 0 after a call, the reading stops after the instruction that runs, with cause `countdown`:
 * a device has changed the deadline or raised an interrupt, or code was written that may be what runs. `at.countdown`
 * and `at.deadline` may have changed; the instructions that the reading has completed were taken off before it
 * called.
 */
export interface Access {
  /** The host address where the bytes are (in RAM, or `at.bounce`), or `fault`. */
  readonly read: (lo: number, hi: number, width: number) => number
  /**
   * The same for an instruction that will write to the same place: what forbids writing is a fault now. If the answer
   * is `at.bounce`, the new value goes there and `write` is called; else the new value goes where the old one is.
   */
  readonly modify: (lo: number, hi: number, width: number) => number
  /** The bytes in `at.bounce` are written. 0, or `fault`. */
  readonly write: (lo: number, hi: number, width: number) => number
  /** The host address of the byte of code at this address, or `fault`. The code goes on to the end of its page. */
  readonly execute: (lo: number, hi: number) => number
  /**
   * Something is decoded from this page of code (host address >>> 12): the next write to it, by whomever, calls
   * `codeWritten` of all readings, once.
   */
  readonly codeDecoded: (page: number) => void
  /**
   * The host address of bytes in RAM that may be accessed inline from now on, or were already; `fault`, with nothing said or done, if it is not as simple
   * as that. `which`: one of `table` in Tlb.ts. A function of WebAssembly, for the code that readings make. Undefined: it is never that simple.
   */
  readonly find?: (lo: number, hi: number, bytes: number, which: number) => number
}

export const fault = -1

/**
 * In place of a vector: no exception, but the end of the guest's turn, a VM exit. `guestPhysical`: a guest-physical address was refused
 * (`Mmu.refusal`); `intercepted`: the instruction is the hypervisor's business (vmx/Vmx.ts); `apicAccess`: the access was to a guarded page;
 * `raised`: the meaning of the instruction says that it is the hypervisor's.
 */
export const vmExit = { guestPhysical: 0x100, intercepted: 0x101, apicAccess: 0x102, raised: 0x103 } as const

/** Thrown by what does not answer with `fault`: the instruction that runs raises the exception in the state block. */
export const raised = Symbol("the instruction raises an exception")

/** Added to a width: an address that is not canonical raises #SS, not #GP. */
export const inStack = 0x400
/** The bytes of a width to which `inStack` may have been added. */
export const bytesOf = (width: number): number => (width & (inStack - 1)) >> 3

/** SDM vol. 1, "Canonical Addressing": bits 63 to 47 are the same; with 57 bits, bits 63 to 56. By the address's upper half. */
export const isCanonical = (hi: number, bits: LinearBits): boolean => {
  const sign = hi >> (bits - 33)
  return sign === 0 || sign === -1
}

/** How wide linear addresses are, outside of legacy modes: CR4.LA57 says it. The second is as wide as this processor has them. */
export type LinearBits = 48 | 57
export const widest: LinearBits = 57
