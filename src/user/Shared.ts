/**
 * Shared: memory that the tasks of a system have in common.
 *
 * A frame that a system grants is mapped for its task where its slot says, so that whoever has the capability finds the memory.
 */
import { Effect } from "effect"
import { type AnyCap, cptrOf, type Using } from "../types/Capability.ts"
import type { Need } from "../types/Need.ts"
import { held } from "./Invocation.ts"
import { Memory_Read, Memory_Write } from "./Memory.ts"
import type { Syscalls } from "./Syscalls.ts"

/** Where the frame in slot 0 would be. Each slot has as much as the largest frame. */
const base = 0x10_0000_0000
const window = 2 ** 30

/** Where a task's frame is mapped. */
export const addressOfSlot = (slot: number): number => base + slot * window

const at = (frame: unknown, offset: number): number => addressOfSlot(Number(cptrOf(held(frame)))) + offset

/** Where a frame is that the system mapped, for who accesses it by itself. */
export const Shared_Address = <F extends AnyCap>(
  frame: Need<F, "Shared_Address", "Frame", "read" | "write">
): Effect.Effect<number, never, Using<F, "read" | "write">> => Effect.sync(() => at(frame, 0))

/** Bytes of a frame that the system mapped. */
export const Shared_Read = <F extends AnyCap>(
  frame: Need<F, "Shared_Read", "Frame", "read">,
  offset: number,
  length: number
): Effect.Effect<Uint8Array, never, Syscalls | Using<F, "read">> => Memory_Read(at(frame, offset), length)

/** Write to a frame that the system mapped. What can be written can be read as well: no mapping is without. */
export const Shared_Write = <F extends AnyCap>(
  frame: Need<F, "Shared_Write", "Frame", "read" | "write">,
  offset: number,
  bytes: Uint8Array
): Effect.Effect<void, never, Syscalls | Using<F, "read" | "write">> => Memory_Write(at(frame, offset), bytes)
