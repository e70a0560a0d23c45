/** What servers and clients of a protocol are told. */
import { Effect, Schema } from "effect"
import type { Cap, Endpoint } from "../../src/types/Capability.ts"
import { capOf, type Handlers, protocol } from "../../src/types/Protocol.ts"
import { ask } from "../../src/user/Client.ts"
import { reply, replyError, serve } from "../../src/user/Server.ts"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {}

class Files extends protocol("files", {
  size: { request: Schema.String, reply: Schema.Int, error: NotFound },
  share: { request: Schema.Void, sends: { buffer: capOf("Frame", ["read"]) }, reply: Schema.Void }
}) {}

// A field that no operation has.
protocol("files", { share: { request: Schema.Void, sends: { buffer: capOf("Frame", ["read"]) }, reply: Schema.Void } })
protocol("files", { share: { request: Schema.Void, caps: { buffer: capOf("Frame", ["read"]) }, reply: Schema.Void } }) //! TS2322 ⛔ 'share': an operation has a request, sends, a reply, returns and an error, but no 'caps'
protocol("files", { size: { request: Schema.String, reply: Schema.Int, error: NotFound } })
protocol("files", { size: { request: Schema.String, reply: Schema.Int, errors: NotFound } }) //! TS2322 ⛔ 'size': an operation has a request, sends, a reply, returns and an error, but no 'errors'

declare const files: Endpoint<Files, "read" | "write" | "grant" | "grantReply">
declare const filesW: Endpoint<Files, "write" | "grantReply">
declare const answering: Cap<"Reply", "send" | "receive" | "grant">
declare const bell: Cap<"Notification", "read" | "write">
declare const frame: Cap<"Frame", "read" | "write">
declare const handlers: Handlers<Files>
declare const { share }: Handlers<Files>

/** It answers nobody. */
const silent = () => Effect.void
export const asking = Effect.gen(function* () {
  ;(yield* ask(filesW, "size", "/a")) satisfies number
  ;(yield* ask(filesW, "size", "/a")) satisfies string //! TS1360 'number' does not satisfy the expected type 'string'
  yield* ask(filesW, "size", "/a")
  yield* ask(filesW, "sise", "/a") //! TS2345 ⛔ 'files' has no operation 'sise'
  yield* ask(files, "share", undefined, { buffer: frame })
  yield* ask(files, "share", undefined, { buffer: bell }) //! TS2322 ⛔ share needs a Frame capability, got Notification
  yield* ask(filesW, "size", "/a")
  yield* ask(bell, "size", "/a") //! TS2345 ⛔ 'size' needs an Endpoint capability with a protocol
})

export const serving = [
  serve(files, answering, handlers),
  serve(filesW, answering, handlers), //! TS2345 ⛔ serve needs right 'read'; this Endpoint capability holds 'write+grantReply'
  serve(bell, answering, handlers), //! TS2345 ⛔ serve needs an Endpoint capability, got Notification
  serve(files, answering, handlers),
  serve(files, bell, handlers), //! TS2345 ⛔ serve needs a Reply capability, got Notification
  serve(files, answering, { share, size: (_, to) => reply(to, 1) }),
  serve(files, answering, { share, size: (_, to) => reply(to, "1") }), //! TS2345 'string' is not assignable to parameter of type 'number'
  serve(files, answering, { share, size: (path, to) => replyError(to, new NotFound({ path })) }),
  serve(files, answering, { share, size: (path, to) => replyError(to, path) }), //! TS2345 'string' is not assignable to parameter of type 'NotFound'
  serve(files, answering, { share, size: handlers.size }),
  serve(files, answering, { share, size: silent }), //! TS2322 Type 'void' is not assignable to type 'Replied<
  serve(files, answering, { share }), //! TS2345 operation 'size' of 'files' is not handled
  serve(files, answering, { ...handlers, size: handlers.size }),
  serve(files, answering, { ...handlers, sise: handlers.size }) //! TS2322 'sise' is no operation of 'files'
]
