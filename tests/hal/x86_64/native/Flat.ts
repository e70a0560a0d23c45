/** Memory without page tables: a few pages at addresses of user programs, for one reading. Nothing is cached, so every access comes here. */
import { type Access, bytesOf, fault, inStack } from "../../../../src/hal/x86_64/memory/Access.ts"
import { contextBytes, layout, makeMemory, tableBytes } from "../../../../src/hal/x86_64/memory/layout.ts"
import { at, exceptions } from "../../../../src/hal/x86_64/processor/State.ts"

export interface Page {
  readonly host: number
  readonly writable: boolean
  readonly executable: boolean
}

const pageBytes = 4096
const PF = 14
/** Bits of a page fault's error code. SDM vol. 3A, "Page-Fault Error Code". */
const errorBit = { present: 1, write: 2, user: 4, fetch: 16 } as const
type Kind = "read" | "write" | "fetch"

export class Flat implements Access {
  readonly memory = makeMemory(0x10000)
  readonly view = new DataView(this.memory.buffer)
  private readonly pages = new Map<number, Page>()
  private next: number = layout.ram

  constructor() {
    // Empty tables, for inline accesses and fetches.
    new Uint8Array(this.memory.buffer, layout.translations, contextBytes).fill(0xff)
    for (const [i, table] of [at.readTable, at.writeTable, at.executeTable].entries())
      this.view.setInt32(table, layout.translations + i * tableBytes, true)
  }

  /** Fresh pages: the host address of the first. */
  map(address: number, bytes: number, rights: Omit<Page, "host">): number {
    const first = this.next
    for (let offset = 0; offset < bytes; offset += pageBytes) {
      this.pages.set((address + offset) / pageBytes, { host: this.next, ...rights })
      this.next += pageBytes
    }
    return first
  }

  read = (lo: number, hi: number, width: number): number => this.gather(lo, hi, width, "read")
  modify = (lo: number, hi: number, width: number): number => this.gather(lo, hi, width, "write")
  write = (lo: number, hi: number, width: number): number => {
    const places = this.places(lo, hi, width, "write")
    places?.forEach((host, i) => {
      this.view.setUint8(host, this.view.getUint8(at.bounce + i))
    })
    return places === undefined ? fault : 0
  }
  execute = (lo: number, hi: number): number => this.places(lo, hi, 8, "fetch")?.[0] ?? fault
  codeDecoded(): void {}

  private gather(lo: number, hi: number, width: number, kind: Kind): number {
    const places = this.places(lo, hi, width, kind)
    places?.forEach((host, i) => {
      this.view.setUint8(at.bounce + i, this.view.getUint8(host))
    })
    return places === undefined ? fault : at.bounce
  }

  /** Where each byte is; or nothing, and the exception of the first that cannot be accessed is in the state block. */
  private places(lo: number, hi: number, width: number, kind: Kind): ReadonlyArray<number> | undefined {
    const address = (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)
    const places: Array<number> = []
    for (let i = 0; i < bytesOf(width); i++) {
      const byte = BigInt.asUintN(64, address + BigInt(i))
      if (BigInt.asUintN(64, BigInt.asIntN(48, byte)) !== byte) {
        this.raise(exceptions[width & inStack ? "#SS(0)" : "#GP(0)"].vector, 0, 0n)
        return undefined
      }
      const page = this.pages.get(Number(byte >> 12n))
      const allowed = kind === "read" || (kind === "write" ? page?.writable : page?.executable)
      if (page === undefined || !allowed) {
        const kindBit = kind === "read" ? 0 : errorBit[kind]
        this.raise(PF, (page === undefined ? 0 : errorBit.present) | kindBit | errorBit.user, byte)
        return undefined
      }
      places.push(page.host + Number(byte & 4095n))
    }
    return places
  }

  private raise(vector: number, errorCode: number, address: bigint): void {
    this.view.setInt32(at.vector, vector, true)
    this.view.setInt32(at.errorCode, errorCode, true)
    this.view.setBigUint64(at.faultAddress, address, true)
  }
}
