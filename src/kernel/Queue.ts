/**
 * The queue of an endpoint or a notification: threads that wait there, those of the highest priority first and, of one
 * priority, in the order in which they came.
 *
 * Both kinds of object begin with it: the first and the last thread. The links between are in the TCBs.
 */
import { Charge } from "../hal/Charge.ts"
import { layout } from "../types/Layout.ts"
import { ref } from "./Reference.ts"
import type { State, View } from "./State.ts"
import { Tcb } from "./Tcb.ts"

// biome-ignore format: a figure
export const Fields = layout(8, {
  head: ref(0),
  tail: ref(4)
})

/** The first thread of the queue, 0 if nobody waits. */
export const first = ({ memory }: View, queue: number): number => Fields.head.load(memory, queue)

/** The thread takes its place. */
export const insert = (state: State, queue: number, thread: number): void => {
  const { memory } = state
  const priority = Tcb.priority.load(memory, thread)
  let before = Fields.tail.load(memory, queue)
  let after = 0
  while (before !== 0 && Tcb.priority.load(memory, before) < priority) {
    state.charge(Charge.queue)
    after = before
    before = Tcb.queuePrev.load(memory, before)
  }
  Tcb.queuePrev.store(memory, thread, before)
  Tcb.queueNext.store(memory, thread, after)
  if (before === 0) Fields.head.store(memory, queue, thread)
  else Tcb.queueNext.store(memory, before, thread)
  if (after === 0) Fields.tail.store(memory, queue, thread)
  else Tcb.queuePrev.store(memory, after, thread)
}

/** The thread leaves it. */
export const remove = ({ memory }: State, queue: number, thread: number): void => {
  const [before, after] = [Tcb.queuePrev.load(memory, thread), Tcb.queueNext.load(memory, thread)]
  if (before === 0) Fields.head.store(memory, queue, after)
  else Tcb.queueNext.store(memory, before, after)
  if (after === 0) Fields.tail.store(memory, queue, before)
  else Tcb.queuePrev.store(memory, after, before)
  Tcb.queuePrev.store(memory, thread, 0)
  Tcb.queueNext.store(memory, thread, 0)
}

/** The threads that wait, in their order. */
export const all = (view: View, queue: number): ReadonlyArray<number> => {
  const threads: Array<number> = []
  for (let thread = first(view, queue); thread !== 0; thread = Tcb.queueNext.load(view.memory, thread))
    threads.push(thread)
  return threads
}
