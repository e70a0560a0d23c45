/**
 * Untyped: memory that is nothing yet.
 *
 * seL4 manual, "Retyping Untyped Memory": objects are made from its beginning on, each at a multiple of its size; how
 * much is in use the capability remembers. When the last capability to an object in it is gone, the next retype begins
 * anew, and what was in use is cleared first. So memory behind the watermark is always 0, but a device's, which nobody
 * clears.
 */
import { Charge } from "../hal/Charge.ts"
import { numberOf } from "../types/Kind.ts"
import * as Methods from "../types/methods/Untyped.ts"
import { objectTypes, ofNumber, type Row, retypeFanOut, sizeBits, untypedBits } from "../types/ObjectType.ts"
import { right } from "../types/Rights.ts"
import {
  deleteFirst,
  failedLookup,
  illegalOperation,
  invalidArgument,
  invalidCapability,
  notEnoughMemory,
  rangeError,
  type SyscallError
} from "../types/SyscallError.ts"
import type { Word } from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as CSpace from "./CSpace.ts"
import * as Derivation from "./Derivation.ts"
import { type Invocation, read } from "./Invocation.ts"
import { KernelData } from "./KernelData.ts"
import { type Decoded, isRefusal, type Outcome, preempted, type State, type View } from "./State.ts"
import { Tcb } from "./Tcb.ts"
import * as UntypedData from "./UntypedData.ts"

/** A capability to 2^sizeBits bytes that nothing is in. */
export const make = (address: number, sizeBits: number, isDevice: boolean): Capability.Capability =>
  Capability.original("Untyped", address, 0, UntypedData.fresh(sizeBits, isDevice))

export const decode = (view: View, invocation: Invocation): Decoded =>
  invocation.label === Methods.Retype.label ? retype(view, invocation) : illegalOperation

const retype = (view: View, invocation: Invocation): Decoded => {
  const args = read(view, invocation, Methods.Retype)
  if (isRefusal(args)) return args
  const { slot } = invocation

  const type = ofNumber(args.type)
  if (type === undefined) return invalidArgument(0)
  const bits = sizeBits(type, args.sizeBits)
  if (args.sizeBits >= CSpace.wordBits || bits > untypedBits.most) return rangeError(0, untypedBits.most)
  if ("least" in type && args.sizeBits < type.least) return invalidArgument(1)

  const count = args.numObjects
  const slots = destination(view, invocation.extraCaps[0]!, args.nodeIndex, args.nodeDepth, args.nodeOffset, count)
  if (isRefusal(slots)) return slots

  const isEmpty = Derivation.firstDescendant(view, slot) === 0
  const used = isEmpty ? 0 : UntypedData.used(view, slot)
  const left = 2 ** UntypedData.sizeBits(view, slot) - used
  // What fits at all fits at a multiple of its size, too: the end of the memory is one.
  if (Math.floor(left / 2 ** bits) < count) return notEnoughMemory(left)
  const isDevice = UntypedData.isDevice(view, slot)
  if (isDevice && type.makes !== "Frame" && type.makes !== "Untyped") return invalidArgument(1)

  const base = Capability.address(view, slot)
  const first = Math.ceil((base + used) / 2 ** bits) * 2 ** bits
  return (state) => {
    if (isEmpty && reset(state, slot) === preempted) return preempted
    UntypedData.setUsed(state, slot, first - base + count * 2 ** bits)
    for (let index = 0; index < count; index++) {
      const cap = makeObject(state, type, first + index * 2 ** bits, bits, args.sizeBits, isDevice)
      Derivation.insertObject(state, slot, slots + 32 * index, cap)
    }
    return undefined
  }
}

/** The first of `count` empty slots that stand together in a CNode. */
const destination = (
  view: View,
  root: number,
  index: Word,
  depth: number,
  offset: number,
  count: number
): number | SyscallError => {
  const { put } = right.CNode
  if (Capability.kind(view, root) === numberOf.CNode && !Capability.allows(view, root, put)) return invalidCapability(1)
  const node = depth === 0 ? root : CSpace.slotAt(view, "destination", root, index.lo, index.hi, depth, put)
  if (isRefusal(node)) return node
  if (Capability.kind(view, node) !== numberOf.CNode)
    return failedLookup("destination", { _tag: "MissingCapability", bitsLeft: depth })
  if (!Capability.allows(view, node, put)) return illegalOperation
  const size = 2 ** Capability.radix(view, node)
  if (offset > size - 1) return rangeError(0, size - 1)
  if (count < 1 || count > retypeFanOut) return rangeError(1, retypeFanOut)
  if (count > size - offset) return rangeError(1, size - offset)
  const first = Capability.object(view, node) + 32 * offset
  for (let slot = first; slot < first + 32 * count; slot += 32) if (!Capability.isEmpty(view, slot)) return deleteFirst
  return first
}

const chunk = 256

/** Nothing is in use any more, and what was is 0: from the end, so that the watermark says what is left to do. */
export const reset = (state: State, slot: number): Outcome => {
  const used = UntypedData.used(state, slot)
  if (used === 0) return undefined
  const base = Capability.address(state, slot)
  if (UntypedData.isDevice(state, slot)) UntypedData.setUsed(state, slot, 0)
  for (let end = UntypedData.used(state, slot); end > 0; ) {
    const start = Math.floor((end - 1) / chunk) * chunk
    state.memory.zero(base + start, end - start)
    state.charge(Charge.zeroChunk)
    UntypedData.setUsed(state, slot, start)
    end = start
    if (state.time.interruptPending()) return preempted
  }
  return undefined
}

/** Memory of zeroes, or a device's, becomes an object. The capability to it, with every right. */
export const makeObject = (
  state: State,
  type: Row,
  address: number,
  bits: number,
  given: number,
  isDevice: boolean
): Capability.Capability => {
  switch (type.number) {
    case objectTypes.Untyped.number:
      return make(address, bits, isDevice)
    case objectTypes.TCB.number:
      Tcb.domain.store(state.memory, address, KernelData.currentDomain.load(state.memory, state.data))
      state.architecture.initialise(state, address)
      return Capability.original("TCB", address)
    case objectTypes.CapTable.number:
      return Capability.cnode(address, given)
    case objectTypes.SchedContext.number:
      return Capability.original("SchedContext", address, bits)
    case objectTypes.Endpoint.number:
    case objectTypes.Notification.number:
    case objectTypes.Reply.number:
      return Capability.original(type.makes, address)
    default:
      return state.architecture.make(state, type, address, isDevice)
  }
}
