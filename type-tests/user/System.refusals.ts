/** What a system says of the field that is wrong. */
import { Context, Effect, Schema } from "effect"
import { protocol } from "../../src/types/Protocol.ts"
import { Cap_Copy, withRevocable } from "../../src/user/Capabilities.ts"
import { ask } from "../../src/user/Client.ts"
import { Console, print } from "../../src/user/Console.ts"
import { Receive, Send, Signal, Wait } from "../../src/user/Ipc.ts"
import { IOPort_In8 } from "../../src/user/Ports.ts"
import { reply, serve } from "../../src/user/Server.ts"
import { Shared_Read, Shared_Write } from "../../src/user/Shared.ts"
import { defineSystem, task } from "../../src/user/System.ts"

class Log extends protocol("log", { write: { request: Schema.String, reply: Schema.Void } }) {}
class Db extends Context.Service<Db, { readonly query: Effect.Effect<void> }>()("Db") {}

// A client prints, and looks at a picture that the server paints when the driver rings.
const client = task({ console: Console, picture: "Frame" }, ({ console, picture }) =>
  Effect.andThen(print(console, "Hello"), Shared_Read(picture, 0, 8))
)
const server = task(
  { console: Console, answers: "Reply", picture: "Frame", bell: "Notification" },
  ({ console, answers, picture, bell }) =>
    Effect.gen(function* () {
      yield* Wait(bell)
      yield* Shared_Write(picture, 0, new Uint8Array(8))
      yield* serve(console, answers, { write: (_, to) => reply(to, undefined) })
    })
)
const driver = task({ bell: "Notification" }, ({ bell }) => Signal(bell))

const o = { screen: Console, answers: "Reply", picture: "Page4K", irq: "Notification" } as const
const console = { to: "screen", rights: ["write", "grantReply"] } as const
const picture = { to: "picture", rights: ["read"] } as const
const g = { console, picture } as const
const c = { program: client, priority: 100, grants: g } as const
const s = {
  program: server,
  priority: 200,
  grants: {
    console: { to: "screen", rights: ["read"] },
    answers: { to: "answers", rights: ["send", "receive"] },
    picture: { to: "picture", rights: ["read", "write"] },
    bell: { to: "irq", rights: ["read"] }
  }
} as const
const bell = { to: "irq", rights: ["write"] } as const
const d = { program: driver, priority: 250, grants: { bell } } as const
const t = { server: s, driver: d, another: c, ringer: d } as const

// Rights: neither fewer than the program uses, nor more; and marks only where marks are.
// biome-ignore format: a refusal, a line
export const rights = [
  defineSystem({ objects: o, tasks: { client: c, server: s, driver: d } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { picture, console: { ...console, badge: 7n } } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture, rights: ["read"] } } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture, rights: [] } } } } }), //! TS2322 ⛔ under-privileged: task 'client' uses right 'read' to 'picture', which it is not granted
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture, rights: ["write"] } } } } }), //! TS2322 ⛔ under-privileged: task 'client' uses right 'read' to 'picture', which it is not granted
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture, rights: ["read", "write"] } } } } }), //! TS2322 ⛔ over-privileged: task 'client' is granted right 'write' to 'picture' and never uses it
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture, rights: ["read", "wrte"] } } } } }), //! TS2322 ⛔ there is no right 'wrte' to a Frame
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { picture, console: { ...console, rights: ["write", "grantReply"] } } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { picture, console: { ...console, rights: ["write"] } } } } }), //! TS2322 ⛔ under-privileged: task 'client' uses right 'grantReply' to 'console', which it is not granted
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { picture, console: { ...console, rights: ["read"] } } } } }), //! TS2322 ⛔ under-privileged: task 'client' uses right 'write+grantReply' to 'console', which it is not granted
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { picture, console: { ...console, rights: ["write", "grantReply", "grant"] } } } } }), //! TS2322 ⛔ over-privileged: task 'client' is granted right 'grant' to 'console' and never uses it
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { picture, console: { ...console, rights: ["write", "grantReply", "read"] } } } } }), //! TS2322 ⛔ over-privileged: task 'client' is granted right 'read' to 'console' and never uses it
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, grants: { bell: { ...bell, badge: 7n } } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture } } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, grants: { console, picture: { ...picture, badge: 7n } } } } }) //! TS2322 ⛔ a badge is for an Endpoint or a Notification, not for a Frame
]

