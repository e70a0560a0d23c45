/**
 * Scheduler: who runs.
 *
 * Of the domain whose turn it is, the thread of the highest priority that can run does, and of several the first of its
 * ready queue. A thread can run if its state says so, it has a scheduling context, and that has budget now; if its budget lies ahead it is in the
 * release queue. A ready or running thread's head refill is ready and sufficient.
 *
 * While the kernel works, it decides by `action` who runs when it is left. The thread chosen then is in no queue.
 */
import { Charge } from "../hal/Charge.ts"
import { Halt } from "../hal/Gates.ts"
import * as DomainSchedule from "./DomainSchedule.ts"
import { Action, bitmapAt, idleContext, idleThread, KernelData, ReadyQueue, readyQueue } from "./KernelData.ts"
import * as Refill from "./Refill.ts"
import type { State, View } from "./State.ts"
import { isRunnable, Tcb, type ThreadState } from "./Tcb.ts"

const SC = Refill.SchedContextFields

export const currentThread = ({ memory, data }: View): number => KernelData.currentThread.load(memory, data)
export const currentContext = ({ memory, data }: View): number => KernelData.currentContext.load(memory, data)

/** The thread runs as soon as it is its turn. */
export const isSchedulable = (view: View, thread: number): boolean => {
  const context = Tcb.schedContext.load(view.memory, thread)
  return (
    isRunnable(view, thread) &&
    context !== 0 &&
    Refill.isActive(view, context) &&
    Tcb.inReleaseQueue.load(view.memory, thread) === 0
  )
}

// —— The ready queues

/** To the front of its ready queue, if it is in none. */
export const enqueue = (state: State, thread: number): void => {
  const { memory } = state
  if (Tcb.inReadyQueue.load(memory, thread) !== 0) return
  const queue = admit(state, thread)
  const head = ReadyQueue.head.load(memory, queue)
  Tcb.schedPrev.store(memory, thread, 0)
  Tcb.schedNext.store(memory, thread, head)
  if (head === 0) {
    ReadyQueue.tail.store(memory, queue, thread)
    mark(state, thread, true)
  } else Tcb.schedPrev.store(memory, head, thread)
  ReadyQueue.head.store(memory, queue, thread)
  state.charge(Charge.schedule)
}

/** To the end of its ready queue, if it is in none. */
export const append = (state: State, thread: number): void => {
  const { memory } = state
  if (Tcb.inReadyQueue.load(memory, thread) !== 0) return
  const queue = admit(state, thread)
  const tail = ReadyQueue.tail.load(memory, queue)
  Tcb.schedPrev.store(memory, thread, tail)
  Tcb.schedNext.store(memory, thread, 0)
  if (tail === 0) {
    ReadyQueue.head.store(memory, queue, thread)
    mark(state, thread, true)
  } else Tcb.schedNext.store(memory, tail, thread)
  ReadyQueue.tail.store(memory, queue, thread)
  state.charge(Charge.schedule)
}

const admit = (state: State, thread: number): number => {
  if (!isSchedulable(state, thread)) throw new Halt("a ready queue has threads that can run")
  Tcb.inReadyQueue.store(state.memory, thread, 1)
  return readyQueue(roomFor(state, thread), Tcb.priority.load(state.memory, thread))
}

/** Where the ready queues of the thread's domain are. */
const roomFor = (view: View, thread: number): number =>
  DomainSchedule.queuesOf(view, Tcb.domain.load(view.memory, thread))

/** Out of its ready queue, if it is in one. */
export const dequeue = (state: State, thread: number): void => {
  const { memory } = state
  if (Tcb.inReadyQueue.load(memory, thread) === 0) return
  const queue = readyQueue(roomFor(state, thread), Tcb.priority.load(memory, thread))
  const [before, after] = [Tcb.schedPrev.load(memory, thread), Tcb.schedNext.load(memory, thread)]
  if (before === 0) {
    ReadyQueue.head.store(memory, queue, after)
    if (after === 0) mark(state, thread, false)
  } else Tcb.schedNext.store(memory, before, after)
  if (after === 0) ReadyQueue.tail.store(memory, queue, before)
  else Tcb.schedPrev.store(memory, after, before)
  unlink(state, thread)
  Tcb.inReadyQueue.store(memory, thread, 0)
  state.charge(Charge.schedule)
}

const unlink = ({ memory }: State, thread: number): void => {
  Tcb.schedPrev.store(memory, thread, 0)
  Tcb.schedNext.store(memory, thread, 0)
}

/** Somebody of the thread's domain and priority is ready, or nobody. */
const mark = (state: State, thread: number, isReady: boolean): void => {
  const { memory } = state
  const room = roomFor(state, thread)
  const priority = Tcb.priority.load(memory, thread)
  const index = priority >>> 5
  const word = room + bitmapAt + 4 * index
  const bit = 1 << (priority & 31)
  const ready = isReady ? memory.load32(word) | bit : memory.load32(word) & ~bit
  memory.store32(word, ready)
  const words = KernelData.readyWords.load(memory, room)
  KernelData.readyWords.store(memory, room, ready === 0 ? words & ~(1 << index) : words | (1 << index))
}

