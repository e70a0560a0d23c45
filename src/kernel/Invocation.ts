/**
 * Invocation: a message to the kernel, about the object of a capability.
 *
 * What a method takes is written once, in its description (types/Method). These functions read a message by it, and
 * refuse what it does not allow.
 */
import { type Kind, ofNumber } from "../types/Kind.ts"
import * as Method from "../types/Method.ts"
import * as SyscallError from "../types/SyscallError.ts"
import * as Capability from "./Capability.ts"
import * as Message from "./Message.ts"
import type { View } from "./State.ts"

export interface Invocation {
  /** The slot of the capability invoked. */
  readonly slot: number
  /** The thread that sent the message. */
  readonly caller: number
  readonly label: number
  /** The words of the message that can be read. */
  readonly length: number
  /** The caller's IPC buffer, 0 if it has none. */
  readonly buffer: number
  /** The slots of the capabilities that came with it. */
  readonly extraCaps: ReadonlyArray<number>
  /** The caller waits for the answer. */
  readonly isCall: boolean
}

/** The halves of word `index` of the message. */
export const low = (view: View, { caller, buffer }: Invocation, index: number): number =>
  Message.wordLow(view, caller, buffer, index)

export const high = (view: View, { caller, buffer }: Invocation, index: number): number =>
  Message.wordHigh(view, caller, buffer, index)

/**
 * Refused if the capability invoked lacks a right that the method needs, or the message a word or a capability: of the
 * first `words` and `caps` of them, if not all matter yet.
 */
export const check = (
  view: View,
  { slot, length, extraCaps }: Invocation,
  method: Method.Method,
  words = method.length,
  caps = Object.keys(method.caps).length
): SyscallError.SyscallError | undefined => {
  if (!Capability.allows(view, slot, method.needs)) return SyscallError.illegalOperation
  return length < words || extraCaps.length < caps ? SyscallError.truncatedMessage : undefined
}

/** The words of the message, as a method describes them; or why it is refused. */
export const read = <M extends Method.Method>(
  view: View,
  invocation: Invocation,
  method: M
): Method.Arguments<M> | SyscallError.SyscallError =>
  check(view, invocation, method) ?? Method.decode(method, wordsOf(view, invocation))

/** The words of the message, to be read by a description whose words are the first of them. */
export const wordsOf = (view: View, invocation: Invocation): Method.MessageWords => ({
  lo: (index) => low(view, invocation, index),
  hi: (index) => high(view, invocation, index)
})

/** The name of a capability's kind; undefined of an empty slot, and of what is being deleted. */
export const kindOf = (view: View, slot: number): Kind | undefined => ofNumber(Capability.kind(view, slot))

/**
 * Whether the capability in `slot` is one that the method takes as its argument `index`. No capability is one where it
 * is optional.
 */
export const accepts = (view: View, method: Method.Method, index: number, slot: number): boolean => {
  const argument = Object.values(method.caps)[index]!
  const kind = kindOf(view, slot)
  if (kind === undefined) return argument.optional && Capability.isEmpty(view, slot)
  return Method.accepted(argument, kind, Capability.rights(view, slot))
}

/** The slot of extra capability `index`; refused if it is none that the method takes. */
export const extraCap = (
  view: View,
  { extraCaps }: Invocation,
  method: Method.Method,
  index: number
): number | SyscallError.SyscallError =>
  accepts(view, method, index, extraCaps[index]!) ? extraCaps[index]! : SyscallError.invalidCapability(index + 1)
