/**
 * Invariants: what is always true of the kernel's memory when no program is in the kernel.
 *
 * A check reads all that can be reached from some slots, and says in sentences what is not as it should be. It takes
 * time, and none of the machine's; the kernel does not need it.
 */
import { numberOf, ofNumber } from "../types/Kind.ts"
import { objectTypes } from "../types/ObjectType.ts"
import * as Capability from "./Capability.ts"
import { Node } from "./Derivation.ts"
import * as DomainSchedule from "./DomainSchedule.ts"
import * as Endpoint from "./Endpoint.ts"
import { bitmapAt, idleThread, KernelData, priorities, ReadyQueue, readyQueue } from "./KernelData.ts"
import { NotificationFields, NotificationState } from "./NotificationFields.ts"
import * as Queue from "./Queue.ts"
import * as Refill from "./Refill.ts"
import * as Reply from "./Reply.ts"
import * as Scheduler from "./Scheduler.ts"
import type { View } from "./State.ts"
import { Tcb, ThreadState, tcbSlots } from "./Tcb.ts"
import * as UntypedData from "./UntypedData.ts"

const SC = Refill.SchedContextFields

/**
 * The bytes of the memory that a capability of the architecture's names; undefined if it names none, or nobody says.
 */
export type SizeOf = (view: View, slot: number) => number | undefined

/** What is wrong with what can be reached from these slots: nothing, as long as the kernel is. */
export const check = (view: View, roots: ReadonlyArray<number>): ReadonlyArray<string> =>
  checkWorld(view, reach(view, roots), () => undefined)

/** The same of what was reached. */
export const checkWorld = (view: View, world: World, sizeOf: SizeOf): ReadonlyArray<string> => [
  ...[...world.slots].flatMap((slot) => checkNode(view, slot)),
  ...checkLists(view, world),
  ...checkMemory(view, world, sizeOf),
  ...[...world.objects].flatMap(([object, kind]) => checkObject(view, object, kind)),
  ...checkReadyQueues(view, world),
  ...checkReleaseQueue(view)
]

// —— What can be reached

export interface World {
  /** Slots that hold something. */
  readonly slots: Set<number>
  /** Kernel objects, by their address: the number of their kind. */
  readonly objects: Map<number, number>
}

export const reach = (view: View, roots: ReadonlyArray<number>): World => {
  const world: World = { slots: new Set(), objects: new Map() }
  const todo = [...roots]
  const found = (slot: number): void => {
    if (slot !== 0 && !world.slots.has(slot)) todo.push(slot)
  }
  for (let slot = todo.pop(); slot !== undefined; slot = todo.pop()) {
    if (world.slots.has(slot) || Capability.isEmpty(view, slot)) continue
    world.slots.add(slot)
    found(Node.prev.load(view.memory, slot))
    found(Node.next.load(view.memory, slot))
    eachThatHolds(view, Capability.object(view, slot), slotsBehind(view, slot), found)
    const kind = Capability.kind(view, slot)
    if (isObject(kind)) world.objects.set(Capability.object(view, slot), kind)
  }
  return world
}

/** Most slots are empty, and most of these have nothing in them at all. */
const eachThatHolds = ({ memory }: View, first: number, count: number, found: (slot: number) => void): void => {
  for (let index = 0; index < count; index++) if (memory.load32(first + 32 * index) !== 0) found(first + 32 * index)
}

/** How many slots the object begins with that a capability names. */
const slotsBehind = (view: View, slot: number): number => {
  switch (Capability.kind(view, slot)) {
    case numberOf.CNode:
      return 2 ** Capability.radix(view, slot)
    case numberOf.TCB:
      return tcbSlots
    case Capability.zombieKind:
      return Capability.read(view, slot).lo
    default:
      return 0
  }
}

const isObject = (kind: number): boolean =>
  objectBits(kind) !== undefined || kind === numberOf.CNode || kind === numberOf.SchedContext

/** Of kinds whose objects are of one size: its bits. */
const objectBits = (kind: number): number | undefined => bitsOf.get(kind)
const { TCB, Endpoint: endpointType, Notification, Reply: replyType } = objectTypes
const bitsOf = new Map([TCB, endpointType, Notification, replyType].map(({ makes, bits }) => [numberOf[makes], bits]))

