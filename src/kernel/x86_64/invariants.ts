/**
 * Invariants of this architecture's half: what is always true of its objects when no program is in the kernel. See
 * `kernel/invariants`.
 */
import type { PagingService } from "../../hal/Paging.ts"
import { type Kind, numberOf, ofNumber } from "../../types/Kind.ts"
import { objectTypes } from "../../types/ObjectType.ts"
import { right } from "../../types/Rights.ts"
import { asidPoolBits } from "../../types/x86_64/ObjectType.ts"
import { VmcsField } from "../../types/x86_64/VmcsField.ts"
import * as Capability from "../Capability.ts"
import type { SizeOf, World } from "../invariants.ts"
import type { View } from "../State.ts"
import { Tcb, ThreadState } from "../Tcb.ts"
import { asidPools, msrBitmap, poolEntry, Vpid, vpidAt, vpids, x2ApicBitmap } from "./ArchData.ts"
import { poolSize } from "./Asid.ts"
import { backed, guarded, pages, virtualizesX2Apic } from "./Controls.ts"
import * as Mapping from "./Mapping.ts"
import * as Vcpu from "./Vcpu.ts"

const hex = (address: number): string => `${address.toString(16).toUpperCase()}H`
const holds = (isTrue: boolean, sentence: () => string): ReadonlyArray<string> => (isTrue ? [] : [sentence()])

/** Kinds whose objects are of one size. */
const bits: ReadonlyMap<Kind, number> = new Map([
  ...Object.values(objectTypes).flatMap(
    (type): ReadonlyArray<[Kind, number]> => ("bits" in type && type.makes !== "Frame" ? [[type.makes, type.bits]] : [])
  ),
  ["ASIDPool", asidPoolBits]
])

/** The memory of what this architecture's capabilities name. */
export const sizeOf: SizeOf = (view, slot) => {
  const kind = ofNumber(Capability.kind(view, slot))
  if (kind === "Frame") return 2 ** Mapping.frameBits(Mapping.dataHigh(view.memory, slot))
  const size = kind === undefined ? undefined : bits.get(kind)
  return size === undefined ? undefined : 2 ** size
}

/** Where this half of the kernel keeps what it knows, and what its tables look like. */
export interface Place {
  readonly archData: number
  readonly paging: PagingService
  readonly guestPaging: PagingService
  /** A field of the control structure of a virtual processor. */
  readonly fieldOf: (vcpu: number, field: number) => number
}

/** What is wrong with the architecture's objects in a world. */
export const check = (view: View, world: World, place: Place): ReadonlyArray<string> => {
  const slots = byKind(view, world)
  return [
    ...checkVirtualProcessors(view, slots, place),
    ...checkPages(view, slots, place),
    ...checkSpaces(view, slots, place)
  ]
}

/** The slots that hold something, by the kind of what they hold. */
type Slots = ReadonlyMap<number, ReadonlyArray<number>>

const byKind = (view: View, world: World): Slots => {
  const slots = new Map<number, Array<number>>()
  for (const slot of world.slots) {
    const kind = Capability.kind(view, slot)
    const known = slots.get(kind)
    if (known === undefined) slots.set(kind, [slot])
    else known.push(slot)
  }
  return slots
}

const slotsOf = (slots: Slots, kind: Kind): ReadonlyArray<number> => slots.get(numberOf[kind]) ?? []
const objectsOf = (view: View, slots: Slots, kind: Kind): ReadonlySet<number> =>
  new Set(slotsOf(slots, kind).map((slot) => Capability.object(view, slot)))

// —— Virtual processors

