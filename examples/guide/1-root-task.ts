/**
 * The guide, step 1: a root task.
 *
 *     npx skyscope run examples/guide/1-root-task.ts
 */
import { Effect } from "effect"
import { BootInfo, print, rootTask, startConsole } from "skyscope"

export default rootTask(
  Effect.gen(function* () {
    const { untyped } = yield* BootInfo
    const bytes = untyped.filter(({ isDevice }) => !isDevice).reduce((sum, { bits }) => sum + 2 ** bits, 0)

    const console = yield* startConsole
    yield* print(console, `More than ${Math.floor(bytes / 10_000_000)}0 MB of memory are mine, all of them.\n`)
  })
)