const hex = (address: number): string => `${address.toString(16).toUpperCase()}H`
const nameOf = (view: View, slot: number): string => ofNumber(Capability.kind(view, slot)) ?? "zombie"
const nothing: ReadonlyArray<string> = []
const holds = (isTrue: boolean, sentence: () => string): ReadonlyArray<string> => (isTrue ? nothing : [sentence()])

// —— The derivation lists

const checkNode = (view: View, slot: number): ReadonlyArray<string> => {
  const { memory } = view
  const [prev, next] = [Node.prev.load(memory, slot), Node.next.load(memory, slot)]
  const [depth, cut] = [Node.depth.load(memory, slot), Node.cut.load(memory, slot)]
  const most = prev === 0 ? 0 : Node.depth.load(memory, prev) + Node.parent.load(memory, prev)
  return [
    ...holds(
      prev === 0 || Node.next.load(memory, prev) === slot,
      () => `slot ${hex(slot)} is not after the one before it`
    ),
    ...holds(
      next === 0 || Node.prev.load(memory, next) === slot,
      () => `slot ${hex(slot)} is not before the one after it`
    ),
    ...holds(next === 0 || !Capability.isEmpty(view, next), () => `slot ${hex(next)} is in a list and empty`),
    ...holds(cut <= depth, () => `slot ${hex(slot)} has a cut of ${cut} at depth ${depth}`),
    ...holds(cut <= most, () => `slot ${hex(slot)} has a cut of ${cut}, and the one before it allows ${most}`)
  ]
}

/** Capabilities to one object stand together. */
const checkLists = (view: View, { slots }: World): ReadonlyArray<string> => {
  const wrong: Array<string> = []
  const seen = new Set<number>()
  for (const first of slots) {
    if (Node.prev.load(view.memory, first) !== 0) continue
    let last = 0
    for (let slot = first; slot !== 0; slot = Node.next.load(view.memory, slot)) {
      const kind = Capability.kind(view, slot)
      const key = isObject(kind) ? keyOf(kind, Capability.object(view, slot)) : 0
      if (key !== 0 && key !== last) {
        if (seen.has(key)) wrong.push(`capabilities to ${whatIn(view, slot)} do not stand together`)
        seen.add(key)
      }
      last = key
    }
  }
  return wrong
}

/** What a capability names, as a number: addresses lie below 2^47. */
const keyOf = (kind: number, address: number): number => kind * 2 ** 47 + address
const whatIn = (view: View, slot: number): string => `${nameOf(view, slot)} ${hex(Capability.address(view, slot))}`

// —— Memory

/** The memory of what a capability in this slot names. */
interface Extent {
  readonly slot: number
  readonly start: number
  readonly end: number
}

const extentOf = (view: View, slot: number, sizeOf: SizeOf): Extent | undefined => {
  const kind = Capability.kind(view, slot)
  const bits = objectBits(kind)
  const extent = (start: number, size: number) => ({ slot, start, end: start + size })
  if (bits !== undefined) return extent(Capability.object(view, slot), 2 ** bits)
  switch (kind) {
    case numberOf.CNode:
      return extent(Capability.object(view, slot), 32 * 2 ** Capability.radix(view, slot))
    case numberOf.SchedContext:
      return extent(Capability.object(view, slot), 2 ** Capability.read(view, slot).lo)
    default: {
      const size = Capability.isArchitectures(kind) ? sizeOf(view, slot) : undefined
      return size === undefined ? undefined : extent(Capability.address(view, slot), size)
    }
  }
}

/** No two objects overlap, and what is made in untyped memory lies below its watermark. */
const checkMemory = (view: View, { slots }: World, sizeOf: SizeOf): ReadonlyArray<string> => {
  const extents = new Map<number, Extent>()
  for (const slot of slots) {
    const extent = extentOf(view, slot, sizeOf)
    if (extent !== undefined) extents.set(keyOf(Capability.kind(view, slot), extent.start), extent)
  }
  const inOrder = [...extents.values()].sort((a, b) => a.start - b.start)
  return [
    ...inOrder.flatMap((extent, index) => {
      const next = inOrder[index + 1]
      return holds(
        next === undefined || extent.end <= next.start,
        () => `${whatIn(view, extent.slot)} and ${next && whatIn(view, next.slot)} overlap`
      )
    }),
    ...[...slots]
      .filter((slot) => Capability.kind(view, slot) === numberOf.Untyped)
      .flatMap((slot) => checkUntyped(view, slot, sizeOf))
  ]
}

