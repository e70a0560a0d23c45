/**
 * System: tasks, what they share, and what each may do, in one literal.
 *
 *     npx skyscope run examples/system.ts
 *
 * The compiler knows what each program does with what it has. Take a right away from a grant below, or add one; let the reader
 * run above the painter whom it asks; declare it isolated from the ringer: the field itself says what is wrong. What compiles is
 * what starts, and no task has a capability more.
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
  Signal,
  serve,
  startSystem,
  task,
  Wait
} from "skyscope"

/** What can be asked of the painter: to paint a number so many times. */
class Painting extends protocol("painting", { paint: { request: Schema.Int, reply: Schema.Void } }) {}

/** It paints what it is asked to into memory that it shares, and knows nobody. */
const painter = task({ orders: Painting, answers: "Reply", canvas: "Frame" }, ({ orders, answers, canvas }) =>
  serve(orders, answers, {
    paint: (colour, to) => Effect.andThen(Shared_Write(canvas, 0, new Uint8Array(4).fill(colour)), reply(to, undefined))
  })
)

/** It waits until somebody rings, orders a painting, looks at it, and says what it sees. */
const reader = task({ bell: "Notification", painter: Painting, canvas: "Frame", console: Console }, (has) =>
  Effect.gen(function* () {
    yield* Wait(has.bell)
    yield* ask(has.painter, "paint", 7)
    const seen = yield* Shared_Read(has.canvas, 0, 4)
    yield* print(has.console, `The reader sees ${seen.join(" ")}.\n`)
  })
)

const ringer = task({ bell: "Notification" }, ({ bell }) => Signal(bell))

export const system = defineSystem({
  objects: {
    screen: Console,
    com1: com1Ports,
    printed: "Reply",
    orders: Painting,
    painted: "Reply",
    canvas: "Page4K",
    bell: "Notification"
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
    painter: {
      program: painter,
      priority: 150,
      time: { budget: 2000, period: 10_000 },
      grants: {
        orders: { to: "orders", rights: ["read"] },
        answers: { to: "painted", rights: ["send", "receive"] },
        canvas: { to: "canvas", rights: ["read", "write"] }
      }
    },
    reader: {
      program: reader,
      priority: 100,
      grants: {
        bell: { to: "bell", rights: ["read"] },
        painter: { to: "orders", rights: ["write", "grantReply"] },
        canvas: { to: "canvas", rights: ["read"] },
        console: { to: "screen", rights: ["write", "grantReply"], badge: 1n }
      }
    },
    ringer: {
      program: ringer,
      priority: 50,
      grants: { bell: { to: "bell", rights: ["write"] } }
    },
    // It has nothing and can do nothing, so that nobody can learn of it.
    hermit: { program: task({}, () => Effect.void), priority: 50, grants: {} }
  },
  isolated: [
    ["hermit", "reader"],
    ["hermit", "ringer"]
  ]
})

export default rootTask(startSystem(system))
