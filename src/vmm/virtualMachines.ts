/**
 * VirtualMachines: starting a system of guests, and being their landlord.
 *
 * What no task of it has stays with who starts it: the guests' memory, and the binding of virtual processors to threads.
 */
import { Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import type { Starter, TaskSpec } from "../types/System.ts"
import { VmcsField } from "../types/x86_64/VmcsField.ts"
import { BootInfo, type Full } from "../user/BootInfo.ts"
import { Cap_Copy, Cap_Mint, Cap_Revoke } from "../user/Capabilities.ts"
import { Signal } from "../user/Ipc.ts"
import { AddressSpace_Map, create, Untyped_Retype } from "../user/Memory.ts"
import { reply, replyError, serve } from "../user/Server.ts"
import { Spawner, type Started } from "../user/Spawn.ts"
import { type PartOf, type System, startPart } from "../user/System.ts"
import { prepareThread } from "../user/TaskThreads.ts"
import { TCB_BindNotification, TCB_SetPriority } from "../user/ThreadSettings.ts"
import { SchedContext_Consumed, SchedControl_SetBudget } from "../user/Threads.ts"
import { EPT_Map, GuestMemory_Create, TCB_SetEPTRoot, VCPU_SetPage, VCPU_SetTCB } from "../user/VirtualProcessor.ts"
import { signal } from "./channels.ts"
import { blockBits, blockBytes, type Landlord, NoProcessor } from "./Landlord.ts"
import { memoryAt } from "./Monitor.ts"
import { survey } from "./survey.ts"
import { apicAccessAt, virtualApicAt } from "./VirtualApic.ts"

/** What a guest gets of its landlord, who knows it by its place: its badge at `landlord` is one more. */
export interface Tenant<N extends string> {
  /** Of its task, its virtual processor and its notification in the system. */
  readonly name: N
  readonly memoryBytes: number
  /** How many processors it has: 1, if not said. */
  readonly processors?: number
  /** How much each of them may run, if not as its task says. */
  readonly time?: NonNullable<TaskSpec["time"]>
  readonly priority?: number
}

/** What there is of guests in a system. */
export interface Housing<N extends string> {
  readonly objects: { readonly landlord: Starter<Landlord> } & {
    readonly [V in `${N}.vcpu`]: "VCPU"
  } & { readonly [W in `${N}.wake`]: "Notification" }
  readonly tasks: { readonly [T in N]: TaskSpec }
}

const frameBytes = 2 ** 21

/** Blocks of memory, and which guest has each where. */
const makeEstate = () => {
  const free: Array<Full<"Untyped">> = []
  const leased = new Map<number, Map<number, Full<"Untyped">>>()
  return {
    /** Blocks that nobody has: some that came back, or new ones. Undefined if there are not so many. */
    take: (count: number) =>
      Effect.gen(function* () {
        while (free.length < count) {
          const block = yield* create("Untyped", blockBits).pipe(
            Effect.catchTag("OutOfMemory", () => Effect.succeed(undefined))
          )
          if (block === undefined) return undefined
          free.push(block)
        }
        return free.splice(0, count)
      }),
    blocksOf: (guest: number): Map<number, Full<"Untyped">> => {
      const blocks = leased.get(guest) ?? new Map<number, Full<"Untyped">>()
      leased.set(guest, blocks)
      return blocks
    },
    /** What was made of a block is no more, wherever it is mapped: nobody reaches it. */
    takeBack: (block: Full<"Untyped">) =>
      Effect.andThen(
        Cap_Revoke(block),
        Effect.sync(() => void free.push(block))
      )
  }
}

/** What a guest's memory is reached by: the guest's own tables, and the address space of its monitor. */
interface Reach {
  readonly root: Full<"EPTPML4">
  readonly space: Full<"AddressSpace">
}

/** A block becomes memory of a guest at an address of it, and of its monitor, `memoryAt` further. */
const lease = Effect.fnUntraced(function* ({ root, space }: Reach, block: Full<"Untyped">, at: number, bytes: number) {
  for (let inside = 0; inside < Math.min(blockBytes, bytes); inside += frameBytes) {
    const frame = yield* Untyped_Retype(block, "LargePage")
    const window = yield* Cap_Copy(frame, ["read", "write"])
    yield* EPT_Map(root, at + inside, frame)
    yield* AddressSpace_Map(space, memoryAt + at + inside, window, ["read", "write"])
  }
})

/** A processor of a guest, the thread of its monitor that runs it, and what that waits for. */
interface Processor {
  readonly thread: Full<"TCB">
  readonly vcpu: Full<"VCPU">
  readonly wake: Full<"Notification">
  readonly kick: Cap<"Notification", "write">
}

/** What rings a processor's thread for another of the same guest. */
const kickOf = (wake: Full<"Notification">) => Cap_Mint(wake, ["write"], { badge: signal.kick })

/**
 * Bind a monitor's threads to their virtual processors, their notifications and the guest's memory, which is empty, but that the
 * processor has pages for the local APICs.
 */
const bind = Effect.fnUntraced(function* (task: Started, first: Processor, tenant: Tenant<string>, usual: TaskSpec) {
  const { asidPool } = yield* BootInfo
  const { authority, schedControl } = yield* Spawner
  const { time = usual.time, priority = usual.priority } = tenant
  const root = yield* GuestMemory_Create(asidPool)
  const processors = [first]
  /** What its threads run on, by their names. */
  const times: Array<readonly [thread: string, schedContext: Full<"SchedContext">]> = []
  for (let number = 1; number < (tenant.processors ?? 1); number++) {
    const thread = yield* create("TCB")
    const name = `${tenant.name}.${number}`
    times.push([name, yield* prepareThread(task, thread, { name, number, priority, ...(time && { time }) })])
    const wake = yield* create("Notification")
    processors.push({ thread, vcpu: yield* create("VCPU"), wake, kick: yield* kickOf(wake) })
  }
  const accesses = yield* create("Page4K")
  yield* EPT_Map(root, apicAccessAt, yield* Cap_Copy(accesses, ["read", "write"]))
  for (const [number, { thread, vcpu, wake }] of processors.entries()) {
    yield* TCB_SetEPTRoot(thread, root)
    yield* VCPU_SetTCB(vcpu, thread)
    yield* TCB_BindNotification(thread, wake)
    yield* VCPU_SetPage(vcpu, VmcsField.APIC_ACCESS_ADDRESS, yield* Cap_Copy(accesses, ["read", "write"]))
    const registers = yield* create("Page4K")
    yield* VCPU_SetPage(vcpu, VmcsField.VIRTUAL_APIC_ADDRESS, yield* Cap_Copy(registers, ["read", "write"]))
    yield* AddressSpace_Map(task.addressSpace, virtualApicAt(number), registers, ["read", "write"])
  }
  if (time !== undefined) yield* SchedControl_SetBudget(schedControl, task.schedContext, time)
  yield* TCB_SetPriority(task.tcb, authority, priority)
  return { reach: { root, space: task.addressSpace }, processors, times }
})

/**
 * Start a system of guests. From then on this is the landlord of their memory: it takes back what a guest gives up, and all that one had
 * that has ended, and gives it to who asks. Guests for which there is no memory yet wait for others to end, in the order of `guests`.
 */
export function startGuests<const N extends string>(
  system: System<Housing<N>> | PartOf<Housing<N>>,
  guests: ReadonlyArray<Tenant<N>>,
  consumed?: Consumed
): ReturnType<typeof housing>
export function startGuests(
  system: PartOf<Housing<string>>,
  guests: ReadonlyArray<Tenant<string>>,
  consumed?: Consumed
) {
  return housing(system, guests, consumed)
}

/** Hears when a guest has ended how much each thread of the system has run since it was last said. */
export type Consumed = (thread: string, microseconds: number) => void

const housing = (system: PartOf<Housing<string>>, guests: ReadonlyArray<Tenant<string>>, consumed?: Consumed) =>
  Effect.gen(function* () {
    const host = yield* survey
    const { objects, tasks } = yield* startPart(system)
    const estate = makeEstate()
    const homes: Array<{
      readonly reach: Reach
      readonly processors: ReadonlyArray<Processor>
      readonly begin: Cap<"Notification", "write">
    }> = []
    const times = Object.entries(tasks).flatMap(([name, task]) =>
      task === undefined ? [] : [[name, task.schedContext] as const]
    )
    const { landlord } = objects
    if (landlord === undefined) throw new Error("the system has no landlord")
    for (const guest of guests) {
      const { name } = guest
      const [task, vcpu, wake] = [tasks[name], objects[`${name}.vcpu`], objects[`${name}.wake`]]
      if (task === undefined || vcpu === undefined || wake === undefined)
        throw new Error(`the system has no guest '${name}'`)
      const bound = yield* bind(
        task,
        { thread: task.tcb, vcpu, wake, kick: yield* kickOf(wake) },
        guest,
        system.spec.tasks[name]!
      )
      times.push(...bound.times)
      homes.push({ ...bound, begin: yield* Cap_Mint(wake, ["write"], { badge: signal.start }) })
    }
    const waiting = [...guests.keys()]
    /** The first of those that wait get memory, and begin. */
    const settle = Effect.gen(function* () {
      while (waiting.length > 0) {
        const guest = waiting[0]!
        const { memoryBytes } = guests[guest]!
        const { reach, begin } = homes[guest]!
        const blocks = yield* estate.take(Math.ceil(memoryBytes / blockBytes))
        if (blocks === undefined) return
        waiting.shift()
        for (const [n, block] of blocks.entries()) {
          yield* lease(reach, block, n * blockBytes, memoryBytes - n * blockBytes)
          estate.blocksOf(guest).set(n, block)
        }
        yield* Signal(begin)
      }
    })
    yield* settle
    for (const guest of waiting)
      yield* Effect.logWarning(`there is no memory for ${guests[guest]!.name}: it waits until others have ended`)
    const processorOf = (n: number, badge: bigint) => homes[Number(badge) - 1]?.processors[n]
    /** The first is its monitor's from the beginning. */
    const further = (n: number, badge: bigint) => (n > 0 ? processorOf(n, badge) : undefined)
    return yield* serve(landlord, yield* create("Reply"), {
      release: (n, to, _caps, badge) =>
        Effect.gen(function* () {
          const blocks = estate.blocksOf(Number(badge) - 1)
          const block = blocks.get(n)
          if (block === undefined) return yield* reply(to, false)
          blocks.delete(n)
          yield* estate.takeBack(block)
          yield* settle
          return yield* reply(to, true)
        }),
      lease: (n, to, _caps, badge) =>
        Effect.gen(function* () {
          const guest = Number(badge) - 1
          const blocks = estate.blocksOf(guest)
          const isInside = n * blockBytes < guests[guest]!.memoryBytes && !blocks.has(n)
          const taken = isInside ? yield* estate.take(1) : undefined
          if (taken === undefined) return yield* reply(to, false)
          yield* lease(homes[guest]!.reach, taken[0]!, n * blockBytes, guests[guest]!.memoryBytes - n * blockBytes)
          blocks.set(n, taken[0]!)
          return yield* reply(to, true)
        }),
      identify: ({ leaf, subleaf }, to) => {
        const [eax, ebx, ecx, edx] = host(leaf, subleaf)
        return reply(to, { eax, ebx, ecx, edx })
      },
      vcpu: (n, to, _caps, badge) =>
        Effect.suspend(() => {
          const processor = further(n, badge)
          return processor ? reply(to, undefined, { vcpu: processor.vcpu }) : replyError(to, new NoProcessor({ n }))
        }),
      thread: (n, to, _caps, badge) =>
        Effect.suspend(() => {
          const processor = further(n, badge)
          return processor ? reply(to, undefined, { thread: processor.thread }) : replyError(to, new NoProcessor({ n }))
        }),
      wake: (n, to, _caps, badge) =>
        Effect.suspend(() => {
          const processor = further(n, badge)
          return processor ? reply(to, undefined, { wake: processor.wake }) : replyError(to, new NoProcessor({ n }))
        }),
      kick: (n, to, _caps, badge) =>
        Effect.suspend(() => {
          const kick = processorOf(n, badge)?.kick
          return kick ? reply(to, undefined, { kick }) : replyError(to, new NoProcessor({ n }))
        }),
      leave: (_, to, _caps, badge) =>
        Effect.gen(function* () {
          const blocks = estate.blocksOf(Number(badge) - 1)
          for (const block of blocks.values()) yield* estate.takeBack(block)
          blocks.clear()
          yield* settle
          if (consumed !== undefined)
            for (const [name, schedContext] of times) consumed(name, yield* SchedContext_Consumed(schedContext))
          return yield* reply(to, undefined)
        })
    })
  })
