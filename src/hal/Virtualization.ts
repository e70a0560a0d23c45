import { Context } from "effect"
import type { PagingService } from "./Paging.ts"

/**
 * Virtual processors: what a kernel does with the processor's own structures for them, in instructions that only it may
 * execute. A *control structure* is a page of the machine's memory that the processor keeps a virtual processor in; one
 * of them is current. Running it is an instruction that the gate's code executes, not an operation here.
 *
 * Every operation has the effects, and raises the exceptions, of the instruction that does the same. It answers 0 where
 * that succeeds, `noCurrent` where it fails without a current control structure, and else the number of the error, which
 * is also in the current control structure. Which fields there are, and the error numbers, are the architecture's
 * (`types/<architecture>`).
 */
export interface VirtualizationService {
  /**
   * The tables from what a guest takes for physical addresses to those of the machine. `Allow.user`: the guest may touch
   * the page; all addresses there are may be mapped.
   */
  readonly tables: PagingService
  /** Virtual processors may be used from here on, until `end`: the page at this physical address becomes the processor's. */
  readonly begin: (page: number) => number
  readonly end: () => number
  /** The control structure at this physical address is all in memory, was never run, and is nobody's current one. */
  readonly clear: (structure: number) => number
  /** It becomes the current one. */
  readonly load: (structure: number) => number
  /** The physical address of the current one, or `noCurrent`. */
  readonly current: () => number
  /** Halves of a field of the current one, or 0 if there is no such field: `hasField` tells. */
  readonly fieldLow: (field: number) => number
  readonly fieldHigh: (field: number) => number
  readonly hasField: (field: number) => boolean
  /** As wide as the field is: what does not fit is cut off. */
  readonly setField: (field: number, low: number, high: number) => number
  /** Translations from a guest's physical addresses are gone: of one root of its tables (halves), or of all. */
  readonly invalidateGuestPhysical: (which: "one" | "all", rootLow: number, rootHigh: number) => number
  /** Translations that carry a guest's tag are gone: of a page (halves of its linear address), of all pages, of all but global ones; or of every guest. */
  readonly invalidateGuest: (
    which: "page" | "one" | "all" | "oneButGlobals",
    tag: number,
    addressLow: number,
    addressHigh: number
  ) => number
}

/** No control structure is current. */
export const noCurrent = -1

export class Virtualization extends Context.Service<Virtualization, VirtualizationService>()(
  "skyscope/hal/Virtualization"
) {}
