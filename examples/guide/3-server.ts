/**
 * The guide, step 3: tasks that talk.
 *
 *     npx skyscope run examples/guide/3-server.ts
 */
import { Effect, Schema } from "effect"
import {
  ask,
  Cap_Copy,
  Cap_Mint,
  create,
  Endpoint_Create,
  print,
  protocol,
  reply,
  replyError,
  rootTask,
  serve,
  spawn,
  startConsole
} from "skyscope"

export class TooPoor extends Schema.TaggedError<TooPoor>()("TooPoor", { has: Schema.Int }) {}

/** What can be asked of a bank, what it answers, and who its clients are. */
export class Bank extends protocol(
  "bank",
  {
    pay: { request: Schema.Int, reply: Schema.Int },
    draw: { request: Schema.Int, reply: Schema.Int, error: TooPoor }
  },
  { clients: ["alice", "bob"] }
) {}

export default rootTask(
  Effect.gen(function* () {
    const console = yield* startConsole
    const bank = yield* Endpoint_Create(Bank)

    // The server has the right to receive, and a reply object to answer with; no right to ask.
    const gives = { endpoint: yield* Cap_Copy(bank, ["read"]), answers: yield* create("Reply") }
    yield* spawn({ name: "bank", gives }, ({ endpoint, answers }) => {
      const balances = { alice: 0, bob: 0 }
      return serve(endpoint, answers, {
        pay: (amount, to, _caps, client) => {
          if (client === undefined) return reply(to, 0)
          balances[client] += amount
          return reply(to, balances[client])
        },
        draw: (amount, to, _caps, client) => {
          if (client === undefined) return replyError(to, new TooPoor({ has: 0 }))
          if (balances[client] < amount) return replyError(to, new TooPoor({ has: balances[client] }))
          balances[client] -= amount
          return reply(to, balances[client])
        }
      })
    })

    // Each client has an endpoint of its own: the badge says who asks, and no client can change it.
    const alice = yield* Cap_Mint(bank, ["write", "grantReply"], { badge: "alice" })
    const bob = yield* Cap_Mint(bank, ["write", "grantReply"], { badge: "bob" })
    yield* ask(alice, "pay", 30)
    yield* print(console, `Alice draws 10, and has ${yield* ask(alice, "draw", 10)}.\n`)
    const refused = yield* ask(bob, "draw", 10).pipe(
      Effect.as("has it"),
      Effect.catchTag("TooPoor", ({ has }) => Effect.succeed(`has only ${has}`))
    )
    yield* print(console, `Bob would draw 10, and ${refused}.\n`)
  })
)
