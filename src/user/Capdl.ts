/**
 * Capdl: a system in the capability distribution language, for the tools that read it. "capDL Language Specification".
 *
 * It says what there is once the system has been started: objects, who holds what, and what is mapped where. The language knows the
 * rights to read (R), write (W), grant (G), grant replies (P) and execute (X); rights of other kinds stand in comments.
 */
import { gateRom } from "../types/Architecture.ts"
import { type ObjectType, objectTypes } from "../types/ObjectType.ts"
import type { Interrupt, TaskSpec, Thing } from "../types/System.ts"
import { distribution, type Entry } from "./Distribution.ts"
import { addressOfSlot } from "./Shared.ts"
import { cnodeBits, turn } from "./Spawn.ts"
import { isSpoken, type System } from "./System.ts"

/** The system as capDL. What the tasks' common starter keeps is no part of it. */
export const toCapdl = (system: System): string => {
  const { objects, tasks } = system.spec
  const entries = distribution(system)
  const spaces = Object.keys(tasks).map((task) => new Tables(task, pagesOf(task, entries, objects)))
  return [
    "arch x86_64",
    "",
    "objects {",
    ...Object.entries(objects).map(([name, thing]) => `  ${id(name)} = ${objectOf(thing)}`),
    `  gate = frame (4k, paddr: ${hex(gateRom.address)})`,
    ...Object.entries(tasks).flatMap(([task, spec]) => taskObjects(task, spec)),
    ...spaces.flatMap((space) => space.objects()),
    "}",
    "",
    "caps {",
    ...Object.keys(tasks).flatMap((task) => [...threadCaps(task), ...tableCaps(task, entries)]),
    ...spaces.flatMap((space) => space.caps()),
    "}",
    ""
  ].join("\n")
}

/** Identifiers are letters, digits, _ and @, and begin with a letter. */
const id = (name: string): string => name.replace(/[^A-Za-z0-9_@]/g, "_").replace(/^(?![A-Za-z])/, "x")
const hex = (number: number): string => `0x${number.toString(16)}`

// biome-ignore format: a type, a line
const objectNames: { readonly [T in ObjectType]?: (size: number) => string } = {
  Untyped:       (size) => `ut (${size} bits)`,
  TCB:           () => "tcb",
  Endpoint:      () => "ep",
  Notification:  () => "notification",
  CapTable:      (size) => `cnode (${size} bits)`,
  SchedContext:  (size) => `sc (${size} bits)`,
  Reply:         () => "rtreply",
  PML4:          () => "pml4",
  PDPT:          () => "pdpt",
  PageDirectory: () => "pd",
  PageTable:     () => "pt",
  Page4K:        () => "frame (4k)",
  LargePage:     () => "frame (2M)",
  HugePage:      () => "frame (1024M)",
  VCPU:          () => "vcpu"
}

const objectOf = (thing: Thing): string => {
  if (isSpoken(thing)) return "ep"
  if (typeof thing === "object" && "ports" in thing) return `io_ports (ports: [${thing.ports.join("..")}])`
  if (typeof thing === "object" && "device" in thing)
    return `${named(thing.device, 0).slice(0, -1)}, paddr: ${hex(thing.address)})`
  if (typeof thing === "object" && "interrupt" in thing) return irq(thing)
  return typeof thing === "string" ? named(thing, 0) : named(thing[0], thing[1])
}

const irq = ({ interrupt }: Interrupt): string => {
  if (!("pin" in interrupt)) {
    const { handle, bus, device, function: of } = interrupt
    return `msi_irq (handle: ${handle}, bus: ${bus}, dev: ${device}, fun: ${of})`
  }
  const { ioapic, pin, trigger, polarity } = interrupt
  return `ioapic_irq (apic: ${ioapic}, pin: ${pin}, level: ${Number(trigger === "level")}, polarity: ${Number(polarity === "low")})`
}

const named = (type: ObjectType, size: number): string => {
  const name = objectNames[type]
  if (name === undefined) throw new Error(`capDL has no name for an object of type ${type}`)
  return name(size)
}

const bufferAddress = gateRom.address + 2 ** gateRom.bits

const taskObjects = (task: string, { priority, time, memory }: TaskSpec): ReadonlyArray<string> => {
  const { budget, period } = time ?? turn
  const name = id(task)
  const registers = `addr: ${hex(bufferAddress)}, ip: ${hex(gateRom.address)}, sp: 0x0`
  return [
    `  ${name}_thread = tcb (${registers}, prio: ${priority}, max_prio: ${priority}, affinity: 0)`,
    `  ${name}_table = cnode (${cnodeBits} bits)`,
    `  ${name}_time = sc (period: ${period}, budget: ${budget}, data: 0, 7 bits)`,
    `  ${name}_buffer = frame (4k)`,
    ...(memory === undefined ? [] : [`  ${name}_memory = ut (${memory} bits)`])
  ]
}

