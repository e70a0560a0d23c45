import { Context } from "effect"

/**
 * Physical memory as the kernel reaches it.
 *
 * Each access is the processor's own, with supervisor rights, at the kernel's window on physical memory: what the page tables
 * forbid is a page fault inside the kernel, which abandons the kernel's entry and stops the machine with a report.
 *
 * Addresses are physical, in bytes, and aligned to the size of the access. A 64-bit word is two halves, the low one first.
 * Values are `int32`: a half above 7FFF_FFFFH reads as a negative number.
 */
export interface MemoryService {
  readonly load8: (address: number) => number
  readonly load16: (address: number) => number
  readonly load32: (address: number) => number
  readonly store8: (address: number, value: number) => void
  readonly store16: (address: number, value: number) => void
  readonly store32: (address: number, value: number) => void
  /** `count` 32-bit words, from memory to `words` from `index` on, and back. They do not cross a page. */
  readonly loadWords: (address: number, words: Int32Array, index: number, count: number) => void
  readonly storeWords: (address: number, words: Int32Array, index: number, count: number) => void
  /**
   * RAM in place, as words, for whoever asks `indexOf` where: the index of the word at an address in a page of RAM that the
   * kernel may read and write, and has lately; else -1. It holds until the gate is left.
   */
  readonly words: Int32Array
  readonly indexOf: (address: number) => number
  /** `length` bytes from one place to another. The two do not overlap. */
  readonly copy: (from: number, to: number, length: number) => void
  /** `length` bytes become 0. */
  readonly zero: (address: number, length: number) => void
}

export class Memory extends Context.Service<Memory, MemoryService>()("skyscope/hal/Memory") {}
