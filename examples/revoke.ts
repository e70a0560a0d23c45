/**
 * Revoke: what was lent is taken back.
 *
 *     npx skyscope run examples/revoke.ts
 *
 * A capability is lent as a copy: the kernel remembers what each was derived from. To revoke one deletes all that was derived
 * from it, wherever that is. Whoever had it holds an address in which there is nothing any more, and hears so when using it.
 */
import { Effect, Schema } from "effect"
import {
  ask,
  Cap_Copy,
  Cap_Revoke,
  create,
  Endpoint_Create,
  print,
  protocol,
  reply,
  rootTask,
  Signal,
  serve,
  spawn,
  startConsole,
  Wait
} from "skyscope"

/** How the borrower tells what became of it: it cannot print any more. */
class Diary extends protocol("diary", {
  write: { request: Schema.String, reply: Schema.Void }
}) {}

export default rootTask(
  Effect.gen(function* () {
    const console = yield* startConsole
    const diary = yield* Endpoint_Create(Diary)
    const printed = yield* create("Notification")
    const revoked = yield* create("Notification")

    // What the borrower gets is a copy of this one. The console itself stays as it is.
    const loan = yield* Cap_Copy(console, ["write", "grantReply"])
    const gives = {
      console: loan,
      diary: yield* Cap_Copy(diary, ["write", "grantReply"]),
      printed: yield* Cap_Copy(printed, ["write"]),
      revoked: yield* Cap_Copy(revoked, ["read"])
    }
    yield* spawn({ name: "borrower", gives }, ({ console, diary, printed, revoked }) =>
      Effect.gen(function* () {
        yield* print(console, "The borrower prints.\n")
        yield* Signal(printed)
        yield* Wait(revoked)
        const error = yield* Effect.flip(print(console, "The borrower prints again.\n"))
        yield* ask(diary, "write", error._tag)
      })
    )

    yield* Wait(printed)
    yield* Cap_Revoke(loan)
    yield* print(console, "The loan is revoked.\n")
    yield* Signal(revoked)

    yield* serve(diary, yield* create("Reply"), {
      write: (entry, to) =>
        Effect.andThen(print(console, `The borrower tried again, and was told: ${entry}.\n`), reply(to, undefined))
    })
  })
)
