/**
 * System: tasks, what they share, and what each may do, in one literal; and starting exactly that.
 *
 *     const client = task({ console: Console }, ({ console }) => print(console, "Hello\n"))
 *     const system = defineSystem({
 *       objects: { screen: Console, ... },
 *       tasks: {
 *         client: { program: client, priority: 100, grants: { console: { to: "screen", rights: ["write", "grantReply"] } } },
 *         ...
 *       },
 *       isolated: [["client", "driver"]],
 *       trusted: ["console"]
 *     })
 *     export default rootTask(startSystem(system))
 */
import { Effect } from "effect"
import { type AnyCap, type Cap, type Endpoint, kindOf, vouchedUnsafe } from "../types/Capability.ts"
import type { RightOf } from "../types/Kind.ts"
import { objectTypes } from "../types/ObjectType.ts"
import type { Protocol, ProtocolClass } from "../types/Protocol.ts"
import type {
  CapsIn,
  Checked,
  ClientIn,
  Each,
  Grant,
  KindOfObject,
  ProtocolAt,
  ServerUses,
  Slots,
  Spec,
  Starter,
  Task,
  TaskSpec,
  Thing
} from "../types/System.ts"
import type { Allocator, NotMade } from "./Allocator.ts"
import { BootInfo, type Full } from "./BootInfo.ts"
import { badgeWord, derive, discard } from "./Capabilities.ts"
import { Endpoint_Create } from "./Endpoint.ts"
import { IRQControl_GetIOAPIC, IRQControl_GetMSI } from "./Interrupts.ts"
import { AddressSpace_Create, AddressSpace_Map, create, Frame_Create } from "./Memory.ts"
import { IOPort_Create } from "./Ports.ts"
import { addressOfSlot } from "./Shared.ts"
import { type Caps, Spawner, type Started, spawn } from "./Spawn.ts"
import type { Syscalls } from "./Syscalls.ts"

/** A program of a system: what it has by which names, and what it does with that. */
export const task = <const S extends Slots, A, E, R>(
  slots: S,
  body: (caps: CapsIn<S>) => Effect.Effect<A, E, R>
): Task<S, Exclude<R, Syscalls | Allocator>> => ({ slots, body })

/**
 * A program of a system that serves others: it has the same of each of its clients. Clients that are left out of the system are not
 * among those that its body sees.
 */
export const serverTask = <const N extends string, const S extends Slots, const C extends Slots, A, E, R>(
  names: ReadonlyArray<N>,
  own: S,
  each: C,
  body: (caps: CapsIn<S>, clients: ReadonlyArray<ClientIn<N, C>>) => Effect.Effect<A, E, R>
): Task<S & Each<N, C>, ServerUses<N, Exclude<R, Syscalls | Allocator>>> => {
  const fields = Object.keys(each)
  const slots: Slots = { ...own }
  for (const name of names) for (const field of fields) Object.assign(slots, { [`${name}.${field}`]: each[field] })
  const clientsIn = (caps: Caps) =>
    names.flatMap((name) => {
      const client = fields.flatMap((field) => {
        const cap = caps[`${name}.${field}`]
        return cap === undefined ? [] : [[field, cap] as const]
      })
      return client.length < fields.length ? [] : [{ name, ...Object.fromEntries(client) } as ClientIn<N, C>]
    })
  return {
    slots: slots as S & Each<N, C>,
    body: (caps: CapsIn<S> & Caps) => body(caps, clientsIn(caps))
  }
}

const typeId = "~skyscope/System"

/** A system that the compiler has found to be in order. */
export interface System<S extends Spec = Spec> {
  readonly [typeId]: typeof typeId
  readonly spec: S
}

export const defineSystem = <const S extends Spec>(spec: [S] extends [Checked<S>] ? S : Checked<S>): System<S> => ({
  [typeId]: typeId,
  spec: spec as S
})

/**
 * The same system without some of its tasks and objects; what is granted of those is granted to nobody. In the slots of such grants a
 * program finds nothing. What the compiler has found of the whole is so of the part: nobody has more than before, and no information a way
 * that it did not have.
 */
export const without = <S extends Spec>(
  { spec }: System<S>,
  tasks: ReadonlySet<string>,
  objects: ReadonlySet<string>
): PartOf<S> => {
  const kept = <T>(all: Readonly<Record<string, T>>, isKept: (name: string, one: T) => boolean) =>
    Object.fromEntries(Object.entries(all).filter(([name, one]) => isKept(name, one)))
  const part: Spec = {
    objects: kept(spec.objects, (name) => !objects.has(name)),
    tasks: Object.fromEntries(
      Object.entries(kept(spec.tasks, (name) => !tasks.has(name))).map(([name, one]) => [
        name,
        { ...one, grants: kept(one.grants, (_, { to }) => !objects.has(to)) }
      ])
    ),
    isolated: (spec.isolated ?? []).filter((pair) => !pair.some((name) => tasks.has(name))),
    trusted: (spec.trusted ?? []).filter((name) => !tasks.has(name) && !objects.has(name))
  }
  return { [typeId]: typeId, spec: part }
}

/** A system, or what is left of it: what of it there is, is as it was. */
export interface PartOf<S extends Spec> {
  readonly [typeId]: typeof typeId
  readonly spec: Spec
  readonly [whole]?: S
}
declare const whole: unique symbol

export const isSystem = (value: unknown): value is System =>
  typeof value === "object" && value !== null && typeId in value

type Needed = Syscalls | Allocator | Spawner | BootInfo