// Capabilities: all that the program uses, and no other; of the right kind, and with the right protocol.
const idler = task({ bell: "Notification" }, () => Effect.void)
const writer = task({ log: Log }, ({ log }) => ask(log, "write", "Hello"))
const w = { program: writer, priority: 1 } as const
const asks = { ...w, grants: { log: { to: "log", rights: ["write", "grantReply"] } } } as const
const call = { rights: ["write", "grantReply"] } as const
const logs = {
  program: task({ log: Log, reply: "Reply" }, ({ log, reply: answer }) =>
    serve(log, answer, { write: (_, to) => reply(to, undefined) })
  ),
  priority: 9,
  grants: { log: { to: "log", rights: ["read"] }, reply: { to: "second", rights: ["send", "receive"] } }
} as const
const hears = {
  program: task({ port: "Endpoint" }, ({ port }) => Effect.andThen(Receive(port), Send(port, {}))),
  priority: 2,
  grants: { port: { to: "port", rights: ["read", "write"] } }
} as const
const p = { ...o, log: Log, port: "Endpoint", second: "Reply" } as const
const u = { ...t, client: c, logs, hears, asks } as const
// biome-ignore format: a refusal, a line
export const grants = [
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, grants: { bell } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, grants: {} } } }), //! TS2322 ⛔ under-privileged: task 'driver' uses 'bell', which it is not granted
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, grants: { bell, gong: bell } } } }), //! TS2322 ⛔ over-privileged: task 'driver' is granted 'gong', of which its program knows nothing
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: driver, priority: 1, grants: { bell } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: idler, priority: 1, grants: { bell } } } }), //! TS2322 ⛔ over-privileged: task 'other' is granted 'bell' and never uses it
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: driver, priority: 1, grants: { bell: { ...bell, to: "irq" } } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: driver, priority: 1, grants: { bell: { ...bell, to: "irk" } } } } }), //! TS2322 ⛔ there is no object 'irk'
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: driver, priority: 1, grants: { bell: { ...bell, to: "screen" } } } } }), //! TS2322 ⛔ task 'other' uses 'bell' as a Notification; 'screen' is an Endpoint
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: driver, priority: 1, grants: { bell: { ...bell, to: "picture" } } } } }), //! TS2322 ⛔ task 'other' uses 'bell' as a Notification; 'picture' is a Frame
  defineSystem({ objects: p, tasks: { ...u, writer: { ...w, grants: { log: { ...call, to: "log" } } } } }),
  defineSystem({ objects: p, tasks: { ...u, writer: { ...w, grants: { log: { ...call, to: "screen" } } } } }), //! TS2322 ⛔ task 'writer' speaks 'log' to 'log'; at 'screen' is spoken 'console'
  defineSystem({ objects: p, tasks: { ...u, writer: { ...w, grants: { log: { ...call, to: "port" } } } } }) //! TS2322 ⛔ task 'writer' speaks 'log' to 'log'; 'port' is an endpoint without a protocol
]

// What a program does with its capabilities counts, however it does it.
const through = {
  copy: task({ bell: "Notification" }, ({ bell }) =>
    Effect.flatMap(Cap_Copy(bell, ["write", "read"]), (copy) => Signal(copy))
  ),
  loan: task({ bell: "Notification" }, ({ bell }) => withRevocable(bell, ["write"], (lent) => Signal(lent))),
  both: task({ bell: "Notification" }, ({ bell }) => Effect.andThen(Signal(bell), Wait(bell)))
}
const write = { bell: { to: "irq", rights: ["write"] } } as const
const both = { bell: { to: "irq", rights: ["write", "read"] } } as const
// biome-ignore format: a refusal, a line
export const ways = [
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: through.copy, priority: 1, grants: write } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: through.loan, priority: 1, grants: write } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: through.loan, priority: 1, grants: {} } } }), //! TS2322 ⛔ under-privileged: task 'other' uses 'bell', which it is not granted
  defineSystem({ objects: o, tasks: { ...t, client: c, other: { program: through.both, priority: 1, grants: both } } })
]

