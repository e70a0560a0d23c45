/**
 * Refills: how much time a scheduling context has, and from when on.
 *
 * seL4 manual, "Scheduling Contexts": a budget in each period, never exceeded in any window of that length (a sporadic
 * server). A scheduling context keeps what it may use as a ring of refills, each an amount and the time at which it can
 * be used, the earliest first. What is used comes back one period after it was begun with.
 *
 * Round robin is the case that the budget is the whole period: then there are two refills, what is left of the turn and
 * what was used of it, and both can be used at any time. Its period is 0 here.
 *
 * Always: the amounts add up to the budget, the head has at least `minBudget`, and times do not decrease.
 *
 * Times are in nanoseconds.
 */
import { Halt } from "../hal/Gates.ts"
import { layout, u8, u32, u64, word } from "../types/Layout.ts"
import { KernelData } from "./KernelData.ts"
import { ref } from "./Reference.ts"
import type { State, View } from "./State.ts"

/** A scheduling context before its refills. It has at least 2^7 bytes. */
// biome-ignore format: a figure
export const SchedContextFields = layout(96, {
  period:       u64(0),
  /** What was used since programs asked last. */
  consumed:     u64(8),
  /** The thread that runs on it. */
  thread:       ref(16),
  /** The reply object of the last of the calls that it was donated along. */
  reply:        ref(20),
  notification: ref(24),
  /** The thread that waits for its thread to have run. */
  yieldFrom:    ref(28),
  /** What programs read in a timeout's message. */
  badge:        word(32),
  /** The ring: its length, 0 if it was never configured, and the indices of its first and last refill. */
  refillMax:    u32(40),
  refillHead:   u32(44),
  refillTail:   u32(48),
  /** Its budget comes back as it was used, not all at once when it waits. */
  sporadic:     u8(52),
  /** What the refills add up to. */
  budget:       u64(64)
})

// biome-ignore format: a figure
export const RefillFields = layout(16, {
  time:   u64(0),
  amount: u64(8)
})

export const refillsAt = 96
export const refillBytes = 16

/** The longest that the kernel runs before it looks at the time again. */
export const kernelWcet = 10_000
/** A turn shorter than this would be spent in the kernel. */
export const minBudget = 2 * kernelWcet
export const minRefills = 2
export const microsecond = 1000
/** Three days: sums of times stay far below 2^53. */
export const maxPeriodMicroseconds = 2 ** 38
const maxReleaseTime = 2 ** 53 - 5 * maxPeriodMicroseconds * microsecond

/** The most refills that a scheduling context of 2^sizeBits bytes has. */
export const capacityOf = (sizeBits: number): number => (2 ** sizeBits - refillsAt) / refillBytes

const SC = SchedContextFields

const at = (context: number, index: number): number => context + refillsAt + refillBytes * index
const next = ({ memory }: View, context: number, index: number): number =>
  index === SC.refillMax.load(memory, context) - 1 ? 0 : index + 1
const head = ({ memory }: View, context: number): number => at(context, SC.refillHead.load(memory, context))
const tail = ({ memory }: View, context: number): number => at(context, SC.refillTail.load(memory, context))

export const headTime = (view: View, context: number): number =>
  RefillFields.time.load(view.memory, head(view, context))
export const headAmount = (view: View, context: number): number =>
  RefillFields.amount.load(view.memory, head(view, context))

/** The refills of a scheduling context, in their order. */
export const all = (view: View, context: number): ReadonlyArray<{ readonly time: number; readonly amount: number }> => {
  const refills: Array<{ time: number; amount: number }> = []
  const { memory } = view
  let index = SC.refillHead.load(memory, context)
  for (let left = size(view, context); left > 0; left--) {
    const refill = at(context, index)
    refills.push({ time: RefillFields.time.load(memory, refill), amount: RefillFields.amount.load(memory, refill) })
    index = next(view, context, index)
  }
  return refills
}

export const size = ({ memory }: View, context: number): number => {
  const [first, last] = [SC.refillHead.load(memory, context), SC.refillTail.load(memory, context)]
  return first <= last ? last - first + 1 : SC.refillMax.load(memory, context) - first + last + 1
}

const isSingle = ({ memory }: View, context: number): boolean =>
  SC.refillHead.load(memory, context) === SC.refillTail.load(memory, context)
const isFull = (view: View, context: number): boolean => size(view, context) === SC.refillMax.load(view.memory, context)

export const isRoundRobin = ({ memory }: View, context: number): boolean => SC.period.load(memory, context) === 0

/** It was configured. */
export const isActive = ({ memory }: View, context: number): boolean => SC.refillMax.load(memory, context) > 0

/** It is one (0 is none) whose budget comes back as it was used. */
export const isSporadic = (view: View, context: number): boolean =>
  context !== 0 && isActive(view, context) && SC.sporadic.load(view.memory, context) !== 0

/** It is one whose budget comes back all at once. */
export const isConstantBandwidth = (view: View, context: number): boolean => !isSporadic(view, context)

/** The head can be used now. */
export const isReady = (view: View, context: number): boolean =>
  headTime(view, context) <= KernelData.now.load(view.memory, view.data) + kernelWcet

/** After `usage`, the head is still worth a turn. */
export const isSufficient = (view: View, context: number, usage = 0): boolean =>
  headAmount(view, context) - usage >= minBudget

export const isReleased = (view: View, context: number): boolean => isActive(view, context) && isReady(view, context)

