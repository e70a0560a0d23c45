/**
 * Root tasks by chance: a grammar of what programs do with capabilities, and what of it types do not see.
 *
 * A program is mostly about what is there, and sometimes about anything. While it is written, it is followed what each name stands
 * for: not to know whether it compiles, which is the compiler's to say, but to know of which statements types promise nothing, as
 * docs/types.md says who catches them: what was revoked, an alias of what was given up, an address that is taken, a count that is out
 * of date. Each such statement is marked.
 */
import type { Chance } from "./chance.ts"

export interface RootTask {
  readonly text: string
  /** Statements that may be refused when they are done, as task:number. */
  readonly doubtful: ReadonlySet<string>
}

/** What all programs begin with. */
export const head: ReadonlyArray<string> = [
  'import { Effect, Schema } from "effect"',
  'import * as S from "../../src/user/index.ts"',
  'import { at } from "../../scripts/soundness/reached.ts"',
  'class Shop extends S.protocol("shop", {',
  "  add: { request: Schema.Int, reply: Schema.Int },",
  "  say: { request: Schema.String, reply: Schema.String, error: Schema.Boolean },",
  '  give: { request: Schema.Void, reply: Schema.Void, sends: { bell: S.capOf("Notification", ["write"]) } },',
  '  take: { request: Schema.Void, reply: Schema.Int, returns: { bell: S.capOf("Notification", ["write"]) } }',
  '}, { clients: ["ann", "ben"] }) {}'
]

/** A capability, by however many names. */
interface Cell {
  spent: boolean
  /** Deleted when something was revoked that it was derived from. */
  gone: boolean
  /** All that was derived from it was deleted. */
  revoked: boolean
  /** Of a frame: where it was mapped through this capability. */
  mappedAt: string | undefined
}

/** What a name stands for. */
interface Name {
  readonly name: string
  readonly kind: string
  readonly rights: ReadonlyArray<string>
  readonly cell: Cell
  /** The cells from which it was derived. */
  readonly from: ReadonlyArray<Cell>
  /** What it is of, and what is known of that. */
  readonly object: Thing
  readonly size?: string
  readonly isBadged?: boolean
  /** An address space that has its identifier. */
  readonly isPlaced?: boolean
  /** Memory that is counted, and is now so by another name. */
  stale?: boolean
}

interface Thing {
  /** Slots in use of a CNode, addresses of an address space, children of memory. */
  readonly used: Set<string>
  /** It has its one scheduling context, notification or thread; an address space, its identifier. */
  taken: Set<string>
}

const thing = (): Thing => ({ used: new Set(), taken: new Set() })
const cell = (gone: boolean): Cell => ({ spent: false, gone, revoked: false, mappedAt: undefined })

/** Rights of each kind: those that programs give, and now and then all. */
const kinds: Readonly<Record<string, ReadonlyArray<string>>> = {
  Endpoint: ["write", "read", "grant", "grantReply"],
  Notification: ["write", "read"],
  Frame: ["write", "read", "execute"],
  AddressSpace: ["map", "unmap", "assign", "bind"],
  CNode: ["take", "put", "delete"],
  TCB: ["configure", "readRegisters", "writeRegisters", "run", "schedule"],
  SchedContext: ["configure", "bind", "consume"],
  Reply: ["grant", "send", "receive"],
  Untyped: ["retype"],
  IOPort: ["in", "out"]
}

const types = [
  ...["Notification", "Notification", "Endpoint", "Page4K", "Page4K", "LargePage", "PML4", "TCB", "Reply"],
  ...['"CapTable", 4', '"SchedContext", 8', '"Untyped", 13']
]
const made: Readonly<Record<string, string>> = {
  ...{ Page4K: "Frame", LargePage: "Frame", PML4: "AddressSpace", CapTable: "CNode" }
}
const addresses = ["0x1000", "0x2000", "0x40_0000", "0x60_0000", "0x80_0000", "0x7fff_ffe0_0000"]
const noAddresses = ["0x1800", "0x7fff_ffff_f000", "0x8000_0000_0000", "0xfoo"]

/** What a task knows, and writes. */
interface Scope {
  readonly task: string
  readonly names: Array<Name>
  /** Nothing but what it says itself. */
  readonly depth: number
}

