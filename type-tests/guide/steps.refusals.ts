/** What the guide shows that does not compile, each beside what does. */
import { Effect, Schema } from "effect"
import { type Badged, type Cap, consume, type Endpoint, type Frame, type Untyped } from "../../src/types/Capability.ts"
import { protocol, type ReplyTo } from "../../src/types/Protocol.ts"
import { Cap_Copy, Cap_Delete, Cap_Mint, withRevocable } from "../../src/user/Capabilities.ts"
import { ask } from "../../src/user/Client.ts"
import { Poll, Signal } from "../../src/user/Ipc.ts"
import { AddressSpace_Map } from "../../src/user/Memory.ts"
import { reply, serve } from "../../src/user/Server.ts"
import { Shared_Read, Shared_Write } from "../../src/user/Shared.ts"
import { defineSystem, task } from "../../src/user/System.ts"
import { Untyped_Carve } from "../../src/user/Untyped.ts"

declare const bell: Cap<"Notification", "read" | "write">
declare const ringer: Cap<"Notification", "write">
declare const hears: Cap<"Notification", "read">
declare const rest: Untyped<14, "0x40">
declare const page: Frame<"Page4K", "read" | "write" | "execute">
declare const addressSpace: Cap<"AddressSpace", "map">

export const memory = Effect.gen(function* () {
  yield* Signal(ringer)
  yield* Signal(hears) //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds 'read'
  yield* Signal(page) //! TS2345 ⛔ Signal needs a Notification capability, got Frame
  yield* Poll(bell)
  yield* Poll(ringer) //! TS2345 ⛔ Poll needs right 'read'; this Notification capability holds 'write'
  yield* Cap_Copy(ringer, ["write"])
  yield* Cap_Copy(ringer, ["read"]) //! TS2345 ⛔ Cap_Copy cannot keep right 'read'; this Notification capability holds 'write'
  yield* Untyped_Carve(rest, "Page4K", 3)
  yield* Untyped_Carve(rest, "Page4K", 4) //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^14 bytes is exhausted: 4 × Page4K of 2^12 bytes do not fit after 0x40
  yield* AddressSpace_Map(addressSpace, "0x1000_0000", page, ["read"])
  yield* AddressSpace_Map(addressSpace, "0x1000_0800", page, ["read"]) //! TS2345 ⛔ AddressSpace_Map: 0x1000_0800 is no multiple of 0x1000, the size of a Page4K
  yield* AddressSpace_Map(addressSpace, "0x1000_0000", page, ["read", "write"])
  yield* AddressSpace_Map(addressSpace, "0x1000_0000", page, ["read", "write", "execute"]) //! TS2345 ⛔ AddressSpace_Map: a mapping is for writing or for executing, not for both
})

class Bank extends protocol(
  "bank",
  { pay: { request: Schema.Int, reply: Schema.Int }, draw: { request: Schema.Int, reply: Schema.Int } },
  { clients: ["alice", "bob"] }
) {}
declare const bank: Endpoint<Bank, "read" | "write" | "grant" | "grantReply">
declare const alice: Endpoint<Bank, "write" | "grantReply"> & Badged
declare const silent: Endpoint<Bank, "write">
declare const endpoint: Endpoint<Bank, "read">
declare const answers: Cap<"Reply", "send" | "receive">
const pay = <L>(amount: number, to: ReplyTo<Bank, "pay", L>) => reply(to, amount)
const draw = <L>(amount: number, to: ReplyTo<Bank, "draw", L>) => reply(to, amount)

export const server = Effect.gen(function* () {
  yield* ask(alice, "pay", 5)
  yield* ask(alice, "borrow", 5) //! TS2345 ⛔ 'bank' has no operation 'borrow'
  yield* ask(silent, "pay", 5) //! TS2345 ⛔ 'pay' of 'bank' needs right 'write+grantReply'; this Endpoint capability holds 'write'
  yield* Cap_Mint(bank, ["write"], { badge: "bob" })
  yield* Cap_Mint(bank, ["write"], { badge: "carol" }) //! TS2345 ⛔ Cap_Mint: 'bank' has no client 'carol'
  yield* Cap_Mint(bank, ["write"], { badge: 1n }) //! TS2322 Type 'bigint' is not assignable to type '"alice" | "bob"'
  yield* Cap_Mint(bank, ["write"], { badge: "bob" })
  yield* Cap_Mint(alice, ["write"], { badge: "bob" }) //! TS2345 ⛔ Cap_Mint: this Endpoint capability has a badge, and gets no other
})
export const serving = [
  serve(endpoint, answers, { pay, draw }),
  serve(endpoint, answers, { pay }) //! TS2345 operation 'draw' of 'bank' is not handled
]

