/**
 * Timer: sleeping until the machine's timer rings, for the tasks of a system.
 *
 *     const sleeper = task(alarmSlots, (alarm) => withAlarm(alarm, Effect.sleep("10 millis")))
 *     defineSystem({ objects: { ...timerObjects, page: "Page4K", wake: "Notification" },
 *       tasks: {
 *         timer: { program: timerTask(["sleeper"]), priority: 220, grants: { ...timerGrants,
 *           "sleeper.page": { to: "page", rights: ["read", "write"] }, "sleeper.wake": { to: "wake", rights: ["write"] } } },
 *         sleeper: { program: sleeper, priority: 100, grants: { page: ..., wake: ..., bell: { to: "alarms", rights: ["write"] } } } } })
 *
 * A thread has no timer. Without this, a task that sleeps yields until the time has come, and keeps the processor from what has a
 * lower priority. With it, it waits for a notification: the processor is idle, or another's.
 */
import { Clock, Duration, Effect } from "effect"
import type { Cap, Using } from "../types/Capability.ts"
import { Signal, Wait } from "./Ipc.ts"
import { Shared_Address } from "./Shared.ts"
import { Syscalls } from "./Syscalls.ts"
import { serverTask } from "./System.ts"
import { hpetAddress, hpetInterrupt, interruptBadge, serveTime, setAlarm } from "./TimerServer.ts"

/** What a task has to be woken by: a page that it shares with the timer alone, and what each rings the other with. */
export interface Alarm<P = never, W = never, B = never> {
  readonly page: Cap<"Frame", "read" | "write", P>
  readonly wake: Cap<"Notification", "read", W>
  readonly bell: Cap<"Notification", "write", B>
}

/** The slots of a task that has an alarm and nothing else. */
export const alarmSlots = { page: "Frame", wake: "Notification", bell: "Notification" } as const

type Waking<P, W, B> =
  | Syscalls
  | Using<Cap<"Frame", "read" | "write", P>, "read" | "write">
  | Using<Cap<"Notification", "read", W>, "read">
  | Using<Cap<"Notification", "write", B>, "write">

/**
 * Wait so long. The thread waits: so do all fibers of the task, and a message for it. It goes on at the time or after, as its
 * priority and its budget let it.
 */
export const sleepBy = <P, W, B>(
  { page, wake, bell }: Alarm<P, W, B>,
  duration: Duration.Input
): Effect.Effect<void, never, Waking<P, W, B>> =>
  Effect.gen(function* () {
    const { memory } = yield* Syscalls
    const at = yield* Shared_Address(page)
    const now = (yield* Clock.Clock).currentTimeNanosUnsafe()
    setAlarm(memory, at, Number(now) + Duration.toMillis(duration) * 1e6)
    yield* Signal(bell)
    yield* Wait(wake)
  })

/** A program whose `Effect.sleep` is by the timer, and all that Effect makes of it. */
export const withAlarm = <P, W, B, A, E, R>(
  alarm: Alarm<P, W, B>,
  program: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R | Waking<P, W, B>> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const services = yield* Effect.context<Waking<P, W, B>>()
    const sleep = (duration: Duration.Duration) => Effect.provideContext(sleepBy(alarm, duration), services)
    return yield* Effect.provideService(program, Clock.Clock, { ...clock, sleep })
  })

/** What the timer's task has of the machine, and the notification that it is rung with. */
export const timerObjects = {
  hpet: { device: "Page4K", address: hpetAddress },
  hpetInterrupt: { interrupt: hpetInterrupt },
  alarms: "Notification"
} as const

/** What the timer's task is granted of these. For each client it is granted a page and what wakes it. */
export const timerGrants = {
  registers: { to: "hpet", rights: ["read", "write"] },
  interrupt: { to: "hpetInterrupt", rights: ["configure", "acknowledge"] },
  bell: { to: "alarms", rights: ["read"] },
  ring: { to: "alarms", rights: ["write"], badge: interruptBadge }
} as const

const own = { registers: "Frame", interrupt: "IRQHandler", bell: "Notification", ring: "Notification" } as const
const each = { page: "Frame", wake: "Notification" } as const

/** The task that has the timer, for clients by these names. */
export const timerTask = <const N extends string>(clients: ReadonlyArray<N>) =>
  serverTask(clients, own, each, (has, served) => serveTime(has, served))
