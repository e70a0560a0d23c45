/**
 * KernelData: what the kernel knows beside its objects, in memory of its own.
 *
 * It begins with the words below, then has the heads of the ready queues, one for each priority, the thread that stands
 * for nobody with its scheduling context, a slot for each interrupt that programs handle, and the schedule of domains.
 */
import { layout, u32, u64, word } from "../types/Layout.ts"
import { ref } from "./Reference.ts"

export const priorities = 256
export const interruptSlots = 256

/** What the scheduler will do when the kernel is left. */
export const Action = { resume: 0, choose: 1, switchTo: 2 } as const

// biome-ignore format: a figure
export const KernelData = layout(0x100, {
  currentThread:  ref(0x00),
  /** The scheduling context that pays for the time that passes. */
  currentContext: ref(0x04),
  action:         u32(0x08),
  /** The thread of `Action.switchTo`. */
  candidate:      ref(0x0c),
  /**
   * The time at which the kernel was entered, and what has passed since time was last charged to a scheduling context.
   */
  now:            u64(0x10),
  consumed:       u64(0x18),
  /** The timer must be set anew. */
  reprogram:      u32(0x20),
  /** Threads whose next refill lies ahead, the earliest first. */
  releaseHead:    ref(0x24),
  /** The domain whose threads run, and how many there are. */
  currentDomain:  u32(0x28),
  domains:        u32(0x30),
  /** The turn of the schedule that it is, the one that the schedule begins with, and when it ends: 0 is never. */
  turn:           u32(0x34),
  firstTurn:      u32(0x38),
  /** Where the ready queues are of the domains that do not run: none, if there is one domain. */
  rooms:          ref(0x3c),
  turnEnds:       u64(0x60),
  /** The words of `bitmap` that are not 0: 8 bits. */
  readyWords:     u32(0x2c),
  /** The priorities whose ready queue has a thread: 256 bits. */
  bitmap:         word(0x40)
  // 0x48: the other 192
})

export const bitmapAt = KernelData.bitmap.at
export const bitmapBytes = priorities / 8
export const queuesAt = 0x100
export const queuesBytes = 8 * priorities
const idleContextAt = 0x900
const idleThreadAt = 0x1000
const interruptsAt = 0x2000

/** There are at most so many domains, and turns of their schedule. */
export const mostDomains = 256
export const turns = 256

const scheduleAt = interruptsAt + interruptSlots * 32

export const kernelDataBytes = scheduleAt + turns * 16

/** The ready queues of a domain, with `bitmap` and `readyWords` in their places before them. */
export const roomBytes = queuesAt + queuesBytes

/** A ready queue: its first and last thread. */
// biome-ignore format: a figure
export const ReadyQueue = layout(8, {
  head: ref(0),
  tail: ref(4)
})

/** `room`: where the ready queues of a domain are, as `DomainSchedule.queuesOf` says. */
export const readyQueue = (room: number, priority: number): number => room + queuesAt + 8 * priority

/** A turn of the schedule: nanoseconds, 0 if there is none. */
// biome-ignore format: a figure
export const Turn = layout(16, {
  duration: u64(0),
  domain:   u32(8)
})

export const turnAt = (data: number, index: number): number => data + scheduleAt + 16 * index
export const idleThread = (data: number): number => data + idleThreadAt
export const idleContext = (data: number): number => data + idleContextAt

/** The slot that holds the notification of an interrupt. */
export const interruptSlot = (data: number, interrupt: number): number => data + interruptsAt + 32 * interrupt
