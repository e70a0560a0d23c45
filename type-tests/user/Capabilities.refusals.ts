/** What copies, loans and ends of capabilities say to those who would have more, or longer. */
import { Effect } from "effect"
import { type Cap, consume, type Endpoint } from "../../src/types/Capability.ts"
import { protocol } from "../../src/types/Protocol.ts"
import {
  Cap_Copy,
  Cap_CopyInto,
  Cap_Delete,
  Cap_Mint,
  Cap_Move,
  Cap_Revoke,
  type Place,
  withRevocable
} from "../../src/user/Capabilities.ts"
import { Receive, Send, Signal, Wait } from "../../src/user/Ipc.ts"
import { Untyped_Retype } from "../../src/user/Memory.ts"
import { ASIDControl_MakePool } from "../../src/user/PageTables.ts"

class Log extends protocol("log", {}) {}
declare const bell: Cap<"Notification", "read" | "write">
declare const done: Cap<"Notification", "write">
declare const bellR: Cap<"Notification", "read">
declare const ep: Cap<"Endpoint", "read" | "write" | "grant">
declare const log: Endpoint<Log, "read" | "write">
declare const cnode: Cap<"CNode", "take" | "put" | "delete">
declare const cnodeTake: Cap<"CNode", "take">
declare const memory: Cap<"Untyped", "retype">
declare const pools: Cap<"ASIDControl", "makePool">
declare const frame: Cap<"Frame", "read" | "write">
declare const there: Place

// A copy has the rights that it is given, of those that its source has.
export const copies = Effect.gen(function* () {
  yield* Send(yield* Cap_Copy(ep, ["write"]), {})
  yield* Send(yield* Cap_Copy(ep, ["read"]), {}) //! TS2345 ⛔ Send needs right 'write'; this Endpoint capability holds 'read'
  yield* Cap_Copy(bellR, ["read"])
  yield* Cap_Copy(bellR, ["write"]) //! TS2345 ⛔ Cap_Copy cannot keep right 'write'; this Notification capability holds 'read'
  yield* Cap_Copy(bellR, ["grant"]) //! TS2345 ⛔ Cap_Copy: there is no right 'grant' to a Notification
  yield* Cap_CopyInto(there, bellR, ["read"])
  yield* Cap_CopyInto(there, bellR, ["write"]) //! TS2345 ⛔ Cap_CopyInto cannot keep right 'write'; this Notification capability holds 'read'
  yield* Cap_CopyInto({ cnode, index: 1, depth: 8 }, bell, [])
  yield* Cap_CopyInto({ cnode: cnodeTake, index: 1, depth: 8 }, bell, []) //! TS2322 'Cap<"CNode", "take", never>' is not assignable to type 'Cap<"CNode", "put", never>'
  yield* Cap_Mint(bell, ["write"], { badge: 1n })
  yield* Cap_Mint(bell, ["grant"], { badge: 1n }) //! TS2345 ⛔ Cap_Mint: there is no right 'grant' to a Notification
  yield* Cap_Mint(cnode, [], { guard: 0n, guardBits: 8 })
  yield* Cap_Mint(bell, [], { guard: 0n, guardBits: 8 }) //! TS2353 'guard' does not exist in type '{ readonly badge: bigint; }'
  yield* Cap_Mint(bell, ["write"], { badge: 1n })
  yield* Cap_Mint(frame, ["write"], { badge: 1n }) //! TS2345 ⛔ Cap_Mint marks an Endpoint, a Notification or a CNode capability, got Frame
  const badged = yield* Cap_Mint(bell, ["write"], { badge: 1n })
  yield* Cap_Mint(bell, ["write"], { badge: 2n })
  yield* Cap_Mint(badged, ["write"], { badge: 2n }) //! TS2345 ⛔ Cap_Mint: this Notification capability has a badge, and gets no other
  const copied = yield* Cap_Copy(badged, ["write"])
  yield* Cap_Mint(bell, ["write"], { badge: 2n })
  yield* Cap_Mint(copied, ["write"], { badge: 2n }) //! TS2345 ⛔ Cap_Mint: this Notification capability has a badge, and gets no other
  yield* Cap_Revoke(bell)
  yield* Cap_Revoke(7) //! TS2345 ⛔ Cap_Revoke: not a capability
})

// What is deleted or moved was given up on the line before, and is of no use after.
export const given = Effect.gen(function* () {
  consume(done)
  yield* Cap_Delete(done)
  yield* Cap_Delete(bell) //! TS2345 ⛔ Cap_Delete consumes its argument: write `consume(cap)` on the line before
  yield* Cap_Move(there, done)
  yield* Cap_Move(there, bell) //! TS2345 ⛔ Cap_Move consumes its argument: write `consume(cap)` on the line before
  consume(bell)
  yield* Cap_Delete(bell)
  yield* Signal(bell) //! TS2345 ⛔ Signal: capability was already moved, deleted or revoked
  yield* Wait(bellR)
  yield* Wait(bell) //! TS2345 ⛔ Wait: capability was already moved, deleted or revoked
  yield* Cap_Copy(ep, [])
  yield* Cap_Copy(bell, []) //! TS2345 ⛔ Cap_Copy: capability was already moved, deleted or revoked
  yield* Cap_Mint(ep, [], { badge: 1n })
  yield* Cap_Mint(bell, [], { badge: 1n }) //! TS2345 ⛔ Cap_Mint: capability was already moved, deleted or revoked
  yield* Cap_Revoke(ep)
  yield* Cap_Revoke(bell) //! TS2345 ⛔ Cap_Revoke: capability was already moved, deleted or revoked
  consume(ep)
  yield* Cap_Move(there, ep)
  yield* Receive(log)
  yield* Receive(ep) //! TS2345 ⛔ Receive: capability was already moved, deleted or revoked
})

