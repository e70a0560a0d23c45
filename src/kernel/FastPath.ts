/**
 * FastPath: Call and ReplyRecv where nothing has to be decided. Whoever gets the message waits for it already and runs
 * next; the message is in registers and brings no capabilities.
 *
 * It does what these system calls do anyway, the time that they take included: nobody can tell which way was taken. It
 * looks first, and changes nothing before it is sure; whatever is not as usual it leaves to `Syscall`.
 *
 * It works on memory in place, by the index of a word, and moves references as memory has them, in units of 16 bytes.
 */
import { Charge } from "../hal/Charge.ts"
import { numberOf } from "../types/Kind.ts"
import type { Field, WordField } from "../types/Layout.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import { right } from "../types/Rights.ts"
import { syscalls } from "../types/Syscall.ts"
import * as Capability from "./Capability.ts"
import * as Endpoint from "./Endpoint.ts"
import { Action, bitmapAt, KernelData } from "./KernelData.ts"
import * as Queue from "./Queue.ts"
import * as Refill from "./Refill.ts"
import * as Reply from "./Reply.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import { architectureAt, slotOf, Tcb, ThreadState, tcbSlot } from "./Tcb.ts"

/** The words of each figure, counted from its beginning. Fields of fewer bits are taken from theirs below. */
const wordsOf = <K extends string>(fields: Readonly<Record<K, Field | WordField>>): Readonly<Record<K, number>> =>
  Object.fromEntries(Object.entries<Field | WordField>(fields).map(([name, { at }]) => [name, at >>> 2])) as Readonly<
    Record<K, number>
  >

const K = wordsOf(KernelData)
const T = wordsOf(Tcb)
const C = wordsOf(Refill.SchedContextFields)
const F = wordsOf(Refill.RefillFields)
const E = wordsOf(Endpoint.Fields)
const Q = wordsOf(Queue.Fields)
const R = wordsOf(Reply.Fields)
const S = wordsOf(Capability.Fields)

const byteIn = (word: number, { at }: Field): number => (word >>> (8 * (at & 3))) & 0xff
const withByte = (word: number, { at }: Field, value: number): number =>
  (word & ~(0xff << (8 * (at & 3)))) | (value << (8 * (at & 3)))
const bitsIn = (word: number, { high, low }: Field): number => (word >>> low) & (-1 >>> (31 - high + low))

const cspace = slotOf(0, tcbSlot.cspace) >>> 2
const queued = (1 << Tcb.inReadyQueue.low) | (1 << Tcb.inReleaseQueue.low)
const { write, grant, grantReply, read } = right.Endpoint
/** Who is found where no capability or object is as usual. */
const none = -1

/** Makes the system call of the current thread, if it can. False: nothing has happened. */
export type FastPath = (number: number) => boolean