const checkUntyped = (view: View, slot: number, sizeOf: SizeOf): ReadonlyArray<string> => {
  const { memory } = view
  const base = Capability.address(view, slot)
  const end = base + UntypedData.used(view, slot)
  const wrong: Array<string> = []
  const depth = Node.depth.load(memory, slot)
  let child = Node.next.load(memory, slot)
  while (child !== 0 && Node.cut.load(memory, child) > depth) {
    const isUntyped = Capability.kind(view, child) === numberOf.Untyped
    const extent = isUntyped
      ? {
          start: Capability.address(view, child),
          end: Capability.address(view, child) + 2 ** UntypedData.sizeBits(view, child)
        }
      : extentOf(view, child, sizeOf)
    if (extent !== undefined && (extent.start < base || extent.end > end))
      wrong.push(`${nameOf(view, child)} ${hex(extent.start)} is not in the used part of Untyped ${hex(base)}`)
    child = Node.next.load(memory, child)
  }
  return wrong
}

// —— Objects

const checkObject = (view: View, object: number, kind: number): ReadonlyArray<string> => {
  switch (kind) {
    case numberOf.TCB:
      return checkThread(view, object)
    case numberOf.Endpoint:
      return checkEndpoint(view, object)
    case numberOf.Notification:
      return checkNotification(view, object)
    case numberOf.Reply:
      return checkReply(view, object)
    case numberOf.SchedContext:
      return checkContext(view, object)
    default:
      return []
  }
}

const checkThread = (view: View, thread: number): ReadonlyArray<string> => {
  const { memory } = view
  const state = Tcb.state.load(memory, thread)
  const waits =
    state === ThreadState.blockedOnSend ||
    state === ThreadState.blockedOnReceive ||
    state === ThreadState.blockedOnNotification
  const on = Tcb.blockedOn.load(memory, thread)
  const reply = Tcb.reply.load(memory, thread)
  const context = Tcb.schedContext.load(memory, thread)
  const notification = Tcb.boundNotification.load(memory, thread)
  const yieldTo = Tcb.yieldTo.load(memory, thread)
  const who = `thread ${hex(thread)}`
  const inReady = Tcb.inReadyQueue.load(memory, thread) !== 0
  const isCurrent = thread === Scheduler.currentThread(view)
  return [
    ...holds(waits === (on !== 0), () => `${who} waits in state ${state} on ${hex(on)}`),
    ...holds(!waits || Queue.all(view, on).includes(thread), () => `${who} is not in the queue it waits in`),
    ...holds(
      reply === 0 ||
        ((state === ThreadState.blockedOnReply || state === ThreadState.blockedOnReceive) &&
          Reply.Fields.thread.load(memory, reply) === thread),
      () => `${who} and its reply object do not name one another`
    ),
    ...holds(state !== ThreadState.blockedOnReply || reply !== 0, () => `${who} waits for no answer`),
    ...holds(
      context === 0 || SC.thread.load(memory, context) === thread,
      () => `${who} and its scheduling context do not name one another`
    ),
    ...holds(
      notification === 0 || NotificationFields.boundThread.load(memory, notification) === thread,
      () => `${who} and its notification do not name one another`
    ),
    ...holds(
      yieldTo === 0 || SC.yieldFrom.load(memory, yieldTo) === thread,
      () => `${who} yields to one that does not know`
    ),
    ...holds(!(inReady && isCurrent), () => `${who} runs and is in a ready queue`),
    ...holds(
      !Scheduler.isSchedulable(view, thread) || inReady || isCurrent,
      () => `${who} can run and is in no ready queue`
    )
  ]
}

const checkQueue = (view: View, object: number, state: number): ReadonlyArray<string> => {
  const { memory } = view
  const threads = Queue.all(view, object)
  return threads.flatMap((thread, index) => [
    ...holds(Tcb.state.load(memory, thread) === state, () => `thread ${hex(thread)} stands in the wrong queue`),
    ...holds(Tcb.blockedOn.load(memory, thread) === object, () => `thread ${hex(thread)} stands in a strange queue`),
    ...holds(
      Tcb.queuePrev.load(memory, thread) === (threads[index - 1] ?? 0),
      () => `thread ${hex(thread)} is not behind the one before it`
    ),
    ...holds(
      index === 0 || Tcb.priority.load(memory, threads[index - 1]!) >= Tcb.priority.load(memory, thread),
      () => `thread ${hex(thread)} stands behind one of lower priority`
    )
  ])
}

