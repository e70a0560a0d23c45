/**
 * CNode: a table of capabilities.
 *
 * seL4 manual, "CNode Methods". A destination is a slot of the CNode invoked, or of one that can be reached from it; a
 * source, of the CNode that came with the message.
 */
import { numberOf } from "../types/Kind.ts"
import * as Method from "../types/Method.ts"
import * as Methods from "../types/methods/CNode.ts"
import type { Rights } from "../types/Rights.ts"
import { heldAll, right } from "../types/Rights.ts"
import {
  deleteFirst,
  failedLookup,
  illegalOperation,
  invalidCapability,
  type SyscallError
} from "../types/SyscallError.ts"
import type { Word } from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as CSpace from "./CSpace.ts"
import * as Deletion from "./Deletion.ts"
import * as Derivation from "./Derivation.ts"
import * as Endpoint from "./Endpoint.ts"
import { check, type Invocation, read, wordsOf } from "./Invocation.ts"
import { type Decoded, isRefusal, type View } from "./State.ts"

const rights = right.CNode

export const decode = (view: View, invocation: Invocation): Decoded => {
  switch (invocation.label) {
    case Methods.Revoke.label:
      return onSlot(view, invocation, Methods.Revoke, (slot) => (state) => Deletion.revoke(state, slot))
    case Methods.Delete.label:
      return onSlot(view, invocation, Methods.Delete, (slot) => (state) => Deletion.remove(state, slot))
    case Methods.CancelBadgedSends.label:
      return onSlot(view, invocation, Methods.CancelBadgedSends, (slot) => cancelBadgedSends(view, slot))
    case Methods.Copy.label:
      return copy(view, invocation)
    case Methods.Mint.label:
      return mint(view, invocation)
    case Methods.Move.label:
      return move(view, invocation)
    case Methods.Mutate.label:
      return mutate(view, invocation)
    case Methods.Rotate.label:
      return rotate(view, invocation)
    default:
      return illegalOperation
  }
}

const onSlot = (
  view: View,
  invocation: Invocation,
  method: typeof Methods.Revoke | typeof Methods.Delete | typeof Methods.CancelBadgedSends,
  decoded: (slot: number) => Decoded
): Decoded => {
  const slot = destination(view, invocation, method, rights.delete)
  return isRefusal(slot) ? slot : decoded(slot)
}

/** Only an endpoint capability with every right cancels sends, and those only that have its badge. */
const cancelBadgedSends = (view: View, slot: number): Decoded => {
  if (Capability.kind(view, slot) !== numberOf.Endpoint || !Capability.allows(view, slot, heldAll("Endpoint")))
    return illegalOperation
  const { lo, hi } = Capability.read(view, slot)
  const endpoint = Capability.object(view, slot)
  return (state) => (lo === 0 && hi === 0 ? undefined : Endpoint.cancelBadgedSends(state, endpoint, lo, hi))
}

const copy = (view: View, invocation: Invocation): Decoded => {
  const slots = pair(view, invocation, Methods.Copy, rights.take)
  if (isRefusal(slots)) return slots
  const args = read(view, invocation, Methods.Copy)
  if (isRefusal(args)) return args
  const masked = Capability.mask(Capability.read(view, slots.source), args.rights.bits)
  return insert(view, slots, masked, args.rights.derive)
}

const mint = (view: View, invocation: Invocation): Decoded => {
  const slots = pair(view, invocation, Methods.Mint, rights.take)
  if (isRefusal(slots)) return slots
  const args = read(view, invocation, Methods.Mint)
  if (isRefusal(args)) return args
  const masked = Capability.mask(Capability.read(view, slots.source), args.rights.bits)
  return insert(view, slots, updated(view, masked, args.badge, false), args.rights.derive)
}

const insert = (view: View, { source, slot }: Slots, wanted: Capability.Capability, isParent: boolean): Decoded => {
  const cap = Derivation.derive(view, source, wanted)
  if (isRefusal(cap)) return cap
  if (isNone(cap)) return illegalOperation
  return (state) => {
    Derivation.insert(state, source, slot, cap, isParent)
    return undefined
  }
}

const move = (view: View, invocation: Invocation): Decoded => {
  const slots = pair(view, invocation, Methods.Move, rights.take | rights.delete)
  return isRefusal(slots) ? slots : moveAs(slots, Capability.read(view, slots.source))
}

