/**
 * PDPT, PageDirectory, PageTable: the tables below a PML4; EPTPDPT, EPTPD, EPTPT: those below the root of a guest's
 * physical memory. Each is a kind of its own; what they do differs only in the level, and in what they translate.
 *
 * A table is mapped by the one capability that made it so, and unmapped by the last one to it.
 */
import { Charge } from "../../hal/Charge.ts"
import type { Method } from "../../types/Method.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import * as Word from "../../types/Word.ts"
import * as EPTPD from "../../types/x86_64/methods/EPTPD.ts"
import * as EPTPDPT from "../../types/x86_64/methods/EPTPDPT.ts"
import * as EPTPT from "../../types/x86_64/methods/EPTPT.ts"
import * as PageDirectory from "../../types/x86_64/methods/PageDirectory.ts"
import * as PageTable from "../../types/x86_64/methods/PageTable.ts"
import * as PDPT from "../../types/x86_64/methods/PDPT.ts"
import * as Capability from "../Capability.ts"
import { isFinal } from "../Derivation.ts"
import { extraCap, high, type Invocation, low, read } from "../Invocation.ts"
import { type Decoded, isRefusal, type State, type View } from "../State.ts"
import * as Asid from "./Asid.ts"
import type { Machine } from "./Machine.ts"
import * as Mapping from "./Mapping.ts"
import { By } from "./Mapping.ts"
import { entryAt, invalidate, setEntry, tablesOf } from "./Translation.ts"

/** The methods of each, what it is part of, and the level of the entry that leads to it. */
// biome-ignore format: a table
export const structures = {
  PDPT:          { methods: PDPT,          by: By.addressSpace, level: 0 },
  PageDirectory: { methods: PageDirectory, by: By.addressSpace, level: 1 },
  PageTable:     { methods: PageTable,     by: By.addressSpace, level: 2 },
  EPTPDPT:       { methods: EPTPDPT,       by: By.guest,        level: 0 },
  EPTPD:         { methods: EPTPD,         by: By.guest,        level: 1 },
  EPTPT:         { methods: EPTPT,         by: By.guest,        level: 2 }
} as const
export type Structure = keyof typeof structures

export const isStructure = (kind: string): kind is Structure => Object.hasOwn(structures, kind)

const tableBytes = 0x1000

export const decode = (view: View, machine: Machine, invocation: Invocation, structure: Structure): Decoded => {
  const { methods } = structures[structure]
  switch (invocation.label) {
    case methods.Unmap.label: {
      const args = read(view, invocation, methods.Unmap)
      if (isRefusal(args)) return args
      if (!isFinal(view, invocation.slot)) return SyscallError.revokeFirst
      return (state) => {
        unmap(state, machine, invocation.slot, structure)
        clear(state, Capability.object(state, invocation.slot))
        return undefined
      }
    }
    case methods.Map.label:
      return decodeMap(view, machine, invocation, structure)
    default:
      return SyscallError.illegalOperation
  }
}

const decodeMap = (view: View, machine: Machine, invocation: Invocation, structure: Structure): Decoded => {
  const { methods, by, level } = structures[structure]
  const method: Method = methods.Map
  const paging = tablesOf(machine, by)
  const { slot } = invocation
  const args = read(view, invocation, method)
  if (isRefusal(args)) return args
  if (Mapping.isMapped(view, slot)) return SyscallError.invalidCapability(0)
  const root = extraCap(view, invocation, method, 0)
  if (isRefusal(root)) return root
  if (!Mapping.isMapped(view, root)) return SyscallError.invalidCapability(1)

  const { shift } = paging.levels[level]!
  // Of each of them, the first word is where it is to be mapped.
  const firstWord = Word.toNumber(low(view, invocation, 0), high(view, invocation, 0))
  const address = Math.floor(firstWord / 2 ** shift) * 2 ** shift
  if (address >= paging.userEnd) return SyscallError.invalidArgument(0)
  const space = Asid.live(view, machine, root, 1)
  if (isRefusal(space)) return space
  const entry = entryAt(view, paging, space.root, level, address)
  if (isRefusal(entry)) return entry
  if (paging.present(view.memory.load32(entry))) return SyscallError.deleteFirst

  const table = Capability.object(view, slot)
  return (state) => {
    Mapping.set(state, slot, { asid: space.asid, address }, by)
    setEntry(state, entry, paging.tableLow(table, true), paging.tableHigh(table, true))
    return undefined
  }
}

/** The table of the capability in `slot` is no longer part of the address space in which it was mapped. */
export const unmap = (state: State, machine: Machine, slot: number, structure: Structure): void => {
  const { memory } = state
  const { by, level } = structures[structure]
  const asid = Mapping.asid(Mapping.dataLow(memory, slot))
  const address = Mapping.address(Mapping.dataLow(memory, slot), Mapping.dataHigh(memory, slot))
  Mapping.clear(state, slot)
  const root = Asid.find(state, machine, by, asid)
  if (root === 0) return
  const paging = tablesOf(machine, by)
  const entry = entryAt(state, paging, root, level, address)
  if (isRefusal(entry)) return
  const low = memory.load32(entry)
  if (!paging.present(low) || paging.mapsPage(level, low)) return
  if (paging.address(level, low, memory.load32(entry + 4)) !== Capability.object(state, slot)) return
  setEntry(state, entry, 0, 0)
  invalidate(machine, by, { root, asid })
}

/** What was mapped by the table is mapped no longer if the table is used again. */
const clear = ({ memory, charge }: State, table: number): void => {
  charge((tableBytes / 256) * Charge.zeroChunk)
  memory.zero(table, tableBytes)
}
