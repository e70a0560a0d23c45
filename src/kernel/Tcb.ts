/**
 * TCB: what the kernel keeps of a thread, 2048 bytes.
 *
 * The first of them are slots like those of a CNode: the thread's capability space, address space, IPC buffer, and the
 * endpoints that hear of its faults and of its timeouts. The last 1536 bytes are the architecture's: registers and what
 * else a thread has there.
 */
import { bits, layout, u8, u32, word } from "../types/Layout.ts"
import { ref } from "./Reference.ts"
import type { State, View } from "./State.ts"

export const tcbBytes = 2048

/** The slots of a TCB, by their index. The architecture's is for a capability that it binds to threads. */
// biome-ignore format: a slot, a line
export const tcbSlot = {
  cspace:         0,
  addressSpace:   1,
  buffer:         2,
  faultHandler:   3,
  timeoutHandler: 4,
  architecture:   5
} as const
export const tcbSlots = 6

/** What a thread is doing. */
// biome-ignore format: a state, a line
export const ThreadState = {
  /** Nothing, until it is resumed. */
  inactive:              0,
  /** It runs when it gets time. */
  running:               1,
  /** It runs when it gets time, beginning with the instruction that entered the kernel. */
  restart:               2,
  /** It waits in the queue of `blockedOn`. */
  blockedOnReceive:      3,
  blockedOnSend:         4,
  blockedOnNotification: 5,
  /** It waits for the answer that `reply` gives. */
  blockedOnReply:        6,
  /** It is the one that stands for nobody. */
  idle:                  7,
  /** It runs when it gets time, but as a guest's virtual processor. */
  runsGuest:             8
} as const

export const faultWords = 6
export const nameBytes = 64

// biome-ignore format: a figure
export const Tcb = layout(tcbBytes, {
  // 0x000: the slots
  state:             u8(0x100),
  priority:          u8(0x101),
  /** The maximum controlled priority: the highest that it can give. */
  mcp:               u8(0x102),
  domain:            u8(0x103),
  /** It is in the ready queue of its priority, or in the release queue: then these are its neighbours there. */
  inReadyQueue:      bits(0x104, 0, 0),
  inReleaseQueue:    bits(0x104, 1, 1),
  schedNext:         ref(0x108),
  schedPrev:         ref(0x10c),
  /** Of a thread that waits at an endpoint or a notification: which one, and its neighbours in that queue. */
  blockedOn:         ref(0x110),
  queueNext:         ref(0x114),
  queuePrev:         ref(0x118),
  /** Of a sender: whether it calls, and what the capability allows that it sends through. */
  isCall:            bits(0x11c, 0, 0),
  canGrant:          bits(0x11c, 1, 1),
  canGrantReply:     bits(0x11c, 2, 2),
  badge:             word(0x120),
  /** The reply object that a receiver will answer with, or that a caller waits for. */
  reply:             ref(0x128),
  schedContext:      ref(0x12c),
  boundNotification: ref(0x130),
  /** The scheduling context whose thread it lets run first. */
  yieldTo:           ref(0x134),
  /** What programs set by SetFlags. */
  flags:             u32(0x138),
  /** The label of the fault that its handler has not answered; 0 is none. Its own words. */
  fault:             u32(0x13c),
  faultLength:       u32(0x140),
  faultWord0:        word(0x148),
  faultWord1:        word(0x150),
  faultWord2:        word(0x158),
  faultWord3:        word(0x160),
  faultWord4:        word(0x168),
  faultWord5:        word(0x170),
  /** The address of its IPC buffer as the program sees it. */
  buffer:            word(0x178)
  // 0x1c0: its name, for reports
  // 0x200: the architecture's
})

export const nameAt = 0x1c0
export const architectureAt = 0x200

/** The flags that there are: a thread without the floating-point unit. */
export const flagsMask = 0b1

/** The address of one of a thread's slots. */
export const slotOf = (thread: number, slot: (typeof tcbSlot)[keyof typeof tcbSlot]): number => thread + 32 * slot

export const isRunnable = ({ memory }: View, thread: number): boolean => {
  const state = Tcb.state.load(memory, thread)
  return state === ThreadState.running || state === ThreadState.restart || state === ThreadState.runsGuest
}

/** It waits for somebody. */
export const isBlocked = ({ memory }: View, thread: number): boolean => {
  const state = Tcb.state.load(memory, thread)
  return state >= ThreadState.blockedOnReceive && state <= ThreadState.blockedOnReply
}

/** Resuming it makes it run. */
export const isStopped = (view: View, thread: number): boolean =>
  Tcb.state.load(view.memory, thread) === ThreadState.inactive || isBlocked(view, thread)

/** The name that programs gave a thread, for reports. */
export const name = ({ memory }: View, thread: number): string => {
  const bytes = Array.from({ length: nameBytes }, (_, index) => memory.load8(thread + nameAt + index))
  const end = bytes.indexOf(0)
  return String.fromCharCode(...bytes.slice(0, end < 0 ? nameBytes : end))
}

export const setName = ({ memory }: State, thread: number, bytes: ReadonlyArray<number>): void => {
  for (let index = 0; index < nameBytes; index++) memory.store8(thread + nameAt + index, bytes[index] ?? 0)
}