/** The highest priority at which a thread of the domain is ready that runs, -1 if none is. */
export const highestPriority = ({ memory, data }: View): number => {
  const words = KernelData.readyWords.load(memory, data)
  if (words === 0) return -1
  const index = 31 - Math.clz32(words)
  return 32 * index + 31 - Math.clz32(memory.load32(data + bitmapAt + 4 * index))
}

// —— The release queue

/** To its place in the release queue: its budget lies ahead. */
const release = (state: State, thread: number): void => {
  const { memory, data } = state
  if (Tcb.inReleaseQueue.load(memory, thread) !== 0) throw new Halt("a thread is once in the release queue")
  const time = Refill.headTime(state, Tcb.schedContext.load(memory, thread))
  let before = 0
  let after = KernelData.releaseHead.load(memory, data)
  while (after !== 0 && Refill.headTime(state, Tcb.schedContext.load(memory, after)) <= time) {
    state.charge(Charge.queue)
    before = after
    after = Tcb.schedNext.load(memory, after)
  }
  Tcb.schedPrev.store(memory, thread, before)
  Tcb.schedNext.store(memory, thread, after)
  if (after !== 0) Tcb.schedPrev.store(memory, after, thread)
  if (before !== 0) Tcb.schedNext.store(memory, before, thread)
  else {
    KernelData.releaseHead.store(memory, data, thread)
    KernelData.reprogram.store(memory, data, 1)
  }
  Tcb.inReleaseQueue.store(memory, thread, 1)
  state.charge(Charge.schedule)
}

/** Out of the release queue, if it is in it. */
export const unrelease = (state: State, thread: number): void => {
  const { memory, data } = state
  if (Tcb.inReleaseQueue.load(memory, thread) === 0) return
  const [before, after] = [Tcb.schedPrev.load(memory, thread), Tcb.schedNext.load(memory, thread)]
  if (after !== 0) Tcb.schedPrev.store(memory, after, before)
  if (before !== 0) Tcb.schedNext.store(memory, before, after)
  else {
    KernelData.releaseHead.store(memory, data, after)
    KernelData.reprogram.store(memory, data, 1)
  }
  unlink(state, thread)
  Tcb.inReleaseQueue.store(memory, thread, 0)
  state.charge(Charge.schedule)
}

/** The thread of a scheduling context waits until its budget is there. */
export const postpone = (state: State, context: number): void => {
  const thread = SC.thread.load(state.memory, context)
  dequeue(state, thread)
  release(state, thread)
  KernelData.reprogram.store(state.memory, state.data, 1)
}

/** Threads whose budget has come are ready. */
const awaken = (state: State): void => {
  const { memory, data } = state
  for (;;) {
    const thread = KernelData.releaseHead.load(memory, data)
    if (thread === 0 || !Refill.isReady(state, Tcb.schedContext.load(memory, thread))) return
    unrelease(state, thread)
    possiblySwitchTo(state, thread)
  }
}

// —— Decisions

/** The thread's state changes, and whether it goes on running. */
export const setState = (
  state: State,
  thread: number,
  threadState: (typeof ThreadState)[keyof typeof ThreadState]
): void => {
  Tcb.state.store(state.memory, thread, threadState)
  reconsider(state, thread)
}

/** If the running thread cannot run any more, another one is chosen. */
export const reconsider = (state: State, thread: number): void => {
  const { memory, data } = state
  if (
    thread === KernelData.currentThread.load(memory, data) &&
    KernelData.action.load(memory, data) === Action.resume &&
    !isSchedulable(state, thread)
  )
    reschedule(state)
}

/** The thread is of this domain from now on. */
export const setDomain = (state: State, thread: number, domain: number): void => {
  dequeue(state, thread)
  Tcb.domain.store(state.memory, thread, domain)
  if (!isSchedulable(state, thread)) return
  enqueue(state, thread)
  reschedule(state)
}

/** Who runs is chosen anew. */
export const reschedule = (state: State): void => {
  const { memory, data } = state
  if (KernelData.action.load(memory, data) === Action.switchTo) {
    const candidate = KernelData.candidate.load(memory, data)
    if (isSchedulable(state, candidate)) enqueue(state, candidate)
    KernelData.candidate.store(memory, data, 0)
  }
  KernelData.action.store(memory, data, Action.choose)
}

/** The thread, which has become ready, may be the one to run. */
export const possiblySwitchTo = (state: State, thread: number): void => {
  const { memory, data } = state
  if (Tcb.schedContext.load(memory, thread) === 0 || Tcb.inReleaseQueue.load(memory, thread) !== 0) return
  if (Tcb.domain.load(memory, thread) !== KernelData.currentDomain.load(memory, data)) enqueue(state, thread)
  else if (KernelData.action.load(memory, data) !== Action.resume) {
    reschedule(state)
    enqueue(state, thread)
  } else {
    KernelData.action.store(memory, data, Action.switchTo)
    KernelData.candidate.store(memory, data, thread)
  }
}

