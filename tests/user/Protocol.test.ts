/** Client and server, each a task, on the kernel and the machine. */
import { Effect, Schema } from "effect"
import { assert, describe, it } from "vitest"
import {
  ask,
  Call,
  Cap_Copy,
  Cap_Mint,
  capOf,
  create,
  Endpoint_Create,
  endpointOf,
  protocol,
  type RootServices,
  reply,
  replyError,
  Signal,
  serve,
  spawn,
  Wait
} from "../../src/user/index.ts"
import { runProgram } from "../examples/system.ts"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { path: Schema.String }) {}

class Bell extends protocol("bell", { ring: { request: Schema.Int, reply: Schema.Int } }) {}

class Files extends protocol("files", {
  size: { request: Schema.String, reply: Schema.Int, error: NotFound },
  read: { request: Schema.Struct({ path: Schema.String, count: Schema.Int }), reply: Schema.String },
  watch: { request: Schema.Void, sends: { bell: capOf("Notification", ["write"]) }, reply: Schema.Void },
  open: { request: Schema.Void, reply: Schema.Int, returns: { bell: endpointOf(Bell, ["write", "grantReply"]) } },
  whoami: { request: Schema.Void, reply: Schema.BigInt }
}) {}

/** What a client finds out of a server of files, with the badge 7. */
const asClient = <A, E>(
  client: (files: Effect.Success<typeof badged>) => Effect.Effect<A, E, RootServices>
): { readonly found: A | undefined; readonly failure: unknown } => {
  const outcome: { found: A | undefined; failure: unknown } = { found: undefined, failure: undefined }
  runProgram(
    Effect.gen(function* () {
      outcome.found = yield* client(yield* badged)
    }).pipe(
      Effect.catch((error) =>
        Effect.sync(() => {
          outcome.failure = error
        })
      )
    )
  )
  return outcome
}

const badged = Effect.gen(function* () {
  const endpoint = yield* Endpoint_Create(Files)
  const bell = yield* Endpoint_Create(Bell)
  const gives = { endpoint, answering: yield* create("Reply"), bell }
  yield* spawn({ name: "files", gives }, ({ endpoint, answering, bell }) =>
    serve(endpoint, answering, {
      size: (path, to) => (path === "/a" ? reply(to, 5) : replyError(to, new NotFound({ path }))),
      read: ({ path, count }, to) => reply(to, path.repeat(count)),
      watch: (_, to, { bell }) => Effect.andThen(Signal(bell), reply(to, undefined)),
      open: (_, to) => reply(to, 3, { bell }),
      whoami: (_, to, _caps, badge) => reply(to, badge)
    })
  )
  const rings = { bell, answering: yield* create("Reply") }
  yield* spawn({ name: "bell", gives: rings }, ({ bell, answering }) =>
    serve(bell, answering, { ring: (times, to) => reply(to, times + 1) })
  )
  return yield* Cap_Mint(endpoint, ["write", "grant", "grantReply"], { badge: 7n })
})

describe("a client", () => {
  it("asks, and gets the reply", () => {
    assert.deepStrictEqual(asClient((files) => ask(files, "size", "/a")).found, 5)
  })

  it("gets the error of the operation, as the value that the server gave", () => {
    const { failure } = asClient((files) => ask(files, "size", "/b"))
    assert.instanceOf(failure, NotFound)
    assert.deepInclude(failure, { path: "/b" })
  })

  it("asks and is answered in more words than registers hold", () => {
    const path = "abcdefgh".repeat(10)
    assert.strictEqual(asClient((files) => ask(files, "read", { path, count: 3 })).found, path.repeat(3))
  })

  it("hears that what it says does not fit a message", () => {
    const { failure } = asClient((files) => ask(files, "size", "x".repeat(1000)))
    assert.deepStrictEqual(failure, { _tag: "MessageTooLong", words: 126 })
  })

  it("hears that what it would be told does not fit a message", () => {
    const { failure } = asClient((files) => ask(files, "read", { path: "abcdefgh", count: 200 }))
    assert.deepStrictEqual(failure, { _tag: "MessageTooLong", words: 201 })
  })

  it("sends a capability, and the server uses it", () => {
    const { found } = asClient((files) =>
      Effect.gen(function* () {
        const notification = yield* create("Notification")
        const bell = yield* Cap_Mint(notification, ["write"], { badge: 0b100n })
        yield* ask(files, "watch", undefined, { bell })
        return yield* Wait(notification)
      })
    )
    assert.strictEqual(found, 0b100n)
  })

  it("gets a capability with the reply, and uses it", () => {
    const { found } = asClient((files) =>
      Effect.gen(function* () {
        const opened = yield* ask(files, "open", undefined)
        return [opened.reply, yield* ask(opened.caps.bell, "ring", 8)]
      })
    )
    assert.deepStrictEqual(found, [3, 9])
  })

  it("is told from others by its badge", () => {
    assert.strictEqual(asClient((files) => ask(files, "whoami", undefined)).found, 7n)
  })

  it("is told from others by its badge, behind copies of copies", () => {
    const { found } = asClient((files) =>
      Effect.flatMap(Cap_Copy(files, ["write", "grantReply"]), (copy) => ask(copy, "whoami", undefined))
    )
    assert.strictEqual(found, 7n)
  })
})

describe("a server", () => {
  it.each([
    ["an operation that there is none of", { label: 99 }],
    ["an operation without its request", { label: 0 }],
    ["an operation without the capability that goes with it", { label: 2 }]
  ])("answers %s by saying that it does not understand, and goes on", (_name, message) => {
    const { found } = asClient((files) =>
      Effect.gen(function* () {
        const answer = yield* Call(files, message)
        return [answer.label, yield* ask(files, "size", "/a")]
      })
    )
    assert.deepStrictEqual(found, [17, 5])
  })

  it("throws away a capability that nobody asked for, and has room for those that it did ask for", () => {
    const { found } = asClient((files) =>
      Effect.gen(function* () {
        const notification = yield* create("Notification")
        const bell = yield* Cap_Mint(notification, ["write"], { badge: 1n })
        for (let times = 0; times < 300; times++) yield* Call(files, { label: 4, caps: [bell] })
        yield* ask(files, "watch", undefined, { bell })
        return yield* Wait(notification)
      })
    )
    assert.strictEqual(found, 1n)
  })
})