// Objects: each is of use to somebody.
const v = { driver: d, other: { program: through.both, priority: 1, grants: both } } as const
const hearing = {
  program: task({ bell: "Notification" }, ({ bell }) => Wait(bell)),
  priority: 1,
  grants: { bell: { to: "irq", rights: ["read"] } }
} as const
// biome-ignore format: a refusal, a line
export const objects = [
  defineSystem({ objects: { irq: "Notification" }, tasks: v }),
  defineSystem({ objects: { irq: "Notification", spare: "Page4K" }, tasks: v }), //! TS2322 ⛔ no task is granted 'spare'
  defineSystem({ objects: { irq: "Notification" }, tasks: {} }), //! TS2322 ⛔ no task is granted 'irq'
  defineSystem({ objects: { irq: "Notification" }, tasks: { driver: d, hearing } }),
  defineSystem({ objects: { irq: "Notification" }, tasks: { driver: d } }), //! TS2322 ⛔ nobody receives what is sent to 'irq'
  defineSystem({ objects: { irq: "Notification" }, tasks: { hearing } }) //! TS2322 ⛔ nobody sends to 'irq'
]

// Services: no system gives others than memory and system calls.
const ports = task({ com1: "IOPort" }, ({ com1 }) => IOPort_In8(com1, 0x3f8))
const query = Effect.flatMap(Db, ({ query }) => query)
const foreign = task({ bell: "Notification" }, ({ bell }) => Effect.andThen(Signal(bell), query))
const com1 = { to: "com1", rights: ["in"] } as const
// biome-ignore format: a refusal, a line
export const services = [
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, program: driver } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, program: foreign } } }), //! TS2322 ⛔ task 'driver' requires a service that no system gives
  defineSystem({ objects: { com1: { ports: [0, 7] } }, tasks: { serial: { program: ports, priority: 1, grants: { com1 } } } }),
  defineSystem({ objects: { com1: "Page4K" }, tasks: { serial: { program: ports, priority: 1, grants: { com1 } } } }) //! TS2322 ⛔ task 'serial' uses 'com1' as an IOPort; 'com1' is a Frame
]

// Time: who answers runs before who asks, and nobody has more than there is.
// biome-ignore format: a refusal, a line
export const times = [
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, priority: 199 } } }),
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, priority: 200 } } }), //! TS2322 ⛔ priority inversion: 'client' (200) calls 'server' (200) at 'screen'; who answers must have the higher priority
  defineSystem({ objects: o, tasks: { ...t, client: { ...c, priority: 201 } } }), //! TS2322 ⛔ priority inversion: 'client' (201) calls 'server' (200) at 'screen'; who answers must have the higher priority
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, priority: 254 } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, priority: 255 } } }), //! TS2322 ⛔ the priorities of tasks are 0 to 254
  defineSystem({ objects: o, tasks: { ...t, client: c }, isolated: [] }),
  defineSystem({ objects: o, tasks: { ...t, client: c }, islated: [] }), //! TS2322 ⛔ a system has objects, tasks, isolated tasks and trusted ones, but no 'islated'
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, time: { budget: 5000, period: 5000 } } } }),
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, time: { budget: 5001, period: 5000 } } } }), //! TS2322 ⛔ a budget of 5001 µs is more than its period of 5000 µs
  defineSystem({ objects: o, tasks: { ...t, client: c, driver: { ...d, time: { budget: 19, period: 5000 } } } }) //! TS2322 ⛔ a budget is at least 20 µs
]

