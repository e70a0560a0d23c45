import { Context } from "effect"

/**
 * The processor at a gate: the program that it interrupted, and what only privileged code may change.
 *
 * `registers` holds 64-bit words as halves: word `i` at `2i` (low) and `2i + 1` (high). Which word is which register, and the
 * numbers of the system registers, are the architecture's (`types/<architecture>/Registers`). What is in `registers` when the
 * gate returns is what the processor goes on with.
 */
export interface ProcessorService {
  readonly registers: Int32Array
  /** Privileged registers, by the architecture's number: the halves of one, and a write of both with the effects the manual gives it. */
  readonly systemLow: (register: number) => number
  readonly systemHigh: (register: number) => number
  readonly setSystem: (register: number, low: number, high: number) => void
  /**
   * Once this is done, no access uses a translation of the page at this address that was in the tables before, in the address space
   * whose translations carry `tag` (a number that the kernel gave it with its root). Halves of a canonical address.
   */
  readonly invalidatePage: (tag: number, low: number, high: number) => void
  /** The same for every page of that address space. */
  readonly invalidateSpace: (tag: number) => void
  /**
   * The floating-point and vector registers, to and from the image of them at this physical address, a multiple of 16.
   * The unit must be available to the kernel.
   */
  readonly saveFloatingPoint: (address: number) => void
  readonly loadFloatingPoint: (address: number) => void
}

export class Processor extends Context.Service<Processor, ProcessorService>()("skyscope/hal/Processor") {}
