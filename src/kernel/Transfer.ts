/**
 * Transfer: what one thread has to say comes to another.
 *
 * seL4 manual, "IPC": the words of a message, and, with the right to grant, its extra capabilities: at most one of them
 * is put into the receiver's slot; those to the endpoint itself arrive as their badge. Or, of a thread with a fault,
 * what the fault says.
 */
import { capOrBadge, IpcBuffer } from "../types/IpcBuffer.ts"
import { numberOf } from "../types/Kind.ts"
import type { LookupFailure } from "../types/LookupFailure.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import { right } from "../types/Rights.ts"
import * as Word from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as CSpace from "./CSpace.ts"
import * as Derivation from "./Derivation.ts"
import * as Donation from "./Donation.ts"
import * as Fault from "./Fault.ts"
import * as Message from "./Message.ts"
import { isRefusal, type State, type View } from "./State.ts"
import { Tcb } from "./Tcb.ts"

/**
 * What the sender has to say comes to the receiver, by an endpoint's capability with this badge; 0 is no endpoint: an
 * answer.
 */
export const transfer = (
  state: State,
  sender: number,
  receiver: number,
  endpoint: number,
  badgeLow: number,
  badgeHigh: number,
  canGrant: boolean
): void => {
  if (Fault.label(state, sender) === 0) message(state, sender, receiver, endpoint, canGrant)
  else fault(state, sender, receiver)
  Message.setBadge(state, receiver, badgeLow, badgeHigh)
}

const message = (state: State, sender: number, receiver: number, endpoint: number, canGrant: boolean): void => {
  const { architecture } = state
  const info = architecture.convention.info
  const low = architecture.registerLow(state, sender, info)
  const high = architecture.registerHigh(state, sender, info)
  const length = Message.copy(state, sender, receiver, MessageInfo.length(low))
  const caps = canGrant && MessageInfo.extraCaps(low) > 0 ? grant(state, sender, receiver, endpoint, low) : 0
  architecture.setRegister(state, receiver, info, (low & ~0xfff) | caps | length, high)
}

/** The extra capabilities: what the message info says of them, in its place. */
const grant = (state: State, sender: number, receiver: number, endpoint: number, info: number): number => {
  const slots = extraCaps(state, sender, info)
  const buffer = state.architecture.buffer(state, receiver, "write")
  if (!isList(slots) || buffer === 0) return 0
  let receiveSlot = findReceiveSlot(state, receiver, buffer)
  let unwrapped = 0
  let arrived = 0
  for (const slot of slots) {
    const cap = Capability.read(state, slot)
    if (Capability.kindOf(cap) === numberOf.Endpoint && Capability.objectOf(cap) === endpoint) {
      state.memory.store32(buffer + capOrBadge(arrived), cap.lo)
      state.memory.store32(buffer + capOrBadge(arrived) + 4, cap.hi)
      unwrapped |= 1 << arrived
    } else {
      if (receiveSlot === 0) break
      const derived = Derivation.derive(state, slot, cap)
      if (isRefusal(derived) || Capability.kindOf(derived) === Capability.nullKind) break
      Derivation.insert(state, slot, receiveSlot, derived)
      receiveSlot = 0
    }
    arrived++
  }
  return MessageInfo.packLo(0, unwrapped, arrived, 0)
}

/** The capability pointer at the head of a message that leads nowhere. */
export interface NoExtraCap {
  readonly low: number
  readonly high: number
  readonly failure: LookupFailure
}

const noCaps: ReadonlyArray<number> = []
export const isList = <A>(found: ReadonlyArray<number> | A): found is ReadonlyArray<number> => Array.isArray(found)

