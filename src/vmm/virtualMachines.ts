/**
 * VirtualMachines: starting a system of guests, and being their landlord.
 *
 * What no task of it has stays with who starts it: the guests' memory, and the binding of virtual processors to threads.
 */
import { Effect } from "effect"
import type { Cap } from "../types/Capability.ts"
import type { Starter, TaskSpec } from "../types/System.ts"
import { Cap_Mint } from "../user/Capabilities.ts"
import { Signal } from "../user/Ipc.ts"
import { create } from "../user/Memory.ts"
import { reply, serve } from "../user/Server.ts"
import { type PartOf, type System, startPart } from "../user/System.ts"
import { SchedContext_Consumed } from "../user/Threads.ts"
import { signal } from "./channels.ts"
import { blocksOf, makeEstate, type Tenancy } from "./Estate.ts"
import type { Landlord } from "./Landlord.ts"
import { type Further, furtherProcessors } from "./names.ts"
import { type AccessPage, bind, type Processor, setAccessPage } from "./Processors.ts"
import { survey } from "./survey.ts"

/** What a guest gets of its landlord, who knows it by its place: its badge at `landlord` is one more. */
export interface Tenant<N extends string> {
  /** Of its task in the system, and before the names of what it has there. */
  readonly name: N
  readonly memoryBytes: number
  /** How much each of them may run, if not as its task says. */
  readonly time?: NonNullable<TaskSpec["time"]>
  readonly priority?: number
}

/** What there is of guests in a system: of each, also of the further processors that it has. */
export interface Housing<N extends string> {
  readonly objects: { readonly landlord: Starter<Landlord> } & {
    readonly [V in `${N}.vcpu`]: "VCPU"
  } & { readonly [W in `${N}.wake`]: "Notification" } & {
    readonly [V in `${N}.${Further}.vcpu`]?: "VCPU"
  } & { readonly [T in `${N}.${Further}.thread`]?: "TCB" } & {
    readonly [W in `${N}.${Further}.wake`]?: "Notification"
  }
  readonly tasks: { readonly [T in N]: TaskSpec }
}
/** The same, of guests of any names. */
interface House {
  readonly objects: { readonly landlord: Starter<Landlord> } & {
    readonly [V in `${string}.vcpu`]: "VCPU"
  } & { readonly [T in `${string}.thread`]: "TCB" } & { readonly [W in `${string}.wake`]: "Notification" }
  readonly tasks: { readonly [T in string]: TaskSpec }
}
/** A part of a system, as it is when a program runs. */
type AnyPart = Pick<PartOf<House>, Extract<keyof PartOf<House>, string>>

/**
 * Start a system of guests. From then on this is the landlord of their memory: it takes back what a guest gives up, and all that one had
 * that has ended, and gives it to who asks. Guests for which there is no memory yet wait for others to end, in the order of `guests`.
 */
export const startGuests = <const N extends string>(
  system: System<Housing<N>> | PartOf<Housing<N>>,
  guests: ReadonlyArray<Tenant<N>>,
  consumed?: Consumed
) => housing(system, guests, consumed)

/** Hears when a guest has ended how much each thread of the system has run since it was last said. */
export type Consumed = (thread: string, microseconds: number) => void

const housing = (system: AnyPart, guests: ReadonlyArray<Tenant<string>>, consumed?: Consumed) =>
  Effect.gen(function* () {
    const host = yield* survey
    const { objects, tasks } = yield* startPart<House>(system)
    const estate = makeEstate()
    const homes: Array<{
      readonly tenancy: Tenancy
      readonly accessPage: AccessPage
      readonly begin: Cap<"Notification", "write">
    }> = []
    const times = Object.entries(tasks).flatMap(([name, task]) =>
      task === undefined ? [] : [[name, task.schedContext] as const]
    )
    const { landlord } = objects
    if (landlord === undefined) throw new Error("the system has no landlord")
    for (const guest of guests) {
      const { name, memoryBytes } = guest
      const [task, vcpu, wake] = [tasks[name], objects[`${name}.vcpu`], objects[`${name}.wake`]]
      if (task === undefined || vcpu === undefined || wake === undefined)
        throw new Error(`the system has no guest '${name}'`)
      const processors: Array<Processor> = [{ thread: task.tcb, vcpu, wake }]
      for (const further of furtherProcessors) {
        const thread = objects[`${name}.${further}.thread`]
        const [vcpu, wake] = [objects[`${name}.${further}.vcpu`], objects[`${name}.${further}.wake`]]
        if (thread !== undefined && vcpu !== undefined && wake !== undefined) processors.push({ thread, vcpu, wake })
      }
      const usual = system.spec.tasks[name]!
      const { time = usual.time, priority = usual.priority } = guest
      const {
        root,
        space,
        accessPage,
        times: more
      } = yield* bind(name, task, processors, {
        priority,
        ...(time && { time })
      })
      times.push(...more)
      homes.push({
        tenancy: { guest: name, root, space, memoryBytes, blocks: new Map() },
        accessPage,
        begin: yield* Cap_Mint(wake, ["write"], { badge: signal.start })
      })
    }
    const waiting = [...guests.keys()]
    /** The first of those that wait get memory, and begin. */
    const settle = Effect.gen(function* () {
      while (waiting.length > 0) {
        const { tenancy, begin } = homes[waiting[0]!]!
        if (!(yield* estate.lend(tenancy, blocksOf(tenancy.memoryBytes)))) return
        waiting.shift()
        yield* Signal(begin)
      }
    })
    yield* settle
    for (const guest of waiting)
      yield* Effect.logWarning(`there is no memory for ${guests[guest]!.name}: it waits until others have ended`)
    const homeOf = (badge: bigint) => homes[Number(badge) - 1]!
    return yield* serve(landlord, yield* create("Reply"), {
      release: (n, to, _caps, badge) =>
        Effect.gen(function* () {
          const isDone = yield* estate.takeBack(homeOf(badge).tenancy, n)
          if (isDone) yield* settle
          return yield* reply(to, isDone)
        }),
      lease: (n, to, _caps, badge) =>
        Effect.gen(function* () {
          const { tenancy } = homeOf(badge)
          const isFree = blocksOf(tenancy.memoryBytes).includes(n) && !tenancy.blocks.has(n)
          return yield* reply(to, isFree && (yield* estate.lend(tenancy, [n])))
        }),
      identify: ({ leaf, subleaf }, to) => {
        const [eax, ebx, ecx, edx] = host(leaf, subleaf)
        return reply(to, { eax, ebx, ecx, edx })
      },
      apicAccessPage: (isThere, to, _caps, badge) =>
        // Without it the guest is slower, and does the same.
        setAccessPage(homeOf(badge).accessPage, isThere).pipe(
          Effect.catch((why) => Effect.logError(`${homeOf(badge).tenancy.guest} has no APIC-access page:`, why)),
          Effect.andThen(reply(to, undefined))
        ),
      leave: (_, to, _caps, badge) =>
        Effect.gen(function* () {
          const { tenancy } = homeOf(badge)
          for (const n of [...tenancy.blocks.keys()]) yield* estate.takeBack(tenancy, n)
          yield* settle
          if (consumed !== undefined)
            for (const [name, schedContext] of times) consumed(name, yield* SchedContext_Consumed(schedContext))
          return yield* reply(to, undefined)
        })
    })
  })