const checkVirtualProcessors = (view: View, slots: Slots, { archData }: Place): ReadonlyArray<string> => {
  const { memory } = view
  const vcpus = objectsOf(view, slots, "VCPU")
  const wrong: Array<string> = []
  for (const vcpu of vcpus) {
    const thread = Vcpu.Fields.thread.load(memory, vcpu)
    const number = Vcpu.Fields.number.load(memory, vcpu)
    wrong.push(
      ...holds(
        thread === 0 || Vcpu.ofThread(memory, thread) === vcpu,
        () => `VCPU ${hex(vcpu)} and its thread do not name one another`
      ),
      ...holds(
        number === 0 || Vpid.vcpu.load(memory, vpidAt(archData, number)) === vcpu,
        () => `VCPU ${hex(vcpu)} has number ${number}, which is not its own`
      ),
      ...holds(thread === 0 || number !== 0, () => `VCPU ${hex(vcpu)} has a thread and no number`)
    )
  }
  for (const thread of objectsOf(view, slots, "TCB")) {
    const vcpu = Vcpu.ofThread(memory, thread)
    const runs = Tcb.state.load(memory, thread) === ThreadState.runsGuest
    wrong.push(
      ...holds(
        vcpu === 0 || (vcpus.has(vcpu) && Vcpu.Fields.thread.load(memory, vcpu) === thread),
        () => `thread ${hex(thread)} and its VCPU do not name one another`
      ),
      ...holds(!runs || vcpu !== 0, () => `thread ${hex(thread)} runs the guest of no VCPU`)
    )
  }
  for (let number = 1; number < vpids; number++) {
    const vcpu = Vpid.vcpu.load(memory, vpidAt(archData, number))
    if (vcpu !== 0 && !(vcpus.has(vcpu) && Vcpu.Fields.number.load(memory, vcpu) === number))
      wrong.push(`number ${number} is that of ${hex(vcpu)}, which does not have it`)
  }
  return wrong
}

/**
 * The processor writes by its physical address only to a page whose owner gave it for that, and has not taken it back. What
 * it is told to do without a page, it does not do with one.
 */
const checkPages = (view: View, slots: Slots, { archData, fieldOf }: Place): ReadonlyArray<string> => {
  const { memory } = view
  const wrong: Array<string> = []
  const owners = new Map<string, ReadonlyArray<number>>()
  const key = (vcpu: number, index: number) => `${vcpu} ${index}`
  for (const slot of slotsOf(slots, "Frame")) {
    const [lo, hi] = [Mapping.dataLow(memory, slot), Mapping.dataHigh(memory, slot)]
    if (Mapping.by(hi) !== Mapping.By.virtualProcessor) continue
    const { name, index } = Mapping.user(lo, hi)
    const whose = key(Vcpu.ofName(view, { archData }, name), index)
    owners.set(whose, [...(owners.get(whose) ?? []), slot])
  }
  for (const vcpu of objectsOf(view, slots, "VCPU")) {
    const set = Vcpu.pagesOf(view, vcpu)
    for (const [index, field] of pages.entries()) {
      const has = (set & (1 << index)) !== 0
      const given = owners.get(key(vcpu, index)) ?? []
      const [slot] = given
      const isOwned = slot !== undefined && given.length === 1 && mayBeWritten(view, slot)
      wrong.push(
        ...holds(
          has ? isOwned : slot === undefined,
          () => `VCPU ${hex(vcpu)} and ${given.length} capabilities say otherwise of its page ${index}`
        ),
        ...holds(
          fieldOf(vcpu, field) === (has && slot !== undefined ? Capability.address(view, slot) : 0),
          () =>
            `VCPU ${hex(vcpu)} has the page ${hex(fieldOf(vcpu, field))} in field ${hex(field)}, which is not its own`
        )
      )
    }
    for (const field of [VmcsField.PIN_BASED_CONTROLS, VmcsField.PRIMARY_CONTROLS, VmcsField.SECONDARY_CONTROLS]) {
      const value = fieldOf(vcpu, field) | 0
      wrong.push(
        ...holds(
          backed(field, value, set) === value,
          () => `VCPU ${hex(vcpu)} has in field ${hex(field)} controls whose pages it has not`
        )
      )
    }
    const [primary, secondary] = [VmcsField.PRIMARY_CONTROLS, VmcsField.SECONDARY_CONTROLS].map(
      (field) => fieldOf(vcpu, field) | 0
    )
    wrong.push(
      ...holds(guarded(primary!) === primary, () => `VCPU ${hex(vcpu)} may set the processor's own task priority`),
      ...holds(
        fieldOf(vcpu, VmcsField.MSR_BITMAPS) ===
          (virtualizesX2Apic(secondary!) ? x2ApicBitmap(archData) : msrBitmap(archData)),
        () => `VCPU ${hex(vcpu)} has registers of the processor's`
      )
    )
  }
  return wrong
}

