/**
 * Capability: what an object is, what may be done with it, and what the kernel must remember with it.
 *
 * In memory it is the first 16 bytes of a slot:
 *
 *      31 .. 21   20 .. 6   5 .. 0
 *     | high     | rights  | kind  |   +0
 *     | object                     |   +4
 *     | data                       |   +8
 *
 * `object` is the physical address of a kernel object in units of 16 bytes: kernel objects lie below 2^36. The address
 * of memory (Untyped, Frame) goes on in `high`: it lies below 2^47. A CNode's radix stands there instead.
 *
 *     kind                    data
 *     Endpoint, Notification  the badge
 *     CNode                   the guard, as programs write it (types/CNodeData)
 *     Untyped                 the watermark, the size, whether it is a device's memory
 *     SchedContext            the size
 *     Reply                   nothing
 *     IRQHandler              the interrupt, which is its object as well
 *     SchedControl            the core
 *     Zombie                  what is left to delete
 *
 * What the architecture's kinds keep there is the architecture's.
 */

import { Halt } from "../hal/Gates.ts"
import * as CNodeData from "../types/CNodeData.ts"
import { type Kind, numberOf } from "../types/Kind.ts"
import { bits, type Field, layout, word } from "../types/Layout.ts"
import { heldAll, masked, type Rights } from "../types/Rights.ts"
import type { Word } from "../types/Word.ts"
import { ref } from "./Reference.ts"
import type { State, View } from "./State.ts"

/** The number of an empty slot, and that of an object that is being deleted. `Kind.numberOf` has the others. */
export const nullKind = 0
export const zombieKind = 63

// biome-ignore format: a figure
export const Fields = layout(16, {
  kind:   bits(0, 5, 0),
  rights: bits(0, 20, 6),
  high:   bits(0, 31, 21),
  object: ref(4),
  data:   word(8)
})

/** A capability in flight: the four words that a slot holds. `head` has the fields of the first. */
export interface Capability {
  readonly head: number
  readonly object: number
  readonly lo: number
  readonly hi: number
}

export const none: Capability = { head: 0, object: 0, lo: 0, hi: 0 }

const unit = 16
const highUnit = 2 ** 36

/** A field of `head`, and `head` with another value of it. */
const part = ({ high, low }: Field, head: number): number => (head >>> low) & (2 ** (high - low + 1) - 1)
const withPart = ({ high, low }: Field, head: number, value: number): number =>
  (head & ~((2 ** (high - low + 1) - 1) << low)) | (value << low)

/** A capability to the object or memory at `address`. */
export const make = (kind: number, rights: Rights, address: number, lo = 0, hi = 0): Capability => {
  if (address % unit !== 0 || address >= 2 ** 47)
    throw new Halt(`an object lies at a multiple of 16 below 2^47: ${address}`)
  const head = withPart(Fields.rights, withPart(Fields.kind, 0, kind), rights)
  return { head: withPart(Fields.high, head, Math.floor(address / highUnit)), object: (address / unit) | 0, lo, hi }
}

/** A capability with every right. */
export const original = (kind: Kind, address: number, lo = 0, hi = 0): Capability =>
  make(numberOf[kind], heldAll(kind), address, lo, hi)

export const read = ({ memory }: View, slot: number): Capability => ({
  head: memory.load32(slot),
  object: memory.load32(slot + 4),
  lo: memory.load32(slot + 8),
  hi: memory.load32(slot + 12)
})

export const write = ({ memory }: State, slot: number, { head, object, lo, hi }: Capability): void => {
  memory.store32(slot, head)
  memory.store32(slot + 4, object)
  memory.store32(slot + 8, lo)
  memory.store32(slot + 12, hi)
}

export const kind = ({ memory }: View, slot: number): number => Fields.kind.load(memory, slot)
export const isEmpty = (view: View, slot: number): boolean => kind(view, slot) === nullKind
export const rights = ({ memory }: View, slot: number): Rights => Fields.rights.load(memory, slot)
/** The capability holds every one of `needed`. */
export const allows = (view: View, slot: number, needed: Rights): boolean => (rights(view, slot) & needed) === needed

/** The physical address of the kernel object that a capability names. */
export const object = ({ memory }: View, slot: number): number => Fields.object.load(memory, slot)

/** The physical address of the memory that a capability names. */
export const address = ({ memory }: View, slot: number): number =>
  Fields.object.load(memory, slot) + Fields.high.load(memory, slot) * highUnit

/** The halves of what it remembers. */
export const dataLow = ({ memory }: View, slot: number): number => Fields.data.loadLo(memory, slot)
export const dataHigh = ({ memory }: View, slot: number): number => Fields.data.loadHi(memory, slot)

/** Of a CNode: it has 2^radix slots. */
export const radix = ({ memory }: View, slot: number): number => Fields.high.load(memory, slot)
export const radixOf = ({ head }: Capability): number => part(Fields.high, head)

/** A CNode of 2^radix slots, without a guard. */
export const cnode = (address: number, radix: number): Capability => {
  const cap = original("CNode", address)
  return { ...cap, head: withPart(Fields.high, cap.head, radix) }
}

export const kindOf = ({ head }: Capability): number => part(Fields.kind, head)
export const rightsOf = ({ head }: Capability): Rights => part(Fields.rights, head)
export const objectOf = ({ object }: Capability): number => (object >>> 0) * unit
export const addressOf = (cap: Capability): number => objectOf(cap) + part(Fields.high, cap.head) * highUnit

/** The kind is one that only the architecture knows about: in the table of kinds they come last. */
export const isArchitectures = (kind: number): boolean => kind >= numberOf.Frame && kind !== zombieKind

/** The same with data of its own. */
export const withData = (cap: Capability, lo: number, hi: number): Capability => ({ ...cap, lo: lo | 0, hi: hi | 0 })

/** The same with what a rights word leaves of its rights. */
export const mask = (cap: Capability, rightsWord: number): Capability => ({
  ...cap,
  head: withPart(Fields.rights, cap.head, masked(rightsOf(cap), rightsWord))
})

/**
 * The same with a badge or a guard of its own; `none` if it cannot have it. A badge is for ever: a new one is for what
 * has none.
 */
export const update = (view: View, cap: Capability, low: number, high: number, preserve: boolean): Capability => {
  switch (kindOf(cap)) {
    case numberOf.Endpoint:
    case numberOf.Notification:
      return preserve || cap.lo !== 0 || cap.hi !== 0 ? none : withData(cap, low, high)
    case numberOf.CNode:
      return CNodeData.guardSize({ lo: low, hi: high }) + radixOf(cap) > 64
        ? none
        : withGuard(cap, { lo: low, hi: high })
    default:
      return isArchitectures(kindOf(cap)) ? view.architecture.update(view, cap, low, high, preserve) : cap
  }
}

const withGuard = (cap: Capability, data: Word): Capability => {
  const { lo, hi } = CNodeData.guard(data)
  return withData(cap, (lo << 6) | CNodeData.guardSize(data), (hi << 6) | (lo >>> 26))
}

/** Both are of one kind and name one object: their rights and their data may differ. */
export const isSame = (a: Capability, b: Capability): boolean =>
  a.object === b.object && withPart(Fields.rights, a.head ^ b.head, 0) === 0

/** The same of what is in two slots. */
export const sameObject = ({ memory }: View, a: number, b: number): boolean =>
  memory.load32(a + Fields.object.at) === memory.load32(b + Fields.object.at) &&
  withPart(Fields.rights, memory.load32(a) ^ memory.load32(b), 0) === 0
