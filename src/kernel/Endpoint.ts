/**
 * Endpoint: the place where threads meet to pass a message.
 *
 * Only one side ever waits: an endpoint is idle and its queue empty, or it has a queue of senders, or one of receivers.
 */
import { Halt } from "../hal/Gates.ts"
import { layout, u8 } from "../types/Layout.ts"
import * as Donation from "./Donation.ts"
import * as Fault from "./Fault.ts"
import * as Message from "./Message.ts"
import * as Queue from "./Queue.ts"
import * as Reply from "./Reply.ts"
import * as Scheduler from "./Scheduler.ts"
import type { Outcome, State } from "./State.ts"
import { preempted } from "./State.ts"
import { Tcb, ThreadState } from "./Tcb.ts"
import { transfer } from "./Transfer.ts"

export const EndpointState = { idle: 0, sending: 1, receiving: 2 } as const

// biome-ignore format: a figure
export const Fields = layout(16, {
  // 0x00: the queue
  state: u8(0x08)
})

/** How a message is sent: bits of a number. */
// biome-ignore format: a table
export const Sending = {
  /** Wait until somebody receives it; else it is dropped. */
  blocking:   1,
  /** Wait for the answer. */
  call:       2,
  /** What the capability allows: extra capabilities, and an answer with them; an answer. */
  grant:      4,
  grantReply: 8,
  /** The scheduling context goes to a receiver that has none. */
  donate:     16
} as const

/** Give the message to the first receiver; if there is none, wait in turn. */
export const send = (
  state: State,
  endpoint: number,
  sender: number,
  badgeLow: number,
  badgeHigh: number,
  how: number
): void => {
  if (Fields.state.load(state.memory, endpoint) === EndpointState.receiving)
    deliver(state, endpoint, sender, badgeLow, badgeHigh, how)
  else if ((how & Sending.blocking) !== 0) waitToSend(state, endpoint, sender, badgeLow, badgeHigh, how)
}

const waitToSend = (
  state: State,
  endpoint: number,
  sender: number,
  badgeLow: number,
  badgeHigh: number,
  how: number
): void => {
  const { memory } = state
  Tcb.badge.store(memory, sender, badgeLow, badgeHigh)
  Tcb.isCall.store(memory, sender, how & Sending.call ? 1 : 0)
  Tcb.canGrant.store(memory, sender, how & Sending.grant ? 1 : 0)
  Tcb.canGrantReply.store(memory, sender, how & Sending.grantReply ? 1 : 0)
  wait(state, endpoint, sender, ThreadState.blockedOnSend, EndpointState.sending)
}

const deliver = (
  state: State,
  endpoint: number,
  sender: number,
  badgeLow: number,
  badgeHigh: number,
  how: number
): void => {
  const { memory } = state
  const receiver = takeFirst(state, endpoint)
  transfer(state, sender, receiver, endpoint, badgeLow, badgeHigh, (how & Sending.grant) !== 0)
  const reply = Tcb.reply.load(memory, receiver)
  if (reply !== 0) Reply.unlink(state, reply)
  const isAnswered = (how & Sending.call) !== 0 || Fault.label(state, sender) !== 0
  const canDonate = (how & Sending.donate) !== 0
  if (isAnswered) expectAnswer(state, sender, receiver, reply, how, canDonate)
  else if (canDonate && Tcb.schedContext.load(memory, receiver) === 0)
    Donation.donate(state, Tcb.schedContext.load(memory, sender), receiver)
  Scheduler.setState(state, receiver, ThreadState.running)
  Donation.unblock(state, receiver)
  Scheduler.possiblySwitchTo(state, receiver)
}

/** The sender waits for its answer; for ever, if the receiver cannot give one. */
const expectAnswer = (
  state: State,
  sender: number,
  receiver: number,
  reply: number,
  how: number,
  canDonate: boolean
): void => {
  if (reply !== 0 && (how & (Sending.grant | Sending.grantReply)) !== 0)
    Reply.push(state, reply, sender, receiver, canDonate)
  else Scheduler.setState(state, sender, ThreadState.inactive)
}

/**
 * Take the message of the first sender; if there is none, wait in turn. `reply`, 0 if there is none, is the object by
 * which a call will be answered; it is nobody's.
 */
export const receive = (
  state: State,
  endpoint: number,
  receiver: number,
  reply: number,
  how: "blocking" | "polling"
): void => {
  const { memory } = state
  if (Fields.state.load(memory, endpoint) === EndpointState.sending) collect(state, endpoint, receiver, reply)
  else if (how === "polling") Message.setBadge(state, receiver, 0, 0)
  else {
    Tcb.reply.store(memory, receiver, reply)
    if (reply !== 0) Reply.Fields.thread.store(memory, reply, receiver)
    wait(state, endpoint, receiver, ThreadState.blockedOnReceive, EndpointState.receiving)
  }
}

