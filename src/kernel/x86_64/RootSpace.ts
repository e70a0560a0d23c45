/** RootSpace: the address space of the root task, whose frames and tables it holds capabilities to. */

import type { Region } from "../../hal/Boot.ts"
import type { MemoryService } from "../../hal/Memory.ts"
import { Allow } from "../../hal/Paging.ts"
import * as Capability from "../Capability.ts"
import * as Derivation from "../Derivation.ts"
import { isRefusal, type State } from "../State.ts"
import { type BootMemory, pageBytes } from "./BootMemory.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { type Structure, structures } from "./PagingStructure.ts"
import { extent, inPage, type Program } from "./Program.ts"
import { entryAt, type Live, setEntry } from "./Translation.ts"

/** A page of the root task: where it sees it, where it is, and what it may do with it. */
export interface Page {
  readonly address: number
  readonly physical: number
  readonly allow: number
  readonly isDevice: boolean
}

const pageBits = 12
const backing = 0

/**
 * Make the tables that translate [start, end) and put a capability to each into the slot that `take` gives, those near
 * the root first.
 */
export const mapTables = (
  state: State,
  machine: Machine,
  free: BootMemory,
  space: Live,
  { start, end }: Region,
  take: () => number
): void => {
  const { paging } = machine
  for (const structure of Object.keys(structures) as Structure[]) {
    const { by, level } = structures[structure]
    if (by !== Mapping.By.addressSpace) continue
    const covers = 2 ** paging.levels[level]!.shift
    for (let address = Math.floor(start / covers) * covers; address < end; address += covers) {
      const table = free.take("a page table of the root task", pageBytes)
      const slot = take()
      Derivation.insertFirst(state, slot, Capability.original(structure, table))
      Mapping.set(state, slot, { asid: space.asid, address }, Mapping.By.addressSpace)
      const entry = entryOf(state, machine, space, level, address)
      setEntry(state, entry, paging.tableLow(table, true), paging.tableHigh(table, true))
    }
  }
}

/** Map a page whose tables are there, by the capability to its frame that is in `slot`. */
export const mapPage = (state: State, machine: Machine, space: Live, slot: number, page: Page): void => {
  const { paging } = machine
  const level = paging.levels.length - 1
  const { address, physical, allow } = page
  Mapping.set(state, slot, { asid: space.asid, address }, Mapping.By.addressSpace)
  setEntry(
    state,
    entryOf(state, machine, space, level, address),
    paging.pageLow(level, physical, allow | Allow.user, backing),
    paging.pageHigh(level, physical, allow | Allow.user, backing)
  )
}

/** The capability to the frame of a page, before it is mapped. */
export const frameOf = ({ physical, isDevice }: Page): Capability.Capability =>
  Capability.original("Frame", physical, 0, Mapping.frameData(pageBits, isDevice))

const entryOf = (state: State, machine: Machine, { root }: Live, level: number, address: number): number => {
  const entry = entryAt(state, machine.paging, root, level, address)
  if (isRefusal(entry)) throw new Error("the tables above were made before")
  return entry
}

/** The pages of a program, loaded. Between its parts lie pages that hold nothing. */
export const load = (memory: MemoryService, free: BootMemory, program: Program): readonly Page[] => {
  const { start, end } = extent(program)
  return Array.from({ length: (end - start) / pageBytes }, (_, index) => {
    const address = start + index * pageBytes
    const physical = free.take("the root task's image", pageBytes)
    const parts = inPage(program, address)
    for (const part of parts) {
      const from = Math.max(part.start, address)
      const to = Math.min(part.start + part.fileBytes, address + pageBytes)
      if (from < to) memory.copy(part.file + (from - part.start), physical + (from - address), to - from)
    }
    const writable = parts.some((part) => part.writable)
    const executable = parts.some((part) => part.executable)
    return {
      address,
      physical,
      allow: (writable ? Allow.write : 0) | (executable ? Allow.execute : 0),
      isDevice: false
    }
  })
}
