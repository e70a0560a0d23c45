/**
 * Segmentation outside of 64-bit mode: what a segment allows of an access. SDM vol. 3A, "Limit Checking", "Type Checking".
 */
import { segment as parts, segments } from "./State.ts"

/** Bits of a segment's access rights: State.ts, `segment.access`. */
// biome-ignore format: a table
const bit = { unusable: 1 << 8, permits: 1 << 1, expandDown: 1 << 2, code: 1 << 3, big: 1 << 14 } as const

/** The segment register whose parts begin at `place` allows this access. Offsets and limits are in bytes, from 0 to 2^32 - 1. */
export const allows = (view: DataView, place: number, offset: number, bytes: number, writes: boolean): boolean => {
  const access = view.getUint16(place + parts.access, true)
  if (access & bit.unusable) return false
  const isCode = (access & bit.code) !== 0
  // Code is never writable, and readable by the bit that makes data writable.
  if (writes ? isCode || !(access & bit.permits) : isCode && !(access & bit.permits)) return false
  return isWithin(view, place, offset, offset + bytes - 1)
}

/** Both are offsets in the segment. "For expand-down segments ... the segment limit specifies the offsets that are not permitted." */
const isWithin = (view: DataView, place: number, first: number, last: number): boolean => {
  const access = view.getUint16(place + parts.access, true)
  const limit = view.getUint32(place + parts.limit, true)
  if ((access & (bit.code | bit.expandDown)) !== bit.expandDown) return last <= limit
  return first > limit && last <= (access & bit.big ? 0xffff_ffff : 0xffff)
}

/** The last offset of code: "#GP(0) if the target is beyond the code segment limit". */
export const codeLimit = (view: DataView, codeSegment: number): number =>
  view.getUint32(codeSegment + parts.limit, true)

/** What an access that is not allowed raises. */
export const refusal = (segment: number): "#SS(0)" | "#GP(0)" => (segment === segments.ss ? "#SS(0)" : "#GP(0)")
