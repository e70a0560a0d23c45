/** A machine for one thread: a fiber is resumed, and a function says what comes of each request. */
import { Effect } from "effect"
import type { Answer, Fiber, Request, ThreadMemory } from "../../src/types/Gate.ts"
import type { Syscalls } from "../../src/user/Syscalls.ts"
import * as Task from "../../src/user/Task.ts"

/** What comes of a request: after `takes` nanoseconds, this. */
export type Machine = (request: Request) => Answer

/** Memory where nothing may be accessed. */
export const noMemory: ThreadMemory = { read: () => false, write: () => false }

/** Resume a fiber until it exits. @returns every request it made. */
export const run = (fiber: Fiber, machine: Machine, takes = 100): ReadonlyArray<Request> => {
  const requests: Array<Request> = []
  let now = 0
  let answer: Answer = { _tag: "Start", argument: 0n }
  for (;;) {
    const request = fiber.resume(answer, now, noMemory)
    requests.push(request)
    if (request._tag === "Exit") return requests
    if (requests.length > 10_000) throw new Error(`${fiber.name} does not end`)
    now += takes
    answer = machine(request)
  }
}

/** A kernel that answers every system call with an empty message, and memory that reads as zeros. */
export const idle: Machine = (request) => {
  switch (request._tag) {
    case "Syscall":
      return { _tag: "Syscall", badge: 0n, info: 0n, mr0: 0n, mr1: 0n, mr2: 0n, mr3: 0n }
    case "Read":
      return { _tag: "Read", bytes: new Uint8Array(request.length) }
    case "Write":
      return { _tag: "Written" }
    case "Compute":
      return { _tag: "Continue" }
    case "Fork":
      return { _tag: "Forked", fiber: 1 }
    case "Exit":
      throw new Error("nobody answers an exit")
  }
}

/** Run a program to its end. @returns how it ended, and every request it made. */
export const runProgram = <A, E>(
  program: Effect.Effect<A, E, Syscalls>,
  machine: Machine = idle,
  options: Partial<Task.Options> = {}
) => {
  let ended: import("effect").Exit.Exit<A, E> | undefined
  const requests = run(
    Task.make({ name: "alice", ...options }, () =>
      program.pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            ended = exit
          })
        )
      )
    ),
    machine
  )
  if (ended === undefined) throw new Error("a fiber that exits has ended")
  return { exit: ended, requests }
}
