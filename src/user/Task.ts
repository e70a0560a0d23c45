/**
 * Task: a program, an Effect, as the fiber of a thread.
 *
 * The thread runs the program on a scheduler of its own, from one answer of the machine to the next request: nothing of the
 * host decides when it goes on. So a program is a function of the machine's answers. Its clock is the machine's, its random
 * numbers come from a seed, and its fibers wait for each other or for the machine, never for a promise.
 */
import { Cause, Clock, Context, Duration, Effect, Exit, Formatter, Logger, Random } from "effect"
import type { Answer, Fiber, Request, ThreadMemory } from "../types/Gate.ts"
import { syscalls } from "../types/Syscall.ts"
import * as HostGlobals from "./HostGlobals.ts"
import { TaskScheduler } from "./Scheduler.ts"
import { type MessageCall, type Outcome, Syscalls, type SyscallsService } from "./Syscalls.ts"
import * as Transaction from "./Transaction.ts"

export interface Options {
  /** For reports. */
  readonly name: string
  /** The address of the thread's IPC buffer, if it has one. */
  readonly ipcBuffer?: bigint
  /** What the program's random numbers come from: its name, if not this. */
  readonly seed?: number | string
  readonly ended?: Ended
  readonly logged?: Logged
  readonly called?: Called
  /** What the thread does last, when the program has ended and was told of. A thread that goes on after is at a gate that nobody is behind: #UD. */
  readonly last?: Effect.Effect<unknown, never, Syscalls>
}

/** Told once for each task, when its program has ended: how. */
export type Ended = (task: string, exit: Exit.Exit<unknown, unknown>) => void

/** Who is told how the tasks that a program starts end. A task passes on what it was given. */
export const Ended: Context.Reference<Ended> = Context.Reference<Ended>("skyscope/user/Ended", {
  defaultValue: () => () => undefined
})

/** Told what a program says by `Effect.log`, a line at a time: for who develops it, and no part of what the machine does. */
export type Logged = (task: string, line: string) => void

/** Who is told what the tasks say that a program starts. A task passes on what it was given. */
export const Logged: Context.Reference<Logged> = Context.Reference<Logged>("skyscope/user/Logged", {
  defaultValue: () => () => undefined
})

/** Told of each system call that a task's thread is about to make: its number. For who counts them, and no part of what the machine does. */
export type Called = (task: string, number: number) => void

/** Who is told of the calls of tasks that a program starts, if somebody is. A task passes on what it was given. */
export const Called: Context.Reference<Called | undefined> = Context.Reference<Called | undefined>(
  "skyscope/user/Called",
  { defaultValue: () => undefined }
)

/** All who are told of a task, as it passes them on to those that it starts. */
export const observers: Effect.Effect<Pick<Options, "ended" | "logged" | "called">> = Effect.gen(function* () {
  const called = yield* Called
  return { ended: yield* Ended, logged: yield* Logged, ...(called && { called }) }
})

/** Level and text. */
const line = Logger.make<unknown, string>(({ logLevel, message, cause }) =>
  [
    logLevel.toUpperCase(),
    ...[message].flat().map((part) => (typeof part === "string" ? part : Formatter.format(part))),
    ...(cause.reasons.length === 0 ? [] : [Cause.pretty(cause)])
  ].join(" ")
)

/** What no program should do. It stops the machine. */
export class TaskDefect extends Error {
  override readonly name = "TaskDefect"
  constructor(task: string, what: string) {
    super(`task '${task}' ${what}`)
  }
}

/** The fiber of a program. `argument` is the word that its thread was started with. */
export const make = <A, E>(options: Options, program: (argument: bigint) => Effect.Effect<A, E, Syscalls>): Fiber =>
  new Task(options, program)

/** Something that a fiber of the program waits for. */
interface Operation {
  readonly transaction: Pick<Transaction.Transaction<unknown, unknown>, "first" | "next">
  /** The last answer is here: the fiber goes on with what came of it. */
  readonly end: () => void
}

class OperationOf<A, E> implements Operation {
  readonly transaction: Transaction.Transaction<A, E>
  private readonly resume: (result: Exit.Exit<A, E>) => void

  constructor(transaction: Transaction.Transaction<A, E>, resume: (result: Exit.Exit<A, E>) => void) {
    this.transaction = transaction
    this.resume = resume
  }

  end(): void {
    this.resume(this.result())
  }

  /** Who throws while it looks at what came ends the program that waits, and nobody else. */
  private result(): Exit.Exit<A, E> {
    try {
      return this.transaction.result()
    } catch (defect) {
      return Exit.die(defect)
    }
  }
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

class Task implements Fiber {
  readonly name: string
  readonly #program: (argument: bigint) => Effect.Effect<unknown, unknown>
  readonly #scheduler = new TaskScheduler()
  /** What the machine works on, or is to be asked next. */
  #current: Operation | undefined
  #underway = false
  /** What comes after it, oldest first. */
  readonly #waiting: Array<Operation> = []
  readonly #sleepers = new Set<Sleeper>()
  #ipcBuffer: bigint | undefined
  #over = false
  /** Nanoseconds since the machine started. */
  #now = 0
  /** Of the thread, while it runs the program. */
  #memory: ThreadMemory | undefined
  readonly #called: Called | undefined

