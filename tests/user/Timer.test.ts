/** Sleeping by an alarm, without a machine: what a task writes and asks when it sleeps. */
import { Clock, Effect, Layer } from "effect"
import { assert, describe, it } from "vitest"
import { capUnsafe } from "../../src/types/Capability.ts"
import { addressOfSlot } from "../../src/user/Shared.ts"
import { Syscalls } from "../../src/user/Syscalls.ts"
import { type Alarm, withAlarm } from "../../src/user/Timer.ts"

const alarm: Alarm = {
  page: capUnsafe("Frame", 3n),
  wake: capUnsafe("Notification", 4n),
  bell: capUnsafe("Notification", 5n)
}

/** A kernel that says what it is asked, and memory that says what is written. */
const recorded = () => {
  const did: Array<string> = []
  const answer = { badge: 1n, label: 0, words: [], extraCaps: 0, unwrapped: 0, badges: [] }
  const layer = Layer.succeed(
    Syscalls,
    Syscalls.of({
      call: ({ syscall, capability }, outcome) => {
        did.push(`${syscall} ${capability}`)
        return outcome(answer)
      },
      raw: () => Effect.die("no raw calls"),
      read: () => Effect.die("no reading"),
      write: () => Effect.die("no writing"),
      memory: {
        read: () => false,
        write: (address, bytes) => {
          const due = new DataView(bytes.buffer).getBigUint64(0, true)
          did.push(`${due} at slot ${(address - addressOfSlot(0)) / (addressOfSlot(1) - addressOfSlot(0))}`)
          return true
        }
      },
      transact: () => Effect.die("no transactions"),
      fork: () => Effect.die("no tasks"),
      setIpcBuffer: () => Effect.void
    })
  )
  return { did, layer }
}

/** It is always one second after the machine started. */
const atOneSecond = Effect.map(Clock.Clock, (clock) => ({ ...clock, currentTimeNanosUnsafe: () => 10n ** 9n }))

describe("a task with an alarm", () => {
  it("writes when it wants to be woken, rings the timer, and waits", () => {
    const { did, layer } = recorded()
    Effect.runSync(
      Effect.flatMap(atOneSecond, (clock) =>
        Effect.provideService(withAlarm(alarm, Effect.sleep("20 millis")), Clock.Clock, clock)
      ).pipe(Effect.provide(layer))
    )
    assert.deepStrictEqual(did, ["1020000000 at slot 3", "Send 5", "Wait 4"])
  })
})
