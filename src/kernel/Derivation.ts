/**
 * Derivation: which capability was derived from which, so that what was lent can be taken back.
 *
 * Capabilities that come from one another stand in a list, each before all that was derived from it. The second half of
 * a slot is its place there:
 *
 *       31       30 .. 0
 *     |      prev        |   +16   the slot before, in units of 32 bytes
 *     |      next        |   +20   the slot after
 *     | parent |  depth  |   +24
 *     |        |  cut    |   +28
 *
 * A capability's descendants are those that follow it and whose `cut` is greater than its `depth`, up to the first
 * whose is not; only a `parent` has any. What is derived from a parent is one deeper than it; what is derived from
 * another stands beside it. `cut` is `depth` when a capability is made. When one is removed, its cut goes to the next
 * if it is less: so those that it leaves behind belong to its own ancestors, and to nobody that is put before them
 * later.
 *
 * Always, of a slot N after a slot P: N.cut <= N.depth, and N.cut <= P.depth, or P.depth + 1 if P is a parent.
 *
 * Originals are parents: objects, badged capabilities made from unbadged ones, untyped memory, what a control
 * capability gave out. So is a copy that asked to be one. That is the rule of the seL4 manual, "The Capability
 * Derivation Tree", with a level for each copy that asked.
 */
import { Charge } from "../hal/Charge.ts"
import { Halt } from "../hal/Gates.ts"
import { numberOf } from "../types/Kind.ts"
import { bits, layout } from "../types/Layout.ts"
import { revokeFirst, type SyscallError } from "../types/SyscallError.ts"
import * as Capability from "./Capability.ts"
import { slotRef } from "./Reference.ts"
import type { State, View } from "./State.ts"
import * as UntypedData from "./UntypedData.ts"

// biome-ignore format: a figure
export const Node = layout(32, {
  prev:   slotRef(16),
  next:   slotRef(20),
  depth:  bits(24, 30, 0),
  parent: bits(24, 31, 31),
  cut:    bits(28, 30, 0)
})

/** The slot holds an original that was derived from nothing: the machine's own, at boot. */
export const insertFirst = (state: State, slot: number, cap: Capability.Capability): void => {
  put(state, slot, cap)
  writePlace(state, slot, { prev: 0, next: 0, depth: 0, parent: 1, cut: 0 })
}

/**
 * Put a capability that was derived from the one in `source` into an empty slot. `isParent`: even if it is no original.
 */
export const insert = (
  state: State,
  source: number,
  slot: number,
  cap: Capability.Capability,
  isParent = false
): void => {
  insertChild(state, source, slot, cap, isParent || isOriginal(state, source, cap))
  // Objects made in the same memory twice would overlap: a copied untyped capability has all that was left.
  if (Capability.kindOf(cap) === numberOf.Untyped && Capability.kind(state, source) === numberOf.Untyped)
    UntypedData.fill(state, source)
}

/** Put the capability to an object made in the memory of `source` into an empty slot. */
export const insertObject = (state: State, source: number, slot: number, cap: Capability.Capability): void =>
  insertChild(state, source, slot, cap, true)

const insertChild = (
  state: State,
  source: number,
  slot: number,
  cap: Capability.Capability,
  isParent: boolean
): void => {
  put(state, slot, cap)
  const { next, depth: above, parent } = readPlace(state, source)
  const depth = above + parent
  writePlace(state, slot, { prev: source, next, depth, parent: isParent ? 1 : 0, cut: depth })
}

const isOriginal = (view: View, source: number, cap: Capability.Capability): boolean => {
  const kind = Capability.kindOf(cap)
  switch (kind) {
    case numberOf.Endpoint:
    case numberOf.Notification:
      return cap.lo !== Capability.dataLow(view, source) || cap.hi !== Capability.dataHigh(view, source)
    case numberOf.Untyped:
      return true
    default: {
      const from = Capability.kind(view, source)
      return from !== kind && from !== numberOf.Untyped
    }
  }
}

/** The capability goes to an empty slot, perhaps with other data, and keeps its place. */
export const move = (state: State, source: number, slot: number, cap: Capability.Capability): void => {
  put(state, slot, cap)
  writePlace(state, slot, readPlace(state, source))
  clear(state, source)
}

