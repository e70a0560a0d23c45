/**
 * Tasks without a machine: what a program asks of the kernel goes through services, and a test provides its own.
 *
 * The client runs against a layer that plays the server, the server against one that plays its clients; neither is changed for it.
 */
import { Effect, Exit, Layer, Schema } from "effect"
import { assert, describe, it } from "vitest"
import { capUnsafe, type Endpoint, endpointUnsafe } from "../../src/types/Capability.ts"
import { protocol } from "../../src/types/Protocol.ts"
import { Allocator } from "../../src/user/Allocator.ts"
import { ask } from "../../src/user/Client.ts"
import * as Codec from "../../src/user/Codec.ts"
import { create } from "../../src/user/Memory.ts"
import { reply, replyError, serve } from "../../src/user/Server.ts"
import { type Arrived, type MessageCall, Syscalls } from "../../src/user/Syscalls.ts"
import { labels } from "../../src/user/Wire.ts"

class TooMuch extends Schema.TaggedError<TooMuch>()("TooMuch", { most: Schema.Int }) {}

class Counter extends protocol(
  "counter",
  { add: { request: Schema.Int, reply: Schema.Int, error: TooMuch } },
  { clients: ["ann"] }
) {}

const number = Codec.make(Schema.Int)

/** The kernel, as far as a program of this test sees it: what comes of each call. */
const kernel = (answer: (call: MessageCall) => Effect.Effect<Arrived>): Layer.Layer<Syscalls> =>
  Layer.succeed(
    Syscalls,
    Syscalls.of({
      call: (call, outcome) => Effect.flatMap(answer(call), outcome),
      raw: () => Effect.die("no raw calls here"),
      read: () => Effect.die("no memory here"),
      write: () => Effect.die("no memory here"),
      memory: { read: () => false, write: () => false },
      fork: () => Effect.die("no other tasks here"),
      transact: () => Effect.die("no transactions here"),
      setIpcBuffer: () => Effect.void
    })
  )

const arrived = (label: number, words: ReadonlyArray<bigint> = [], badge = 0n): Arrived => ({
  ...{ badge, label, words, extraCaps: 0, unwrapped: 0, badges: [] }
})

describe("a client", () => {
  const counter: Endpoint<Counter, "write" | "grantReply"> = endpointUnsafe(9n, Counter)
  /** It adds until the counter says that this is too much. */
  const fill = Effect.gen(function* () {
    for (let times = 0; ; times++) {
      const refused = yield* ask(counter, "add", 4).pipe(
        Effect.as(undefined),
        Effect.catchTag("TooMuch", ({ most }) => Effect.succeed(most))
      )
      if (refused !== undefined) return { times, most: refused }
    }
  })

  it("runs against a layer that plays its server", () => {
    const asked: Array<bigint> = []
    let total = 0
    const server = kernel(({ syscall, capability, words }) => {
      assert.deepStrictEqual([syscall, capability], ["Call", 9n])
      asked.push(...words)
      total += Number(words[0])
      const error = Codec.make(TooMuch)
      return Effect.succeed(
        total <= 10
          ? arrived(labels.reply, number.encode(total))
          : arrived(labels.error, error.encode(new TooMuch({ most: 10 })))
      )
    })
    assert.deepStrictEqual(Effect.runSync(Effect.provide(fill, server)), { times: 2, most: 10 })
    assert.deepStrictEqual(asked, [4n, 4n, 4n])
  })

  it("hears as a typed error what the kernel refuses", () => {
    const gone = kernel(() => Effect.succeed(arrived(2, [0n])))
    const exit = Effect.runSync(Effect.provide(Effect.flip(fill), gone))
    assert.deepStrictEqual(exit, { _tag: "InvalidCapability", index: 0, call: "add" })
  })
})

describe("a server", () => {
  const server = Effect.suspend(() => {
    const endpoint: Endpoint<Counter, "read"> = endpointUnsafe(7n, Counter)
    let total = 0
    return serve(endpoint, capUnsafe<"Reply", "send" | "receive">("Reply", 8n), {
      add: (amount, to, _caps, client) => {
        if (client !== "ann" || total + amount > 10) return replyError(to, new TooMuch({ most: 10 }))
        total += amount
        return reply(to, total)
      }
    })
  })

  it("runs against a layer that plays its clients", () => {
    const requests = [
      arrived(0, number.encode(3), 1n),
      arrived(0, number.encode(5), 1n),
      arrived(0, number.encode(1), 2n)
    ]
    const answers: Array<readonly [label: number, words: ReadonlyArray<bigint>]> = []
    const clients = kernel(({ syscall, label, words }) => {
      if (syscall === "ReplyRecv") answers.push([label, words])
      const next = requests.shift()
      return next === undefined ? Effect.interrupt : Effect.succeed(next)
    })
    const exit = Effect.runSyncExit(Effect.provide(server, clients))
    assert.isTrue(Exit.isFailure(exit))
    assert.deepStrictEqual(answers.slice(0, 2), [
      [labels.reply, number.encode(3)],
      [labels.reply, number.encode(8)]
    ])
    // Nobody knows who has the badge 2.
    assert.strictEqual(answers[2]![0], labels.error)
  })
})

describe("a program that makes objects", () => {
  it("runs against an allocator that has no memory", () => {
    const empty = Layer.succeed(
      Allocator,
      Allocator.of({
        ...{ cnode: 2n, depth: 64, slots: () => Effect.succeed(100n), release: () => undefined },
        make: () => Effect.fail({ _tag: "OutOfMemory", bits: 6 }),
        makeAt: () => Effect.fail({ _tag: "OutOfMemory", bits: 12 }),
        nothing: Effect.fail({ _tag: "OutOfSlots" })
      })
    )
    const layer = Layer.merge(
      empty,
      kernel(() => Effect.die("it asks nobody"))
    )
    const failed = Effect.runSync(Effect.provide(Effect.flip(create("Notification")), layer))
    assert.deepStrictEqual(failed, { _tag: "OutOfMemory", bits: 6 })
  })
})
