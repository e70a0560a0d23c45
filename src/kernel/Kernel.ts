/**
 * Kernel: its ways in.
 *
 * Each is called at a gate, on behalf of the current thread, and ends with the thread that runs next as the current
 * one, in the processor.
 */
import { Context, Effect, Layer } from "effect"
import { Charge } from "../hal/Charge.ts"
import { Memory } from "../hal/Memory.ts"
import { Time } from "../hal/Time.ts"
import type { Fault } from "../types/Fault.ts"
import * as Word from "../types/Word.ts"
import type { Architecture } from "./Architecture.ts"
import * as Budget from "./Budget.ts"
import { Debug } from "./Debug.ts"
import * as DebugCalls from "./DebugCalls.ts"
import * as FastPath from "./FastPath.ts"
import * as FaultHandler from "./FaultHandler.ts"
import * as Interrupt from "./Interrupt.ts"
import { KernelData } from "./KernelData.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import * as Syscall from "./Syscall.ts"
import * as Thread from "./Thread.ts"

export interface KernelService {
  /** For the architecture's half, and for checks. */
  readonly state: State
  /** The current thread makes the system call of this number: the halves of a word. */
  readonly handleSyscall: (low: number, high: number) => void
  /** The current thread has done this. */
  readonly handleFault: (fault: Fault) => void
  /** The current thread, which ran a guest, has come back from it, and has been told of it. */
  readonly handleGuestExit: () => void
  /** An interrupt that programs handle has come. */
  readonly handleInterrupt: (interrupt: number) => void
  /** The timer's interrupt has come. */
  readonly handleTimer: () => void
  /** Boot is done: whoever can run does. */
  readonly start: () => void
}

export class Kernel extends Context.Service<Kernel, KernelService>()("skyscope/kernel/Kernel") {}

/** Whether what is usual may take a fast path. Nothing but the host's time depends on it. */
export type Paths = "fast and slow" | "slow"

export const make = (state: State, paths: Paths = "fast and slow"): KernelService => {
  const fast = paths === "slow" ? () => false : FastPath.make(state)

  const enter = (): void => {
    state.charge(Charge.entry)
    Scheduler.updateTime(state)
  }

  const leave = (): void => {
    Scheduler.schedule(state)
    Thread.activate(state)
  }

  return {
    state,

    handleSyscall: (low, high) => {
      // The numbers of system calls are negative.
      const isCall = high === -1
      if (isCall && fast(low)) return
      if (isCall && DebugCalls.handle(state, low)) {
        state.charge(Charge.entry)
        return
      }
      enter()
      if (Budget.checkToEnter(state) && !(isCall && Syscall.handle(state, low)))
        FaultHandler.handle(state, Scheduler.currentThread(state), {
          _tag: "UnknownSyscall",
          number: Word.make(low, high)
        })
      leave()
    },

    handleFault: (fault) => {
      enter()
      if (Budget.checkToEnter(state)) FaultHandler.handle(state, Scheduler.currentThread(state), fault)
      leave()
    },

    handleGuestExit: () => {
      enter()
      Budget.check(state)
      leave()
    },

    handleInterrupt: (interrupt) => {
      enter()
      Budget.check(state)
      Interrupt.handle(state, interrupt)
      leave()
    },

    handleTimer: () => {
      enter()
      Budget.check(state)
      KernelData.reprogram.store(state.memory, state.data, 1)
      leave()
    },

    start: () => {
      Scheduler.updateTime(state)
      KernelData.consumed.store(state.memory, state.data, 0)
      Scheduler.reschedule(state)
      leave()
    }
  }
}

/** A kernel for an architecture, with `KernelData` at the physical address `data`. */
export const layer = (architecture: Architecture, data: number): Layer.Layer<Kernel, never, Memory | Time | Debug> =>
  Layer.effect(
    Kernel,
    Effect.gen(function* () {
      const memory = yield* Memory
      const time = yield* Time
      const debug = yield* Debug
      return make({ memory, time, debug, charge: time.charge, architecture, data })
    })
  )
