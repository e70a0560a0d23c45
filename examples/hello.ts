/**
 * Hello: a task asks another to print.
 *
 *     npx skyscope run examples/hello.ts
 *
 * The root task is the first program of a system and gets everything there is: all memory, every port, all the time of the processor.
 * It starts a console, a task of its own that gets the serial port and nothing else, and keeps an endpoint: the right to send
 * messages there. What can be said at it is a protocol, so a message that the console would not understand does not compile.
 */
import { Effect } from "effect"
import { ask, rootTask, startConsole } from "skyscope"

export default rootTask(
  Effect.gen(function* () {
    const console = yield* startConsole
    yield* ask(console, "write", "Hello from a task in TypeScript.\n")
  })
)