/** Two capabilities change slots, perhaps with other data, and keep their places. `capA` is what was in `a`. */
export const swap = (
  state: State,
  a: number,
  capA: Capability.Capability,
  b: number,
  capB: Capability.Capability
): void => {
  state.charge(2 * Charge.slot)
  Capability.write(state, a, capB)
  Capability.write(state, b, capA)
  const [placeA, placeB] = [readPlace(state, a), readPlace(state, b)]
  // Neighbours name one another: what names a slot that changes means the other one.
  const swapped = (slot: number) => (slot === a ? b : slot === b ? a : slot)
  writePlace(state, b, { ...placeA, prev: swapped(placeA.prev), next: swapped(placeA.next) })
  writePlace(state, a, { ...placeB, prev: swapped(placeB.prev), next: swapped(placeB.next) })
}

/** The slot becomes empty. What was derived from its capability belongs to those that it was derived from. */
export const remove = (state: State, slot: number): void => {
  const { memory } = state
  const { prev, next, cut } = readPlace(state, slot)
  if (prev !== 0) Node.next.store(memory, prev, next)
  if (next !== 0) {
    Node.prev.store(memory, next, prev)
    if (cut < Node.cut.load(memory, next)) Node.cut.store(memory, next, cut)
  }
  clear(state, slot)
}

/** The first of the capability's descendants, 0 if it has none. */
export const firstDescendant = ({ memory }: View, slot: number): number => {
  const next = Node.next.load(memory, slot)
  if (next === 0 || Node.parent.load(memory, slot) === 0) return 0
  return Node.cut.load(memory, next) > Node.depth.load(memory, slot) ? next : 0
}

/** There is no other capability to the object: those to one object stand together. */
export const isFinal = (view: View, slot: number): boolean => {
  const [prev, next] = [Node.prev.load(view.memory, slot), Node.next.load(view.memory, slot)]
  if (Capability.kind(view, slot) === numberOf.Untyped) return true
  return (
    !(prev !== 0 && Capability.sameObject(view, prev, slot)) && !(next !== 0 && Capability.sameObject(view, slot, next))
  )
}

/**
 * What a copy of `cap` would be, which is in `slot` or was made from what is there: `Capability.none` if there can be
 * none.
 */
export const derive = (view: View, slot: number, cap: Capability.Capability): Capability.Capability | SyscallError => {
  switch (Capability.kindOf(cap)) {
    case Capability.nullKind:
    case Capability.zombieKind:
    case numberOf.IRQControl:
      return Capability.none
    case numberOf.Untyped:
      return firstDescendant(view, slot) === 0 ? cap : revokeFirst
    default:
      return Capability.isArchitectures(Capability.kindOf(cap)) ? view.architecture.derive(view, slot, cap) : cap
  }
}

/** Fill an empty slot. */
const put = (state: State, slot: number, cap: Capability.Capability): void => {
  if (!Capability.isEmpty(state, slot)) throw new Halt(`a capability goes into an empty slot: ${slot.toString(16)}H`)
  state.charge(Charge.slot)
  Capability.write(state, slot, cap)
}

const clear = (state: State, slot: number): void => {
  state.charge(Charge.slot)
  state.memory.zero(slot, 32)
}

/** Where a capability stands. */
interface Place {
  readonly prev: number
  readonly next: number
  readonly depth: number
  readonly parent: number
  readonly cut: number
}

const readPlace = ({ memory }: View, slot: number): Place => ({
  prev: Node.prev.load(memory, slot),
  next: Node.next.load(memory, slot),
  depth: Node.depth.load(memory, slot),
  parent: Node.parent.load(memory, slot),
  cut: Node.cut.load(memory, slot)
})

/** The slot stands there, and its neighbours name it. */
const writePlace = ({ memory }: State, slot: number, { prev, next, depth, parent, cut }: Place): void => {
  if (depth >= 2 ** 31 - 1) throw new Halt("there are fewer levels of derivation than slots")
  Node.prev.store(memory, slot, prev)
  Node.next.store(memory, slot, next)
  Node.depth.store(memory, slot, depth)
  Node.parent.store(memory, slot, parent)
  Node.cut.store(memory, slot, cut)
  if (prev !== 0) Node.next.store(memory, prev, slot)
  if (next !== 0) Node.prev.store(memory, next, slot)
}