export const rootTask = (chance: Chance, number: number): RootTask => {
  const doubtful = new Set<string>()
  let [names, statements] = [0, 0]
  let doubt = false
  /** Tasks that were started, and what their capabilities were derived from. */
  const children: Array<{ readonly task: string; readonly cells: ReadonlyArray<Cell> }> = []

  const { below, one, rarely } = chance
  const blind = (): boolean => rarely(70)
  const fresh = (): string => `n${names++}`

  /** Whether what a name stands for may be gone, or is used by a name that types think is good. */
  const doubts = (of: Name | undefined): void => {
    if (of === undefined) return
    if (of.cell.gone || of.cell.spent || of.stale === true) doubt = true
  }

  /** A name for an argument: one that fits, or now and then any. What is used is looked at. */
  const pick = (scope: Scope, fits: (of: Name) => boolean): Name | undefined => {
    const fitting = scope.names.filter((of) => !of.cell.spent && of.stale !== true && !of.cell.gone && fits(of))
    const any = blind() ? scope.names : fitting.length > 0 && !rarely(40) ? fitting : scope.names.filter(fits)
    if (any.length === 0) return undefined
    const picked = one(any)
    doubts(picked)
    return picked
  }
  const ofKind =
    (kind: string, ...rights: ReadonlyArray<string>) =>
    (of: Name): boolean =>
      of.kind === kind && rights.every((right) => of.rights.includes(right))

  /** Some of the rights that a capability has, or now and then of those that there are. */
  const someRights = (of: Name): ReadonlyArray<string> => {
    const from = blind() ? (kinds[of.kind] ?? []) : of.rights
    const some = from.filter(() => below(4) > 0)
    return blind() ? [...some, one(["read", "write", "grant", "map"])] : some
  }
  const list = (rights: ReadonlyArray<string>): string => `[${rights.map((right) => `"${right}"`).join(", ")}]`

  const add = (scope: Scope, kind: string, more: Partial<Name> = {}): Name => {
    const of = { name: fresh(), kind, rights: kinds[kind] ?? [], cell: cell(false), from: [] }
    const added = { ...of, object: thing(), ...more }
    scope.names.push(added)
    return added
  }
  const derived = (scope: Scope, of: Name, rights: ReadonlyArray<string>, more: Partial<Name> = {}): Name =>
    add(scope, of.kind, {
      ...{
        rights: rights.filter((right) => of.rights.includes(right)),
        from: [of.cell, ...of.from],
        object: of.object
      },
      ...(of.size !== undefined && { size: of.size }),
      ...(of.isBadged !== undefined && { isBadged: of.isBadged }),
      ...(of.isPlaced !== undefined && { isPlaced: of.isPlaced }),
      ...{ cell: cell(of.cell.gone || of.cell.spent) },
      ...more
    })

  type Statement = (scope: Scope) => string | undefined

  const create: Statement = (scope) => {
    const type = one(types)
    const [, bare] = /(\w+)/.exec(type)!
    const of = add(scope, made[bare!] ?? bare!, /Page/.test(type) ? { size: bare! } : {})
    return `const ${of.name} = yield* S.create(${type.includes('"') ? type : `"${type}"`})`
  }

  const copy: Statement = (scope) => {
    const of = pick(
      scope,
      ({ kind, isPlaced }) => kind in kinds && (kind !== "AddressSpace" || isPlaced === true || rarely(30))
    )
    if (of === undefined) return undefined
    // Memory of which something is made has no copies.
    if (of.kind === "Untyped" && of.object.used.size > 0) doubt = true
    const rights = someRights(of)
    const as = derived(scope, of, rights)
    if (of.kind === "Untyped") as.object.used.add("copied")
    return `const ${as.name} = yield* S.Cap_Copy(${of.name}, ${list(rights)})`
  }

  const mint: Statement = (scope) => {
    const of = pick(
      scope,
      ({ kind, isBadged }) => (kind === "Notification" || kind === "Endpoint") && isBadged !== true
    )
    if (of === undefined) return undefined
    const rights = someRights(of)
    const as = derived(scope, of, rights, { isBadged: true })
    const badge = of.object.taken.has("Shop") && !blind() ? one(['"ann"', '"ben"']) : `${1 + below(9)}n`
    return `const ${as.name} = yield* S.Cap_Mint(${of.name}, ${list(rights)}, { badge: ${badge} })`
  }

  const remove: Statement = (scope) => {
    const of = pick(scope, () => true)
    if (of === undefined) return undefined
    const text = `${blind() ? "" : `S.consume(${of.name}); `}yield* S.Cap_Delete(${of.name})`
    of.cell.spent = true
    return text
  }

  const place = (cnode: Name): string => {
    const index = `${1 + below(14)}`
    if (cnode.object.used.has(index)) doubt = true
    cnode.object.used.add(index)
    return `{ cnode: ${cnode.name}, index: ${index}, depth: 4 }`
  }

  const move: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const cnode = pick(scope, ofKind("CNode", "put"))
    const of = pick(scope, () => true)
    if (of === undefined || cnode === undefined) return undefined
    // A table in itself is taken away with what it is found by.
    if (of.kind === "CNode") return undefined
    const text = `${blind() ? "" : `S.consume(${of.name}); `}yield* S.Cap_Move(${place(cnode)}, ${of.name})`
    of.cell.spent = true
    return text
  }

  const copyInto: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const cnode = pick(scope, ofKind("CNode", "put"))
    const of = pick(scope, ({ kind }) => kind in kinds && kind !== "Untyped" && kind !== "CNode")
    if (of === undefined || cnode === undefined || of.kind === "Untyped") return undefined
    return `yield* S.Cap_CopyInto(${place(cnode)}, ${of.name}, ${list(someRights(of))})`
  }

  const revoke: Statement = (scope) => {
    const of = pick(scope, () => true)
    if (of === undefined) return undefined
    of.cell.revoked = true
    for (const each of everything(scope)) if (each.from.includes(of.cell)) each.cell.gone = true
    return `yield* S.Cap_Revoke(${of.name})`
  }

  /** Names of all scopes: what is revoked in a loan is gone outside. */
  const all: Array<Name> = []
  const everything = (scope: Scope): ReadonlyArray<Name> => {
    for (const each of scope.names) if (!all.includes(each)) all.push(each)
    return all
  }

  const signal: Statement = (scope) => {
    const of = pick(scope, ofKind("Notification", "write"))
    return of && `yield* S.Signal(${of.name})`
  }
  const poll: Statement = (scope) => {
    const of = pick(scope, ofKind("Notification", "read"))
    // Nobody but the thread that it is bound to waits for it.
    if (of?.object.taken.has("bound")) doubt = true
    return of && `yield* S.${rarely(30) ? "Wait" : "Poll"}(${of.name})`
  }
  const send: Statement = (scope) => {
    const of = pick(scope, ofKind("Endpoint", "write"))
    const given = rarely(3) ? pick(scope, () => true) : undefined
    return (
      of &&
      `yield* S.Send(${of.name}, { words: [${below(9)}n]${given === undefined ? "" : `, caps: [${given.name}]`} })`
    )
  }
  const receive: Statement = (scope) => {
    const of = pick(scope, ofKind("Endpoint", "read"))
    const reply = rarely(2) ? pick(scope, ofKind("Reply", "receive")) : undefined
    return of && `yield* S.ReceivePoll(${of.name}${reply === undefined ? "" : `, ${reply.name}`})`
  }

  const space: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const as = add(scope, "AddressSpace", { isPlaced: true })
    as.object.taken.add("identifier")
    return `const ${as.name} = yield* S.AddressSpace_Create(asidPool)`
  }

  const assign: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const of = pick(scope, ({ kind, isPlaced }) => kind === "AddressSpace" && isPlaced !== true)
    if (of === undefined) return undefined
    if (of.object.taken.has("identifier")) doubt = true
    of.object.taken.add("identifier")
    const as = { ...of, name: fresh(), isPlaced: true }
    scope.names.push(as)
    return `const ${as.name} = yield* S.ASIDPool_Assign(asidPool, ${of.name})`
  }

  /** Copies of what the root task has from the start. */
  const bootCopy: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const [from, kind] = one([
      ["asidPool", "ASIDPool"],
      ["tcb", "TCB"],
      ...(blind() ? [["ioPortControl", "IOPortControl"]] : [])
    ])
    const rights = (kind === "ASIDPool" ? ["assign"] : ["readRegisters", "schedule"]).filter(() => !blind())
    const as = add(scope, kind!, { rights: [] })
    // It is the thread that runs, and has its time.
    if (kind === "TCB") as.object.taken.add("self").add("time")
    return `const ${as.name} = yield* S.Cap_Copy(${from}, ${list(rights)})`
  }

  const large = (address: string): string => `${Math.floor(Number(address.replaceAll("_", "")) / 2 ** 21)}`
  const map: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const within = pick(scope, (of) => ofKind("AddressSpace", "map")(of) && (of.isPlaced === true || rarely(30)))
    const frame = pick(scope, ofKind("Frame", "read"))
    if (within === undefined || frame === undefined) return undefined
    const address = one(blind() ? noAddresses : frame.size === "LargePage" ? addresses.slice(2) : addresses)
    const rights = blind()
      ? someRights(frame)
      : ["read", ...(frame.rights.includes("write") && rarely(2) ? ["write"] : [])]
    const { used } = within.object
    // A large page is not where a table is, and nothing where something is.
    const region = large(address)
    if (frame.cell.mappedAt !== undefined || used.has(address) || used.has(`${region} large`)) doubt = true
    if (frame.size === "LargePage" ? used.has(`${region} small`) : false) doubt = true
    used.add(address).add(`${region} ${frame.size === "LargePage" ? "large" : "small"}`)
    frame.cell.mappedAt = address
    return `yield* S.AddressSpace_Map(${within.name}, "${address}", ${frame.name}, ${list(rights)})`
  }
  const unmap: Statement = (scope) => {
    const frame = pick(scope, ofKind("Frame"))
    if (frame === undefined) return undefined
    frame.cell.mappedAt = undefined
    return `yield* S.Frame_Unmap(${frame.name})`
  }
  const unmapAt: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const within = pick(scope, (of) => ofKind("AddressSpace", "unmap")(of) && (of.isPlaced === true || rarely(30)))
    if (within === undefined) return undefined
    const address = one(addresses)
    const cells = new Set(everything(scope).map(({ cell }) => cell))
    const mapped = [...cells].filter(({ mappedAt, gone, spent }) => mappedAt === address && !gone && !spent)
    if (mapped.length !== 1 || !within.object.used.has(address)) doubt = true
    return `yield* S.AddressSpace_Unmap(${within.name}, "${address}")`
  }

  const thread: Statement = (scope) => {
    const within = pick(scope, (of) => ofKind("AddressSpace", "bind")(of) && (of.isPlaced === true || rarely(30)))
    const handler = rarely(2) ? pick(scope, ofKind("Endpoint", "write", "grant")) : undefined
    if (within === undefined) return undefined
    const as = add(scope, "TCB")
    return `const ${as.name} = yield* S.TCB_Create(${within.name}${handler === undefined ? "" : `, ${handler.name}`})`
  }
  const configure: Statement = (scope) => {
    const tcb = pick(scope, ofKind("TCB", "configure", "schedule"))
    const within = pick(scope, (of) => ofKind("AddressSpace", "bind")(of) && (of.isPlaced === true || rarely(30)))
    const cnode = pick(scope, ofKind("CNode", "take"))
    if (tcb === undefined || within === undefined || cnode === undefined || scope.task !== "root") return undefined
    const spaces = `vspaceRoot: ${within.name}, cspaceRoot: ${cnode.name}, cspaceBits: 4`
    return `yield* S.TCB_Configure(${tcb.name}, { ${spaces}, priority: ${below(200)}, authority: tcb })`
  }
  const run: Statement = (scope) => {
    const tcb = pick(scope, ofKind("TCB", "run"))
    return tcb && `yield* S.TCB_${one(["Resume", "Suspend"])}(${tcb.name})`
  }
  const registers: Statement = (scope) => {
    const tcb = pick(scope, ofKind("TCB", "readRegisters", "writeRegisters"))
    // No thread reads or writes its own.
    if (tcb?.object.taken.has("self")) doubt = true
    return (
      tcb && `yield* S.TCB_${rarely(2) ? `ReadRegisters(${tcb.name})` : `WriteRegisters(${tcb.name}, { rip: 4096n })`}`
    )
  }
  const schedule: Statement = (scope) => {
    const time = pick(scope, ofKind("SchedContext", "configure", "bind"))
    const tcb = pick(scope, ofKind("TCB", "schedule"))
    if (time === undefined || tcb === undefined || scope.task !== "root") return undefined
    if (time.object.taken.size > 0 || tcb.object.taken.has("time")) doubt = true
    time.object.taken.add("thread")
    tcb.object.taken.add("time")
    return `yield* S.SchedControl_Configure(schedControl[0]!, ${time.name}, ${tcb.name}, { budget: 1000, period: 5000 })`
  }
  const bind: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const time = pick(scope, ofKind("SchedContext", "bind"))
    const to = pick(
      scope,
      ({ kind, rights }) => kind === "Notification" || (kind === "TCB" && rights.includes("schedule"))
    )
    if (time === undefined || to === undefined) return undefined
    if (time.object.taken.size > 0 || to.object.taken.has("time")) doubt = true
    time.object.taken.add("thread")
    to.object.taken.add("time")
    return `yield* S.SchedContext_Bind(${time.name}, ${to.name})`
  }
  const consumed: Statement = (scope) => {
    const time = pick(scope, ofKind("SchedContext", "consume"))
    return time && `yield* S.SchedContext_Consumed(${time.name})`
  }
  const notify: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const tcb = pick(scope, ofKind("TCB", "configure"))
    const bell = pick(scope, ofKind("Notification", "read"))
    if (tcb === undefined || bell === undefined) return undefined
    if (tcb.object.taken.has("bell") || bell.object.taken.has("bound")) doubt = true
    tcb.object.taken.add("bell")
    bell.object.taken.add("bound")
    return `yield* S.TCB_BindNotification(${tcb.name}, ${bell.name})`
  }

  let ports = 0x4000 + 256 * (number % 100)
  const issue: Statement = (scope) => {
    if (scope.task !== "root") return undefined
    const as = add(scope, "IOPort", { size: `${ports}` })
    const text = `const ${as.name} = yield* S.IOPort_Create(ioPortControl, ${ports}, ${ports + 7})`
    ports += 8
    return text
  }
  const port: Statement = (scope) => {
    const of = pick(scope, ofKind("IOPort"))
    if (of === undefined) return undefined
    const input = of.rights.includes("in") && !blind()
    return input ? `yield* S.IOPort_In8(${of.name}, ${of.size})` : `yield* S.IOPort_Out8(${of.name}, ${of.size}, 0)`
  }

  const memory: Statement = (scope) => {
    const as = add(scope, "counted", { rights: [] })
    return `const ${as.name} = yield* S.Untyped_Create(${12 + below(4)})`
  }
  const carve: Statement = (scope) => {
    const of = pick(scope, ({ kind }) => kind === "counted")
    if (of === undefined) return undefined
    const type = one([...types, '"Untyped", 12']).replace(/^(\w+)$/, '"$1"')
    const [, bare] = /(\w+)/.exec(type)!
    const count = 1 + below(3)
    const from = [of.cell, ...of.from]
    const counted = bare === "Untyped"
    const new_ = Array.from({ length: count }, () =>
      add(scope, counted ? "counted" : (made[bare!] ?? bare!), {
        ...{ from, ...(/Page/.test(type) && { size: bare! }), ...(counted && { rights: [] }) },
        cell: cell(of.cell.gone || of.cell.spent || of.stale === true)
      })
    )
    const rest = add(scope, "counted", { rights: [], cell: of.cell, from: of.from, object: of.object })
    of.stale = true
    const what = type.includes(",") ? `[${type}]` : type
    return `const [[${new_.map(({ name }) => name).join(", ")}], ${rest.name}] = yield* S.Untyped_Carve(${of.name}, ${what}${count === 1 && rarely(2) ? "" : `, ${count}`})`
  }
  const clear: Statement = (scope) => {
    const of = pick(scope, ({ kind }) => kind === "counted")
    if (of === undefined) return undefined
    for (const each of everything(scope)) if (each.from.includes(of.cell)) each.cell.gone = true
    of.cell.revoked = true
    const as = add(scope, "counted", { rights: [], cell: of.cell, from: of.from })
    of.stale = true
    return `const ${as.name} = yield* S.Untyped_Clear(${of.name})`
  }
  const uncount: Statement = (scope) => {
    const of = pick(scope, ({ kind }) => kind === "counted")
    if (of === undefined) return undefined
    const as = add(scope, "Untyped", { cell: of.cell, from: of.from })
    // What was made of it is not known here.
    as.object.used.add("something")
    of.stale = true
    return `const ${as.name} = S.Untyped_Uncount(${of.name})`
  }
  const retype: Statement = (scope) => {
    const of = pick(scope, ofKind("Untyped", "retype"))
    if (of === undefined) return undefined
    const type = one(types).replace(/^(\w+)$/, '"$1"')
    const [, bare] = /(\w+)/.exec(type)!
    of.object.used.add(fresh())
    const as = add(scope, made[bare!] ?? bare!, {
      ...{ from: [of.cell, ...of.from], ...(/Page/.test(type) && { size: bare! }) },
      cell: cell(of.cell.gone || of.cell.spent)
    })
    return `const ${as.name} = yield* S.Untyped_Retype(${of.name}, ${type})`
  }

  const alias: Statement = (scope) => {
    const of = pick(scope, ({ kind }) => kind !== "counted")
    if (of === undefined || of.kind === "counted") return undefined
    const as = { ...of, name: fresh() }
    scope.names.push(as)
    return `const ${as.name} = ${of.name}`
  }
  const sometimes: Statement = (scope) => {
    const of = pick(scope, ({ kind }) => kind !== "counted")
    if (of === undefined) return undefined
    of.cell.spent = true
    return `if (at !== undefined) { S.consume(${of.name}); yield* S.Cap_Delete(${of.name}) }`
  }

  const loan: Statement = (scope) => {
    if (scope.depth > 1) return undefined
    const of = pick(
      scope,
      ({ kind, isPlaced }) => kind in kinds && kind !== "Untyped" && (kind !== "AddressSpace" || isPlaced === true)
    )
    if (of === undefined || of.kind === "Untyped") return undefined
    const rights = someRights(of)
    const inner: Scope = { ...scope, names: [...scope.names], depth: scope.depth + 1 }
    const lent = derived(inner, of, rights)
    const [beforeDoubt] = [doubt]
    const body = block(inner, 1 + below(3))
    const ends = blind() ? one(inner.names.filter((each) => !scope.names.includes(each))).name : "1"
    doubt = beforeDoubt
    // The loan is over: what was derived from it is gone, also what is in other spaces.
    for (const each of everything(inner)) if (each === lent || each.from.includes(lent.cell)) each.cell.gone = true
    return [
      `yield* S.withRevocable(${of.name}, ${list(rights)}, (${lent.name}) => Effect.gen(function* () {`,
      ...body,
      `return ${ends}`,
      "}))"
    ].join("\n")
  }

  const shop: Statement = (scope) => {
    if (scope.task !== "root" || scope.depth > 0) return undefined
    const shop = add(scope, "Endpoint")
    shop.object.taken.add("Shop")
    const handlers = [
      "add: (n, to) => S.reply(to, n + 1)",
      blind()
        ? "say: (text, to) => S.reply(to, 7)"
        : 'say: (text, to) => (text === "no" ? S.replyError(to, true) : S.reply(to, text))',
      "give: (_, to, { bell }) => Effect.andThen(S.Signal(bell), S.reply(to, undefined))",
      blind() ? "take: (_, to) => S.reply(to, 1)" : "take: (_, to) => S.reply(to, 1, { bell })",
      ...(blind() ? ["lend: (_, to) => S.reply(to, 1)"] : [])
    ].filter(() => !blind())
    const server = `shop${number}_${shop.name}`
    const right = blind() ? "write" : "read"
    return [
      `const ${shop.name} = yield* S.Endpoint_Create(Shop)`,
      `yield* S.spawn({ name: "${server}", priority: 120, gives: { shop: yield* S.Cap_Copy(${shop.name}, ["${right}"]), answers: yield* S.create("Reply"), bell: yield* S.create("Notification") } },`,
      `  ({ shop, answers, bell }) => S.serve(shop, answers, { ${handlers.join(", ")} }))`
    ].join("\n")
  }
  const ask: Statement = (scope) => {
    const of = pick(scope, ({ kind, object }) => kind === "Endpoint" && object.taken.has("Shop"))
    if (of === undefined) return undefined
    const bell = pick(scope, ofKind("Notification", "write"))
    const result = fresh()
    // To revoke or to delete what a shop has ends it, and who asks there waits.
    const asked = one([
      `"add", ${blind() ? '"one"' : "1"}`,
      `"say", "${one(["yes", "no"])}"`,
      ...(bell === undefined ? [] : [`"give", undefined, { bell: ${bell.name} }`]),
      '"take", undefined',
      ...(blind() ? ['"lend", 7'] : [])
    ])
    if (asked.startsWith('"say"')) {
      return `yield* Effect.catchIf(S.ask(${of.name}, ${asked}), (error) => error === true, () => Effect.void)`
    }
    if (!asked.startsWith('"take"')) return `yield* S.ask(${of.name}, ${asked})`
    const as = add(scope, "Notification", { rights: ["write"], name: `${result}.caps.bell` })
    // It is derived from what the shop has, and goes with that.
    as.cell.gone = of.cell.gone
    return `const ${result} = yield* S.ask(${of.name}, ${asked})`
  }

  const child: Statement = (scope) => {
    if (scope.task !== "root" || scope.depth > 0) return undefined
    const given = [
      pick(
        scope,
        ({ kind, isPlaced }) => kind in kinds && kind !== "Untyped" && (kind !== "AddressSpace" || isPlaced === true)
      ),
      pick(scope, ofKind("Notification"))
    ]
    const gives = given.filter((of): of is Name => of !== undefined && of.kind !== "Untyped" && of.kind !== "counted")
    if (gives.length === 0) return undefined
    const task = `child${number}_${names++}`
    const inner: Scope = { task, names: [], depth: 0 }
    const caps = gives.map((of) => ({ of, as: derived(inner, of, of.rights) }))
    const before = doubt
    const body = block(inner, 1 + below(3))
    doubt = before
    children.push({ task, cells: gives.flatMap(({ cell, from }) => [cell, ...from]) })
    const record = caps.map(({ of, as }) => `${as.name}: ${of.name}`).join(", ")
    return [
      `yield* S.spawn({ name: "${task}", gives: { ${record} } }, ({ ${caps.map(({ as }) => as.name).join(", ")} }) => Effect.gen(function* () {`,
      ...body,
      "}))"
    ].join("\n")
  }

  // biome-ignore format: how often
  const weights: ReadonlyArray<readonly [Statement, number]> = [
    [create, 16], [copy, 8], [mint, 5], [remove, 5], [move, 3], [copyInto, 3], [revoke, 3],
    [signal, 5], [poll, 4], [send, 4], [receive, 3],
    [space, 4], [assign, 2], [bootCopy, 1], [map, 8], [unmap, 3], [unmapAt, 2],
    [thread, 4], [configure, 3], [run, 3], [registers, 3], [schedule, 3], [bind, 2], [consumed, 2], [notify, 2],
    [issue, 2], [port, 3], [memory, 4], [carve, 8], [clear, 2], [uncount, 1], [retype, 4],
    [alias, 2], [sometimes, 1], [loan, 4], [shop, 3], [ask, 6], [child, 2]
  ]
  const weighted = weights.flatMap(([statement, weight]) => Array.from({ length: weight }, () => statement))

  const block = (scope: Scope, length: number): ReadonlyArray<string> => {
    const lines: Array<string> = []
    for (let tries = 0; lines.length < length && tries < 60; tries++) {
      doubt = false
      const before = [...scope.names]
      const number = statements++
      const text = one(weighted)(scope)
      everything(scope)
      if (text === undefined) {
        scope.names.length = 0
        scope.names.push(...before)
        continue
      }
      if (doubt) doubtful.add(`${scope.task}:${number}`)
      lines.push(`yield* at("${scope.task}", ${number})\n${text}`)
    }
    return lines
  }

  const scope: Scope = { task: "root", names: [], depth: 0 }
  const lines = block(scope, 3 + below(12))
  // A task runs when others wait: what it was given is gone if that was revoked, wherever that stands.
  for (const { task, cells } of children) {
    if (cells.some(({ revoked, gone }) => revoked || gone))
      for (let n = 0; n < statements; n++) doubtful.add(`${task}:${n}`)
  }
  return {
    text: [
      `export const e${number} = Effect.gen(function* () {`,
      "const { asidPool, tcb, schedControl, ioPortControl } = yield* S.BootInfo",
      ...lines,
      "})",
      `export const p${number} = S.rootTask(e${number})`
    ].join("\n"),
    doubtful
  }
}