const threadCaps = (task: string): ReadonlyArray<string> => {
  const name = id(task)
  return [
    `  ${name}_thread {`,
    // The guard is for the other bits of a capability pointer.
    `    cspace: ${name}_table (guard: 0, guard_size: ${64 - cnodeBits})`,
    `    vspace: ${name}_space`,
    `    ipc_buffer_slot: ${name}_buffer (RW)`,
    `    sc_slot: ${name}_time`,
    "  }"
  ]
}

const tableCaps = (task: string, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => [
  `  ${id(task)}_table {`,
  ...entries
    .filter((entry) => entry.task === task)
    .map((entry) => {
      const { known, others } = rightsOf(entry)
      const params = [...(known === "" ? [] : [known]), ...(entry.badge === undefined ? [] : [`badge: ${entry.badge}`])]
      const said = params.length === 0 ? "" : ` (${params.join(", ")})`
      return `    ${hex(entry.slot)}: ${id(entry.object)}${said}${others.length === 0 ? "" : ` -- ${others.join(", ")}`}`
    }),
  "  }"
]

const letters: Readonly<Record<string, string>> = { read: "R", write: "W", grant: "G", grantReply: "P", execute: "X" }
const lettered: ReadonlyArray<string> = ["Endpoint", "Notification", "Frame"]

/** The rights that the language has letters for, in its order, and the others. */
const rightsOf = ({ kind, rights }: Entry) =>
  lettered.includes(kind)
    ? {
        known: Object.keys(letters)
          .flatMap((right) => (rights.includes(right) ? [letters[right]!] : []))
          .join(""),
        others: []
      }
    : { known: "", others: rights }

/** A page of a task's address space. */
interface Page {
  readonly address: number
  readonly bits: number
  readonly frame: string
  readonly rights: string
}

/** The gate, the IPC buffer, and each frame that the task is granted. */
const pagesOf = (
  task: string,
  entries: ReadonlyArray<Entry>,
  objects: Readonly<Record<string, Thing>>
): ReadonlyArray<Page> => [
  { address: gateRom.address, bits: gateRom.bits, frame: "gate", rights: "RX" },
  { address: bufferAddress, bits: 12, frame: `${id(task)}_buffer`, rights: "RW" },
  ...entries
    .filter((entry) => entry.task === task && entry.kind === "Frame")
    .map((entry) => ({
      address: addressOfSlot(entry.slot),
      bits: frameBits(objects[entry.object]!),
      frame: id(entry.object),
      rights: rightsOf(entry).known
    }))
]

const frameBits = (thing: Thing): number => {
  const type = typeof thing === "object" && "device" in thing ? thing.device : thing
  const row = typeof type === "string" ? objectTypes[type] : undefined
  if (row === undefined || row.makes !== "Frame" || !("bits" in row)) throw new Error("only a frame is mapped")
  return row.bits
}

/** The levels of the tables that translate an address, from the root down: what they are called, and their lowest bit. */
const levels = [
  { type: "pml4", shift: 39 },
  { type: "pdpt", shift: 30 },
  { type: "pd", shift: 21 },
  { type: "pt", shift: 12 }
] as const

/** The tables of one task's address space. A table is named by the first address that it translates. */
class Tables {
  readonly #root: string
  /** The contents of each table, by its name. */
  readonly #tables = new Map<string, { readonly type: string; readonly slots: Map<number, string> }>()

  constructor(task: string, pages: ReadonlyArray<Page>) {
    this.#root = `${id(task)}_space`
    this.#tables.set(this.#root, { type: "pml4", slots: new Map() })
    for (const page of pages) this.#map(page)
  }

  #map({ address, bits, frame, rights }: Page): void {
    let table = this.#root
    for (const [depth, { shift }] of levels.entries()) {
      const { slots } = this.#tables.get(table)!
      const index = Math.floor(address / 2 ** shift) % 512
      if (shift === bits) {
        slots.set(index, `${frame} (${rights})`)
        return
      }
      const below = `${this.#root}_${levels[depth + 1]!.type}_${(Math.floor(address / 2 ** shift) * 2 ** shift).toString(16)}`
      if (!this.#tables.has(below)) this.#tables.set(below, { type: levels[depth + 1]!.type, slots: new Map() })
      slots.set(index, below)
      table = below
    }
  }

  objects(): ReadonlyArray<string> {
    return [...this.#tables].map(([name, { type }]) => `  ${name} = ${type}`)
  }

  caps(): ReadonlyArray<string> {
    return [...this.#tables].flatMap(([name, { slots }]) => [
      `  ${name} {`,
      ...[...slots].sort(([a], [b]) => a - b).map(([index, cap]) => `    ${hex(index)}: ${cap}`),
      "  }"
    ])
  }
}
