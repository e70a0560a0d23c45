/**
 * TaskThreads: further threads of a task written in TypeScript.
 *
 * They run at the same gate, in the same address space, and have the same capabilities and the same variables; each has time of its own
 * and is scheduled by itself. Whoever started the task makes them ready; the task's program begins them.
 */
import { Effect } from "effect"
import { gateRom } from "../types/Architecture.ts"
import { type Cap, cptrOf } from "../types/Capability.ts"
import type { Full } from "./BootInfo.ts"
import { create } from "./Memory.ts"
import {
  bufferAddress,
  configureThread,
  interruptsOn,
  mapBuffer,
  Spawner,
  type Started,
  schedContextBits,
  suspendSelf,
  turn
} from "./Spawn.ts"
import { Syscalls } from "./Syscalls.ts"
import * as Task from "./Task.ts"
import {
  Debug_NameThread,
  SchedControl_Configure,
  type SchedulingParameters,
  TCB_Resume,
  TCB_WriteRegisters
} from "./Threads.ts"

/** What a further thread gets. */
export interface Options {
  /** For reports. */
  readonly name: string
  /** Its number among the task's threads: the one that the task began with is 0. */
  readonly number: number
  readonly priority: number
  /** In turns of 5 ms with its equals, if left out. */
  readonly time?: SchedulingParameters
}

/** Make a thread ready to be begun by a task's program. */
export const prepareThread = Effect.fnUntraced(function* (
  task: Started,
  tcb: Full<"TCB">,
  { name, number, priority, time }: Options
) {
  const { schedControl } = yield* Spawner
  const ipcBuffer = yield* mapBuffer(task.addressSpace, bufferAddress(number))
  yield* Debug_NameThread(tcb, name)
  yield* configureThread(task, tcb, ipcBuffer, priority)
  const schedContext = yield* create("SchedContext", schedContextBits)
  yield* SchedControl_Configure(schedControl, schedContext, tcb, time ?? turn)
  return schedContext
})

/** Begin a thread that was made ready, of one's own task, with a program. When that ends the thread stops. */
export const beginThread = <Q, A, E, R>(
  tcb: Cap<"TCB", "writeRegisters" | "run", Q>,
  { name, number }: Pick<Options, "name" | "number">,
  program: Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    yield* using<R>()
    const syscalls = yield* Syscalls
    const options = { ...(yield* Task.observers), ipcBuffer: BigInt(bufferAddress(number)) }
    const body = program as Effect.Effect<A, E, Syscalls>
    const last = suspendSelf(Number(cptrOf(tcb)))
    const fiber = yield* syscalls.fork(Task.make({ name, ...options, last }, () => body))
    yield* TCB_WriteRegisters(tcb, { rip: BigInt(gateRom.address), rbx: BigInt(fiber), rflags: interruptsOn })
    yield* TCB_Resume(tcb)
  })

/** What the thread uses of the task's capabilities, the task uses: its requirements are the same. */
const using = <R>(): Effect.Effect<void, never, R> => Effect.void
