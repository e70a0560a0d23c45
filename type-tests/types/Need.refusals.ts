/** What a typed call says to a capability that is not what it needs. */
import { Effect, Schema } from "effect"
import {
  type AnyCap,
  type Cap,
  consume,
  type Derived,
  type Endpoint,
  type RegionOf
} from "../../src/types/Capability.ts"
import type * as SchedContext from "../../src/types/methods/SchedContext.ts"
import type * as TCB from "../../src/types/methods/TCB.ts"
import type * as Untyped from "../../src/types/methods/Untyped.ts"
import type {
  Keep,
  Need,
  NeedArgument,
  NeedSpent,
  NeedTarget,
  NeedToAsk,
  ReplyArguments,
  RequestArguments
} from "../../src/types/Need.ts"
import {
  capOf,
  endpointOf,
  type OperationName,
  type OperationOf,
  type Protocol,
  protocol
} from "../../src/types/Protocol.ts"

declare const signal: <C extends AnyCap>(
  cap: Need<C, "Signal", "Notification", "write">
) => Effect.Effect<void, never, RegionOf<C>>
declare const call: <C extends AnyCap>(cap: Need<C, "Call", "Endpoint", "write" | "grant">) => Effect.Effect<void>
declare const retype: <C extends AnyCap>(cap: NeedTarget<C, "Untyped_Retype", typeof Untyped.Retype>) => void
declare const params: <C extends AnyCap>(cap: NeedTarget<C, "TCB_SetSchedParams", typeof TCB.SetSchedParams>) => void

declare const ntfnRW: Cap<"Notification", "read" | "write">
declare const ntfnW: Cap<"Notification", "write">
declare const ntfnR: Cap<"Notification", "read">
declare const ntfnNone: Cap<"Notification", never>
declare const epAll: Cap<"Endpoint", "read" | "write" | "grant" | "grantReply">
declare const epWG: Cap<"Endpoint", "write" | "grant">
declare const epWGr: Cap<"Endpoint", "write" | "grantReply">
declare const epRW: Cap<"Endpoint", "read" | "write">
declare const epGRG: Cap<"Endpoint", "read" | "grant" | "grantReply">
declare const frameRW: Cap<"Frame", "read" | "write">
declare const untyped: Cap<"Untyped", "retype">
declare const untypedNone: Cap<"Untyped", never>
declare const tcb: Cap<"TCB", "configure" | "schedule">
declare const tcbRun: Cap<"TCB", "configure" | "run">

// Kind and rights.
export const kindsAndRights = [
  signal(ntfnRW),
  signal(ntfnW),
  signal(ntfnR), //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds 'read'
  signal(ntfnNone), //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds no rights
  signal(frameRW), //! TS2345 ⛔ Signal needs a Notification capability, got Frame
  signal(7), //! TS2345 ⛔ Signal: not a capability
  signal({}), //! TS2345 ⛔ Signal: not a capability
  call(epWG),
  call(epRW), //! TS2345 ⛔ Call needs right 'write+grant'; this Endpoint capability holds 'write+read'
  call(epGRG), //! TS2345 ⛔ Call needs right 'write+grant'; this Endpoint capability holds 'read+grant+grantReply'
  call(ntfnW), //! TS2345 ⛔ Call needs an Endpoint capability, got Notification
  retype(untyped),
  retype(untypedNone), //! TS2345 ⛔ Untyped_Retype needs right 'retype'; this Untyped capability holds no rights
  retype(epAll), //! TS2345 ⛔ Untyped_Retype needs an Untyped capability, got Endpoint
  params(tcb),
  params(tcbRun) //! TS2345 ⛔ TCB_SetSchedParams needs right 'configure+schedule'; this TCB capability holds 'configure+run'
]

// Generic helpers: what they demand of their own argument is checked where they are written.
export const forwarding = [
  <Q>(cap: Cap<"Notification", "write", Q>) => signal(cap),
  <Q>(cap: Cap<"Notification", "read", Q>) => signal(cap) //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds 'read'
]

