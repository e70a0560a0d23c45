/**
 * The guide, step 4: how long a capability lives.
 *
 *     npx skyscope run examples/guide/4-loan.ts
 */
import { Effect } from "effect"
import {
  Cap_Copy,
  Cap_Delete,
  consume,
  create,
  Poll,
  print,
  rootTask,
  Signal,
  startConsole,
  withRevocable
} from "skyscope"

export default rootTask(
  Effect.gen(function* () {
    const console = yield* startConsole
    const bell = yield* create("Notification")

    // What is deleted is given up on the line before: from there on the compiler refuses it.
    const spare = yield* Cap_Copy(bell, ["write"])
    yield* Signal(spare)
    consume(spare)
    yield* Cap_Delete(spare)

    // What is lent ends with its loan, and so does every copy of it, wherever it is.
    const rung = yield* withRevocable(bell, ["write"], (lent) =>
      Effect.gen(function* () {
        const copy = yield* Cap_Copy(lent, ["write"])
        yield* Signal(copy)
        return "once more"
      })
    )
    yield* Poll(bell)
    yield* print(console, `Rung, and ${rung}: both capabilities are gone.\n`)
  })
)
