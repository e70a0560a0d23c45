/**
 * Reply: an object that stands for one call that was not answered yet.
 *
 * A thread that receives lends it to the call that it gets; answering through it gives the caller its answer. Where the
 * caller's scheduling context went along, replies form the stack of that: the head is the last call, which
 * `schedContext` says, and an answer gives the scheduling context back. `prev` is the call before, `next` the one
 * after.
 *
 * It is a receiver's that waits for a call, or a caller's that waits for an answer, and `thread` says whose; or
 * nobody's.
 */
import { Halt } from "../hal/Gates.ts"
import { layout } from "../types/Layout.ts"
import * as Donation from "./Donation.ts"
import { ref } from "./Reference.ts"
import { SchedContextFields } from "./Refill.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import { Tcb, ThreadState } from "./Tcb.ts"

// biome-ignore format: a figure
export const Fields = layout(32, {
  thread:       ref(0),
  prev:         ref(4),
  next:         ref(8),
  schedContext: ref(12)
})

/**
 * The thread waits for the answer to its call, which `callee` got; with `canDonate` its scheduling context goes along.
 */
export const push = (state: State, reply: number, caller: number, callee: number, canDonate: boolean): void => {
  const { memory } = state
  if (Fields.thread.load(memory, reply) !== 0) throw new Halt("a reply object stands for one call")
  Fields.thread.store(memory, reply, caller)
  Tcb.reply.store(memory, caller, reply)
  Scheduler.setState(state, caller, ThreadState.blockedOnReply)
  const context = Tcb.schedContext.load(memory, caller)
  if (context === 0 || !canDonate || Tcb.schedContext.load(memory, callee) !== 0) return
  const before = SchedContextFields.reply.load(memory, context)
  Fields.prev.store(memory, reply, before)
  if (before !== 0) {
    Fields.next.store(memory, before, reply)
    Fields.schedContext.store(memory, before, 0)
  }
  setHead(state, context, reply)
  Donation.donate(state, context, callee)
}

/** The call is over: the caller is inactive. At the head of its stack, the scheduling context goes back to it. */
export const remove = (state: State, reply: number): void => {
  const { memory } = state
  const caller = Fields.thread.load(memory, reply)
  const context = Fields.schedContext.load(memory, reply)
  if (context === 0) breakChain(state, reply)
  else {
    const before = Fields.prev.load(memory, reply)
    Fields.schedContext.store(memory, reply, 0)
    Fields.prev.store(memory, reply, 0)
    if (before !== 0) Fields.next.store(memory, before, 0)
    setHead(state, context, before)
    // A caller that was given another one meanwhile keeps that.
    if (Tcb.schedContext.load(memory, caller) === 0) Donation.donate(state, context, caller)
  }
  unlink(state, reply)
}

/** The caller does not wait any more, and nobody answered: the scheduling context stays where it is. */
export const cancel = (state: State, reply: number): void => {
  const { memory } = state
  const context = Fields.schedContext.load(memory, reply)
  if (context !== 0) SchedContextFields.reply.store(memory, context, 0)
  breakChain(state, reply)
  unlink(state, reply)
}

/** The scheduling context is not to go back to anybody. */
export const forget = ({ memory }: State, context: number): void => {
  const head = SchedContextFields.reply.load(memory, context)
  if (head === 0) return
  Fields.schedContext.store(memory, head, 0)
  SchedContextFields.reply.store(memory, context, 0)
}

/** The thread that it is lent to is inactive, and it is nobody's. */
export const unlink = (state: State, reply: number): void => {
  const { memory } = state
  const thread = Fields.thread.load(memory, reply)
  if (Tcb.reply.load(memory, thread) !== reply) throw new Halt("a thread and its reply object name one another")
  Tcb.reply.store(memory, thread, 0)
  Fields.thread.store(memory, reply, 0)
  Scheduler.setState(state, thread, ThreadState.inactive)
}

const setHead = ({ memory }: State, context: number, reply: number): void => {
  SchedContextFields.reply.store(memory, context, reply)
  if (reply !== 0) Fields.schedContext.store(memory, reply, context)
}

/** Those before it and after it know nothing of one another. */
const breakChain = ({ memory }: State, reply: number): void => {
  const [before, after] = [Fields.prev.load(memory, reply), Fields.next.load(memory, reply)]
  if (before !== 0) Fields.next.store(memory, before, 0)
  if (after !== 0) Fields.prev.store(memory, after, 0)
  Fields.prev.store(memory, reply, 0)
  Fields.next.store(memory, reply, 0)
  Fields.schedContext.store(memory, reply, 0)
}
