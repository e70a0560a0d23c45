/** What messages and signals say to those who lack a right, or have something else. */
import { Effect } from "effect"
import { type Cap, consume } from "../../src/types/Capability.ts"
import { Call, Poll, Receive, Reply, ReplyReceive, Send, SendBlocking, Signal, Wait } from "../../src/user/Ipc.ts"

declare const epAll: Cap<"Endpoint", "read" | "write" | "grant" | "grantReply">
declare const epW: Cap<"Endpoint", "write">
declare const epR: Cap<"Endpoint", "read">
declare const epCall: Cap<"Endpoint", "write" | "grantReply">
declare const bellW: Cap<"Notification", "write">
declare const bellR: Cap<"Notification", "read">
declare const answering: Cap<"Reply", "send" | "receive" | "grant">
declare const answeringS: Cap<"Reply", "send">
declare const answeringR: Cap<"Reply", "receive">
declare const old: Cap<"Endpoint", "read" | "write" | "grantReply">

export const messages = Effect.gen(function* () {
  yield* Send(epW, {})
  yield* Send(epR, {}) //! TS2345 ⛔ Send needs right 'write'; this Endpoint capability holds 'read'
  yield* Send(bellW, {}) //! TS2345 ⛔ Send needs an Endpoint capability, got Notification
  yield* SendBlocking(epW, {})
  yield* SendBlocking(epR, {}) //! TS2345 ⛔ SendBlocking needs right 'write'; this Endpoint capability holds 'read'
  yield* SendBlocking(bellW, {}) //! TS2345 ⛔ SendBlocking needs an Endpoint capability, got Notification
  yield* Call(epCall, {})
  yield* Call(epR, {}) //! TS2345 ⛔ Call needs right 'write+grantReply'; this Endpoint capability holds 'read'
  yield* Call(epW, {}) //! TS2345 ⛔ Call needs right 'write+grantReply'; this Endpoint capability holds 'write'
  yield* Call(bellW, {}) //! TS2345 ⛔ Call needs an Endpoint capability, got Notification
  yield* Receive(epR)
  yield* Receive(epW) //! TS2345 ⛔ Receive needs right 'read'; this Endpoint capability holds 'write'
  yield* Receive(bellR) //! TS2345 ⛔ Receive needs an Endpoint capability, got Notification
  yield* Receive(epR, answeringR)
  yield* Receive(epR, answeringS) //! TS2345 ⛔ Receive needs right 'receive'; this Reply capability holds 'send'
  yield* Receive(epR, epR) //! TS2345 ⛔ Receive needs a Reply capability, got Endpoint
  yield* Reply(answeringS, {})
  yield* Reply(answeringR, {}) //! TS2345 ⛔ Reply needs right 'send'; this Reply capability holds 'receive'
  yield* Reply(epW, {}) //! TS2345 ⛔ Reply needs a Reply capability, got Endpoint
  yield* ReplyReceive(epR, answering, {})
  yield* ReplyReceive(epR, answeringS, {}) //! TS2345 ⛔ ReplyReceive needs right 'send+receive'; this Reply capability holds 'send'
  yield* ReplyReceive(epW, answering, {}) //! TS2345 ⛔ ReplyReceive needs right 'read'; this Endpoint capability holds 'write'
  yield* Send(epAll, { words: [7n] })
  yield* Send(epAll, { words: [7] }) //! TS2322 'number' is not assignable to type 'bigint'
})

export const signals = Effect.gen(function* () {
  yield* Signal(bellW)
  yield* Signal(bellR) //! TS2345 ⛔ Signal needs right 'write'; this Notification capability holds 'read'
  yield* Signal(epW) //! TS2345 ⛔ Signal needs a Notification capability, got Endpoint
  yield* Wait(bellR)
  yield* Wait(bellW) //! TS2345 ⛔ Wait needs right 'read'; this Notification capability holds 'write'
  yield* Wait(epR) //! TS2345 ⛔ Wait needs a Notification capability, got Endpoint
  yield* Poll(bellR)
  yield* Poll(bellW) //! TS2345 ⛔ Poll needs right 'read'; this Notification capability holds 'write'
  yield* Poll(epR) //! TS2345 ⛔ Poll needs a Notification capability, got Endpoint
})

export const given = Effect.gen(function* () {
  consume(old)
  yield* Send(epW, {})
  yield* Send(old, {}) //! TS2345 ⛔ Send: capability was already moved, deleted or revoked
  yield* SendBlocking(epW, {})
  yield* SendBlocking(old, {}) //! TS2345 ⛔ SendBlocking: capability was already moved, deleted or revoked
  yield* Call(epCall, {})
  yield* Call(old, {}) //! TS2345 ⛔ Call: capability was already moved, deleted or revoked
  yield* Receive(epR)
  yield* Receive(old) //! TS2345 ⛔ Receive: capability was already moved, deleted or revoked
})