export const make = (state: State): FastPath => {
  const { memory, data, architecture, time, charge } = state
  const { words, indexOf } = memory
  const { convention } = architecture
  const registerAt = (register: number): number => (architectureAt + 8 * register) >>> 2
  const capabilityAt = registerAt(convention.capability)
  const infoAt = registerAt(convention.info)
  const replyAt = registerAt(convention.reply)
  const messageAt = convention.message.map(registerAt)

  const load = (at: number): number => words[at]!
  const number = (at: number): number => (words[at + 1]! >>> 0) * 2 ** 32 + (words[at]! >>> 0)
  const storeNumber = (at: number, value: number): void => {
    words[at] = value | 0
    // What is stored is cut to a whole number.
    words[at + 1] = value / 2 ** 32
  }
  const addressOf = (reference: number): number => (reference >>> 0) * 16
  const at = (reference: number): number => indexOf(addressOf(reference))

  // What `begin` finds. Nothing is kept here between two calls.
  let kernel = 0
  let thread = 0
  let context = 0
  let now = 0
  let consumed = 0
  /** When the first budget that lies ahead comes. */
  let released = Infinity

  /** The entry into the kernel, and whether the thread's budget covers it. */
  const begin = (): boolean => {
    kernel = indexOf(data)
    if (kernel < 0 || load(kernel + K.action) !== Action.resume || load(kernel + K.reprogram) !== 0) return false
    // Of several domains, a turn may end.
    if (load(kernel + K.domains) !== 1) return false
    thread = at(load(kernel + K.currentThread))
    const current = load(kernel + K.currentContext)
    context = at(current)
    if (thread < 0 || context < 0 || load(thread + T.schedContext) !== current) return false
    now = time.now() + Charge.entry
    consumed = number(kernel + K.consumed) + now - number(kernel + K.now)
    return load(thread + T.fault) === 0 && hasBudget(current, context, consumed) && !isSomebodyReleased()
  }

  /** The head refill is there now, and worth a turn after what was used of it. */
  const hasBudget = (reference: number, of: number, used: number): boolean => {
    if (load(of + C.refillMax) === 0) return false
    const head = headOf(reference, of)
    return (
      head >= 0 &&
      number(head + F.time) <= now + Refill.kernelWcet &&
      number(head + F.amount) - used >= Refill.minBudget
    )
  }

  const headOf = (reference: number, of: number): number => refillOf(reference, load(of + C.refillHead))
  const refillOf = (reference: number, index: number): number =>
    indexOf(addressOf(reference) + Refill.refillsAt + Refill.refillBytes * index)

  /** Somebody's budget comes now; or it cannot be told. */
  const isSomebodyReleased = (): boolean => {
    const first = load(kernel + K.releaseHead)
    released = Infinity
    if (first === 0) return false
    const waiting = at(first)
    if (waiting < 0) return true
    const reference = load(waiting + T.schedContext)
    const of = at(reference)
    const head = of < 0 ? none : headOf(reference, of)
    if (head < 0) return true
    released = number(head + F.time)
    return released <= now + Refill.kernelWcet
  }

  /** The slot that a register of the thread names, through a CNode whose guard takes all that its index leaves. */
  const lookup = (register: number): number => {
    const [low, high] = [load(thread + register), load(thread + register + 1)]
    const root = thread + cspace
    const head = load(root)
    const radix = bitsIn(head, Capability.Fields.high)
    const [guardLow, guardHigh] = [load(root + S.data), load(root + S.data + 1)]
    if (bitsIn(head, Capability.Fields.kind) !== numberOf.CNode || radix < 1 || radix > 31) return none
    if ((guardLow & 0x3f) + radix !== 64 || high >>> radix !== ((guardHigh >>> 6) & (-1 >>> radix))) return none
    if (((low >>> radix) | (high << (32 - radix))) !== ((guardLow >>> 6) | (guardHigh << 26))) return none
    return indexOf(addressOf(load(root + S.object)) + 32 * (low & ((1 << radix) - 1)))
  }

  /** What a capability of this kind names, with one of the rights at least; or `none`. */
  const objectIn = (slot: number, kind: number, needed: number): number => {
    if (slot < 0) return none
    const head = load(slot)
    const rights = bitsIn(head, Capability.Fields.rights)
    return bitsIn(head, Capability.Fields.kind) === kind && (rights & needed) === needed
      ? at(load(slot + S.object))
      : none
  }

  /** Of the thread's message; `none` if not all of it is in registers. */
  const messageLength = (): number => {
    const info = load(thread + infoAt)
    const length = MessageInfo.length(info)
    return MessageInfo.extraCaps(info) === 0 && length <= MessageInfo.registerWords ? length : none
  }

  /** This thread, which waits, is the one to run when it waits no more and has the scheduling context `own`. */
  const isNext = (next: number, own: number): boolean => {
    const byte = load(next + T.priority)
    return (
      (load(next + T.inReadyQueue) & queued) === 0 &&
      load(next + T.yieldTo) === 0 &&
      load(next + T.fault) === 0 &&
      byteIn(byte, Tcb.domain) === load(kernel + K.currentDomain) &&
      byteIn(byte, Tcb.priority) >= highestPriority() &&
      (own === load(kernel + K.currentContext) || canRunOn(own))
    )
  }

  const canRunOn = (own: number): boolean => {
    const of = at(own)
    return of >= 0 && byteIn(load(of + C.sporadic), Refill.SchedContextFields.sporadic) === 0 && hasBudget(own, of, 0)
  }

  const highestPriority = (): number => {
    const ready = load(kernel + K.readyWords)
    if (ready === 0) return -1
    const index = 31 - Math.clz32(ready)
    return 32 * index + 31 - Math.clz32(load(kernel + (bitmapAt >>> 2) + index))
  }

  const setState = (of: number, value: number): void => {
    words[of + T.state] = withByte(load(of + T.state), Tcb.state, value)
  }

  /** The message, and the badge that it comes by. */
  const transfer = (to: number, length: number, badgeLow: number, badgeHigh: number): void => {
    for (let index = 0; index < length; index++) {
      const register = messageAt[index]!
      words[to + register] = load(thread + register)
      words[to + register + 1] = load(thread + register + 1)
    }
    words[to + infoAt] = (load(thread + infoAt) & ~0xfff) | length
    words[to + infoAt + 1] = load(thread + infoAt + 1)
    words[to + capabilityAt] = badgeLow
    words[to + capabilityAt + 1] = badgeHigh
  }

  /** The current scheduling context goes from the thread, which has it, to one that has none. */
  const give = (reference: number, to: number): void => {
    words[to + T.schedContext] = load(thread + T.schedContext)
    words[context + C.thread] = reference
    words[thread + T.schedContext] = 0
  }

  /** The kernel is left: this thread runs. */
  const end = (reference: number, next: number, charges: number): void => {
    charge(Charge.entry + charges)
    storeNumber(kernel + K.now, now)
    storeNumber(kernel + K.consumed, consumed)
    words[kernel + K.currentThread] = reference
    const own = load(next + T.schedContext)
    architecture.switchTo(state, addressOf(reference))
    if (own !== load(kernel + K.currentContext) && !takeTurn(own)) Scheduler.settle(state)
  }

  /** One that takes turns pays from now on, after another that does. False: nothing has happened. */
  const takeTurn = (reference: number): boolean => {
    const next = at(reference)
    if (number(context + C.period) !== 0 || number(next + C.period) !== 0) return false
    const of = load(kernel + K.currentContext)
    const [head, tail] = [headOf(of, context), refillOf(of, load(context + C.refillTail))]
    if (tail < 0) return false
    if (consumed > 0) {
      storeNumber(head + F.amount, number(head + F.amount) - consumed)
      storeNumber(tail + F.amount, number(tail + F.amount) + consumed)
    }
    storeNumber(context + C.consumed, number(context + C.consumed) + consumed)
    storeNumber(kernel + K.consumed, 0)
    words[kernel + K.currentContext] = reference
    time.setDeadline(Math.min(now + number(headOf(reference, next) + F.amount), released))
    return true
  }

  const call = (): boolean => {
    if (!begin()) return false
    const length = messageLength()
    const slot = lookup(capabilityAt)
    const endpoint = objectIn(slot, numberOf.Endpoint, write)
    if (length < 0 || endpoint < 0) return false
    if ((bitsIn(load(slot), Capability.Fields.rights) & (grant | grantReply)) === 0) return false
    if (byteIn(load(endpoint + E.state), Endpoint.Fields.state) !== Endpoint.EndpointState.receiving) return false
    const reference = load(endpoint + Q.head)
    const callee = at(reference)
    if (callee < 0 || load(callee + T.reply) === 0) return false
    const reply = at(load(callee + T.reply))
    const after = load(callee + T.queueNext)
    const second = after === 0 ? 0 : at(after)
    const own = load(callee + T.schedContext)
    const before = own === 0 ? load(context + C.reply) : 0
    const below = before === 0 ? 0 : at(before)
    if (reply < 0 || second < 0 || below < 0) return false
    if (!isNext(callee, own === 0 ? load(kernel + K.currentContext) : own)) return false

    // From here on it is done.
    words[endpoint + Q.head] = after
    if (after === 0) {
      words[endpoint + Q.tail] = 0
      const idle = Endpoint.EndpointState.idle
      words[endpoint + E.state] = withByte(load(endpoint + E.state), Endpoint.Fields.state, idle)
    } else words[second + T.queuePrev] = 0
    words[callee + T.queueNext] = 0
    words[callee + T.blockedOn] = 0
    transfer(callee, length, load(slot + S.data), load(slot + S.data + 1))
    words[thread + T.reply] = load(callee + T.reply)
    words[reply + R.thread] = load(kernel + K.currentThread)
    if (own === 0) {
      const pays = load(kernel + K.currentContext)
      words[reply + R.prev] = before
      if (before !== 0) {
        words[below + R.next] = load(callee + T.reply)
        words[below + R.schedContext] = 0
      }
      words[context + C.reply] = load(callee + T.reply)
      words[reply + R.schedContext] = pays
      give(reference, callee)
    }
    words[callee + T.reply] = 0
    setState(thread, ThreadState.blockedOnReply)
    setState(callee, ThreadState.running)
    // Into its ready queue, chosen, and out of the queue.
    end(reference, callee, Charge.lookup + Charge.messageWord * length + 3 * Charge.schedule)
    return true
  }

  const replyRecv = (): boolean => {
    if (!begin()) return false
    const length = messageLength()
    const replySlot = lookup(replyAt)
    const reply = objectIn(replySlot, numberOf.Reply, right.Reply.send | right.Reply.receive)
    const slot = lookup(capabilityAt)
    const endpoint = objectIn(slot, numberOf.Endpoint, read)
    if (length < 0 || reply < 0 || endpoint < 0 || load(thread + T.boundNotification) !== 0) return false
    if (byteIn(load(endpoint + E.state), Endpoint.Fields.state) === Endpoint.EndpointState.sending) return false
    const tail = load(endpoint + Q.tail)
    const last = tail === 0 ? 0 : at(tail)
    if (last < 0 || (last !== 0 && priorityOf(last) < priorityOf(thread))) return false
    const reference = load(reply + R.thread)
    const caller = reference === 0 ? none : at(reference)
    if (caller < 0 || byteIn(load(caller + T.state), Tcb.state) !== ThreadState.blockedOnReply) return false
    const lent = load(reply + R.schedContext)
    const before = load(reply + R.prev)
    const own = load(caller + T.schedContext)
    if (lent === 0 ? own === 0 || before !== 0 || load(reply + R.next) !== 0 : own !== 0) return false
    if (lent !== 0 && lent !== load(kernel + K.currentContext)) return false
    const below = before === 0 ? 0 : at(before)
    if (below < 0 || !isNext(caller, lent === 0 ? own : lent)) return false

    // From here on it is done.
    if (lent !== 0) {
      words[reply + R.schedContext] = 0
      words[reply + R.prev] = 0
      words[context + C.reply] = before
      if (before !== 0) {
        words[below + R.next] = 0
        words[below + R.schedContext] = lent
      }
      give(reference, caller)
    }
    words[caller + T.reply] = 0
    transfer(caller, length, 0, 0)
    setState(caller, ThreadState.running)
    const itself = load(kernel + K.currentThread)
    words[reply + R.thread] = itself
    words[thread + T.reply] = load(replySlot + S.object)
    words[thread + T.blockedOn] = load(slot + S.object)
    setState(thread, ThreadState.blockedOnReceive)
    words[thread + T.queuePrev] = tail
    words[thread + T.queueNext] = 0
    if (tail === 0) words[endpoint + Q.head] = itself
    else words[last + T.queueNext] = itself
    words[endpoint + Q.tail] = itself
    const receiving = Endpoint.EndpointState.receiving
    words[endpoint + E.state] = withByte(load(endpoint + E.state), Endpoint.Fields.state, receiving)
    // A caller that gets its scheduling context back goes through its ready queue.
    const chosen = lent === 0 ? Charge.schedule : 3 * Charge.schedule
    end(reference, caller, 3 * Charge.lookup + Charge.messageWord * length + chosen)
    return true
  }

  const priorityOf = (of: number): number => byteIn(load(of + T.priority), Tcb.priority)

  return (number) => (number === syscalls.Call ? call() : number === syscalls.ReplyRecv ? replyRecv() : false)
}
