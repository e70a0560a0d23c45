/**
 * Window: physical memory as the kernel reaches it, at `window` plus the physical address, with supervisor rights.
 *
 * Every access is the processor's own: what the page tables refuse raises a page fault (`raised`). What they allow is
 * remembered for each page of RAM, so that most accesses cost a look into one table of bytes. Only global
 * translations are remembered: they are the same in all address spaces. What is remembered goes when translations go.
 */
import { windowHigh } from "../../../types/x86_64/KernelSpace.ts"
import type { MemoryService } from "../../Memory.ts"
import { at } from "../processor/State.ts"
import { fault, raised } from "./Access.ts"
import { layout, pageBits, pageSize } from "./layout.ts"
import type { Mmu } from "./Mmu.ts"
import { entry, mode, type Table, table } from "./Tlb.ts"

const may = { read: 1, write: 2 } as const
const everything = may.read | may.write

export class Window implements MemoryService {
  private readonly mmu: Mmu
  private readonly u8: Uint8Array
  private readonly u16: Uint16Array
  private readonly i32: Int32Array
  private readonly ramBytes: number
  /** `may` bits, for each page of RAM. */
  private readonly rights: Uint8Array
  /** The pages that have any. */
  private readonly remembered: number[] = []

  constructor(mmu: Mmu) {
    this.mmu = mmu
    this.u8 = mmu.memory.u8
    this.u16 = mmu.memory.u16
    this.i32 = mmu.memory.i32
    this.ramBytes = mmu.memory.ramBytes
    this.rights = new Uint8Array(this.ramBytes >>> pageBits)
  }

  forget(): void {
    for (const page of this.remembered) this.rights[page] = 0
    this.remembered.length = 0
  }

  forgetWrites(physicalPage: number): void {
    this.rights[physicalPage]! &= ~may.write
  }

  load8 = (address: number): number => {
    if (this.may(address, may.read)) return this.u8[layout.ram + address]!
    return this.u8[this.slowRead(address, 8)]!
  }

  load16 = (address: number): number => {
    if (this.may(address, may.read)) return this.u16[(layout.ram + address) >>> 1]!
    return this.u16[this.slowRead(address, 16) >>> 1]!
  }

  load32 = (address: number): number => {
    if (this.may(address, may.read)) return this.i32[(layout.ram + address) >>> 2]!
    return this.i32[this.slowRead(address, 32) >>> 2]!
  }

  store8 = (address: number, value: number): void => {
    if (this.may(address, may.write)) this.u8[layout.ram + address] = value
    else this.slowWrite(address, 8, value)
  }

  store16 = (address: number, value: number): void => {
    if (this.may(address, may.write)) this.u16[(layout.ram + address) >>> 1] = value
    else this.slowWrite(address, 16, value)
  }

  store32 = (address: number, value: number): void => {
    if (this.may(address, may.write)) this.i32[(layout.ram + address) >>> 2] = value
    else this.slowWrite(address, 32, value)
  }

  get words(): Int32Array {
    return this.i32
  }

  indexOf = (address: number): number =>
    address < this.ramBytes && this.rights[address >>> pageBits] === everything ? (layout.ram + address) >>> 2 : -1

  loadWords = (address: number, words: Int32Array, index: number, count: number): void => {
    const { i32 } = this
    const source = this.inPlace(address, table.read)
    if (source === undefined) for (let n = 0; n < count; n++) words[index + n] = this.load32(address + n * 4)
    else for (let n = 0, from = source >>> 2; n < count; n++) words[index + n] = i32[from + n]!
  }

  storeWords = (address: number, words: Int32Array, index: number, count: number): void => {
    const { i32 } = this
    const target = this.inPlace(address, table.write)
    if (target === undefined) for (let n = 0; n < count; n++) this.store32(address + n * 4, words[index + n]!)
    else for (let n = 0, to = target >>> 2; n < count; n++) i32[to + n] = words[index + n]!
  }

  copy = (from: number, to: number, length: number): void => {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, roomIn(from + done), roomIn(to + done))
      const source = this.inPlace(from + done, table.read)
      const target = this.inPlace(to + done, table.write)
      if (source === undefined || target === undefined) {
        for (let n = done; n < done + part; n++) this.store8(to + n, this.load8(from + n))
      } else this.u8.copyWithin(target, source, source + part)
      done += part
    }
  }

  zero = (address: number, length: number): void => {
    for (let done = 0; done < length; ) {
      const part = Math.min(length - done, roomIn(address + done))
      const target = this.inPlace(address + done, table.write)
      if (target === undefined) for (let n = done; n < done + part; n++) this.store8(address + n, 0)
      else this.u8.fill(0, target, target + part)
      done += part
    }
  }

  private may(address: number, what: number): boolean {
    return address < this.ramBytes && (this.rights[address >>> pageBits]! & what) !== 0
  }

  /** Where a page's bytes are, if they may be accessed so; undefined if no RAM is there. */
  private inPlace(address: number, which: Table): number | undefined {
    if (this.may(address, which === table.read ? may.read : may.write)) return layout.ram + address
    const found = this.translate(address, which)
    return this.i32[found >>> 2]! & entry.slow ? undefined : this.mmu.host(found, low(address))
  }

  private slowRead(address: number, width: number): number {
    this.translate(address, table.read)
    const host = this.mmu.readAs(mode.supervisor, low(address), high(address), width)
    if (host === fault) throw raised
    return host
  }

  private slowWrite(address: number, width: number, value: number): void {
    this.translate(address, table.write)
    this.i32[at.bounce >> 2] = value
    if (this.mmu.writeAs(mode.supervisor, low(address), high(address), width) === fault) throw raised
  }

  /** Ask the translation caches and the tables, and remember the answer if it holds in all address spaces. */
  private translate(address: number, which: Table): number {
    const found = this.mmu.translate(mode.supervisor, which, low(address), high(address), 0)
    if (found === fault) throw raised
    if (which === table.write) this.mmu.beforeWrite(found)
    const isGlobal = (this.i32[(found + entry.info) >> 2]! & entry.global) !== 0
    if (isGlobal && address < this.ramBytes && this.mmu.physical(found, low(address)) === address) {
      const page = address >>> pageBits
      if (this.rights[page] === 0) this.remembered.push(page)
      this.rights[page]! |= which === table.read ? may.read : may.write
    }
    return found
  }
}

const roomIn = (address: number): number => pageSize - (address % pageSize)

/**
 * The window begins at a multiple of 2^32: a physical address is the lower half, and what it has above 32 bits is
 * added to the upper.
 */
const low = (address: number): number => address | 0
const high = (address: number): number => windowHigh + Math.floor(address / 2 ** 32)