/**
 * Make the objects of a system, then its tasks, each with exactly what it is granted. Nobody but the program that calls this has
 * more; no task runs before that waits.
 */
export const startSystem = <S extends Spec>(
  system: System<S>
): Effect.Effect<{ readonly [T in keyof S["tasks"]]: Started }, NotMade, Needed> =>
  Effect.map(startWhole(system), ({ tasks }) => tasks)

/** The same; whoever calls this keeps the objects as well, and can do with them what no task of the system is granted. */
export const startWhole = <S extends Spec>(system: System<S>): Effect.Effect<Whole<S>, NotMade, Needed> =>
  Effect.map(started(system), (made) => made as Whole<S>)

/** The same of what may be a part. */
export const startPart = <S extends Spec>(system: System<S> | PartOf<S>): Effect.Effect<Made<S>, NotMade, Needed> =>
  Effect.map(started(system), (made) => made as Made<S>)

const started = Effect.fnUntraced(function* ({ spec }: PartOf<Spec>) {
  const objects = new Map<string, AnyCap>()
  for (const [name, object] of Object.entries(spec.objects)) objects.set(name, yield* make(object))
  const tasks: Array<readonly [string, Started]> = []
  for (const [name, task] of Object.entries(spec.tasks)) tasks.push([name, yield* startTask(name, task, objects)])
  return { objects: Object.fromEntries(objects) as unknown, tasks: Object.fromEntries(tasks) as unknown }
})

/** What was made of a system. */
export interface Whole<S extends Spec> {
  readonly objects: { readonly [O in keyof S["objects"]]: Of<Exclude<S["objects"][O], undefined>> }
  readonly tasks: { readonly [T in keyof S["tasks"]]: Started }
}

/** What was made of a part of one. */
export interface Made<S extends Spec> {
  readonly objects: Partial<Whole<S>["objects"]>
  readonly tasks: Partial<Whole<S>["tasks"]>
}

/** The capability that was made of a thing, with every right. */
type Of<O> = [ProtocolAt<O>] extends [never] ? Full<KindOfObject<O>> : Endpoint<ProtocolAt<O>, RightOf<"Endpoint">>

const make = (object: Thing): Effect.Effect<AnyCap, NotMade, Needed> => {
  if (isSpoken(object)) return Endpoint_Create(protocolAt(object))
  if (typeof object === "string") {
    return objectTypes[object].makes === "AddressSpace"
      ? Effect.flatMap(Spawner, ({ asidPool }) => AddressSpace_Create(asidPool))
      : create(object)
  }
  if ("device" in object) return Frame_Create(object.address, object.device)
  if ("interrupt" in object) {
    const { interrupt } = object
    return Effect.flatMap(BootInfo, ({ irqControl }) =>
      "pin" in interrupt ? IRQControl_GetIOAPIC(irqControl, interrupt) : IRQControl_GetMSI(irqControl, interrupt)
    )
  }
  if ("ports" in object) {
    const [first, last] = object.ports
    return Effect.flatMap(BootInfo, ({ ioPortControl }) => IOPort_Create(ioPortControl, first, last))
  }
  const [type, size] = object
  return create(type, size)
}

/** Whether it is an endpoint where a protocol is spoken, whoever answers. */
export const isSpoken = (object: Thing): object is ProtocolClass<Protocol> | Starter =>
  typeof object === "function" || (typeof object === "object" && "starter" in object)

/** The protocol that is spoken there. */
export const protocolAt = (object: ProtocolClass<Protocol> | Starter): ProtocolClass<Protocol> =>
  "starter" in object ? object.starter : object

const startTask = Effect.fnUntraced(function* (
  name: string,
  { program, priority, time, memory, grants }: TaskSpec,
  objects: ReadonlyMap<string, AnyCap>
) {
  const granted: Array<readonly [string, AnyCap]> = []
  const from = ({ to, rights, badge }: Grant) => {
    const object = objects.get(to)!
    return derive(object, rights, badge === undefined ? undefined : badgeWord(badge, object))
  }
  for (const [slot, grant] of grantsOf(program, grants)) granted.push([slot, yield* from(grant)])
  const options = { name, priority, ...(time && { time }), ...(memory !== undefined && { memory }) }
  const started = yield* spawn({ ...options, gives: Object.fromEntries(granted) }, bodyOf(program))
  // What was only there to be given on.
  for (const [, cap] of granted) yield* discard(cap)
  for (const [index, [, grant]] of grantsOf(program, grants).entries()) {
    if (kindOf(objects.get(grant.to)!) !== "Frame") continue
    yield* AddressSpace_Map(
      started.addressSpace,
      addressOfSlot(firstSlot + index),
      vouchedUnsafe<Cap<"Frame", RightOf<"Frame">>>(yield* from(grant)),
      grant.rights as ReadonlyArray<RightOf<"Frame">>
    )
  }
  return started
})

/** The body wants capabilities by name; that its effect says what it uses of them is for the compiler alone. */
const bodyOf = ({ body }: Task) => body as (caps: Caps) => Effect.Effect<unknown, unknown, Syscalls | Allocator>

/** A task's grants in the order of its program's slots. */
export const grantsOf = (program: Task, grants: TaskSpec["grants"]): ReadonlyArray<readonly [slot: string, Grant]> =>
  Object.keys(program.slots).flatMap((slot) => {
    const grant = grants[slot]
    return grant === undefined ? [] : [[slot, grant] as const]
  })

/** What a task has is in its slots from here on. */
export const firstSlot = 1
