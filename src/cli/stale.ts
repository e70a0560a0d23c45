/** stale: uses of stale translations, a line for each that is new. */
import type { StaleUse } from "../hal/x86_64/memory/Mmu.ts"
import { bit } from "../hal/x86_64/memory/paging.ts"

const kinds = ["read", "write", "fetch"] as const

const hex = (value: number): string => (value >>> 0).toString(16).toUpperCase().padStart(8, "0")
const address = (page: number): string => `${(page * 0x1000).toString(16).toUpperCase()}H`

/** What the page tables say now. */
const saying = ({ page, now }: StaleUse): string => {
  if (typeof now === "number") return now & 1 ? `refuse it, with error code ${now}` : "have no page there"
  if (now.page !== page) return `lead to ${address(now.page)}`
  return now.flags & bit.A ? "have a dirty flag of 0" : "have an accessed flag of 0"
}

export const sentence = (use: StaleUse, instruction: number): string =>
  `${instruction}  stale translation: the ${kinds[use.which]} of ${hex(use.hi)}_${hex(use.lo)} went to ` +
  `${address(use.page)}, but the page tables ${saying(use)}`

/** More lines than these help nobody. */
const most = 1000

/** What is told of each use, and writes those whose page and answer it has not written before. */
export const reporter = (write: (line: string) => void, instruction: () => number): ((use: StaleUse) => void) => {
  const seen = new Set<string>()
  return (use) => {
    const key = `${use.which} ${use.hi} ${use.lo >>> 12} ${saying(use)}`
    if (seen.has(key) || seen.size === most) return
    seen.add(key)
    write(sentence(use, instruction()))
    if (seen.size === most) write("no more stale translations are said")
  }
}