const checkEndpoint = (view: View, endpoint: number): ReadonlyArray<string> => {
  const state = Endpoint.Fields.state.load(view.memory, endpoint)
  const isEmpty = Queue.first(view, endpoint) === 0
  const waiting = state === Endpoint.EndpointState.sending ? ThreadState.blockedOnSend : ThreadState.blockedOnReceive
  return [
    ...holds(
      isEmpty === (state === Endpoint.EndpointState.idle),
      () => `endpoint ${hex(endpoint)} is idle and has a queue, or none`
    ),
    ...checkQueue(view, endpoint, waiting)
  ]
}

const checkNotification = (view: View, notification: number): ReadonlyArray<string> => {
  const { memory } = view
  const state = NotificationFields.state.load(memory, notification)
  const isEmpty = Queue.first(view, notification) === 0
  const thread = NotificationFields.boundThread.load(memory, notification)
  const context = NotificationFields.schedContext.load(memory, notification)
  const who = `notification ${hex(notification)}`
  return [
    ...holds(isEmpty === (state !== NotificationState.waiting), () => `${who} is waited for by nobody, or not`),
    ...holds(
      thread === 0 || Tcb.boundNotification.load(memory, thread) === notification,
      () => `${who} is bound to a stranger`
    ),
    ...holds(
      context === 0 || SC.notification.load(memory, context) === notification,
      () => `${who} has another's time`
    ),
    ...checkQueue(view, notification, ThreadState.blockedOnNotification)
  ]
}

const checkReply = (view: View, reply: number): ReadonlyArray<string> => {
  const { memory } = view
  const [prev, next] = [Reply.Fields.prev.load(memory, reply), Reply.Fields.next.load(memory, reply)]
  const context = Reply.Fields.schedContext.load(memory, reply)
  const thread = Reply.Fields.thread.load(memory, reply)
  const who = `reply ${hex(reply)}`
  return [
    ...holds(
      thread === 0 || Tcb.reply.load(memory, thread) === reply,
      () => `${who} and its thread do not name one another`
    ),
    ...holds(
      prev === 0 || Reply.Fields.next.load(memory, prev) === reply,
      () => `${who} is not after the call before it`
    ),
    ...holds(
      next === 0 || Reply.Fields.prev.load(memory, next) === reply,
      () => `${who} is not before the call after it`
    ),
    ...holds(context === 0 || SC.reply.load(memory, context) === reply, () => `${who} heads another's stack`),
    ...holds(context === 0 || next === 0, () => `${who} heads a stack and is not its last`),
    ...holds(thread !== 0 || (prev === 0 && next === 0 && context === 0), () => `${who} is in a stack and nobody's`)
  ]
}

const checkContext = (view: View, context: number): ReadonlyArray<string> => {
  const { memory } = view
  const thread = SC.thread.load(memory, context)
  const reply = SC.reply.load(memory, context)
  const who = `scheduling context ${hex(context)}`
  return [
    ...holds(thread === 0 || Tcb.schedContext.load(memory, thread) === context, () => `${who} is another's`),
    ...holds(
      reply === 0 || Reply.Fields.schedContext.load(memory, reply) === context,
      () => `${who} has another's stack`
    ),
    ...(Refill.isActive(view, context) ? checkRefills(view, context) : [])
  ]
}

const checkRefills = (view: View, context: number): ReadonlyArray<string> => {
  const refills = Refill.all(view, context)
  const sum = refills.reduce((total, { amount }) => total + amount, 0)
  const period = SC.period.load(view.memory, context)
  const isOrdered = refills.every(({ time }, index) => index === 0 || refills[index - 1]!.time <= time)
  const who = `scheduling context ${hex(context)}`
  return [
    ...holds(refills[0]!.amount >= Refill.minBudget, () => `the first refill of ${who} is too little`),
    ...holds(sum === SC.budget.load(view.memory, context), () => `the refills of ${who} are not its budget: ${sum}`),
    ...holds(period === 0 || isOrdered, () => `the refills of ${who} are not in order`),
    ...holds(period !== 0 || refills.length === Refill.minRefills, () => `${who} has ${refills.length} parts of a turn`)
  ]
}

// —— Queues of the scheduler

