/**
 * Segmentation outside of 64-bit mode: what a segment allows of an access. SDM vol. 3A, "Limit Checking", "Type Checking".
 */
import { at, segment as parts, bounds as placesOf, segments } from "./State.ts"

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

/** What a segment with these access rights and this limit allows is put where generated code asks for it: `bounds` in State.ts. */
export const setBounds = (view: DataView, number: number): void => {
  const place = at.segment + number * parts.bytes
  const access = view.getUint16(place + parts.access, true)
  const limit = view.getUint32(place + parts.limit, true)
  const isCode = (access & bit.code) !== 0
  const permits = (access & bit.permits) !== 0
  const isExpandDown = (access & (bit.code | bit.expandDown)) === bit.expandDown
  const isEmpty = (access & bit.unusable) !== 0 || (isExpandDown && limit === 0xffff_ffff)
  const [first, last] = isExpandDown ? [limit + 1, access & bit.big ? 0xffff_ffff : 0xffff] : [0, limit]
  const put = (atFirst: number, atLast: number, isAllowed: boolean) => {
    const to = at.bounds + number * placesOf.bytes
    view.setUint32(to + atFirst, isAllowed && !isEmpty ? first : 0xffff_ffff, true)
    view.setUint32(to + atLast, isAllowed && !isEmpty ? last : 0, true)
  }
  put(placesOf.readFirst, placesOf.readLast, !isCode || permits)
  put(placesOf.writeFirst, placesOf.writeLast, !isCode && permits)
}

/** ES, CS, SS and DS have base 0 and the whole 4 GiB: data that may be written, and code. */
export const isFlat = (view: DataView): boolean =>
  [segments.es, segments.ss, segments.ds].every((number) => isWhole(view, number, writableData)) &&
  isWhole(view, segments.cs, anyCode)

/** Bits of the access rights, and what they have to be. */
const writableData = { looked: bit.unusable | bit.code | bit.permits | bit.expandDown, wanted: bit.permits } as const
const anyCode = { looked: bit.unusable, wanted: 0 } as const

const isWhole = (view: DataView, number: number, { looked, wanted }: typeof writableData | typeof anyCode): boolean => {
  const place = at.segment + number * parts.bytes
  return (
    (view.getUint16(place + parts.access, true) & looked) === wanted &&
    view.getUint32(place + parts.limit, true) === 0xffff_ffff &&
    view.getUint32(place + parts.base, true) === 0
  )
}

/** The last offset of code: "#GP(0) if the target is beyond the code segment limit". */
export const codeLimit = (view: DataView, codeSegment: number): number =>
  view.getUint32(codeSegment + parts.limit, true)

/** What an access that is not allowed raises. */
export const refusal = (segment: number): "#SS(0)" | "#GP(0)" => (segment === segments.ss ? "#SS(0)" : "#GP(0)")
