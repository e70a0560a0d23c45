/** Room: where in memory there is room for more, while a kernel and its files are put in place. */
import { memoryMap } from "./firmware.ts"
import { overlap, type Region } from "./Ram.ts"

export const pageBytes = 0x1000

/** Below are the interrupt vectors of real mode and the BIOS data area. */
const lowest = 0x1000

export class Room {
  private readonly ramBytes: number
  private readonly parts: readonly Region[]
  private readonly taken: Region[] = []

  constructor(ramBytes: number) {
    this.ramBytes = ramBytes
    this.parts = memoryMap(ramBytes)
      .filter(({ type }) => type === 1)
      .map(({ start, end }) => ({ start: Math.max(start, lowest), end }))
  }

  /** Nothing else goes there. False: it is no memory of a loader's, or taken already. */
  take(region: Region): boolean {
    const isThere = this.parts.some(({ start, end }) => region.start >= start && region.end <= end)
    if (!isThere || this.taken.some((other) => overlap(other, region))) return false
    this.taken.push(region)
    return true
  }

  /** The lowest page from `from` on where so many bytes fit, taken. Undefined: they fit nowhere. */
  above(from: number, bytes: number): Region | undefined {
    for (let start = toPage(from); start + bytes <= this.ramBytes; ) {
      const region = { start, end: start + bytes }
      if (this.take(region)) return region
      const inTheWay = this.taken.filter((other) => overlap(other, region)).map(({ end }) => end)
      start = toPage(Math.max(start + 1, ...inTheWay))
    }
    return undefined
  }

  /** The highest page where so many bytes fit below `to`, taken. */
  below(to: number, bytes: number): Region | undefined {
    for (let start = toPage(to - bytes, Math.floor); start >= lowest; start -= pageBytes) {
      const region = { start, end: start + bytes }
      if (this.take(region)) return region
    }
    return undefined
  }
}

const toPage = (address: number, round: (n: number) => number = Math.ceil): number =>
  round(address / pageBytes) * pageBytes
