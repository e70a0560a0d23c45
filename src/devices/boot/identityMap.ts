/**
 * Page tables of a loader: the low 4 GiB at address 0, by pages of 2 MiB, for who starts in 64-bit mode.
 *
 * SDM vol. 3A, "4-Level Paging". A PML4, a PDPT, four page directories.
 */
import { put32, type Ram } from "./Ram.ts"

export const mapPages = 6
const pageBytes = 0x1000
const mapped = 2 ** 32
const largePage = 2 ** 21
const bit = { P: 1, RW: 2, PS: 0x80 } as const

/** Also at the entries `alsoAt` of the PML4, 512 GiB each. */
export const writeMap = (memory: Ram, pml4: number, alsoAt: readonly number[] = []): void => {
  const tables = memory.ram(pml4, mapPages * pageBytes).fill(0)
  const link = bit.P | bit.RW
  const [pdpt, directory] = [pageBytes, 2 * pageBytes]
  for (const entry of [0, ...alsoAt]) put32(tables, entry * 8, (pml4 + pdpt) | link)
  for (let n = 0; n < 4; n++) put32(tables, pdpt + n * 8, (pml4 + directory + n * pageBytes) | link)
  for (let n = 0; n < mapped / largePage; n++) put32(tables, directory + n * 8, (n * largePage) | link | bit.PS)
}