// Arguments, as the description of the method says.
type FaultHandler = typeof TCB.SetSpace.caps.faultHandler
declare const handler: <C extends AnyCap | undefined>(cap: NeedArgument<C, "TCB_SetSpace", FaultHandler>) => void
declare const bind: <C extends AnyCap | undefined>(
  cap: NeedArgument<C, "SchedContext_Bind", typeof SchedContext.Bind.caps.object>
) => void
declare const tcbSchedule: Cap<"TCB", "schedule">
export const args = [
  handler(undefined),
  handler(epWG),
  handler(epWGr),
  handler(epAll),
  handler(epRW), //! TS2345 ⛔ TCB_SetSpace needs right 'grant' or 'grantReply'; this Endpoint capability holds 'write+read'
  handler(epGRG), //! TS2345 ⛔ TCB_SetSpace needs right 'write'; this Endpoint capability holds 'read+grant+grantReply'
  handler(ntfnRW), //! TS2345 ⛔ TCB_SetSpace needs an Endpoint capability, got Notification
  bind(ntfnNone),
  bind(tcbSchedule),
  bind(tcbRun), //! TS2345 ⛔ SchedContext_Bind needs right 'schedule'; this TCB capability holds 'configure+run'
  bind(frameRW), //! TS2345 ⛔ SchedContext_Bind needs another capability, got Frame
  bind(undefined) //! TS2345 ⛔ SchedContext_Bind needs another capability, got none
]

// Fewer rights, and no more.
declare const copy: <C extends AnyCap, const L extends ReadonlyArray<string>>(
  cap: C,
  rights: Keep<C, "Cap_Copy", L>
) => Derived<C, L[number]>
export const copied = [
  copy(epRW, ["read"]),
  copy(epRW, ["write", "read"]),
  copy(epRW, []),
  copy(epRW, ["grant"]), //! TS2345 ⛔ Cap_Copy cannot keep right 'grant'; this Endpoint capability holds 'write+read'
  copy(epRW, ["read"]),
  copy(epRW, ["read", "grant"]), //! TS2345 ⛔ Cap_Copy cannot keep right 'grant'; this Endpoint capability holds 'write+read'
  copy(epRW, ["red"]), //! TS2345 ⛔ Cap_Copy: there is no right 'red' to an Endpoint
  copy(epRW, ["retype"]) //! TS2345 ⛔ Cap_Copy: there is no right 'retype' to an Endpoint
]

// What was given up.
declare const remove: <C extends AnyCap>(cap: NeedSpent<C, "Cap_Delete">) => Effect.Effect<void>
export const lifetimes = Effect.gen(function* () {
  const spentRW = ntfnRW
  consume(spentRW)
  yield* remove(spentRW)
  yield* remove(ntfnRW) //! TS2345 ⛔ Cap_Delete consumes its argument: write `consume(cap)` on the line before
  yield* signal(ntfnRW)
  yield* signal(spentRW) //! TS2345 ⛔ Signal: capability was already moved, deleted or revoked
  copy(ntfnRW, ["read"])
  copy(spentRW, ["read"]) //! TS2345 ⛔ Cap_Copy: capability was already moved, deleted or revoked
  consume(ntfnW)
  consume(7) //! TS2345 not assignable to parameter of type 'AnyCap'
})

