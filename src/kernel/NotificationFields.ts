/** Where the fields of a notification lie: 64 bytes, of which the first are its queue. */
import { layout, u8, word } from "../types/Layout.ts"
import { ref } from "./Reference.ts"

/**
 * What a notification is doing. Threads wait only while it is `waiting`, and it has a badge only while it is `active`.
 */
export const NotificationState = { idle: 0, waiting: 1, active: 2 } as const

// biome-ignore format: a figure
export const NotificationFields = layout(64, {
  // 0x00: the queue
  state:        u8(0x08),
  /** The thread that hears of signals while it receives from an endpoint. */
  boundThread:  ref(0x0c),
  schedContext: ref(0x10),
  /** The badges of all signals since it was last heard of. */
  badge:        word(0x18)
})
