/**
 * Translation: the address space in force, and the walk through the tables of any: those by which the processor
 * translates the addresses of programs, and those by which it translates what a guest takes for physical addresses.
 *
 * SDM vol. 3A, "4-Level Paging and 5-Level Paging", and vol. 3C, "The Extended Page Table Mechanism (EPT)"; the bits of
 * entries are the machine's business (hal/Paging).
 */
import { Charge } from "../../hal/Charge.ts"
import type { PagingService } from "../../hal/Paging.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import { SystemRegister } from "../../types/x86_64/SystemRegister.ts"
import { EptPointer } from "../../types/x86_64/VmxControls.ts"
import type { State, View } from "../State.ts"
import { ArchData } from "./ArchData.ts"
import { type Machine, virtualizationOf } from "./Machine.ts"
import { By } from "./Mapping.ts"

/** A root of tables that has an ASID, and the ASID leads to it. */
export interface Live {
  readonly root: number
  readonly asid: number
}

/** What translates (`Mapping.By`), and its tables. */
export const tablesOf = (machine: Machine, by: number): PagingService =>
  by === By.guest ? virtualizationOf(machine).tables : machine.paging

/** Once this is done, no translation of the page at an address is used that was in the tables before. */
export const invalidatePage = (machine: Machine, by: number, live: Live, address: number): void => {
  if (by === By.guest) invalidate(machine, by, live)
  else machine.processor.invalidatePage(live.asid, address | 0, Math.floor(address / 2 ** 32))
}

/** The same for every page. */
export const invalidate = (machine: Machine, by: number, { root, asid }: Live): void => {
  if (by === By.guest)
    virtualizationOf(machine).invalidateGuestPhysical("one", pointerLow(root), Math.floor(root / 2 ** 32))
  else machine.processor.invalidateSpace(asid)
}

/** The lower half of the pointer to a guest's tables (SDM vol. 3C, "Extended-Page-Table Pointer (EPTP)"). */
export const pointerLow = (root: number): number => root | EptPointer.WALK_LENGTH_4 | EptPointer.WRITE_BACK

/**
 * Bit 63 of what is moved to CR3: translations of the ASID that are still right stay (SDM vol. 2, "MOV - Move to/from
 * Control Registers").
 */
export const keepTranslations = 0x8000_0000

/** The processor translates by the tables at `root`, with this ASID. */
export const activate = ({ memory }: State, { archData, processor }: Machine, root: number, asid: number): void => {
  if (ArchData.root.load(memory, archData) === root && ArchData.asid.load(memory, archData) === asid) return
  processor.setSystem(SystemRegister.CR3, root | 0 | asid, Math.floor(root / 2 ** 32) | keepTranslations)
  ArchData.root.store(memory, archData, root)
  ArchData.asid.store(memory, archData, asid)
}

/** The place of the entry for `address` in a table of this level. */
export const entryIn = (
  { levels, entries, entryBytes }: PagingService,
  table: number,
  level: number,
  address: number
): number => table + (Math.floor(address / 2 ** levels[level]!.shift) % entries) * entryBytes

/** The place of the entry for `address` at this level; refused if a table on the way is missing. */
export const entryAt = (
  { memory, charge }: View,
  paging: PagingService,
  root: number,
  level: number,
  address: number
): number | SyscallError.SyscallError => {
  let table = root
  for (let at = 0; at < level; at++) {
    charge(Charge.lookup)
    const entry = entryIn(paging, table, at, address)
    const low = memory.load32(entry)
    if (!paging.present(low) || paging.mapsPage(at, low)) return missing(paging, at)
    table = paging.address(at, low, memory.load32(entry + 4))
  }
  return entryIn(paging, table, level, address)
}

/** An entry at this level is missing: the bits below those that select it are left. */
export const missing = ({ levels }: PagingService, level: number): SyscallError.SyscallError =>
  SyscallError.failedLookup("destination", { _tag: "MissingCapability", bitsLeft: levels[level]!.shift })

export const setEntry = ({ memory, charge }: State, entry: number, low: number, high: number): void => {
  charge(Charge.pageEntry)
  // The present bit is in the low half: it comes last, and goes first.
  if (low === 0) memory.store32(entry, 0)
  memory.store32(entry + 4, high)
  memory.store32(entry, low)
}

/** The level whose entries map pages of 2^bits bytes. */
export const levelOf = ({ levels }: PagingService, bits: number): number => {
  const level = levels.findIndex(({ maps, shift }) => maps && shift === bits)
  if (level < 0) throw new Error(`no page has 2^${bits} bytes`)
  return level
}
