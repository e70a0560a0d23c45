/** Fault: what a thread did that its handler has not answered yet, as its TCB has it. */
import * as Fault from "../types/Fault.ts"
import type { State, View } from "./State.ts"
import { faultWords, Tcb } from "./Tcb.ts"

const fields = [Tcb.faultWord0, Tcb.faultWord1, Tcb.faultWord2, Tcb.faultWord3, Tcb.faultWord4, Tcb.faultWord5] as const

/** The thread has a fault. */
export const record = ({ memory }: State, thread: number, fault: Fault.Fault): void => {
  const words = Fault.toWords(fault)
  if (words.length > faultWords) throw new Error(`a fault has ${faultWords} words of its own`)
  Tcb.fault.store(memory, thread, Fault.labels[fault._tag])
  Tcb.faultLength.store(memory, thread, words.length)
  for (const [index, { lo, hi }] of words.entries()) fields[index]!.store(memory, thread, lo, hi)
}

/** The thread has none. */
export const clear = ({ memory }: State, thread: number): void => Tcb.fault.store(memory, thread, 0)

/** Its label: 0 is none. */
export const label = ({ memory }: View, thread: number): number => Tcb.fault.load(memory, thread)

/** Its kind; undefined is none. */
export const tag = (view: View, thread: number): Fault.Fault["_tag"] | undefined => Fault.tagOf(label(view, thread))

/** How many words of its own it has, and the halves of each. */
export const length = ({ memory }: View, thread: number): number => Tcb.faultLength.load(memory, thread)
export const wordLow = ({ memory }: View, thread: number, index: number): number =>
  fields[index]!.loadLo(memory, thread)
export const wordHigh = ({ memory }: View, thread: number, index: number): number =>
  fields[index]!.loadHi(memory, thread)