  constructor(options: Options, program: (argument: bigint) => Effect.Effect<unknown, unknown, Syscalls>) {
    this.name = options.name
    this.#ipcBuffer = options.ipcBuffer
    this.#called = options.called
    const ended = options.ended ?? Ended.defaultValue()
    const logged = options.logged ?? Logged.defaultValue()
    const logger = Logger.map(line, (line) => logged(options.name, line))
    const services = Context.make(Syscalls, this.#syscalls()).pipe(
      Context.add(Clock.Clock, this.#clock()),
      Context.add(Ended, ended),
      Context.add(Logged, logged),
      Context.add(Called, options.called),
      Context.add(Logger.CurrentLoggers, new Set([logger]))
    )
    this.#program = (argument) =>
      Effect.suspend(() => program(argument)).pipe(
        Effect.exit,
        Effect.tap((exit) => Effect.sync(() => ended(options.name, exit))),
        Effect.andThen(options.last ?? Effect.void),
        Random.withSeed(options.seed ?? options.name),
        Effect.provideContext(services)
      )
  }

  resume(answer: Answer, now: number, memory: ThreadMemory): Request {
    this.#now = now
    this.#memory = memory
    HostGlobals.enter(this.name)
    try {
      this.#scheduler.begin()
      const request = this.#hear(answer) ?? this.#goOn()
      if (request._tag === "Syscall") this.#called?.(this.name, Number(BigInt.asIntN(64, request.number)))
      return request
    } finally {
      HostGlobals.leave()
    }
  }

  /** Give an answer to who waits for it. Its operation may ask for more at once. */
  #hear(answer: Answer): Request | undefined {
    if (answer._tag === "Start") {
      this.#start(answer.argument)
    } else if (this.#underway) {
      const operation = this.#current!
      const more = operation.transaction.next(answer)
      if (more !== undefined) return more
      this.#current = this.#waiting.length === 0 ? undefined : this.#waiting.shift()
      this.#underway = false
      operation.end()
    }
    return undefined
  }

  #start(argument: bigint): void {
    const fiber = Effect.runFork(this.#program(argument), { scheduler: this.#scheduler })
    fiber.addObserver(() => {
      this.#over = true
    })
  }

  /** Run the program's fibers, then ask for what is next. */
  #goOn(): Request {
    if (this.#sleepers.size > 0) this.#wake()
    this.#scheduler.run()
    if (this.#over) return exit
    if (this.#current !== undefined) {
      this.#underway = true
      return this.#current.transaction.first
    }
    if (!this.#scheduler.idle) return { _tag: "Compute", operations: this.#scheduler.operations }
    if (this.#sleepers.size > 0) return yieldToOthers
    throw new TaskDefect(
      this.name,
      "waits for what no machine can give it: a promise or timer of the host, or nothing at all"
    )
  }

  #wake(): void {
    for (const sleeper of this.#sleepers) {
      if (sleeper.until <= this.#now) sleeper.wake()
    }
  }

  /** Every run of it is a transaction of its own. */
  #ask<A, E>(transaction: () => Transaction.Transaction<A, E>): Effect.Effect<A, E> {
    return Effect.callback<A, E>((resume) => this.#await(new OperationOf(transaction(), resume)))
  }

  #await(operation: Operation): void {
    if (this.#current === undefined) this.#current = operation
    else this.#waiting.push(operation)
  }

  #syscalls(): SyscallsService {
    return {
      // What most transactions are needs no function for it.
      call: <A, E>(call: MessageCall, outcome: Outcome<A, E>) =>
        Effect.callback<A, E>((resume) =>
          this.#await(new OperationOf(Transaction.message(call, this.#ipcBuffer, outcome), resume))
        ),
      raw: (registers) => this.#ask(() => Transaction.raw(registers)),
      read: (address, length) => this.#ask(() => Transaction.read(address, length)),
      write: (address, bytes) => this.#ask(() => Transaction.write(address, bytes)),
      fork: (fiber) => this.#ask(() => Transaction.fork(fiber)),
      memory: {
        read: (address, into) => this.#memory!.read(address, into),
        write: (address, bytes) => this.#memory!.write(address, bytes)
      },
      transact: (transaction) => this.#ask(() => transaction(this.#ipcBuffer)),
      setIpcBuffer: (address) =>
        Effect.sync(() => {
          this.#ipcBuffer = address
        })
    }
  }

  #clock(): Clock.Clock {
    const millis = () => this.#now / 1e6
    const nanos = () => BigInt(this.#now)
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => this.#sleep(Duration.toMillis(duration) * 1e6)
    }
  }

  #sleep(nanoseconds: number): Effect.Effect<void> {
    if (nanoseconds === Number.POSITIVE_INFINITY) return Effect.never
    return Effect.callback<void>((resume) => {
      const sleeper: Sleeper = {
        until: this.#now + nanoseconds,
        wake: () => {
          this.#sleepers.delete(sleeper)
          resume(Effect.void)
        }
      }
      this.#sleepers.add(sleeper)
      return Effect.sync(() => this.#sleepers.delete(sleeper))
    })
  }
}

const exit: Request = { _tag: "Exit" }

/** A thread has no timer: without an alarm (see Timer) it lets others run, and looks again. */
const yieldToOthers: Request = {
  _tag: "Syscall",
  number: BigInt.asUintN(64, BigInt(syscalls.Yield)),
  ...{ capability: 0n, info: 0n, mr0: 0n, mr1: 0n, mr2: 0n, mr3: 0n, reply: 0n, destination: 0n }
}
