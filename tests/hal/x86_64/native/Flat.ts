/** Memory without page tables: a few pages at addresses of user programs, for one reading. Nothing is cached, so every access comes here. */
import { type Access, bytesOf, fault, inStack, isCanonical } from "../../../../src/hal/x86_64/memory/Access.ts"
import { contextBytes, layout, makeMemory, tableBytes } from "../../../../src/hal/x86_64/memory/layout.ts"
import { at, exceptions } from "../../../../src/hal/x86_64/processor/State.ts"

export interface Rights {
  readonly writable: boolean
  readonly executable: boolean
}
interface Area extends Rights {
  readonly first: number
  readonly end: number
  readonly host: number
}

const PF = 14
/** Bits of a page fault's error code. SDM vol. 3A, "Page-Fault Error Code". */
const errorBit = { present: 1, write: 2, user: 4, fetch: 16 } as const
type Kind = "read" | "write" | "fetch"

export class Flat implements Access {
  readonly memory = makeMemory(0x10000)
  readonly view = new DataView(this.memory.buffer)
  /** Something was written since this was made false. */
  isWritten = false
  /** Told of a page of code that changes: once for each time that something is decoded from it. */
  codeWritten: (page: number) => void = () => {}
  private readonly decoded = new Set<number>()
  private readonly bytes = new Uint8Array(this.memory.buffer)
  private readonly areas: Array<Area> = []
  private next: number = layout.ram

  constructor() {
    // Empty tables, for inline accesses and fetches.
    new Uint8Array(this.memory.buffer, layout.translations, contextBytes).fill(0xff)
    for (const [i, table] of [at.readTable, at.writeTable, at.executeTable].entries())
      this.view.setInt32(table, layout.translations + i * tableBytes, true)
  }

  /** Fresh pages, from this address below 4 GiB on: the host address of the first. */
  map(address: number, bytes: number, rights: Rights): number {
    const host = this.next
    this.areas.push({ first: address, end: address + bytes, host, ...rights })
    this.next += bytes
    return host
  }

  read = (lo: number, hi: number, width: number): number => this.gather(lo, hi, width, "read")
  modify = (lo: number, hi: number, width: number): number => this.gather(lo, hi, width, "write")
  write = (lo: number, hi: number, width: number): number => {
    const count = bytesOf(width)
    if (!this.findBytes(lo, hi, width, count, "write")) return fault
    for (let i = 0; i < count; i++) {
      const host = this.places[i]!
      this.bytes[host] = this.bytes[at.bounce + i]!
      if (this.decoded.delete(host >>> 12)) this.changed(host >>> 12)
    }
    this.isWritten = true
    return 0
  }
  execute = (lo: number, hi: number): number => (this.findBytes(lo, hi, 8, 1, "fetch") ? this.places[0]! : fault)
  codeDecoded = (page: number): void => {
    this.decoded.add(page)
  }

  /** What runs ends with this instruction. */
  private changed(page: number): void {
    this.view.setInt32(at.attention, 1, true)
    this.codeWritten(page)
  }

  private gather(lo: number, hi: number, width: number, kind: Kind): number {
    const count = bytesOf(width)
    if (!this.findBytes(lo, hi, width, count, kind)) return fault
    for (let i = 0; i < count; i++) this.bytes[at.bounce + i] = this.bytes[this.places[i]!]!
    return at.bounce
  }

  /** Where each byte is, of those that were found last. */
  private readonly places = new Int32Array(32)

  /** Finds bytes; false: the exception of the first that cannot be accessed is in the state block. */
  private findBytes(lo: number, hi: number, width: number, count: number, kind: Kind): boolean {
    for (let i = 0; i < count; i++) {
      const low = (lo + i) >>> 0
      const high = low < lo >>> 0 ? hi + 1 : hi
      if (!isCanonical(high | 0, 48))
        return this.raise(exceptions[width & inStack ? "#SS(0)" : "#GP(0)"].vector, 0, 0, 0)
      const area = high === 0 ? this.areaAt(low) : undefined
      if (area === undefined || !(kind === "read" || (kind === "write" ? area.writable : area.executable))) {
        const present = area === undefined ? 0 : errorBit.present
        return this.raise(PF, present | (kind === "read" ? 0 : errorBit[kind]) | errorBit.user, low, high)
      }
      this.places[i] = area.host + low - area.first
    }
    return true
  }

  private areaAt(address: number): Area | undefined {
    for (const area of this.areas) if (address >= area.first && address < area.end) return area
    return undefined
  }

  private raise(vector: number, errorCode: number, lo: number, hi: number): false {
    this.view.setInt32(at.vector, vector, true)
    this.view.setInt32(at.errorCode, errorCode, true)
    this.view.setInt32(at.faultAddress, lo, true)
    this.view.setInt32(at.faultAddress + 4, hi, true)
    return false
  }
}
