/**
 * Powers: a system boots, one of its components does what it may not, and in the end nobody can change the system any more.
 *
 *     npx skyscope run examples/powers.ts
 *
 * The first task has every power: all memory, all time, all interrupts and ports. It gives each component its part. A component that
 * faults and has nobody to handle that is stopped; the others go on, and its memory is taken back and used again. Then the first task
 * deletes what it does not need: what nobody holds a capability to, nobody can get.
 */
import { Effect } from "effect"
import {
  type AnyCap,
  BootInfo,
  Cap_Copy,
  Cap_Delete,
  Cap_Revoke,
  consume,
  create,
  Debug_CapIdentify,
  Memory_Read,
  print,
  rootTask,
  Signal,
  spawn,
  startConsole,
  Untyped_Retype,
  Wait
} from "skyscope"

/** Nothing is here. */
const nowhere = 0x7000_0000
const memoryBits = 15

/** How many of these are capabilities to something. */
const inUse = (powers: ReadonlyArray<AnyCap>) =>
  Effect.map(Effect.forEach(powers, Debug_CapIdentify), (kinds) => kinds.filter((kind) => kind !== undefined).length)

export default rootTask(
  Effect.gen(function* () {
    const { irqControl, ioPortControl, asidControl, domain, schedControl, untyped } = yield* BootInfo
    const console = yield* startConsole
    const memory = yield* create("Untyped", memoryBits)
    const done = yield* create("Notification")

    yield* spawn({ name: "clumsy", priority: 100, gives: { memory } }, ({ memory }) =>
      Effect.andThen(Untyped_Retype(memory, "Untyped", memoryBits), Memory_Read(nowhere, 8))
    )
    // It runs only when the one of higher priority does not.
    const gives = { console: yield* Cap_Copy(console, ["write", "grantReply"]), done: yield* Cap_Copy(done, ["write"]) }
    yield* spawn({ name: "steady", priority: 50, gives }, ({ console, done }) =>
      Effect.andThen(print(console, "The clumsy component is stopped; the steady one goes on.\n"), Signal(done))
    )
    yield* Wait(done)
    yield* Cap_Revoke(memory)
    yield* Untyped_Retype(memory, "Untyped", memoryBits)
    yield* print(console, `Its memory was taken back, and all ${2 ** memoryBits} bytes are used again.\n`)

    // The pool of address spaces' numbers stays: they all have theirs from it.
    const machine = [irqControl, ioPortControl, asidControl, domain, ...schedControl]
    const memories = untyped.map(({ cap }) => cap)
    const powers = [...machine, ...memories]
    const before = yield* inUse(powers)
    for (const power of machine) {
      consume(power)
      yield* Cap_Delete(power)
    }
    for (const each of memories) {
      consume(each)
      yield* Cap_Delete(each)
    }
    const after = yield* inUse(powers)
    yield* print(
      console,
      `Of the powers that boot gave, it had ${before === powers.length ? "all" : before}, and has ${after}.\n`
    )
    const error = yield* Effect.flip(create("Endpoint"))
    yield* print(console, `It wants memory again, and is told: ${error._tag}.\n`)
  })
)
