/**
 * The guide, step 5: a whole system in one literal.
 *
 *     npx skyscope run examples/guide/5-system.ts
 *     npx skyscope inspect examples/guide/5-system.ts
 *     npx skyscope export examples/guide/5-system.ts --capdl
 */
import { Effect, Schema } from "effect"
import {
  ask,
  Console,
  com1Ports,
  consoleTask,
  defineSystem,
  print,
  protocol,
  reply,
  rootTask,
  Shared_Read,
  Shared_Write,
  serve,
  startSystem,
  task
} from "skyscope"

/** Whoever has a secret signs what it is given. Only the signature leaves. */
export class Signer extends protocol(
  "signer",
  { sign: { request: Schema.Int, reply: Schema.Int } },
  { clients: ["mail"] }
) {}

/** It keeps the secret in memory that it shares with nobody. */
export const signer = task({ requests: Signer, answers: "Reply", secret: "Frame" }, ({ requests, answers, secret }) =>
  Effect.gen(function* () {
    yield* Shared_Write(secret, 0, Uint8Array.of(42))
    yield* serve(requests, answers, {
      sign: (text, to) => Effect.flatMap(Shared_Read(secret, 0, 1), ([key = 0]) => reply(to, (text * key) % 251))
    })
  })
)

/** It wants a signature, and prints. */
export const mail = task({ signer: Signer, console: Console }, ({ signer, console }) =>
  Effect.flatMap(ask(signer, "sign", 7), (signature) => print(console, `Signed: ${signature}.\n`))
)

/** It puts up posters, and is to learn nothing of the signer. */
export const advertiser = task({ board: "Frame" }, ({ board }) => Shared_Write(board, 0, Uint8Array.of(1)))

export const system = defineSystem({
  objects: {
    screen: Console,
    com1: com1Ports,
    printed: "Reply",
    signing: Signer,
    signed: "Reply",
    vault: "Page4K",
    wall: "Page4K"
  },
  tasks: {
    console: {
      program: consoleTask,
      priority: 200,
      grants: {
        endpoint: { to: "screen", rights: ["read"] },
        answers: { to: "printed", rights: ["send", "receive"] },
        port: { to: "com1", rights: ["in", "out"] }
      }
    },
    signer: {
      program: signer,
      priority: 150,
      time: { budget: 1000, period: 10_000 },
      grants: {
        requests: { to: "signing", rights: ["read"] },
        answers: { to: "signed", rights: ["send", "receive"] },
        secret: { to: "vault", rights: ["read", "write"] }
      }
    },
    mail: {
      program: mail,
      priority: 100,
      grants: {
        signer: { to: "signing", rights: ["write", "grantReply"], badge: "mail" },
        console: { to: "screen", rights: ["write", "grantReply"] }
      }
    },
    advertiser: {
      program: advertiser,
      priority: 50,
      grants: { board: { to: "wall", rights: ["read", "write"] } }
    }
  },
  isolated: [["signer", "advertiser"]]
})

export default rootTask(startSystem(system))