// Isolation: who is declared isolated learns nothing of the other, by whatever way.
const paints = task({ picture: "Frame" }, ({ picture }) => Shared_Write(picture, 0, new Uint8Array(1)))
const looks = task({ picture: "Frame" }, ({ picture }) => Shared_Read(picture, 0, 1))
const draws = { program: paints, priority: 1, grants: { picture: { to: "wall", rights: ["read", "write"] } } } as const
const sees = { program: looks, priority: 1, grants: { picture: { to: "wall", rights: ["read"] } } } as const
const z = { ...t, client: c, draws, sees, gazes: sees } as const
const q = { ...o, wall: "Page4K" } as const
// biome-ignore format: a refusal, a line
export const isolation = [
  defineSystem({ objects: q, tasks: z, isolated: [["driver", "draws"]] }),
  defineSystem({ objects: q, tasks: z, isolated: [["driver", "server"]] }), //! TS2322 ⛔ not isolated: 'driver' → irq → 'server'
  defineSystem({ objects: q, tasks: z, isolated: [["driver", "drawn"]] }), //! TS2322 ⛔ there is no task 'drawn'
  defineSystem({ objects: q, tasks: z, isolated: [["diver", "draws"]] }), //! TS2322 ⛔ there is no task 'diver'
  defineSystem({ objects: q, tasks: z, isolated: [["sees", "gazes"]] }),
  defineSystem({ objects: q, tasks: z, isolated: [["sees", "draws"]] }), //! TS2322 ⛔ not isolated: 'draws' → wall → 'sees'
  defineSystem({ objects: q, tasks: z, isolated: [["draws", "gazes"]] }), //! TS2322 ⛔ not isolated: 'draws' → wall → 'gazes'
  defineSystem({ objects: q, tasks: z, isolated: [["sees", "server"], ["draws", "client"], ["driver", "gazes"]] })
]
const relay = task({ from: "Notification", to: "Notification" }, ({ from, to }) =>
  Effect.andThen(Wait(from), Signal(to))
)
const waits = task({ bell: "Notification" }, ({ bell }) => Wait(bell))
const ringer = { program: driver, priority: 1, grants: { bell: { to: "first", rights: ["write"] } } } as const
const between = {
  program: relay,
  priority: 1,
  grants: { from: { to: "first", rights: ["read"] }, to: { to: "last", rights: ["write"] } }
} as const
const waiter = { program: waits, priority: 1, grants: { bell: { to: "last", rights: ["read"] } } } as const
const chain = {
  ringer,
  between,
  waiter,
  alone: { program: task({}, () => Effect.void), priority: 1, grants: {} }
} as const
// biome-ignore format: a refusal, a line
export const chains = [
  defineSystem({ objects: { first: "Notification", last: "Notification" }, tasks: chain, isolated: [["ringer", "alone"]] }),
  defineSystem({ objects: { first: "Notification", last: "Notification" }, tasks: chain, isolated: [["ringer", "waiter"]] }), //! TS2322 ⛔ not isolated: 'ringer' → first → 'between' → last → 'waiter'
  defineSystem({ objects: { first: "Notification", last: "Notification" }, tasks: chain, isolated: [["alone", "waiter"]] }),
  defineSystem({ objects: { first: "Notification", last: "Notification" }, tasks: chain, isolated: [["between", "waiter"]] }) //! TS2322 ⛔ not isolated: 'between' → last → 'waiter'
]

// Trust: what isolated tasks have in common with who is trusted is no way between them; what they have with others is, and so is what they have with each other.
const middle = { objects: { first: "Notification", last: "Notification" }, tasks: chain } as const
// biome-ignore format: a refusal, a line
export const trust = [
  defineSystem({ ...middle, isolated: [["ringer", "waiter"]], trusted: ["between"] }),
  defineSystem({ ...middle, isolated: [["ringer", "waiter"]], trusted: ["alone"] }), //! TS2322 ⛔ not isolated: 'ringer' → first → 'between' → last → 'waiter'
  defineSystem({ ...middle, isolated: [["ringer", "waiter"]], trusted: ["between", "betwen"] }), //! TS2322 ⛔ 'betwen' is no task, and no endpoint where the starter answers
  defineSystem({ ...middle, isolated: [["ringer", "between"]], trusted: ["between"] }), //! TS2322 ⛔ not isolated: 'ringer' → first → 'between'
  defineSystem({ objects: o, tasks: { ...t, client: c }, isolated: [["client", "another"]], trusted: ["server"] }),
  defineSystem({ objects: o, tasks: { ...t, client: c }, isolated: [["client", "another"]] }), //! TS2322 ⛔ not isolated: 'client' → screen → 'another'
  defineSystem({ objects: o, tasks: { ...t, client: c }, isolated: [["client", "another"]], trusted: ["driver"] }), //! TS2322 ⛔ not isolated: 'client' → screen → 'another'
  defineSystem({ objects: q, tasks: z, isolated: [["sees", "gazes"]], trusted: ["server", "client"] }),
  defineSystem({ objects: q, tasks: z, isolated: [["draws", "gazes"]], trusted: ["server", "client"] }) //! TS2322 ⛔ not isolated: 'draws' → wall → 'gazes'
]