/** The slots of a message's extra capabilities. A message of a thread without a buffer has none. */
export const extraCaps = (view: View, sender: number, info: number): ReadonlyArray<number> | NoExtraCap => {
  const count = MessageInfo.extraCaps(info)
  const buffer = count === 0 ? 0 : view.architecture.buffer(view, sender, "read")
  if (buffer === 0) return noCaps
  const slots: Array<number> = []
  for (let index = 0; index < count; index++) {
    const low = view.memory.load32(buffer + capOrBadge(index))
    const high = view.memory.load32(buffer + capOrBadge(index) + 4)
    const slot = CSpace.lookup(view, sender, low, high)
    if (typeof slot !== "number") return { low, high, failure: slot }
    slots.push(slot)
  }
  return slots
}

/** Where a capability that arrives goes: an empty slot, 0 if the receiver has said no such. */
const findReceiveSlot = (view: View, receiver: number, buffer: number): number => {
  const { memory } = view
  const { receiveCNode, receiveIndex, receiveDepth } = IpcBuffer
  const root = CSpace.lookup(view, receiver, receiveCNode.loadLo(memory, buffer), receiveCNode.loadHi(memory, buffer))
  const { put } = right.CNode
  if (typeof root !== "number" || !Capability.allows(view, root, put)) return 0
  const index = [receiveIndex.loadLo(memory, buffer), receiveIndex.loadHi(memory, buffer)] as const
  const slot = CSpace.slotAt(view, "destination", root, ...index, receiveDepth.load(memory, buffer), put)
  return typeof slot === "number" && Capability.isEmpty(view, slot) ? slot : 0
}

/** The message of the sender's fault: registers of its own, then the words of the fault. */
const fault = (state: State, sender: number, receiver: number): void => {
  const { architecture } = state
  const tag = Fault.tag(state, sender)!
  const buffer = architecture.buffer(state, receiver, "write")
  let length = 0
  const add = (low: number, high: number): void => {
    if (Message.setWord(state, receiver, buffer, length, low, high)) length++
  }
  for (const register of architecture.sent[tag])
    add(architecture.registerLow(state, sender, register), architecture.registerHigh(state, sender, register))
  if (tag === "Timeout") {
    add(Fault.wordLow(state, sender, 0), Fault.wordHigh(state, sender, 0))
    const context = Tcb.schedContext.load(state.memory, sender)
    // Who lost its scheduling context meanwhile has consumed nothing of it.
    if (context !== 0) {
      const consumed = Donation.takeConsumed(state, context)
      add(consumed | 0, Word.highHalf(consumed))
    }
  } else
    for (let index = 0; index < Fault.length(state, sender); index++)
      add(Fault.wordLow(state, sender, index), Fault.wordHigh(state, sender, index))
  Message.setInfo(state, receiver, Fault.label(state, sender), 0, 0, length)
}

/** The answer to the receiver's fault sets some of its registers. True if it is to go on. */
export const faultReply = (state: State, sender: number, receiver: number): boolean => {
  const { architecture, memory } = state
  const tag = Fault.tag(state, receiver)!
  const registers = architecture.replied[tag]
  const info = architecture.convention.info
  const low = architecture.registerLow(state, sender, info)
  const high = architecture.registerHigh(state, sender, info)
  const length = Math.min(MessageInfo.length(low), registers.length)
  const buffer = length > MessageInfo.registerWords ? architecture.buffer(state, sender, "read") : 0
  for (let index = 0; index < length; index++) {
    if (index < MessageInfo.registerWords) {
      const word = architecture.convention.message[index]!
      const [lo, hi] = [architecture.registerLow(state, sender, word), architecture.registerHigh(state, sender, word)]
      architecture.setUserRegister(state, receiver, registers[index]!, lo, hi)
    } else if (buffer !== 0) {
      const at = buffer + Message.at(index)
      architecture.setUserRegister(state, receiver, registers[index]!, memory.load32(at), memory.load32(at + 4))
    }
  }
  // What the thread could not reach, it tries again whatever the answer says.
  return tag === "CapFault" || tag === "VMFault" || MessageInfo.label(low, high) === 0
}