const checkReadyQueues = (view: View, { objects }: World): ReadonlyArray<string> => {
  const { memory, data } = view
  const wrong: Array<string> = []
  const queued = new Set<number>()
  for (let domain = 0; domain < DomainSchedule.domains(view); domain++) {
    wrong.push(...checkQueuesOf(view, domain, DomainSchedule.queuesOf(view, domain), queued))
  }
  for (const [thread, kind] of objects)
    if (kind === numberOf.TCB && Tcb.inReadyQueue.load(memory, thread) !== 0 && !queued.has(thread))
      wrong.push(`thread ${hex(thread)} believes that it is ready`)
  const current = Scheduler.currentThread(view)
  const context = Tcb.schedContext.load(memory, current)
  const domain = KernelData.currentDomain.load(memory, data)
  return [
    ...wrong,
    ...holds(
      current === idleThread(data) || Tcb.domain.load(memory, current) === domain,
      () => `thread ${hex(current)} runs in the turn of domain ${domain}`
    ),
    ...holds(
      current === idleThread(data) ? Scheduler.highestPriority(view) < 0 : Scheduler.isSchedulable(view, current),
      () => "nobody runs though somebody can, or somebody who cannot"
    ),
    ...holds(Scheduler.currentContext(view) === context, () => "another than the current thread pays for its time")
  ]
}

/** The ready queues of one domain, which are there; their threads are `queued`. */
const checkQueuesOf = (view: View, domain: number, room: number, queued: Set<number>): ReadonlyArray<string> => {
  const { memory } = view
  const wrong: Array<string> = []
  for (let word = 0; word < priorities / 32; word++) {
    const isMarked = ((KernelData.readyWords.load(memory, room) >>> word) & 1) !== 0
    if (isMarked !== (memory.load32(room + bitmapAt + 4 * word) !== 0))
      wrong.push(`the priorities from ${32 * word} on are marked wrongly`)
  }
  for (let priority = 0; priority < priorities; priority++) {
    const queue = readyQueue(room, priority)
    const isMarked = ((memory.load32(room + bitmapAt + 4 * (priority >>> 5)) >>> (priority & 31)) & 1) !== 0
    if (isMarked !== (ReadyQueue.head.load(memory, queue) !== 0)) wrong.push(`priority ${priority} is marked wrongly`)
    let before = 0
    for (let thread = ReadyQueue.head.load(memory, queue); thread !== 0; thread = Tcb.schedNext.load(memory, thread)) {
      queued.add(thread)
      const context = Tcb.schedContext.load(memory, thread)
      const isReady = Refill.isReady(view, context) && Refill.isSufficient(view, context)
      wrong.push(
        ...holds(Tcb.priority.load(memory, thread) === priority, () => `thread ${hex(thread)} is ready at ${priority}`),
        ...holds(Tcb.domain.load(memory, thread) === domain, () => `thread ${hex(thread)} is ready in ${domain}`),
        ...holds(
          Tcb.schedPrev.load(memory, thread) === before,
          () => `thread ${hex(thread)} is not after the one before it`
        ),
        ...holds(Tcb.inReadyQueue.load(memory, thread) !== 0, () => `thread ${hex(thread)} does not know it is ready`),
        ...holds(
          Scheduler.isSchedulable(view, thread) && isReady,
          () => `thread ${hex(thread)} is ready and cannot run`
        )
      )
      before = thread
    }
    if (ReadyQueue.tail.load(memory, queue) !== before) wrong.push(`the queue of priority ${priority} ends elsewhere`)
  }
  return wrong
}

const checkReleaseQueue = (view: View): ReadonlyArray<string> => {
  const { memory, data } = view
  const wrong: Array<string> = []
  let before = 0
  let last = 0
  for (
    let thread = KernelData.releaseHead.load(memory, data);
    thread !== 0;
    thread = Tcb.schedNext.load(memory, thread)
  ) {
    const time = Refill.headTime(view, Tcb.schedContext.load(memory, thread))
    wrong.push(
      ...holds(
        Tcb.inReleaseQueue.load(memory, thread) !== 0,
        () => `thread ${hex(thread)} does not know it waits for time`
      ),
      ...holds(Tcb.inReadyQueue.load(memory, thread) === 0, () => `thread ${hex(thread)} is ready and waits for time`),
      ...holds(
        Tcb.schedPrev.load(memory, thread) === before,
        () => `thread ${hex(thread)} is not after the one before it`
      ),
      ...holds(time >= last, () => `thread ${hex(thread)} waits for time out of order`)
    )
    before = thread
    last = time
  }
  return wrong
}
