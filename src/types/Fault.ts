/**
 * Fault: what a thread did that its fault handler must hear of.
 *
 * Its message is some of the thread's registers, which depend on the architecture, and then the words of the fault itself.
 */
import * as LookupFailure from "./LookupFailure.ts"
import * as Word from "./Word.ts"

export type Fault<W = Word.Word> =
  /** The capability that it invoked, or the reply object that it received with, could not be found. */
  | {
      readonly _tag: "CapFault"
      readonly address: W
      readonly inReceivePhase: boolean
      readonly failure: LookupFailure.LookupFailure<W>
    }
  /** It made a system call that does not exist. */
  | { readonly _tag: "UnknownSyscall"; readonly number: W }
  /** It raised an exception of the processor: its number and error code. */
  | { readonly _tag: "UserException"; readonly number: number; readonly code: number }
  /** It used an address that its address space does not allow. `status` is the processor's own word on why. */
  | { readonly _tag: "VMFault"; readonly address: W; readonly instructionFetch: boolean; readonly status: number }
  /** Its budget is used up. `badge` is that of the scheduling context, `consumed` the microseconds it ran since last told. */
  | { readonly _tag: "Timeout"; readonly badge: W; readonly consumed: number }

/** The label of the message. 0 is no fault. */
// biome-ignore format: a fault, a line
export const labels = {
  CapFault:       1,
  UnknownSyscall: 2,
  UserException:  3,
  Timeout:        5,
  VMFault:        6
} as const satisfies Record<Fault["_tag"], number>

/** The words of the fault itself. */
export const toWords = (fault: Fault): ReadonlyArray<Word.Word> => {
  switch (fault._tag) {
    case "CapFault":
      return [fault.address, Word.fromNumber(Number(fault.inReceivePhase)), ...LookupFailure.toWords(fault.failure)]
    case "UnknownSyscall":
      return [fault.number]
    case "UserException":
      return [Word.fromNumber(fault.number), Word.fromNumber(fault.code)]
    case "VMFault":
      return [fault.address, Word.fromNumber(Number(fault.instructionFetch)), Word.fromNumber(fault.status)]
    case "Timeout":
      return [fault.badge, Word.fromNumber(fault.consumed)]
  }
}

const tags = new Map(Object.entries(labels).map(([tag, label]) => [label as number, tag as Fault["_tag"]]))

/** The fault that a label is of. */
export const tagOf = (label: number): Fault["_tag"] | undefined => tags.get(label)

/** What a program reads in the words of the fault itself; undefined if they say nothing that a kernel would. */
export const fromWords = (_tag: Fault["_tag"], words: ReadonlyArray<bigint>): Fault<bigint> | undefined => {
  const [first = 0n, second = 0n, third = 0n] = words
  switch (_tag) {
    case "CapFault": {
      const failure = LookupFailure.fromWords(words.slice(2))
      return failure && { _tag, address: first, inReceivePhase: second !== 0n, failure }
    }
    case "UnknownSyscall":
      return { _tag, number: first }
    case "UserException":
      return { _tag, number: Number(first), code: Number(second) }
    case "VMFault":
      return { _tag, address: first, instructionFetch: second !== 0n, status: Number(third) }
    case "Timeout":
      return { _tag, badge: first, consumed: Number(second) }
  }
}