const mayBeWritten = (view: View, slot: number): boolean => {
  const hi = Mapping.dataHigh(view.memory, slot)
  const { read, write } = right.Frame
  return Capability.allows(view, slot, read | write) && Mapping.frameBits(hi) === 12 && !Mapping.isDevice(hi)
}

// —— What tables translate

/** Which kind of table an entry of each level leads to. */
const tablesOf = {
  [Mapping.By.addressSpace]: ["PDPT", "PageDirectory", "PageTable"],
  [Mapping.By.guest]: ["EPTPDPT", "EPTPD", "EPTPT"]
} as const satisfies Record<number, ReadonlyArray<Kind>>
type Translates = keyof typeof tablesOf

const rootKind = { [Mapping.By.addressSpace]: "AddressSpace", [Mapping.By.guest]: "EPTPML4" } as const

/** Where a frame's capability says that it is mapped. */
const key = (by: number, asid: number, address: number, page: number): string => `${by} ${asid} ${address} ${page}`

/**
 * Every entry of every space leads to a table that somebody has a capability to, or to a frame that was mapped there by a
 * capability that allows as much. So no program and no guest reaches memory of the kernel's, or another's.
 */
const checkSpaces = (view: View, slots: Slots, place: Place): ReadonlyArray<string> => {
  const { memory } = view
  const { archData, paging, guestPaging } = place
  const mapped = new Map<string, number>()
  for (const slot of slotsOf(slots, "Frame")) {
    const [lo, hi] = [Mapping.dataLow(memory, slot), Mapping.dataHigh(memory, slot)]
    if (Mapping.by(hi) === Mapping.By.nothing) continue
    const where = key(Mapping.by(hi), Mapping.asid(lo), Mapping.address(lo, hi), Capability.address(view, slot))
    mapped.set(where, (mapped.get(where) ?? 0) | Capability.rights(view, slot))
  }
  const tables = new Map(
    [
      ...tablesOf[Mapping.By.addressSpace],
      ...tablesOf[Mapping.By.guest],
      "AddressSpace" as const,
      "EPTPML4" as const
    ].map((kind) => [kind as Kind, objectsOf(view, slots, kind)])
  )
  const wrong: Array<string> = []
  const visit = (by: Translates, asid: number, table: number, level: number, base: number): void => {
    const format = by === Mapping.By.guest ? guestPaging : paging
    const { shift } = format.levels[level]!
    const entries = level === 0 && by === Mapping.By.addressSpace ? format.entries / 2 : format.entries
    for (let index = 0; index < entries; index++) {
      const at = table + format.entryBytes * index
      const low = memory.load32(at)
      if (low === 0 || !format.present(low)) continue
      const address = base + index * 2 ** shift
      const leadsTo = format.address(level, low, memory.load32(at + 4))
      const where = `${by === Mapping.By.guest ? "guest" : "address space"} ${asid} at ${hex(address)}`
      if (format.mapsPage(level, low)) {
        const rights = mapped.get(key(by, asid, address, leadsTo))
        if (rights === undefined) wrong.push(`${where} leads to ${hex(leadsTo)}, which nobody mapped there`)
        else if ((low & writable) !== 0 && (rights & right.Frame.write) === 0)
          wrong.push(`${where} can be written, and nobody had the right to`)
      } else if (tables.get(tablesOf[by][level]!)?.has(leadsTo)) visit(by, asid, leadsTo, level + 1, address)
      else wrong.push(`${where} leads to the table ${hex(leadsTo)}, which nobody has`)
    }
  }
  for (let index = 0; index < asidPools; index++) {
    const pool = address(view, poolEntry(archData, index))
    for (let entry = 0; pool !== 0 && entry < poolSize; entry++) {
      const root = address(view, pool + 8 * entry)
      if (root === 0) continue
      const by = root % 2 === 1 ? Mapping.By.guest : Mapping.By.addressSpace
      const asid = index * poolSize + entry
      if (!tables.get(rootKind[by])?.has(root - (root % 2)))
        wrong.push(`ASID ${asid} is that of ${hex(root)}, which nobody has`)
      else visit(by, asid, root - (root % 2), 0, 0)
    }
  }
  return wrong
}

/** Bit 1 of an entry, of either format. */
const writable = 2

const address = ({ memory }: View, at: number): number =>
  (memory.load32(at + 4) >>> 0) * 2 ** 32 + (memory.load32(at) >>> 0)
