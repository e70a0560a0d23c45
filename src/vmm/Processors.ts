/** Processors: what there is of each processor of a guest, and how their landlord puts it together. */
import { Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import type { TaskSpec } from "../types/System.ts"
import { VmcsField } from "../types/x86_64/VmcsField.ts"
import type { Allocator, NotMade } from "../user/Allocator.ts"
import { BootInfo, type Full } from "../user/BootInfo.ts"
import { Cap_Copy } from "../user/Capabilities.ts"
import { AddressSpace_Map, create, Frame_Unmap } from "../user/Memory.ts"
import { Spawner, type Started } from "../user/Spawn.ts"
import type { Syscalls } from "../user/Syscalls.ts"
import { prepareThread } from "../user/TaskThreads.ts"
import { TCB_BindNotification, TCB_SetPriority } from "../user/ThreadSettings.ts"
import { SchedControl_SetBudget } from "../user/Threads.ts"
import { EPT_Map, GuestMemory_Create, TCB_SetEPTRoot, VCPU_SetPage, VCPU_SetTCB } from "../user/VirtualProcessor.ts"
import { threadOf } from "./names.ts"
import { apicAccessAt, virtualApicAt } from "./VirtualApic.ts"

/** A processor of a guest, the thread of its monitor that runs it, and what that waits for. */
export interface Processor {
  readonly thread: Full<"TCB">
  readonly vcpu: Full<"VCPU">
  readonly wake: Full<"Notification">
}

/** A guest has not what it is to begin with, for one of its processors: which, by its thread, and why not. */
export interface NotReady {
  readonly _tag: "NotReady"
  readonly thread: string
  readonly why: NotMade
}

/**
 * Bind a monitor's threads to their virtual processors, their notifications and the guest's memory, which is empty, but that the
 * processor has pages for the local APICs. The first is the thread that the task began with. `time`: how much each of them may run.
 */
export const bind = (
  name: string,
  task: Started,
  processors: ReadonlyArray<Processor>,
  { priority, time }: Pick<TaskSpec, "priority" | "time">
) =>
  Effect.gen(function* () {
    const { asidPool } = yield* BootInfo
    const { authority, schedControl } = yield* Spawner
    const { addressSpace: space, tcb, schedContext } = task
    /** What further threads run on, by their names. */
    const times: Array<readonly [thread: string, schedContext: Full<"SchedContext">]> = []
    const root = yield* GuestMemory_Create(asidPool)
    const accesses = yield* create("Page4K")
    const accessPage: AccessPage = { root, page: yield* copy(accesses), isThere: false }
    yield* setAccessPage(accessPage, true)
    if (time !== undefined) yield* SchedControl_SetBudget(schedControl, schedContext, time)
    yield* TCB_SetPriority(tcb, authority, priority)

    const equip = ({ thread, vcpu, wake }: Processor, number: number, name: string) =>
      Effect.gen(function* () {
        if (number > 0)
          times.push([name, yield* prepareThread(task, thread, { name, number, priority, ...(time && { time }) })])
        yield* TCB_SetEPTRoot(thread, root)
        yield* VCPU_SetTCB(vcpu, thread)
        yield* TCB_BindNotification(thread, wake)
        yield* givePage(vcpu, "APIC_ACCESS_ADDRESS", accesses)
        const registers = yield* create("Page4K")
        yield* givePage(vcpu, "VIRTUAL_APIC_ADDRESS", registers)
        yield* AddressSpace_Map(space, virtualApicAt(number), registers, ["read", "write"])
      })
    for (const [number, processor] of processors.entries()) {
      const thread = threadOf(name, number)
      yield* Effect.mapError(equip(processor, number, thread), (why): NotReady => ({ _tag: "NotReady", thread, why }))
    }
    return { root, space, accessPage, times }
  })

/** What a guest's processors take for the registers of their local APICs, where they have them in memory: a page of the guest's memory, or none. */
export interface AccessPage {
  readonly root: Full<"EPTPML4">
  readonly page: Cap<"Frame", "read" | "write">
  isThere: boolean
}

export const setAccessPage = Effect.fnUntraced(function* (accesses: AccessPage, isThere: boolean) {
  if (accesses.isThere === isThere) return
  yield* isThere ? EPT_Map(accesses.root, apicAccessAt, accesses.page) : Frame_Unmap(accesses.page)
  accesses.isThere = isThere
})

const copy = (page: Full<"Frame">) => Cap_Copy(page, ["read", "write"])

/** The processor uses the page by its address. If it is refused, for what. */
const givePage = (
  vcpu: Full<"VCPU">,
  field: "APIC_ACCESS_ADDRESS" | "VIRTUAL_APIC_ADDRESS",
  page: Full<"Frame">
): Effect.Effect<void, NotMade, Syscalls | Allocator> =>
  Effect.flatMap(copy(page), (given) => VCPU_SetPage(vcpu, VmcsField[field], given)).pipe(
    Effect.mapError((why) => ({ ...why, field }))
  )