interface Tools {
  readonly bell: Cap<"Notification", "read" | "write">
  readonly other: Cap<"Notification", "read" | "write">
}
export const paths = (tools: Tools) =>
  Effect.gen(function* () {
    consume(tools.bell)
    yield* Cap_Delete(tools.bell)
    yield* Signal(tools.other)
    yield* Signal(tools.bell) //! TS2345 ⛔ Signal: capability was already moved, deleted or revoked
  })

// A loan: what is lent neither outlives it, nor is deleted by who has it, nor has more rights than were lent.
export const loans = [
  withRevocable(bell, ["write"], (lent) => Signal(lent)),
  withRevocable(bell, ["read"], (lent) => Signal(lent)), //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds 'read'
  withRevocable(bellR, ["write"], (lent) => Signal(lent)), //! TS2345 ⛔ withRevocable cannot keep right 'write'; this Notification capability holds 'read'
  withRevocable(bell, ["write", "read"], (lent) => Effect.asVoid(Wait(lent))),
  withRevocable(log, ["write"], (lent) => Send(lent, {})),
  withRevocable(log, ["read"], (lent) => Effect.asVoid(Receive(lent))),
  withRevocable(log, ["write"], (lent) => Effect.asVoid(Receive(lent))), //! TS2345 ⛔ Receive needs right 'read'; this Endpoint capability holds 'write'
  // The loan as the result, in a record, in an array, in a closure, in an effect that was not run, as the error.
  withRevocable(bell, ["write"], (lent) => Effect.succeed(!lent)),
  withRevocable(bell, ["write"], (lent) => Effect.succeed(lent)), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (lent) => Effect.succeed({ lent: !lent })),
  withRevocable(bell, ["write"], (lent) => Effect.succeed({ lent })), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (lent) => Effect.succeed([!lent])),
  withRevocable(bell, ["write"], (lent) => Effect.succeed([lent])), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (lent) => Effect.succeed(() => !Signal(lent))),
  withRevocable(bell, ["write"], (lent) => Effect.succeed(() => Signal(lent))), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (lent) => Effect.succeed(!Signal(lent))),
  withRevocable(bell, ["write"], (lent) => Effect.succeed(Signal(lent))), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (lent) => Effect.fail(!lent)),
  withRevocable(bell, ["write"], (lent) => Effect.fail(lent)), //! TS2375 what was lent ends with its loan
  // A copy of it, and what is made of lent memory or lent ports, lives no longer.
  withRevocable(bell, ["write"], (lent) => Effect.asVoid(Cap_Copy(lent, ["write"]))),
  withRevocable(bell, ["write"], (lent) => Effect.asSome(Cap_Copy(lent, ["write"]))), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (lent) => Effect.asVoid(Cap_Copy(lent, ["read"]))), //! TS2345 ⛔ Cap_Copy cannot keep right 'read'; this Notification capability holds 'write'
  withRevocable(memory, ["retype"], (lent) => Effect.asVoid(Untyped_Retype(lent, "Endpoint"))),
  withRevocable(memory, ["retype"], (lent) => Effect.asSome(Untyped_Retype(lent, "Endpoint"))), //! TS2375 what was lent ends with its loan
  withRevocable(pools, ["makePool"], (lent) => Effect.asVoid(ASIDControl_MakePool(lent, memory))),
  withRevocable(pools, ["makePool"], (lent) => Effect.asSome(ASIDControl_MakePool(lent, memory))), //! TS2375 what was lent ends with its loan
  // Loans of loans: the inner ends first.
  withRevocable(bell, ["write"], (outer) => withRevocable(outer, ["write"], (inner) => Signal(inner))),
  withRevocable(bell, ["write"], (outer) => withRevocable(outer, ["write"], (inner) => Effect.succeed(inner))), //! TS2375 what was lent ends with its loan
  withRevocable(bell, ["write"], (outer) => withRevocable(outer, ["write"], (_) => Effect.succeed(() => !outer))),
  withRevocable(bell, ["write"], (outer) => withRevocable(outer, ["write"], (_) => Effect.succeed(() => outer))) //! TS2375 what was lent ends with its loan
]
export const innerToOuter = withRevocable(bell, ["write"], (outer) =>
  Effect.gen(function* () {
    yield* withRevocable(outer, ["write"], (inner) => Effect.as(Signal(inner), outer))
    yield* withRevocable(outer, ["write"], (inner) => Effect.as(Signal(inner), inner)) //! TS2375 what was lent ends with its loan
  })
)
export const outside = (kept: Array<Cap<"Notification", "write">>) => [
  withRevocable(bell, ["write"], (lent) => Effect.sync(() => kept.push(bell, !lent || bell))),
  withRevocable(bell, ["write"], (lent) => Effect.sync(() => kept.push(bell, lent))) //! TS2345 Region<Loan>
]
export const returned = withRevocable(bell, ["write"], (lent) =>
  Effect.gen(function* () {
    const copy = yield* Cap_Copy(lent, ["write"])
    consume(copy)
    yield* Cap_Delete(copy)
    yield* Cap_Delete(lent) //! TS2345 ⛔ Cap_Delete: what is lent goes back when its loan ends; a copy of it may go before
    yield* Cap_Move(there, copy)
    yield* Cap_Move(there, lent) //! TS2345 ⛔ Cap_Move: what is lent goes back when its loan ends; a copy of it may go before
  })
)
