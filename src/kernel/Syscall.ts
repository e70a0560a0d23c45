/**
 * Syscall: what the system calls do.
 *
 * Each is made of three steps: find the capability, which may be a fault of the thread; decode the message, which may
 * be refused; perform the operation, which neither faults nor is refused, and may stop where the kernel is consistent
 * if an interrupt waits.
 */
import { numberOf } from "../types/Kind.ts"
import type { LookupFailure } from "../types/LookupFailure.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import { right } from "../types/Rights.ts"
import { syscalls } from "../types/Syscall.ts"
import * as SyscallError from "../types/SyscallError.ts"
import * as Word from "../types/Word.ts"
import * as Budget from "./Budget.ts"
import * as Capability from "./Capability.ts"
import * as CNode from "./CNode.ts"
import * as CSpace from "./CSpace.ts"
import * as Domain from "./Domain.ts"
import * as Donation from "./Donation.ts"
import * as Endpoint from "./Endpoint.ts"
import * as FaultHandler from "./FaultHandler.ts"
import * as Interrupt from "./Interrupt.ts"
import type { Invocation } from "./Invocation.ts"
import * as Message from "./Message.ts"
import * as Notification from "./Notification.ts"
import { NotificationFields } from "./NotificationFields.ts"
import * as Reply from "./Reply.ts"
import * as SchedContext from "./SchedContext.ts"
import * as SchedControl from "./SchedControl.ts"
import * as Scheduler from "./Scheduler.ts"
import { type Decoded, isRefusal, preempted, type State, type View } from "./State.ts"
import { Tcb, ThreadState } from "./Tcb.ts"
import * as Thread from "./Thread.ts"
import * as ThreadMethods from "./ThreadMethods.ts"
import { extraCaps, isList } from "./Transfer.ts"
import * as Untyped from "./Untyped.ts"

/** The current thread makes system call `number`. False: there is no such. */
export const handle = (state: State, number: number): boolean => {
  const thread = Scheduler.currentThread(state)
  const { capability, reply, destination } = state.architecture.convention
  switch (number) {
    case syscalls.Call:
      send(state, thread, capability, blocking | call | donate)
      return true
    case syscalls.Send:
      send(state, thread, capability, blocking)
      return true
    case syscalls.NBSend:
      send(state, thread, capability, 0)
      return true
    case syscalls.ReplyRecv:
      if (send(state, thread, reply, donate | first)) receive(state, thread, "blocking", true)
      return true
    case syscalls.NBSendRecv:
      if (send(state, thread, destination, donate | first)) receive(state, thread, "blocking", true)
      return true
    case syscalls.NBSendWait:
      if (send(state, thread, destinationOfWait(state, thread), donate | first))
        receive(state, thread, "blocking", false)
      return true
    case syscalls.Recv:
      receive(state, thread, "blocking", true)
      return true
    case syscalls.NBRecv:
      receive(state, thread, "polling", true)
      return true
    case syscalls.Wait:
      receive(state, thread, "blocking", false)
      return true
    case syscalls.NBWait:
      receive(state, thread, "polling", false)
      return true
    case syscalls.Yield:
      Budget.giveUp(state)
      return true
    default:
      return state.architecture.syscall(state, thread, number)
  }
}

// How a message is sent: bits of a number, the first ones those of `Endpoint.Sending`.
const { blocking, call, donate } = Endpoint.Sending
/** It is the first half of a system call: only what cannot take the second half from under it is allowed. */
const first = 32

/**
 * Compiled programs give the destination of NBSendWait in the register of the reply object, and 0 in that of
 * destinations.
 */
const destinationOfWait = (view: View, thread: number): number => {
  const { architecture } = view
  const { destination, reply } = architecture.convention
  const isGiven =
    architecture.registerLow(view, thread, destination) !== 0 ||
    architecture.registerHigh(view, thread, destination) !== 0
  return isGiven ? destination : reply
}