const mutate = (view: View, invocation: Invocation): Decoded => {
  const slots = pair(view, invocation, Methods.Mutate, rights.take | rights.delete)
  if (isRefusal(slots)) return slots
  const args = read(view, invocation, Methods.Mutate)
  if (isRefusal(args)) return args
  return moveAs(slots, updated(view, Capability.read(view, slots.source), args.badge, true))
}

const moveAs = ({ source, slot }: Slots, cap: Capability.Capability): Decoded => {
  if (isNone(cap)) return illegalOperation
  return (state) => {
    Derivation.move(state, source, slot, cap)
    return undefined
  }
}

const rotate = (view: View, invocation: Invocation): Decoded => {
  const slot = destination(view, invocation, Methods.Rotate, rights.put)
  if (isRefusal(slot)) return slot
  const args = read(view, invocation, Methods.Rotate)
  if (isRefusal(args)) return args
  const [pivotRoot, sourceRoot] = invocation.extraCaps as [number, number]
  const moved = rights.take | rights.delete
  const source = slotOf(view, "source", sourceRoot, 2, args.srcIndex, args.srcDepth, moved)
  if (isRefusal(source)) return source
  const pivot = slotOf(view, "destination", pivotRoot, 1, args.pivotIndex, args.pivotDepth, moved | rights.put)
  if (isRefusal(pivot)) return pivot
  if (pivot === source || pivot === slot) return illegalOperation
  if (source !== slot && !Capability.isEmpty(view, slot)) return deleteFirst
  if (Capability.isEmpty(view, source)) return missing("source", args.srcDepth)
  if (Capability.isEmpty(view, pivot)) return missing("destination", args.pivotDepth)
  const newSource = updated(view, Capability.read(view, source), args.pivotBadge, true)
  const newPivot = updated(view, Capability.read(view, pivot), args.destBadge, true)
  if (isNone(newSource) || isNone(newPivot)) return illegalOperation
  return (state) => {
    if (source === slot) Derivation.swap(state, source, newSource, pivot, newPivot)
    else {
      Derivation.move(state, pivot, slot, newPivot)
      Derivation.move(state, source, pivot, newSource)
    }
    return undefined
  }
}

interface Slots {
  readonly source: number
  /** It is empty. */
  readonly slot: number
}

/** A capability goes from a source to an empty slot. The first words of all these methods are those of a move. */
const pair = (
  view: View,
  invocation: Invocation,
  method: typeof Methods.Copy | typeof Methods.Mint | typeof Methods.Move | typeof Methods.Mutate,
  needed: Rights
): Slots | SyscallError => {
  const slot = destination(view, invocation, method, rights.put)
  if (isRefusal(slot)) return slot
  const refused = check(view, invocation, method, Methods.Move.length)
  if (refused !== undefined) return refused
  if (!Capability.isEmpty(view, slot)) return deleteFirst
  const { srcIndex, srcDepth } = Method.decode(Methods.Move, wordsOf(view, invocation))
  const source = slotOf(view, "source", invocation.extraCaps[0]!, 1, srcIndex, srcDepth, needed)
  if (isRefusal(source)) return source
  return Capability.isEmpty(view, source) ? missing("source", srcDepth) : { source, slot }
}

/** The slot that the first two words name, as they do in every method. It is found before the rest is looked at. */
const destination = (
  view: View,
  invocation: Invocation,
  method: Method.Method,
  needed: Rights
): number | SyscallError => {
  const refused = check(view, invocation, method, Methods.Delete.length, 0)
  if (refused !== undefined) return refused
  const { index, depth } = Method.decode(Methods.Delete, wordsOf(view, invocation))
  return CSpace.slotAt(view, "destination", invocation.slot, index.lo, index.hi, depth, needed)
}

/** A slot below the CNode that is extra capability `index` - 1. */
const slotOf = (
  view: View,
  side: "source" | "destination",
  root: number,
  index: number,
  { lo, hi }: Word,
  depth: number,
  needed: Rights
): number | SyscallError =>
  Capability.kind(view, root) === numberOf.CNode && !Capability.allows(view, root, needed)
    ? invalidCapability(index)
    : CSpace.slotAt(view, side, root, lo, hi, depth, needed)

const missing = (side: "source" | "destination", bitsLeft: number): SyscallError =>
  failedLookup(side, { _tag: "MissingCapability", bitsLeft })

const updated = (view: View, cap: Capability.Capability, { lo, hi }: Word, preserve: boolean): Capability.Capability =>
  Capability.update(view, cap, lo, hi, preserve)

const isNone = (cap: Capability.Capability): boolean => Capability.kindOf(cap) === Capability.nullKind
