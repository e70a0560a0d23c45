/** DebugCalls: system calls that help whoever develops a program. They take no part in scheduling. */

import { Halt } from "../hal/Gates.ts"
import { messageWord } from "../types/IpcBuffer.ts"
import { numberOf } from "../types/Kind.ts"
import { syscalls } from "../types/Syscall.ts"
import * as Capability from "./Capability.ts"
import * as CSpace from "./CSpace.ts"
import * as DomainSchedule from "./DomainSchedule.ts"
import { KernelData, priorities, ReadyQueue, readyQueue } from "./KernelData.ts"
import * as Scheduler from "./Scheduler.ts"
import type { State } from "./State.ts"
import { name, nameBytes, setName, Tcb } from "./Tcb.ts"

/** The current thread makes debug call `number`. False: it is none. */
export const handle = (state: State, number: number): boolean => {
  const thread = Scheduler.currentThread(state)
  const { architecture } = state
  const register = architecture.convention.capability
  switch (number) {
    case syscalls.DebugPutChar:
      state.debug.putChar(architecture.registerLow(state, thread, register) & 0xff)
      return true
    case syscalls.DebugDumpScheduler:
      dumpScheduler(state, thread)
      return true
    case syscalls.DebugHalt:
      throw new Halt(`${name(state, thread) || "a thread"} halted the machine`)
    case syscalls.DebugCapIdentify: {
      const slot = slotIn(state, thread, register)
      architecture.setRegister(state, thread, register, slot === 0 ? 0 : Capability.kind(state, slot), 0)
      return true
    }
    case syscalls.DebugSnapshot:
      state.debug.snapshot()
      return true
    case syscalls.DebugNameThread:
      nameThread(state, thread, slotIn(state, thread, register))
      return true
    default:
      return false
  }
}

const slotIn = (state: State, thread: number, register: number): number => {
  const { architecture } = state
  const low = architecture.registerLow(state, thread, register)
  const slot = CSpace.lookup(state, thread, low, architecture.registerHigh(state, thread, register))
  return typeof slot === "number" ? slot : 0
}

/** The name is in the caller's IPC buffer, where the words of a message begin; its end is a 0. */
const nameThread = (state: State, caller: number, slot: number): void => {
  const buffer = state.architecture.buffer(state, caller, "read")
  if (slot === 0 || buffer === 0 || Capability.kind(state, slot) !== numberOf.TCB) return
  const bytes = Array.from({ length: nameBytes }, (_, index) => state.memory.load8(buffer + messageWord(0) + index))
  const end = bytes.indexOf(0)
  setName(state, Capability.object(state, slot), end < 0 ? bytes : bytes.slice(0, end))
}

const dumpScheduler = (state: State, current: number): void => {
  const { memory, data } = state
  const line = (thread: number, what: string) =>
    state.debug.print(`${Tcb.priority.load(memory, thread)} ${name(state, thread) || thread.toString(16)} ${what}`)
  line(current, "runs")
  for (let domain = 0; domain < DomainSchedule.domains(state); domain++) {
    const runs = domain === KernelData.currentDomain.load(memory, data)
    const queues = DomainSchedule.queuesOf(state, domain)
    for (let priority = priorities - 1; priority >= 0; priority--)
      for (
        let thread = ReadyQueue.head.load(memory, readyQueue(queues, priority));
        thread !== 0;
        thread = Tcb.schedNext.load(memory, thread)
      )
        line(thread, runs ? "is ready" : `is ready in domain ${domain}`)
  }
}
