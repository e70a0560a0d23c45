/**
 * SharedDisk: a disk in memory that a monitor and the disk server have in common, in large pages, and which parts of it were changed.
 */
import { type BlockStore, sectorBytes } from "../devices/virtio/block.ts"
import type { ThreadMemory } from "../types/Gate.ts"

export const pageBytes = 2 ** 21
/** What is written back at once. A page of bits says which parts are to be. */
export const partBytes = 2 ** 16

export class SharedDisk implements BlockStore {
  readonly sectors: number
  readonly isReadOnly = false
  private readonly memory: ThreadMemory
  private readonly pages: ReadonlyArray<number>
  private readonly changes: number
  private readonly flushed: () => void

  /** `pages`, `changes`: addresses. `flushed`: the server is to write back what was changed, before the guest goes on. */
  constructor(
    memory: ThreadMemory,
    sectors: number,
    pages: ReadonlyArray<number>,
    changes: number,
    flushed: () => void
  ) {
    this.memory = memory
    this.sectors = sectors
    this.pages = pages
    this.changes = changes
    this.flushed = flushed
  }

  read = (sector: number, bytes: Uint8Array): boolean => this.move(sector, bytes, this.memory.read)

  write = (sector: number, bytes: Uint8Array): boolean => {
    const first = Math.floor((sector * sectorBytes) / partBytes)
    const last = Math.floor((sector * sectorBytes + bytes.length - 1) / partBytes)
    for (let part = first; part <= last; part++) this.mark(part)
    return this.move(sector, bytes, this.memory.write)
  }

  flush = (): boolean => {
    this.flushed()
    return true
  }

  private mark(part: number): void {
    const byte = new Uint8Array(1)
    const at = this.changes + (part >>> 3)
    this.memory.read(at, byte)
    byte[0]! |= 1 << (part & 7)
    this.memory.write(at, byte)
  }

  private move(sector: number, bytes: Uint8Array, by: (address: number, bytes: Uint8Array) => boolean): boolean {
    for (let done = 0; done < bytes.length; ) {
      const at = sector * sectorBytes + done
      const page = this.pages[Math.floor(at / pageBytes)]
      if (page === undefined) return false
      const part = bytes.subarray(done, done + Math.min(bytes.length - done, pageBytes - (at % pageBytes)))
      if (!by(page + (at % pageBytes), part)) return false
      done += part.length
    }
    return true
  }
}