/** Send to, or invoke, what a register says. False: it was stopped, and is to be done again. */
const send = (state: State, thread: number, register: number, how: number): boolean => {
  const { architecture } = state
  const low = architecture.registerLow(state, thread, register)
  const high = architecture.registerHigh(state, thread, register)
  const slot = CSpace.lookup(state, thread, low, high)
  if (typeof slot !== "number") {
    if ((how & blocking) !== 0) capFault(state, thread, low, high, "send", slot)
    return true
  }
  const info = architecture.registerLow(state, thread, architecture.convention.info)
  const caps = extraCaps(state, thread, info)
  if (!isList(caps)) {
    if ((how & blocking) !== 0) capFault(state, thread, caps.low, caps.high, "send", caps.failure)
    return true
  }
  switch (Capability.kind(state, slot)) {
    case numberOf.Endpoint:
      sendTo(state, thread, slot, how)
      return true
    case numberOf.Notification:
      signal(state, thread, slot, how)
      return true
    case numberOf.Reply:
      answer(state, thread, slot, how)
      return true
    default:
      return invoke(state, thread, slot, caps, info, how)
  }
}

const sendTo = (state: State, thread: number, slot: number, how: number): void => {
  const rights = Capability.rights(state, slot)
  const { write, grant, grantReply } = right.Endpoint
  if ((rights & write) === 0) refuse(state, thread, how, SyscallError.invalidCapability(0))
  else {
    const allowed =
      ((rights & grant) !== 0 ? Endpoint.Sending.grant : 0) |
      ((rights & grantReply) !== 0 ? Endpoint.Sending.grantReply : 0)
    Endpoint.send(
      state,
      Capability.object(state, slot),
      thread,
      Capability.dataLow(state, slot),
      Capability.dataHigh(state, slot),
      how | allowed
    )
  }
}

const signal = (state: State, thread: number, slot: number, how: number): void => {
  if (!Capability.allows(state, slot, right.Notification.write))
    refuse(state, thread, how, SyscallError.invalidCapability(0))
  else {
    const [low, high] = [Capability.dataLow(state, slot), Capability.dataHigh(state, slot)]
    Notification.signal(state, Capability.object(state, slot), low, high)
    if ((how & call) !== 0) Message.replyWith(state, thread, [])
  }
}

const answer = (state: State, thread: number, slot: number, how: number): void => {
  const rights = Capability.rights(state, slot)
  if ((rights & right.Reply.send) === 0) refuse(state, thread, how, SyscallError.invalidCapability(0))
  else {
    Thread.answer(state, thread, Capability.object(state, slot), (rights & right.Reply.grant) !== 0)
    if ((how & call) !== 0) Message.replyWith(state, thread, [])
  }
}

/** A message to the kernel itself. */
const invoke = (
  state: State,
  thread: number,
  slot: number,
  caps: ReadonlyArray<number>,
  info: number,
  how: number
): boolean => {
  const { architecture } = state
  const isCall = (how & call) !== 0
  const length = MessageInfo.length(info)
  const buffer = length > MessageInfo.registerWords ? architecture.buffer(state, thread, "read") : 0
  const decoded = decode(state, (how & first) !== 0, {
    slot,
    caller: thread,
    label: MessageInfo.label(info, architecture.registerHigh(state, thread, architecture.convention.info)),
    length: buffer === 0 ? Math.min(length, MessageInfo.registerWords) : length,
    buffer,
    extraCaps: caps,
    isCall
  })
  if (isRefusal(decoded)) {
    refuse(state, thread, how, decoded)
    return true
  }
  Scheduler.setState(state, thread, ThreadState.restart)
  const outcome = decoded(state)
  if (outcome === preempted) {
    Scheduler.updateTime(state)
    Budget.checkStopped(state)
    return false
  }
  // The operation may have stopped or deleted the thread that asked for it.
  if (Tcb.state.load(state.memory, thread) === ThreadState.restart) {
    if (isCall) Message.replyWith(state, thread, outcome ?? [])
    Scheduler.setState(state, thread, ThreadState.running)
  }
  return true
}

