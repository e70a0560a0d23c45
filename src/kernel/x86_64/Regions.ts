/** Sets of physical memory, as regions: [start, end), lowest first, none touching another. */
import type { Region } from "../../hal/Boot.ts"

/** What of `regions` is not in `taken`. */
export const without = (regions: readonly Region[], taken: readonly Region[]): readonly Region[] =>
  taken.reduce<readonly Region[]>(
    (left, { start, end }) =>
      left
        .flatMap((region) => [
          { start: region.start, end: Math.min(region.end, start) },
          { start: Math.max(region.start, end), end: region.end }
        ])
        .filter((part) => part.start < part.end),
    regions
  )

/** All that is in any of them, as few regions as possible. */
export const union = (regions: readonly Region[]): readonly Region[] => {
  const joined: Region[] = []
  for (const region of regions.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1)
    if (last === undefined || last.end < region.start) joined.push(region)
    else joined[joined.length - 1] = { start: last.start, end: Math.max(last.end, region.end) }
  }
  return joined
}

/** The whole units of `unit` bytes in each region. */
export const wholeUnits = (regions: readonly Region[], unit: number): readonly Region[] =>
  regions
    .map(({ start, end }) => ({ start: Math.ceil(start / unit) * unit, end: Math.floor(end / unit) * unit }))
    .filter(({ start, end }) => start < end)

export const overlaps = (a: Region, b: Region): boolean => a.start < b.end && b.start < a.end

/** A power of two of bytes at a multiple of its size. */
export interface Block {
  readonly start: number
  readonly sizeBits: number
}

/**
 * The fewest blocks that make up a region, lowest first. Blocks are from 2^`least` to 2^`most` bytes; what is smaller
 * is lost.
 */
export const blocks = ({ start, end }: Region, least: number, most: number): readonly Block[] => {
  const found: Block[] = []
  let at = Math.ceil(start / 2 ** least) * 2 ** least
  while (at + 2 ** least <= end) {
    let sizeBits = least
    while (sizeBits < most && at % 2 ** (sizeBits + 1) === 0 && at + 2 ** (sizeBits + 1) <= end) sizeBits++
    found.push({ start: at, sizeBits })
    at += 2 ** sizeBits
  }
  return found
}
