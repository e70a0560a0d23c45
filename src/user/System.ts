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
 *       isolated: [["client", "driver"]]
 *     })
 *     export default rootTask(startSystem(system))
 */
import { Effect } from "effect"
import { type AnyCap, type Cap, kindOf, vouchedUnsafe } from "../types/Capability.ts"
import type { Kind, RightOf } from "../types/Kind.ts"
import { objectTypes } from "../types/ObjectType.ts"
import type { Protocol, ProtocolClass } from "../types/Protocol.ts"
import * as Rights from "../types/Rights.ts"
import type { CapsIn, Checked, Grant, Slots, Spec, Task, TaskSpec, Thing } from "../types/System.ts"
import type { Allocator, NotMade } from "./Allocator.ts"
import { BootInfo } from "./BootInfo.ts"
import { derive, discard } from "./Capabilities.ts"
import { Endpoint_Create } from "./Endpoint.ts"
import { AddressSpace_Map, create, Frame_Create } from "./Memory.ts"
import { IOPort_Create } from "./Ports.ts"
import { addressOfSlot } from "./Shared.ts"
import { type Caps, type Spawner, type Started, spawn } from "./Spawn.ts"
import type { Syscalls } from "./Syscalls.ts"

/** A program of a system: what it has by which names, and what it does with that. */
export const task = <const S extends Slots, A, E, R>(
  slots: S,
  body: (caps: CapsIn<S>) => Effect.Effect<A, E, R>
): Task<S, Exclude<R, Syscalls | Allocator>> => ({ slots, body })

/** A system that the compiler has found to be in order. */
export interface System<S extends Spec = Spec> {
  readonly spec: S
}

export const defineSystem = <const S extends Spec>(spec: [S] extends [Checked<S>] ? S : Checked<S>): System<S> => ({
  spec: spec as S
})

type Needed = Syscalls | Allocator | Spawner | BootInfo

/**
 * Make the objects of a system, then its tasks, each with exactly what it is granted. Nobody but the program that calls this has
 * more; no task runs before that waits.
 */
export const startSystem = <S extends Spec>({
  spec
}: System<S>): Effect.Effect<{ readonly [T in keyof S["tasks"]]: Started }, NotMade, Needed> =>
  Effect.gen(function* () {
    const objects = new Map<string, AnyCap>()
    for (const [name, object] of Object.entries(spec.objects)) objects.set(name, yield* make(object))
    const started: Array<readonly [string, Started]> = []
    for (const [name, task] of Object.entries(spec.tasks)) started.push([name, yield* startTask(name, task, objects)])
    return Object.fromEntries(started) as { readonly [T in keyof S["tasks"]]: Started }
  })

const make = (object: Thing): Effect.Effect<AnyCap, NotMade, Needed> => {
  if (isProtocol(object)) return Endpoint_Create(object)
  if (typeof object === "string") return create(object)
  if ("device" in object) return Frame_Create(object.address, object.device)
  if ("ports" in object) {
    const [first, last] = object.ports
    return Effect.flatMap(BootInfo, ({ ioPortControl }) => IOPort_Create(ioPortControl, first, last))
  }
  const [type, size] = object
  return create(type, size)
}

/** Whether it is an endpoint where a protocol is spoken. */
export const isProtocol = (object: Thing): object is ProtocolClass<Protocol> => typeof object === "function"

const startTask = Effect.fnUntraced(function* (
  name: string,
  { program, priority, time, memory, grants }: TaskSpec,
  objects: ReadonlyMap<string, AnyCap>
) {
  const granted: Array<readonly [string, AnyCap]> = []
  const from = ({ to, rights, badge }: Grant) => derive(objects.get(to)!, rights, badge)
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
const grantsOf = (program: Task, grants: TaskSpec["grants"]): ReadonlyArray<readonly [slot: string, Grant]> =>
  Object.keys(program.slots).flatMap((slot) => {
    const grant = grants[slot]
    return grant === undefined ? [] : [[slot, grant] as const]
  })

/** What a task has is in its slots from here on. */
const firstSlot = 1

/** One capability of one task. */
export interface Entry {
  readonly task: string
  readonly slot: number
  /** What the program calls it; and what its own thread, table and memory are called. */
  readonly name: string
  /** What the system calls what it is of. */
  readonly object: string
  readonly kind: Kind
  readonly rights: ReadonlyArray<string>
  readonly badge: bigint | undefined
}

/** Who has what, when a system has been started. */
export const distribution = ({ spec }: System): ReadonlyArray<Entry> =>
  Object.entries(spec.tasks).flatMap(([task, { program, grants, memory }]) => {
    const granted = grantsOf(program, grants).map(([name, { to, rights, badge }], index) => ({
      ...{ task, slot: firstSlot + index, name, object: to, kind: kindOfObject(spec.objects[to]!) },
      ...{ rights: inOrder(kindOfObject(spec.objects[to]!), rights), badge }
    }))
    const own = (index: number, name: string, kind: Kind, rights: ReadonlyArray<string>): Entry => ({
      ...{ task, slot: firstSlot + granted.length + index, name, object: `${task}.${name}`, kind, rights },
      badge: undefined
    })
    return [
      ...granted,
      own(0, "thread", "TCB", ["run"]),
      own(1, "table", "CNode", Rights.toNames("CNode", Rights.heldAll("CNode"))),
      ...(memory === undefined ? [] : [own(2, "memory", "Untyped", ["retype"])])
    ]
  })

const inOrder = <K extends Kind>(kind: K, rights: ReadonlyArray<string>): ReadonlyArray<string> =>
  Rights.toNames(kind, Rights.fromNames(kind, rights as ReadonlyArray<RightOf<K>>))

const kindOfObject = (object: Thing): Kind => {
  if (isProtocol(object)) return "Endpoint"
  if (typeof object === "string") return objectTypes[object].makes
  if ("device" in object) return "Frame"
  return "ports" in object ? "IOPort" : objectTypes[object[0]].makes
}

/** The distribution as a table of text, a capability a line. */
export const show = (system: System): string => {
  const rows = distribution(system).map(({ task, slot, name, object, kind, rights, badge }) => [
    ...[task, `${slot}`, name, kind, object, rights.join("+") || "none"],
    badge === undefined ? "" : `badge ${badge}`
  ])
  const table = [["task", "slot", "name", "kind", "object", "rights", ""], ...rows]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
