/**
 * DecodedPages: from which pages of RAM something is decoded, and who hears of it when one of them is written.
 *
 * It is one thing for all processors: what one of them writes may be what another runs. SDM vol. 3A, "Self-Modifying Code", asks
 * software for a serializing instruction between; here what was written is there at the next instruction, whoever wrote it.
 */
import { at } from "../processor/State.ts"
import { decodedAt, layout, pageBits, pageSize } from "./layout.ts"
import type { PhysicalMemory } from "./PhysicalMemory.ts"
import type { Tlb } from "./Tlb.ts"

export interface CodeWatcher {
  /** Something that was decoded from this page of code (host address >>> 12) changes now. */
  readonly codeWritten: (page: number) => void
  /** Writes to this page of RAM have to be heard of from now on. */
  readonly codeDecoded: (physicalPage: number) => void
}

export class DecodedPages {
  private readonly i32: Int32Array
  private readonly watcher: CodeWatcher
  /** By physical page: 1 if something is decoded from it. */
  private readonly decoded: Uint8Array
  /** Through these, pages may be written inline. */
  private readonly tlbs: Tlb[] = []

  constructor(memory: PhysicalMemory, watcher: CodeWatcher) {
    this.i32 = memory.i32
    this.watcher = watcher
    this.decoded = memory.u8.subarray(
      decodedAt(memory.ramBytes),
      decodedAt(memory.ramBytes) + (memory.ramBytes >>> pageBits)
    )
    memory.written = (page) => this.changes(page)
  }

  /** Translations for writing that lead around this are not made: `tlb` hears of every page that is decoded. */
  attach(tlb: Tlb): void {
    this.tlbs.push(tlb)
  }

  has(physicalPage: number): boolean {
    return this.decoded[physicalPage] === 1
  }

  /** Something is decoded from this page of code (host address >>> 12). */
  add(page: number): void {
    const physical = page - layout.ram / pageSize
    if (physical < 0 || this.decoded[physical]) return
    this.decoded[physical] = 1
    for (const tlb of this.tlbs) tlb.markCode(physical)
    this.watcher.codeDecoded(physical)
  }

  /** All of RAM is about to be written. */
  everythingChanges(): void {
    for (let page = 0; page < this.decoded.length; page++) this.changes(page)
  }

  /** A page of RAM is about to be written: whoever decoded something from it hears of it, once. */
  changes(physicalPage: number): void {
    if (!this.decoded[physicalPage]) return
    this.decoded[physicalPage] = 0
    this.i32[at.attention >> 2] = 1
    this.watcher.codeWritten(layout.ram / pageSize + physicalPage)
  }
}