const decode = (view: View, isFirst: boolean, invocation: Invocation): Decoded => {
  const kind = Capability.kind(view, invocation.slot)
  switch (kind) {
    case Capability.nullKind:
    case Capability.zombieKind:
      return SyscallError.invalidCapability(0)
    case numberOf.TCB:
      return isFirst ? SyscallError.invalidCapability(0) : ThreadMethods.decode(view, invocation)
    case numberOf.CNode:
      return isFirst ? SyscallError.invalidCapability(0) : CNode.decode(view, invocation)
    case numberOf.SchedControl:
      return isFirst ? SyscallError.invalidCapability(0) : SchedControl.decode(view, invocation)
    case numberOf.SchedContext:
      return isFirst ? SyscallError.invalidCapability(0) : SchedContext.decode(view, invocation)
    case numberOf.Untyped:
      return Untyped.decode(view, invocation)
    case numberOf.Domain:
      return Domain.decode(view, invocation)
    case numberOf.IRQHandler:
      return Interrupt.decode(view, invocation)
    case numberOf.IRQControl:
      return view.architecture.decode(view, invocation)
    default:
      return Capability.isArchitectures(kind)
        ? view.architecture.decode(view, invocation)
        : SyscallError.illegalOperation
  }
}

/** A refusal is the answer to a call; others do not hear of it. */
const refuse = (state: State, thread: number, how: number, error: SyscallError.SyscallError): void => {
  if ((how & call) === 0) return
  Message.reply(state, thread, SyscallError.labels[error._tag], SyscallError.toWords(error))
}

/** Receive from what the capability register says; with a reply object, so that a call can be answered. */
const receive = (state: State, thread: number, how: "blocking" | "polling", withReply: boolean): void => {
  const { architecture } = state
  const register = architecture.convention.capability
  const low = architecture.registerLow(state, thread, register)
  const high = architecture.registerHigh(state, thread, register)
  const slot = CSpace.lookup(state, thread, low, high)
  if (typeof slot !== "number") capFault(state, thread, low, high, "receive", slot)
  else if (Capability.kind(state, slot) === numberOf.Endpoint && Capability.allows(state, slot, right.Endpoint.read)) {
    const reply = withReply ? findReply(state, thread) : 0
    if (reply >= 0) receiveFrom(state, thread, Capability.object(state, slot), reply, how)
  } else if (isHeardBy(state, slot, thread)) Notification.receive(state, Capability.object(state, slot), thread, how)
  else capFault(state, thread, low, high, "receive", noCapability)
}

/** It is a notification that the thread may wait for: what is bound to a thread, that thread alone hears of. */
const isHeardBy = (view: View, slot: number, thread: number): boolean => {
  if (Capability.kind(view, slot) !== numberOf.Notification) return false
  if (!Capability.allows(view, slot, right.Notification.read)) return false
  const bound = NotificationFields.boundThread.load(view.memory, Capability.object(view, slot))
  return bound === 0 || bound === thread
}

const noCapability: LookupFailure = { _tag: "MissingCapability", bitsLeft: 0 }

/** The object of the reply capability that the reply register names; -1 is none, and a fault. */
const findReply = (state: State, thread: number): number => {
  const { architecture } = state
  const register = architecture.convention.reply
  const low = architecture.registerLow(state, thread, register)
  const high = architecture.registerHigh(state, thread, register)
  const slot = CSpace.lookup(state, thread, low, high)
  if (
    typeof slot === "number" &&
    Capability.kind(state, slot) === numberOf.Reply &&
    Capability.allows(state, slot, right.Reply.receive)
  )
    return Capability.object(state, slot)
  capFault(state, thread, low, high, "receive", typeof slot === "number" ? noCapability : slot)
  return -1
}

const receiveFrom = (
  state: State,
  thread: number,
  endpoint: number,
  reply: number,
  how: "blocking" | "polling"
): void => {
  const { memory } = state
  const lentTo = reply === 0 ? 0 : Reply.Fields.thread.load(memory, reply)
  // A caller that this reply object was lent to, and who got no answer yet, will get none.
  if (lentTo !== 0 && lentTo !== thread) Thread.cancelIpc(state, lentTo)
  const notification = Tcb.boundNotification.load(memory, thread)
  if (notification !== 0 && Notification.isActive(state, notification))
    Notification.complete(state, notification, thread)
  else {
    if (notification !== 0 && how === "blocking") Donation.returnToNotification(state, notification, thread)
    Endpoint.receive(state, endpoint, thread, reply, how)
  }
}

const capFault = (
  state: State,
  thread: number,
  low: number,
  high: number,
  phase: "send" | "receive",
  failure: LookupFailure
): void =>
  FaultHandler.handle(state, thread, {
    _tag: "CapFault",
    address: Word.make(low, high),
    inReceivePhase: phase === "receive",
    failure
  })
