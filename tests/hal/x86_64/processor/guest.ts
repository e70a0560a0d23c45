/** A processor with memory and page tables, and nothing else: what a reading needs to run. */
import { DecodedPages } from "../../../../src/hal/x86_64/memory/DecodedPages.ts"
import { layout, makeMemory, pageSize, processorRoom } from "../../../../src/hal/x86_64/memory/layout.ts"
import { Mmu } from "../../../../src/hal/x86_64/memory/Mmu.ts"
import { type MemoryBus, PhysicalMemory } from "../../../../src/hal/x86_64/memory/PhysicalMemory.ts"
import { bit, noRules } from "../../../../src/hal/x86_64/memory/paging.ts"
import { mode } from "../../../../src/hal/x86_64/memory/Tlb.ts"
import type { Mode } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import type { Reading, ReadingParts } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { cause, modeNumber, registerNames, at as state } from "../../../../src/hal/x86_64/processor/State.ts"

const silentBus: MemoryBus = { read: () => 0xff, write: () => {} }

export interface Page {
  readonly at: bigint
  /** Bytes of RAM, from a physical address on. */
  readonly physical: number
  readonly bytes: number
  readonly writable?: boolean
}

/** Page tables lie in the first MiB of RAM. */
const root = 0x1000

export class Guest {
  readonly memory: WebAssembly.Memory
  readonly view: DataView
  readonly physical: PhysicalMemory
  readonly code: DecodedPages
  readonly mmu: Mmu
  readonly reading: Reading
  private tables = root + pageSize

  constructor(make: (parts: ReadingParts) => Reading, ramBytes: number, pages: ReadonlyArray<Page>, bus = silentBus) {
    this.memory = makeMemory(ramBytes)
    this.view = new DataView(this.memory.buffer)
    this.physical = new PhysicalMemory(this.memory, ramBytes, bus, [])
    this.code = new DecodedPages(this.physical, {
      codeWritten: (page) => this.reading?.codeWritten(page),
      codeDecoded: () => {}
    })
    const watcher = { codeMapChanged: () => this.reading?.codeMapChanged(), globalsDropped: () => {} }
    this.mmu = new Mmu(this.physical, this.code, watcher, processorRoom(ramBytes, 0))
    this.mmu.setRules({ ...noRules, WP: true, NXE: true })
    this.mmu.setRoot(root, 0)
    for (const page of pages) this.map(page)
    this.setPrivilege(0)
    this.view.setBigUint64(state.rflags, 2n, true)
    this.reading = make({ memory: this.memory, access: this.mmu })
  }

  /** 64-bit code at this privilege. All pages are everybody's. */
  setPrivilege(privilege: Mode["privilege"]) {
    this.mmu.setMode(privilege === 3 ? mode.user : mode.supervisor)
    this.view.setInt32(state.mode, modeNumber({ bits: 64, privilege }), true)
  }

  map({ at: from, physical, bytes, writable = true }: Page) {
    for (let offset = 0; offset < bytes; offset += pageSize) {
      const address = from + BigInt(offset)
      let table = root
      for (const shift of [39n, 30n, 21n]) {
        const entry = table + Number((address >> shift) & 511n) * 8
        if (this.physical.load32(entry) === 0) {
          this.physical.store32(entry, this.tables | bit.P | bit.RW | bit.US)
          this.tables += pageSize
        }
        table = this.physical.load32(entry) & -pageSize
      }
      const entry = table + Number((address >> 12n) & 511n) * 8
      this.physical.store32(entry, (physical + offset) | bit.P | bit.US | (writable ? bit.RW : 0))
    }
  }

  /** What INVLPG does. */
  forget(address: bigint) {
    this.mmu.tlb.invalidate(0, Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n)))
  }

  ram(physical: number, bytes: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, layout.ram + physical, bytes)
  }

  /** Bytes of RAM, of the addresses that are mapped from `base`. What was decoded from them is forgotten. */
  put(at: bigint, base: { readonly at: bigint; readonly physical: number }, bytes: Uint8Array) {
    const physical = base.physical + Number(at - base.at)
    for (let page = physical >>> 12; page <= (physical + bytes.length - 1) >>> 12; page++) this.code.changes(page)
    this.view.setInt32(state.attention, 0, true)
    this.ram(physical, bytes.length).set(bytes)
  }

  get(name: (typeof registerNames)[number]): bigint {
    return this.view.getBigUint64(state.general + 8 * registerNames.indexOf(name), true)
  }
  set(name: (typeof registerNames)[number], value: bigint) {
    this.view.setBigUint64(state.general + 8 * registerNames.indexOf(name), BigInt.asUintN(64, value), true)
  }
  get rip(): bigint {
    return this.view.getBigUint64(state.rip, true)
  }
  set rip(value: bigint) {
    this.view.setBigUint64(state.rip, value, true)
  }
  /** Instructions completed. */
  get count(): bigint {
    return this.view.getBigInt64(state.deadline, true) - BigInt(this.view.getInt32(state.countdown, true))
  }

  /** Goes on for so many instructions, unless something else stops it: the cause. */
  run(instructions: number): number {
    const { view, reading } = this
    view.setBigInt64(state.deadline, this.count + BigInt(instructions), true)
    view.setInt32(state.countdown, instructions, true)
    while (view.getInt32(state.countdown, true) > 0) {
      reading.run()
      view.setInt32(state.attention, 0, true)
      if (view.getInt32(state.cause, true) !== cause.countdown) return view.getInt32(state.cause, true)
      if (view.getInt32(state.countdown, true) <= 0) break
      reading.step()
      view.setInt32(state.attention, 0, true)
      if (view.getInt32(state.cause, true) !== cause.countdown) return view.getInt32(state.cause, true)
    }
    return cause.countdown
  }
}
