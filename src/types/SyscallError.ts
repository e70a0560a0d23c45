/**
 * SyscallError: why the kernel refused a call.
 *
 * A refusal is an ordinary answer to a program: a value with no stack, never thrown, and sent back in the reply.
 * Numbers in it are exact: whatever a program may be told of lies below 2^53.
 */
import * as LookupFailure from "./LookupFailure.ts"
import * as Word from "./Word.ts"

export type SyscallError<W = Word.Word> =
  /** Word `index` of the message is nothing that the method takes. */
  | { readonly _tag: "InvalidArgument"; readonly index: number }
  /** Capability `index` is missing, of another kind, or lacks a right: 0 is the one invoked, 1 the first extra one. */
  | { readonly _tag: "InvalidCapability"; readonly index: number }
  /** The capability has no such method, or no right to it, or it may not be used now. */
  | { readonly _tag: "IllegalOperation" }
  /** An argument is not from `min` to `max`. */
  | { readonly _tag: "RangeError"; readonly min: number; readonly max: number }
  /** An address is no multiple of what it must be. */
  | { readonly _tag: "AlignmentError" }
  /** An address in a capability space leads nowhere. `wasSource`: it was one to take from, not to put into. */
  | { readonly _tag: "FailedLookup"; readonly wasSource: boolean; readonly failure: LookupFailure.LookupFailure<W> }
  /** The message is shorter than its method needs. */
  | { readonly _tag: "TruncatedMessage" }
  /** What is to be filled is in use. */
  | { readonly _tag: "DeleteFirst" }
  /** The capability has children. */
  | { readonly _tag: "RevokeFirst" }
  /** The untyped memory has only so many bytes left. */
  | { readonly _tag: "NotEnoughMemory"; readonly available: number }

/** The label of the reply. 0 is that of a call that was not refused. */
// biome-ignore format: an error, a line
export const labels = {
  InvalidArgument:   1,
  InvalidCapability: 2,
  IllegalOperation:  3,
  RangeError:        4,
  AlignmentError:    5,
  FailedLookup:      6,
  TruncatedMessage:  7,
  DeleteFirst:       8,
  RevokeFirst:       9,
  NotEnoughMemory:   10
} as const satisfies Record<SyscallError["_tag"], number>

export const invalidArgument = (index: number): SyscallError<never> => ({ _tag: "InvalidArgument", index })
export const invalidCapability = (index: number): SyscallError<never> => ({ _tag: "InvalidCapability", index })
export const illegalOperation: SyscallError<never> = { _tag: "IllegalOperation" }
export const rangeError = (min: number, max: number): SyscallError<never> => ({ _tag: "RangeError", min, max })
export const alignmentError: SyscallError<never> = { _tag: "AlignmentError" }
export const failedLookup = <W = never>(
  side: "source" | "destination",
  failure: LookupFailure.LookupFailure<W>
): SyscallError<W> => ({ _tag: "FailedLookup", wasSource: side === "source", failure })
export const truncatedMessage: SyscallError<never> = { _tag: "TruncatedMessage" }
export const deleteFirst: SyscallError<never> = { _tag: "DeleteFirst" }
export const revokeFirst: SyscallError<never> = { _tag: "RevokeFirst" }
export const notEnoughMemory = (available: number): SyscallError<never> => ({ _tag: "NotEnoughMemory", available })

/** The words of the reply. */
export const toWords = (error: SyscallError): ReadonlyArray<Word.Word> => {
  switch (error._tag) {
    case "InvalidArgument":
    case "InvalidCapability":
      return [Word.fromNumber(error.index)]
    case "RangeError":
      return [Word.fromNumber(error.min), Word.fromNumber(error.max)]
    case "FailedLookup":
      return [Word.fromNumber(Number(error.wasSource)), ...LookupFailure.toWords(error.failure)]
    case "NotEnoughMemory":
      return [Word.fromNumber(error.available)]
    case "IllegalOperation":
    case "AlignmentError":
    case "TruncatedMessage":
    case "DeleteFirst":
    case "RevokeFirst":
      return []
  }
}

const tags = new Map(Object.entries(labels).map(([tag, label]) => [label as number, tag as SyscallError["_tag"]]))

/** Whether a reply with this label is a refusal, if it is the kernel's. */
export const isLabel = (label: number): boolean => tags.has(label)

/** What a program reads in a reply; undefined if it says no error that a kernel would. */
export const fromWords = (label: number, words: ReadonlyArray<bigint>): SyscallError<bigint> | undefined => {
  const [first = 0n, second = 0n] = words
  const _tag = tags.get(label)
  switch (_tag) {
    case "InvalidArgument":
    case "InvalidCapability":
      return { _tag, index: Number(first) }
    case "RangeError":
      return { _tag, min: Number(first), max: Number(second) }
    case "FailedLookup": {
      const failure = LookupFailure.fromWords(words.slice(1))
      return failure && { _tag, wasSource: first !== 0n, failure }
    }
    case "NotEnoughMemory":
      return { _tag, available: Number(first) }
    case undefined:
      return undefined
    default:
      return { _tag }
  }
}