const popHead = (state: State, context: number): number => {
  if (isSingle(state, context)) throw new Halt("a scheduling context keeps one refill")
  const popped = head(state, context)
  SC.refillHead.store(state.memory, context, next(state, context, SC.refillHead.load(state.memory, context)))
  return popped
}

const addTail = (state: State, context: number, time: number, amount: number): void => {
  if (isFull(state, context)) throw new Halt("a refill is added where there is room")
  SC.refillTail.store(state.memory, context, next(state, context, SC.refillTail.load(state.memory, context)))
  set(state, tail(state, context), time, amount)
}

const set = ({ memory }: State, refill: number, time: number, amount: number): void => {
  RefillFields.time.store(memory, refill, time)
  RefillFields.amount.store(memory, refill, amount)
}

const addEmptyTail = (state: State, context: number): void => {
  if (isRoundRobin(state, context)) addTail(state, context, headTime(state, context), 0)
}

/** The whole budget, from now on. */
export const create = (state: State, context: number, refills: number, budget: number, period: number): void => {
  const { memory } = state
  SC.period.store(memory, context, period)
  SC.refillHead.store(memory, context, 0)
  SC.refillTail.store(memory, context, 0)
  SC.refillMax.store(memory, context, refills)
  SC.budget.store(memory, context, budget)
  set(state, at(context, 0), KernelData.now.load(memory, state.data), budget)
  addEmptyTail(state, context)
}

/**
 * Another budget and period for a scheduling context in use: what it has now it keeps, so that no window has more than
 * either.
 */
export const update = (state: State, context: number, refills: number, budget: number, period: number): void => {
  const { memory } = state
  const [time, amount] = [headTime(state, context), headAmount(state, context)]
  const ready = isReady(state, context)
  SC.refillHead.store(memory, context, 0)
  SC.refillTail.store(memory, context, 0)
  SC.refillMax.store(memory, context, refills)
  SC.period.store(memory, context, period)
  SC.budget.store(memory, context, budget)
  const from = ready ? KernelData.now.load(memory, state.data) : time
  set(state, at(context, 0), from, Math.min(amount, budget))
  if (amount >= budget) addEmptyTail(state, context)
  else addTail(state, context, from + period, budget - amount)
}

/** What was used comes back at `time`. */
const scheduleUsed = (state: State, context: number, time: number, amount: number): void => {
  const last = tail(state, context)
  const [lastTime, lastAmount] = [
    RefillFields.time.load(state.memory, last),
    RefillFields.amount.load(state.memory, last)
  ]
  if (lastTime + lastAmount >= time) set(state, last, lastTime, lastAmount + amount)
  else if (!isFull(state, context)) addTail(state, context, time, amount)
  // No room: the last one comes later, so that the two are one.
  else set(state, last, time - lastAmount, lastAmount + amount)
}

/** The running scheduling context, which is no round robin one, has used `usage`. */
export const charge = (state: State, context: number, usage: number): void => {
  const { memory } = state
  const period = SC.period.load(memory, context)
  let left = usage
  while (headAmount(state, context) <= left && headTime(state, context) < maxReleaseTime) {
    const [time, amount] = [headTime(state, context), headAmount(state, context)]
    left -= amount
    if (isSingle(state, context)) RefillFields.time.store(memory, head(state, context), time + period)
    else {
      popHead(state, context)
      scheduleUsed(state, context, time + period, amount)
    }
  }
  if (left > 0 && headTime(state, context) < maxReleaseTime) {
    const [time, amount] = [headTime(state, context), headAmount(state, context)]
    // What is left of the head comes later by what was used, so that used and unused stay in their order.
    set(state, head(state, context), time + left, amount - left)
    scheduleUsed(state, context, time + period, left)
  }
  while (headAmount(state, context) < minBudget) {
    const amount = RefillFields.amount.load(memory, popHead(state, context))
    // The two become one that ends no later than the second would have.
    set(state, head(state, context), headTime(state, context) - amount, headAmount(state, context) + amount)
  }
}

/** A round robin turn ends: all of it is there for the next. */
export const renewTurn = (state: State, context: number): void => {
  const { memory } = state
  const [first, last] = [head(state, context), tail(state, context)]
  RefillFields.amount.store(
    memory,
    first,
    RefillFields.amount.load(memory, first) + RefillFields.amount.load(memory, last)
  )
  RefillFields.amount.store(memory, last, 0)
}

/** `usage` of a round robin turn is over. */
export const useTurn = (state: State, context: number, usage: number): void => {
  const { memory } = state
  const [first, last] = [head(state, context), tail(state, context)]
  RefillFields.amount.store(memory, first, RefillFields.amount.load(memory, first) - usage)
  RefillFields.amount.store(memory, last, RefillFields.amount.load(memory, last) + usage)
}

/** It can be used from now on, after nobody used it: what could have been used earlier is not in addition to that. */
export const unblock = (state: State, context: number): void => {
  if (isRoundRobin(state, context) || !isReady(state, context)) return
  const { memory } = state
  const now = KernelData.now.load(memory, state.data)
  RefillFields.time.store(memory, head(state, context), now)
  KernelData.reprogram.store(memory, state.data, 1)
  while (headOverlaps(state, context)) {
    const first = popHead(state, context)
    const amount = RefillFields.amount.load(memory, first)
    set(state, head(state, context), RefillFields.time.load(memory, first), headAmount(state, context) + amount)
  }
}

const headOverlaps = (view: View, context: number): boolean => {
  if (isSingle(view, context)) return false
  const second = at(context, next(view, context, SC.refillHead.load(view.memory, context)))
  return RefillFields.time.load(view.memory, second) <= headTime(view, context) + headAmount(view, context)
}
