/**
 * Memory types: what may be cached, and how. SDM vol. 3A, "Memory Cache Control".
 *
 * This machine has no caches, so that only what asks for a type by itself sees one: MONITOR, and reports.
 */

/** By their encodings. Table "Memory Types That Can Be Encoded in a Page Attribute Table"; MTRRs have no UC-. */
export const memoryTypes = { UC: 0, WC: 1, WT: 4, WP: 5, WB: 6, "UC-": 7 } as const
export type MemoryType = keyof typeof memoryTypes

const names = new Map(Object.entries(memoryTypes).map(([name, encoding]) => [encoding as number, name as MemoryType]))
export const isPatType = (encoding: number): boolean => names.has(encoding)
export const isMtrrType = (encoding: number): boolean => names.has(encoding) && encoding !== memoryTypes["UC-"]

/** Rows are the MTRR's type, columns the page's. Table "Effective Page-Level Memory Types for Pentium III and More Recent Processor Families". */
// biome-ignore format: a table
const effective: Readonly<Record<Exclude<MemoryType, "UC-">, Readonly<Record<MemoryType, MemoryType>>>> = {
  UC: { UC: "UC", "UC-": "UC", WC: "WC", WT: "UC", WB: "UC", WP: "UC" },
  WC: { UC: "UC", "UC-": "WC", WC: "WC", WT: "UC", WB: "WC", WP: "UC" },
  WT: { UC: "UC", "UC-": "UC", WC: "WC", WT: "WT", WB: "WT", WP: "WP" },
  WB: { UC: "UC", "UC-": "UC", WC: "WC", WT: "WT", WB: "WB", WP: "WP" },
  WP: { UC: "UC", "UC-": "WC", WC: "WC", WT: "WT", WB: "WP", WP: "WP" }
}

/** IA32_PAT and the MTRRs, as halves. */
export interface MemoryTypeRegisters {
  readonly pat: Halves
  readonly defType: Halves
  /** By number, from 0; 8 types each, one for each part of the range. */
  readonly fixed: (n: number) => Halves
  readonly variable: (n: number) => { readonly base: Halves; readonly mask: Halves }
}
type Halves = readonly [lo: number, hi: number]

export const variableRanges = 8

/** IA32_MTRR_DEF_TYPE: MTRRs count, and the fixed ones do. */
export const defType = { E: 1 << 11, FE: 1 << 10, type: 0xff } as const
/** IA32_MTRR_PHYSMASKn: this range counts. */
export const valid = 1 << 11

/** Where each fixed register begins, and the size of its eight parts. Table "Address Mapping for Fixed-Range MTRRs". */
export const fixedRanges = [
  { start: 0x0_0000, part: 0x1_0000 },
  { start: 0x8_0000, part: 0x4000 },
  { start: 0xa_0000, part: 0x4000 },
  ...Array.from({ length: 8 }, (_, n) => ({ start: 0xc_0000 + n * 0x8000, part: 0x1000 }))
] as const

const byteOf = ([lo, hi]: Halves, n: number): number => ((n < 4 ? lo : hi) >>> ((n & 3) * 8)) & 0xff

/** By the MTRRs alone. "MTRR Precedences". */
export const mtrrType = (registers: MemoryTypeRegisters, address: number): MemoryType => {
  const [control] = registers.defType
  if (!(control & defType.E)) return "UC"
  if (control & defType.FE && address < 2 ** 20) return named(fixedType(registers, address))
  const types = new Set<MemoryType>()
  for (let n = 0; n < variableRanges; n++) {
    const { base, mask } = registers.variable(n)
    if (mask[0] & valid && isInRange(address, base, mask)) types.add(named(base[0] & defType.type))
  }
  if (types.size === 0) return named(control & defType.type)
  if (types.size === 1) return [...types][0]!
  // "If two or more variable ranges match and one is UC, it is UC; WT and WB are WT; all else is undefined."
  return [...types].every((type) => type === "WT" || type === "WB") ? "WT" : "UC"
}

const named = (encoding: number): MemoryType => names.get(encoding) ?? "UC"

const fixedType = ({ fixed }: MemoryTypeRegisters, address: number): number => {
  const n = fixedRanges.findLastIndex(({ start }) => start <= address)
  const { start, part } = fixedRanges[n]!
  return byteOf(fixed(n), Math.floor((address - start) / part))
}

const isInRange = (address: number, [baseLow, baseHigh]: Halves, [maskLow, maskHigh]: Halves): boolean => {
  const [lo, hi] = [address | 0, Math.floor(address / 2 ** 32)]
  return ((lo ^ baseLow) & maskLow & ~0xfff) === 0 && ((hi ^ baseHigh) & maskHigh) === 0
}

/** With the type of the page: an entry of IA32_PAT, by PAT, PCD and PWT of the entry that maps it. */
export const effectiveType = (registers: MemoryTypeRegisters, address: number, patIndex: number): MemoryType =>
  effective[mtrrType(registers, address) as Exclude<MemoryType, "UC-">][named(byteOf(registers.pat, patIndex))]
