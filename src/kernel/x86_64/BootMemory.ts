/**
 * BootMemory: memory while the kernel starts, before all that is left becomes untyped.
 *
 * What is taken is gone for ever: the kernel's page tables, the root task's first objects. It is taken from the top, so
 * that what is left is in few pieces.
 */
import type { Region } from "../../hal/Boot.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import { stop } from "./BootError.ts"
import { union, wholeUnits, without } from "./Regions.ts"

export interface BootMemory {
  /**
   * `bytes` of memory, cleared, at a multiple of `alignment`. Stops the machine if there are none, saying for `what`.
   */
  readonly take: (what: string, bytes: number, alignment?: number) => number
  /** What was in use is no longer: it is cleared, as all memory is that objects are made in. */
  readonly give: (region: Region) => void
  /** What nobody has taken, lowest first. */
  readonly left: () => readonly Region[]
}

export const pageBytes = 0x1000

/** Of the pages of `regions`, all but what is `inUse`. */
export const make = (memory: MemoryService, regions: readonly Region[], inUse: readonly Region[]): BootMemory => {
  let free = wholeUnits(without(regions, inUse), pageBytes)
  return {
    take: (what, bytes, alignment = bytes) => {
      const highest = ({ end }: Region) => Math.floor((end - bytes) / alignment) * alignment
      const region = free.findLast((candidate) => highest(candidate) >= candidate.start)
      if (region === undefined) return stop({ _tag: "NoMemory", what, bytes })
      const start = highest(region)
      free = without(free, [{ start, end: start + bytes }])
      memory.zero(start, bytes)
      return start
    },
    give: ({ start, end: last }) => {
      const end = Math.ceil(last / pageBytes) * pageBytes
      memory.zero(start, end - start)
      free = union([...free, { start, end }])
    },
    left: () => free
  }
}