const collect = (state: State, endpoint: number, receiver: number, reply: number): void => {
  const { memory } = state
  const sender = takeFirst(state, endpoint)
  const canGrant = Tcb.canGrant.load(memory, sender) !== 0
  const [badgeLow, badgeHigh] = [Tcb.badge.loadLo(memory, sender), Tcb.badge.loadHi(memory, sender)]
  transfer(state, sender, receiver, endpoint, badgeLow, badgeHigh, canGrant)
  Donation.unblock(state, sender)
  const fault = Fault.tag(state, sender)
  if (Tcb.isCall.load(memory, sender) !== 0 || fault !== undefined) {
    const how = (canGrant ? Sending.grant : 0) | (Tcb.canGrantReply.load(memory, sender) !== 0 ? Sending.grantReply : 0)
    // A thread whose budget is used up has nothing to give.
    expectAnswer(state, sender, receiver, reply, how, fault !== "Timeout")
  } else {
    Scheduler.setState(state, sender, ThreadState.running)
    Scheduler.possiblySwitchTo(state, sender)
  }
}

/** A thread that waits here does not any more: it is inactive. */
export const cancel = (state: State, thread: number): void => {
  const { memory } = state
  const endpoint = Tcb.blockedOn.load(memory, thread)
  leave(state, endpoint, thread)
  const reply = Tcb.reply.load(memory, thread)
  if (reply !== 0) Reply.unlink(state, reply)
  Scheduler.setState(state, thread, ThreadState.inactive)
}

/** Everybody who waits here tries again. */
export const cancelAll = (state: State, endpoint: number): void => {
  if (Fields.state.load(state.memory, endpoint) === EndpointState.idle) return
  for (let thread = Queue.first(state, endpoint); thread !== 0; thread = Queue.first(state, endpoint)) {
    leave(state, endpoint, thread)
    tryAgain(state, thread)
  }
  Scheduler.reschedule(state)
}

/** Those who wait to send through a capability with this badge try again. */
export const cancelBadgedSends = (state: State, endpoint: number, low: number, high: number): Outcome => {
  const { memory } = state
  if (Fields.state.load(memory, endpoint) !== EndpointState.sending) return undefined
  let thread = Queue.first(state, endpoint)
  while (thread !== 0) {
    const next = Tcb.queueNext.load(memory, thread)
    if (Tcb.badge.loadLo(memory, thread) === low && Tcb.badge.loadHi(memory, thread) === high) {
      leave(state, endpoint, thread)
      tryAgain(state, thread)
      if (state.time.interruptPending()) {
        Scheduler.reschedule(state)
        return preempted
      }
    }
    thread = next
  }
  Scheduler.reschedule(state)
  return undefined
}

/** A thread that waits here has another priority, and so another place. */
export const reorder = (state: State, thread: number): void => {
  const endpoint = Tcb.blockedOn.load(state.memory, thread)
  Queue.remove(state, endpoint, thread)
  Queue.insert(state, endpoint, thread)
}

/** It makes its system call once more; a thread with a fault has nobody to tell any more. */
const tryAgain = (state: State, thread: number): void => {
  const reply = Tcb.reply.load(state.memory, thread)
  if (reply !== 0) Reply.unlink(state, reply)
  if (Fault.label(state, thread) !== 0) Scheduler.setState(state, thread, ThreadState.inactive)
  else {
    Scheduler.setState(state, thread, ThreadState.restart)
    Donation.unblock(state, thread)
    Scheduler.possiblySwitchTo(state, thread)
  }
}

const wait = (
  state: State,
  endpoint: number,
  thread: number,
  threadState: typeof ThreadState.blockedOnSend | typeof ThreadState.blockedOnReceive,
  endpointState: typeof EndpointState.sending | typeof EndpointState.receiving
): void => {
  const { memory } = state
  Tcb.blockedOn.store(memory, thread, endpoint)
  Scheduler.setState(state, thread, threadState)
  Queue.insert(state, endpoint, thread)
  Fields.state.store(memory, endpoint, endpointState)
}

const takeFirst = (state: State, endpoint: number): number => {
  const thread = Queue.first(state, endpoint)
  if (thread === 0) throw new Halt("an endpoint that is not idle has a queue")
  leave(state, endpoint, thread)
  return thread
}

const leave = (state: State, endpoint: number, thread: number): void => {
  Queue.remove(state, endpoint, thread)
  Tcb.blockedOn.store(state.memory, thread, 0)
  if (Queue.first(state, endpoint) === 0) Fields.state.store(state.memory, endpoint, EndpointState.idle)
}
