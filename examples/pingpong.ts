/**
 * Ping-pong: tasks in TypeScript and tasks compiled from C call each other, and cannot tell which is which.
 *
 *     npx skyscope run examples/pingpong.ts
 *
 * Both sides speak one protocol, below. Its messages have a form that any language can write (src/user/Codec.ts): here a number is a
 * word. The C programs are in pingpong/, with the header that says the same protocol in C; `npm run examples` builds them.
 */
import { Effect, Schema } from "effect"
import {
  ask,
  Cap_Copy,
  create,
  Endpoint_Create,
  print,
  protocol,
  reply,
  rootTask,
  serve,
  spawn,
  spawnElf,
  startConsole
} from "skyscope"

export class Arithmetic extends protocol("arithmetic", {
  double: { request: Schema.Int, reply: Schema.Int },
  /** What somebody has found out. */
  report: { request: Schema.Int, reply: Schema.Void }
}) {}

const files = { "server.elf": "pingpong/server.elf", "client.elf": "pingpong/client.elf" }

export default rootTask({ files }, (files) =>
  Effect.gen(function* () {
    const console = yield* startConsole

    // A server compiled from C. It gets the right to receive and what it needs to reply; the right to send stays here.
    const compiled = yield* Endpoint_Create(Arithmetic)
    yield* spawnElf(
      { name: "server in C", gives: { endpoint: yield* Cap_Copy(compiled, ["read"]), reply: yield* create("Reply") } },
      files["server.elf"]
    )
    const doubled = yield* ask(compiled, "double", 21)
    yield* print(console, `TypeScript asks C: twice 21 is ${doubled}.\n`)

    // The other way round: a server in TypeScript, and a client compiled from C that gets the right to send and no other.
    const typed = yield* Endpoint_Create(Arithmetic)
    const gives = { endpoint: yield* Cap_Copy(typed, ["read"]), answering: yield* create("Reply"), console }
    yield* spawn({ name: "server", gives }, ({ endpoint, answering, console }) =>
      serve(endpoint, answering, {
        double: (number, to) => reply(to, 2 * number),
        report: (number, to) =>
          Effect.andThen(print(console, `C asks TypeScript: 1 doubled 30 times is ${number}.\n`), reply(to, undefined))
      })
    )
    const client = yield* Cap_Copy(typed, ["write", "grantReply"])
    yield* spawnElf({ name: "client in C", gives: { client } }, files["client.elf"])
  })
)