/** The kernel is left: the thread to run is current, the scheduling context that pays is its own, the timer is set. */
export const schedule = (state: State): void => {
  const { memory, data } = state
  awaken(state)
  if (DomainSchedule.isOver(state)) reschedule(state)
  const action = KernelData.action.load(memory, data)
  if (action !== Action.resume) {
    const current = KernelData.currentThread.load(memory, data)
    const goesOn = isSchedulable(state, current)
    if (goesOn) enqueue(state, current)
    if (action === Action.choose) chooseThread(state)
    else switchToCandidate(state, current, goesOn)
    KernelData.action.store(memory, data, Action.resume)
    KernelData.candidate.store(memory, data, 0)
  }
  settle(state)
}

/** The current thread's scheduling context pays from now on, and the timer says when that ends. */
export const settle = (state: State): void => {
  const { memory, data } = state
  switchContext(state)
  if (KernelData.reprogram.load(memory, data) !== 0) {
    setTimer(state)
    KernelData.reprogram.store(memory, data, 0)
  }
}

const switchToCandidate = (state: State, current: number, goesOn: boolean): void => {
  const { memory, data } = state
  const candidate = KernelData.candidate.load(memory, data)
  const priority = Tcb.priority.load(memory, candidate)
  const currentPriority = Tcb.priority.load(memory, current)
  const isLess = current === idleThread(data) || priority < currentPriority
  if (isLess && priority < highestPriority(state)) {
    enqueue(state, candidate)
    chooseThread(state)
  } else if (goesOn && priority === currentPriority) {
    // Of equals, the one that runs goes on.
    append(state, candidate)
    chooseThread(state)
  } else switchTo(state, candidate)
}

const chooseThread = (state: State): void => {
  const { memory, data } = state
  if (DomainSchedule.isOver(state)) DomainSchedule.next(state)
  const priority = highestPriority(state)
  if (priority >= 0) switchTo(state, ReadyQueue.head.load(memory, readyQueue(data, priority)))
  else {
    state.architecture.idle(state)
    KernelData.currentThread.store(memory, data, idleThread(data))
  }
}

const switchTo = (state: State, thread: number): void => {
  const context = Tcb.schedContext.load(state.memory, thread)
  if (!isSchedulable(state, thread) || !Refill.isReady(state, context) || !Refill.isSufficient(state, context))
    throw new Halt("a thread that is to run has budget")
  state.charge(Charge.schedule)
  state.architecture.switchTo(state, thread)
  dequeue(state, thread)
  KernelData.currentThread.store(state.memory, state.data, thread)
}

// —— Time

/** The kernel was entered: what has passed since will be charged to the current scheduling context. */
export const updateTime = ({ memory, data, time }: State): void => {
  const now = time.now()
  const passed = now - KernelData.now.load(memory, data)
  KernelData.now.store(memory, data, now)
  KernelData.consumed.store(memory, data, KernelData.consumed.load(memory, data) + passed)
}

/** What has passed is charged to the current scheduling context, which has enough budget. */
export const commitTime = (state: State): void => {
  const { memory, data } = state
  const context = currentContext(state)
  const consumed = KernelData.consumed.load(memory, data)
  if (context !== idleContext(data) && Refill.isActive(state, context)) {
    if (consumed > 0) {
      if (Refill.isRoundRobin(state, context)) Refill.useTurn(state, context, consumed)
      else Refill.charge(state, context, consumed)
    }
    SC.consumed.store(memory, context, SC.consumed.load(memory, context) + consumed)
  }
  KernelData.consumed.store(memory, data, 0)
}

/** The current thread's scheduling context pays from now on. */
const switchContext = (state: State): void => {
  const { memory, data } = state
  const context = Tcb.schedContext.load(memory, KernelData.currentThread.load(memory, data))
  if (context !== KernelData.currentContext.load(memory, data)) {
    KernelData.reprogram.store(memory, data, 1)
    if (Refill.isConstantBandwidth(state, context)) Refill.unblock(state, context)
  }
  // A timer that is set anew counts from now: what has passed must be charged before.
  if (KernelData.reprogram.load(memory, data) !== 0) commitTime(state)
  KernelData.currentContext.store(memory, data, context)
}

const setTimer = (state: State): void => {
  const { memory, data, time } = state
  const context = currentContext(state)
  const budgetEnds =
    context === idleContext(data) ? Infinity : KernelData.now.load(memory, data) + Refill.headAmount(state, context)
  const released = KernelData.releaseHead.load(memory, data)
  const releases = released === 0 ? Infinity : Refill.headTime(state, Tcb.schedContext.load(memory, released))
  const next = Math.min(budgetEnds, releases, DomainSchedule.ends(state))
  if (next === Infinity) time.clearDeadline()
  else time.setDeadline(next)
}
