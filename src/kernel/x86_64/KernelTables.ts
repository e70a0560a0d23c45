/**
 * The kernel's half of every address space: the page tables that the kernel makes of itself and of physical memory,
 * once.
 *
 *     window + p                memory at p: supervisor, never executable, writable unless text or rodata lies there
 *     linked + p                the image, each section at its protections
 *
 * So text and rodata are read-only wherever they are seen, and what is executable is text where it is linked, and
 * nothing else. No entry is for users.
 */
import type { Region } from "../../hal/Boot.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import { Allow, type PagingService } from "../../hal/Paging.ts"
import { linked, window } from "../../types/x86_64/KernelSpace.ts"
import { pageBytes } from "./BootMemory.ts"
import { sections } from "./Image.ts"
import { overlaps } from "./Regions.ts"
import { entryIn } from "./Translation.ts"

/** The 48 bits of a canonical address that are translated, as a number. */
const translated = (address: bigint) => Number(BigInt.asUintN(48, address))
const windowBase = translated(window)
const linkedBase = translated(linked)

const writeBack = 0

/** Where tables are built, and in which format. */
export interface Builder {
  readonly memory: MemoryService
  readonly paging: PagingService
}

/** The tables for `ram`, with the image at `image`. `takePage` gives cleared pages for them. The answer is the root. */
export const build = (builder: Builder, ram: readonly Region[], image: Region, takePage: () => number): number => {
  const { paging } = builder
  const root = takePage()
  const map = (virtual: number, physical: number, level: number, allow: number) =>
    mapPage(builder, root, virtual, physical, level, allow | Allow.global, takePage)

  const readOnly = sections
    .filter(({ writable }) => !writable)
    .map(({ start, end }) => ({ start: image.start + start, end: image.start + end }))
  for (const region of ram) {
    for (const { start, level } of pages(paging, region, readOnly)) {
      const mayWrite = !readOnly.some((part) => overlaps(part, { start, end: start + pageBytes }))
      map(windowBase + start, start, level, mayWrite ? Allow.write : 0)
    }
  }

  const last = paging.levels.length - 1
  for (const { start, end, writable, executable } of sections) {
    const allow = (writable ? Allow.write : 0) | (executable ? Allow.execute : 0)
    for (let offset = start; offset < end; offset += pageBytes) {
      map(linkedBase + offset, image.start + offset, last, allow)
    }
  }
  return root
}

interface Page {
  readonly start: number
  readonly level: number
}

/** The largest pages that make up a region, but small ones where a larger one would hold any of `apart`. */
const pages = (paging: PagingService, region: Region, apart: readonly Region[]): readonly Page[] => {
  const found: Page[] = []
  const fits = (level: number, start: number) => {
    const { maps, shift } = paging.levels[level]!
    const end = start + 2 ** shift
    const small = level === paging.levels.length - 1
    return (
      maps &&
      start % 2 ** shift === 0 &&
      end <= region.end &&
      (small || !apart.some((a) => overlaps(a, { start, end })))
    )
  }
  for (let start = region.start; start < region.end; ) {
    const level = paging.levels.findIndex((_, index) => fits(index, start))
    if (level < 0) throw new Error("memory is whole pages")
    found.push({ start, level })
    start += 2 ** paging.levels[level]!.shift
  }
  return found
}

/** Enter one page, with the tables that lead to it. */
const mapPage = (
  { memory, paging }: Builder,
  root: number,
  virtual: number,
  physical: number,
  level: number,
  allow: number,
  takePage: () => number
): void => {
  let table = root
  for (let at = 0; at < level; at++) {
    const entry = entryIn(paging, table, at, virtual)
    const low = memory.load32(entry)
    if (paging.present(low)) {
      table = paging.address(at, low, memory.load32(entry + 4))
    } else {
      table = takePage()
      memory.store32(entry, paging.tableLow(table, false))
      memory.store32(entry + 4, paging.tableHigh(table, false))
    }
  }
  const entry = entryIn(paging, table, level, virtual)
  memory.store32(entry, paging.pageLow(level, physical, allow, writeBack))
  memory.store32(entry + 4, paging.pageHigh(level, physical, allow, writeBack))
}
