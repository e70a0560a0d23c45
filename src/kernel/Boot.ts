/** Boot: how the first objects come to be, before there is a thread that could ask for them. */
import { Halt } from "../hal/Gates.ts"
import type { Row } from "../types/ObjectType.ts"
import { type ObjectType, objectTypes, sizeBits } from "../types/ObjectType.ts"
import * as Word from "../types/Word.ts"
import * as Capability from "./Capability.ts"
import * as Derivation from "./Derivation.ts"
import * as DomainSchedule from "./DomainSchedule.ts"
import * as Donation from "./Donation.ts"
import {
  Action,
  idleContext,
  idleThread,
  interruptSlots,
  KernelData,
  kernelDataBytes,
  roomBytes
} from "./KernelData.ts"
import * as Refill from "./Refill.ts"
import type { State } from "./State.ts"
import { setName, slotOf, Tcb, ThreadState, type tcbSlot } from "./Tcb.ts"
import * as Untyped from "./Untyped.ts"

/** How many bytes of memory `initialise` needs for so many domains. */
export const domainBytes = (domains: number): number => (domains === 1 ? 0 : domains * roomBytes)

/**
 * `KernelData` becomes that of a kernel with nobody to run: the first of its domains has all the time. At `rooms` is memory for
 * them, of zeroes.
 */
export const initialise = (state: State, domains = 1, rooms = 0): void => {
  const { memory, data, time, architecture } = state
  if (architecture.interrupts > interruptSlots) throw new Halt(`there are slots for ${interruptSlots} interrupts`)
  memory.zero(data, kernelDataBytes)
  const [thread, context] = [idleThread(data), idleContext(data)]
  KernelData.now.store(memory, data, time.now())
  KernelData.domains.store(memory, data, domains)
  KernelData.rooms.store(memory, data, rooms)
  DomainSchedule.configure(state, 0, 0, DomainSchedule.endless)
  Refill.create(state, context, Refill.minRefills, Refill.minBudget, 0)
  Tcb.state.store(memory, thread, ThreadState.idle)
  Tcb.schedContext.store(memory, thread, context)
  Refill.SchedContextFields.thread.store(memory, context, thread)
  KernelData.currentThread.store(memory, data, thread)
  KernelData.currentContext.store(memory, data, context)
  KernelData.action.store(memory, data, Action.choose)
}

/**
 * Memory of zeroes at a multiple of its size becomes an object. `given` is the size that programs give with types that
 * have none.
 */
export const makeObject = (state: State, type: ObjectType, address: number, given = 0): Capability.Capability => {
  const row: Row = objectTypes[type]
  const bits = sizeBits(row, given)
  if (address % 2 ** bits !== 0) throw new Halt(`a ${type} lies at a multiple of its size: ${address.toString(16)}H`)
  return Untyped.makeObject(state, row, address, bits, given, false)
}

/** The first task finds a capability in slot `index` of its CNode. */
export const provide = (state: State, cnode: number, index: number, cap: Capability.Capability): number => {
  const slot = cnode + 32 * index
  Derivation.insertFirst(state, slot, cap)
  return slot
}

/** A thread's own slot gets a copy of what is in `source`. */
export const install = (
  state: State,
  thread: number,
  index: (typeof tcbSlot)[keyof typeof tcbSlot],
  source: number
): void => Derivation.insert(state, source, slotOf(thread, index), Capability.read(state, source))

/** What the first thread has beside its capabilities and registers. */
export interface FirstThread {
  readonly thread: number
  readonly schedContext: number
  /** The highest there is, and the highest it can give. */
  readonly priority: number
  /** Nanoseconds of a turn. */
  readonly timeSlice: number
  /** The address of its IPC buffer as it sees it; 0 is none. */
  readonly buffer: number
  readonly name: string
}

/** The thread can run. */
export const prepare = (
  state: State,
  { thread, schedContext, priority, timeSlice, buffer, name }: FirstThread
): void => {
  const { memory } = state
  Tcb.priority.store(memory, thread, priority)
  Tcb.mcp.store(memory, thread, priority)
  Tcb.buffer.store(memory, thread, buffer | 0, Word.highHalf(buffer))
  setName(
    state,
    thread,
    Array.from(name, (char) => char.charCodeAt(0) & 0xff)
  )
  Refill.create(state, schedContext, Refill.minRefills, timeSlice, 0)
  Tcb.state.store(memory, thread, ThreadState.running)
  Donation.bindThread(state, schedContext, thread)
}