// What a protocol has, and what an operation takes.
class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {}
class Log extends protocol("log", { write: { request: Schema.String, reply: Schema.Void } }) {}
class Files extends protocol("files", {
  stat: { request: Schema.String, reply: Schema.Finite, error: NotFound },
  share: { request: Schema.Finite, reply: Schema.Boolean, sends: { buffer: capOf("Frame", ["read"]) } },
  open: { request: Schema.String, reply: Schema.Void, returns: { file: capOf("Frame", ["read"]) } },
  report: { request: Schema.Finite, reply: Schema.Void, sends: { to: endpointOf(Log, ["write"]) } }
}) {}
class Net extends protocol("net", { stat: { request: Schema.String, reply: Schema.Finite, error: NotFound } }) {}
declare const logW: Endpoint<Log, "write">
declare const logR: Endpoint<Log, "read">
declare const net: Endpoint<Net, "write">
declare const filesAll: Endpoint<Files, "read" | "write" | "grant">
declare const filesW: Endpoint<Files, "write" | "grantReply">
declare const filesMute: Endpoint<Files, "write">
declare const filesGrant: Endpoint<Files, "write" | "grant">
declare const filesR: Endpoint<Files, "read">
declare const frameW: Cap<"Frame", "write">
type ProtocolOf<C> = C extends Endpoint<infer P, infer _R, infer _Q> ? P : never
type Asked<C, N extends string> = N extends OperationName<ProtocolOf<C>> ? OperationOf<ProtocolOf<C>, N> : never
type None = Readonly<Record<never, never>>
declare const ask: <C extends AnyCap, const N extends string, G = None>(
  cap: NeedToAsk<C, N>,
  name: N,
  ...args: RequestArguments<Asked<C, N>, N, G>
) => void
export const asked = [
  ask(filesAll, "stat", "/"),
  ask(filesW, "stat", "/"),
  ask(filesGrant, "stat", "/"),
  ask(filesMute, "stat", "/"), //! TS2345 ⛔ 'stat' of 'files' needs right 'write+grantReply'; this Endpoint capability holds 'write'
  ask(filesR, "stat", "/"), //! TS2345 ⛔ 'stat' of 'files' needs right 'write+grantReply'; this Endpoint capability holds 'read'
  ask(filesW, "stat", "/"),
  ask(filesW, "state", "/"), //! TS2345 ⛔ 'files' has no operation 'state'
  ask(epRW, "stat", "/"), //! TS2345 ⛔ 'stat' needs an Endpoint capability with a protocol
  ask(filesW, "stat"), //! TS2554 Expected 3 arguments, but got 2
  ask(filesW, "stat", "/", { buffer: frameRW }), //! TS2554 Expected 3 arguments, but got 4
  ask(filesW, "stat", 7), //! TS2345 'number' is not assignable to parameter of type 'string'
  ask(filesAll, "share", 7, { buffer: frameRW }),
  ask(filesW, "share", 7, { buffer: frameRW }), //! TS2345 ⛔ 'share' of 'files' needs right 'write+grant'; this Endpoint capability holds 'write+grantReply'
  ask(filesAll, "share", 7, { buffer: frameW }), //! TS2322 ⛔ share needs right 'read'; this Frame capability holds 'write'
  ask(filesAll, "share", 7, { buffer: epRW }), //! TS2322 ⛔ share needs a Frame capability, got Endpoint
  ask(filesAll, "share", 7, {}), //! TS2345|TS2741 Property 'buffer' is missing in type '{}'
  ask(filesAll, "share", 7, { buffer: frameRW, other: frameRW }), //! TS2322 ⛔ share takes no capability 'other'
  ask(filesAll, "report", 7, { to: logW }),
  ask(filesAll, "report", 7, { to: logR }), //! TS2322 ⛔ report needs right 'write'; this Endpoint capability holds 'read'
  ask(filesAll, "report", 7, { to: net }), //! TS2322 ⛔ report needs an endpoint of 'log', got one of 'net'
  ask(filesAll, "report", 7, { to: epWG }), //! TS2322 ⛔ report needs an endpoint of 'log', got one without a protocol
  ask(filesAll, "report", 7, { to: frameW }), //! TS2322 ⛔ report needs an Endpoint capability, got Frame
  ask(filesAll, "share", 7, { buffer: frameRW }),
  ask(filesAll, "share", 7) //! TS2554 Expected 4 arguments, but got 3
]

declare const answer: <P extends Protocol, N extends OperationName<P>, G = None>(
  to: { readonly protocol: P; readonly operation: N },
  ...args: ReplyArguments<OperationOf<P, N>, `reply to ${N}`, G>
) => void
declare const toStat: { readonly protocol: Files; readonly operation: "stat" }
declare const toOpen: { readonly protocol: Files; readonly operation: "open" }
export const answered = [
  answer(toStat, 7),
  answer(toStat, "7"), //! TS2345 'string' is not assignable to parameter of type 'number'
  answer(toOpen, undefined, { file: frameRW }),
  answer(toOpen, undefined, { file: frameW }), //! TS2322 ⛔ reply to open needs right 'read'; this Frame capability holds 'write'
  answer(toOpen, undefined, { file: ntfnRW }), //! TS2322 ⛔ reply to open needs a Frame capability, got Notification
  answer(toOpen, undefined, { file: frameRW }),
  answer(toOpen, undefined) //! TS2554 Expected 3 arguments, but got 2
]
declare const speak: (files: Endpoint<Files, "write">) => void
export const spoken = [
  speak(filesW),
  speak(filesAll),
  speak(filesR), //! TS2345 'Endpoint<Files, "read", never>' is not assignable to parameter of type 'Endpoint<Files, "write", never>'
  speak(net) //! TS2345 'Endpoint<Net, "write", never>' is not assignable to parameter of type 'Endpoint<Files, "write", never>'
]
