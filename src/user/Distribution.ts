/** Distribution: who has what of a system that has been started, and how it is shown. */
import type { Kind, RightOf } from "../types/Kind.ts"
import { objectTypes } from "../types/ObjectType.ts"
import { badgeOf } from "../types/Protocol.ts"
import * as Rights from "../types/Rights.ts"
import type { Thing } from "../types/System.ts"
import { turn } from "./Spawn.ts"
import { firstSlot, grantsOf, isSpoken, protocolAt, type System } from "./System.ts"

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
  /** Whose badge it is, if the protocol that is spoken there knows. */
  readonly client: string | undefined
}

/** Who has what, when a system has been started. */
export const distribution = ({ spec }: System): ReadonlyArray<Entry> =>
  Object.entries(spec.tasks).flatMap(([task, { program, grants, memory }]) => {
    const granted = grantsOf(program, grants).map(([name, { to, rights, badge }], index) => ({
      ...{ task, slot: firstSlot + index, name, object: to, kind: kindOfObject(spec.objects[to]!) },
      ...{ rights: inOrder(kindOfObject(spec.objects[to]!), rights), ...marked(spec.objects[to]!, badge) }
    }))
    const own = (index: number, name: string, kind: Kind, rights: ReadonlyArray<string>): Entry => ({
      ...{ task, slot: firstSlot + granted.length + index, name, object: `${task}.${name}`, kind, rights },
      ...marked("TCB", undefined)
    })
    return [
      ...granted,
      own(0, "thread", "TCB", ["run"]),
      own(1, "table", "CNode", Rights.toNames("CNode", Rights.heldAll("CNode"))),
      ...(memory === undefined ? [] : [own(2, "memory", "Untyped", ["retype"])])
    ]
  })

const marked = (object: Thing, badge: bigint | string | undefined): Pick<Entry, "badge" | "client"> =>
  typeof badge === "string" && isSpoken(object)
    ? { badge: badgeOf(protocolAt(object).protocol, badge), client: badge }
    : { badge: typeof badge === "bigint" ? badge : undefined, client: undefined }

const inOrder = <K extends Kind>(kind: K, rights: ReadonlyArray<string>): ReadonlyArray<string> =>
  Rights.toNames(kind, Rights.fromNames(kind, rights as ReadonlyArray<RightOf<K>>))

const kindOfObject = (object: Thing): Kind => {
  if (isSpoken(object)) return "Endpoint"
  if (typeof object === "string") return objectTypes[object].makes
  if ("device" in object) return "Frame"
  if ("interrupt" in object) return "IRQHandler"
  return "ports" in object ? "IOPort" : objectTypes[object[0]].makes
}

/** The distribution as a table of text, a capability a line. */
export const show = (system: System): string =>
  table(
    ["task", "slot", "name", "kind", "object", "rights", ""],
    distribution(system).map(({ task, slot, name, object, kind, rights, badge, client }) => [
      ...[task, `${slot}`, name, kind, object, rights.join("+") || "none"],
      badge === undefined ? "" : `badge ${badge}${client === undefined ? "" : ` (${client})`}`
    ])
  )

/** When each task runs, what memory it has of its own, and of whom it learns nothing, as a table of text; and who is trusted that it is so. */
export const showTasks = ({ spec }: System): string =>
  [
    tableOfTasks(spec),
    ...(spec.trusted ?? []).map((name) => `${name} is trusted to keep those apart that it serves`)
  ].join("\n")

const tableOfTasks = (spec: System["spec"]): string =>
  table(
    ["task", "priority", "time", "memory", "learns nothing of"],
    Object.entries(spec.tasks).map(([task, { priority, time = turn, memory }]) => [
      ...[task, `${priority}`, `${time.budget} of ${time.period} µs`],
      memory === undefined ? "none" : `2^${memory} bytes`,
      (spec.isolated ?? []).flatMap(([one, other]) => (one === task ? [other] : other === task ? [one] : [])).join(", ")
    ])
  )

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}