declare const spare: Cap<"Notification", "write">
export const lifetime = Effect.gen(function* () {
  consume(spare)
  yield* Signal(ringer)
  yield* Signal(spare) //! TS2345 ⛔ Signal: capability was already moved, deleted or revoked
  yield* Cap_Delete(spare)
  yield* Cap_Delete(bell) //! TS2345 ⛔ Cap_Delete consumes its argument: write `consume(cap)` on the line before
  yield* withRevocable(bell, ["write"], (lent) => Signal(lent))
  yield* withRevocable(bell, ["write"], (lent) => Effect.succeed(lent)) //! TS2375 what was lent ends with its loan
})

class Signer extends protocol("signer", { sign: { request: Schema.Int, reply: Schema.Int } }, { clients: ["mail"] }) {}
const objects = { signing: Signer, signed: "Reply", vault: "Page4K", wall: "Page4K", spare: "Page4K" } as const
const signs = {
  program: task({ requests: Signer, answers: "Reply", secret: "Frame" }, ({ requests, answers, secret }) =>
    Effect.andThen(
      Shared_Write(secret, 0, Uint8Array.of(42)),
      serve(requests, answers, {
        sign: (text, to) => Effect.flatMap(Shared_Read(secret, 0, 1), ([key = 0]) => reply(to, text * key))
      })
    )
  ),
  priority: 150,
  grants: {
    requests: { to: "signing", rights: ["read"] },
    answers: { to: "signed", rights: ["send", "receive"] },
    secret: { to: "vault", rights: ["read", "write"] }
  }
} as const
const call = { to: "signing", rights: ["write", "grantReply"] } as const
const mails = {
  program: task({ signer: Signer }, ({ signer }) => ask(signer, "sign", 7)),
  priority: 100,
  grants: { signer: { ...call, badge: "mail" } }
} as const
const posts = {
  program: task({ board: "Frame" }, ({ board }) => Shared_Write(board, 0, Uint8Array.of(1))),
  priority: 50
} as const
const sticks = { ...posts, grants: { board: { to: "wall", rights: ["read", "write"] } } } as const
const whole = { objects } as const
const isolated = [["signer", "advertiser"]] as const
const tasks = {
  signer: signs,
  mail: mails,
  advertiser: sticks,
  second: { ...sticks, grants: { board: { to: "spare", rights: ["read", "write"] } } }
} as const
// biome-ignore format: a refusal, a line
export const systems = [
  defineSystem({ ...whole, tasks, isolated }),
  defineSystem({ ...whole, tasks: { ...tasks, advertiser: { ...posts, grants: { board: { to: "wall", rights: ["read", "write"] } } } } }),
  defineSystem({ ...whole, tasks: { ...tasks, advertiser: { ...posts, grants: { board: { to: "wall", rights: ["read"] } } } } }), //! TS2322 ⛔ under-privileged: task 'advertiser' uses right 'write' to 'board', which it is not granted
  defineSystem({ ...whole, tasks: { ...tasks, advertiser: { ...posts, grants: { board: { to: "wall", rights: ["read", "write", "execute"] } } } } }), //! TS2322 ⛔ over-privileged: task 'advertiser' is granted right 'execute' to 'board' and never uses it
  defineSystem({ ...whole, tasks: { ...tasks, mail: { ...mails, priority: 149 } } }),
  defineSystem({ ...whole, tasks: { ...tasks, mail: { ...mails, priority: 150 } } }), //! TS2322 ⛔ priority inversion: 'mail' (150) calls 'signer' (150) at 'signing'; who answers must have the higher priority
  defineSystem({ objects: { ...objects, wall: "Page4K" }, tasks: { ...tasks, mail: { ...mails, grants: { signer: { ...call, badge: "mail" } } } } }),
  defineSystem({ objects: { ...objects, wall: "Page4K" }, tasks: { ...tasks, mail: { ...mails, grants: { signer: { ...call, badge: "male" } } } } }), //! TS2322 ⛔ 'signing' has no client 'male'
  defineSystem({ objects: { ...objects, wall: "Page4K" }, tasks: { ...tasks, mail: { ...mails, grants: { signer: { ...call, badge: 1n } } } } }), //! TS2322 ⛔ 'signing' knows its clients by name: a badge is one of those
  defineSystem({ objects: { ...objects, wall: "Page4K" }, tasks: { ...tasks, mail: { ...mails, grants: { signer: { ...call } } } } }) //! TS2322 ⛔ 'signing' knows its clients by their badges: give 'mail' one
]
const others = { ...tasks, third: sticks } as const
// biome-ignore format: a refusal, a line
export const leaks = [
  defineSystem({ ...whole, tasks: { ...others, advertiser: { ...posts, grants: { board: { to: "wall", rights: ["read", "write"] } } } }, isolated }),
  defineSystem({ ...whole, tasks: { ...others, advertiser: { ...posts, grants: { board: { to: "vault", rights: ["read", "write"] } } } }, isolated }) //! TS2322 ⛔ not isolated: 'signer' → vault → 'advertiser'
]
