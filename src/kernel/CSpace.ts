/**
 * CSpace: how an address leads to a slot.
 *
 * seL4 manual, "Capability Addressing": each CNode on the way takes its guard's bits, which must agree, and then as
 * many as it has an index for.
 */
import { Charge } from "../hal/Charge.ts"
import { Halt } from "../hal/Gates.ts"
import { numberOf } from "../types/Kind.ts"
import type { LookupFailure } from "../types/LookupFailure.ts"
import { invalidRoot } from "../types/LookupFailure.ts"
import type { Rights } from "../types/Rights.ts"
import { failedLookup, illegalOperation, rangeError, type SyscallError } from "../types/SyscallError.ts"
import * as Capability from "./Capability.ts"
import type { View } from "./State.ts"
import { slotOf, tcbSlot } from "./Tcb.ts"

export const wordBits = 64

/** The slot at an address of a thread's capability space. It may be an empty one. */
export const lookup = (view: View, thread: number, low: number, high: number): number | LookupFailure => {
  const found = walk(view, slotOf(thread, tcbSlot.cspace), low, high, wordBits, 0)
  if (found === forbidden) throw new Halt("a walk that needs no right is forbidden nothing")
  // Bits that are left, because the way ended at a slot that holds no CNode, do not count.
  return typeof found === "number" ? slotIn(found) : found
}

/**
 * The slot that the low `depth` bits of an address name, from a CNode on. Every CNode on the way, but not the
 * capability to begin with, must allow what is `needed`: a right that it lacks nobody has to what is behind it.
 */
export const slotAt = (
  view: View,
  side: "source" | "destination",
  root: number,
  low: number,
  high: number,
  depth: number,
  needed: Rights
): number | SyscallError => {
  if (Capability.kind(view, root) !== numberOf.CNode) return failedLookup(side, invalidRoot)
  if (depth < 1 || depth > wordBits) return rangeError(1, wordBits)
  const found = walk(view, root, low, high, depth, needed)
  if (found === forbidden) return illegalOperation
  if (typeof found !== "number") return failedLookup(side, found)
  const bitsLeft = bitsLeftIn(found)
  return bitsLeft === 0 ? slotIn(found) : failedLookup(side, { _tag: "DepthMismatch", bitsLeft, bitsFound: 0 })
}

/** Where a walk ended, in one number: the slot, and the bits of the address that it did not use. */
const ended = (slot: number, bitsLeft: number): number => slot * 2 + bitsLeft
const slotIn = (found: number): number => Math.floor(found / 64) * 32
const bitsLeftIn = (found: number): number => found % 64

const forbidden = "forbidden"

const walk = (
  view: View,
  root: number,
  low: number,
  high: number,
  depth: number,
  needed: Rights
): number | LookupFailure | typeof forbidden => {
  if (Capability.kind(view, root) !== numberOf.CNode) return invalidRoot
  let node = root
  let bitsLeft = depth
  for (;;) {
    view.charge(Charge.lookup)
    const guardBits = guardSize(view, node)
    const radix = Capability.radix(view, node)
    if (guardBits > bitsLeft || !guardAgrees(view, node, low, high, bitsLeft, guardBits))
      return guardMismatch(view, node, bitsLeft)
    const levelBits = guardBits + radix
    if (levelBits > bitsLeft) return { _tag: "DepthMismatch", bitsLeft, bitsFound: levelBits }
    bitsLeft -= levelBits
    const slot = Capability.object(view, node) + 32 * field(low, high, bitsLeft, radix)
    if (bitsLeft === 0 || Capability.kind(view, slot) !== numberOf.CNode) return ended(slot, bitsLeft)
    node = slot
    if (!Capability.allows(view, node, needed)) return forbidden
  }
}

/** Bits [at + width - 1 : at] of a word; at most 32 of them. */
const field = (low: number, high: number, at: number, width: number): number => {
  const shifted = at >= 32 ? high >>> (at - 32) : at === 0 ? low : (low >>> at) | (high << (32 - at))
  return width >= 32 ? shifted >>> 0 : shifted & ((1 << width) - 1)
}

/** The figure of a guard is in types/CNodeData. */
const guardSize = (view: View, node: number): number => Capability.dataLow(view, node) & 0x3f

const guardAgrees = (
  view: View,
  node: number,
  low: number,
  high: number,
  bitsLeft: number,
  guardBits: number
): boolean => {
  const [lo, hi] = [Capability.dataLow(view, node), Capability.dataHigh(view, node)]
  const at = bitsLeft - guardBits
  const lowBits = Math.min(guardBits, 32)
  if (field(low, high, at, lowBits) !== field(lo, hi, 6, lowBits)) return false
  return guardBits <= 32 || field(low, high, at + 32, guardBits - 32) === field(lo, hi, 38, guardBits - 32)
}

const guardMismatch = (view: View, node: number, bitsLeft: number): LookupFailure => {
  const { lo, hi } = Capability.read(view, node)
  return {
    _tag: "GuardMismatch",
    bitsLeft,
    guard: { lo: field(lo, hi, 6, 32) | 0, hi: hi >>> 6 },
    guardSize: guardSize(view, node)
  }
}
