/** Where an invocation puts the capability that it makes. */
import type { Method } from "../../types/Method.ts"
import { right } from "../../types/Rights.ts"
import * as SyscallError from "../../types/SyscallError.ts"
import type { Word } from "../../types/Word.ts"
import * as Capability from "../Capability.ts"
import { slotAt } from "../CSpace.ts"
import { extraCap, type Invocation, kindOf } from "../Invocation.ts"
import { isRefusal, type View } from "../State.ts"

/**
 * The slot that `index` and `depth` name from the CNode which is extra capability `root` on; refused if there is
 * something in it.
 */
export const emptySlot = (
  view: View,
  invocation: Invocation,
  method: Method,
  root: number,
  { index, depth }: { readonly index: Word; readonly depth: number }
): number | SyscallError.SyscallError => {
  const node = invocation.extraCaps[root]!
  if (kindOf(view, node) === "CNode") {
    const accepted = extraCap(view, invocation, method, root)
    if (isRefusal(accepted)) return accepted
  }
  const slot = slotAt(view, "destination", node, index.lo, index.hi, depth, right.CNode.put)
  if (isRefusal(slot)) return slot
  return Capability.isEmpty(view, slot) ? slot : SyscallError.deleteFirst
}
