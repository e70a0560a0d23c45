/**
 * Sleep: two tasks wait for the machine's timer, and the processor is idle in between.
 *
 *     npx skyscope run examples/sleep.ts
 *
 * A thread has no timer of its own. One task has the machine's, and its interrupt; each other task has a page in which it writes when
 * it wants to be woken. Who sleeps waits for a notification, and whoever has a lower priority runs.
 */
import { Clock, Effect } from "effect"
import {
  alarmSlots,
  Console,
  com1Ports,
  consoleTask,
  defineSystem,
  print,
  rootTask,
  startSystem,
  task,
  timerGrants,
  timerObjects,
  timerTask,
  withAlarm
} from "skyscope"

const sleeper = (name: string, millis: number) =>
  task({ ...alarmSlots, console: Console }, (has) =>
    withAlarm(
      has,
      Effect.gen(function* () {
        for (let time = 1; time <= 2; time++) {
          const before = yield* Clock.currentTimeMillis
          yield* Effect.sleep(millis)
          const slept = Math.floor((yield* Clock.currentTimeMillis) - before)
          yield* print(has.console, `${name} slept ${slept} ms, the ${time === 1 ? "first" : "second"} time.\n`)
        }
      })
    )
  )

const alarm = <const N extends string>(name: N) =>
  ({
    page: { to: `${name}Page`, rights: ["read", "write"] },
    wake: { to: `${name}Wake`, rights: ["read"] },
    bell: { to: "alarms", rights: ["write"] },
    console: { to: "screen", rights: ["write", "grantReply"] }
  }) as const

export const system = defineSystem({
  objects: {
    ...timerObjects,
    screen: Console,
    com1: com1Ports,
    printed: "Reply",
    lazyPage: "Page4K",
    lazyWake: "Notification",
    quickPage: "Page4K",
    quickWake: "Notification"
  },
  tasks: {
    timer: {
      program: timerTask(["lazy", "quick"]),
      priority: 220,
      grants: {
        ...timerGrants,
        "lazy.page": { to: "lazyPage", rights: ["read", "write"] },
        "lazy.wake": { to: "lazyWake", rights: ["write"] },
        "quick.page": { to: "quickPage", rights: ["read", "write"] },
        "quick.wake": { to: "quickWake", rights: ["write"] }
      }
    },
    console: {
      program: consoleTask,
      priority: 200,
      grants: {
        endpoint: { to: "screen", rights: ["read"] },
        answers: { to: "printed", rights: ["send", "receive"] },
        port: { to: "com1", rights: ["in", "out"] }
      }
    },
    lazy: { program: sleeper("The lazy one", 25), priority: 100, grants: alarm("lazy") },
    quick: { program: sleeper("The quick one", 10), priority: 100, grants: alarm("quick") }
  }
})

export default rootTask(startSystem(system))
