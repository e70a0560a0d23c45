import { Cause, Clock, Deferred, Effect, Exit, Fiber, Random } from "effect"
import { assert, describe, it } from "vitest"
import { Syscalls, whole } from "../../src/user/Syscalls.ts"
import * as Task from "../../src/user/Task.ts"
import { idle, noMemory, run, runProgram } from "./machine.ts"

const call = (label: number, words: ReadonlyArray<bigint> = []) =>
  Effect.flatMap(Syscalls, (syscalls) =>
    syscalls.call({ syscall: "Call", capability: 7n, label, words, caps: [], reply: 0n }, whole)
  )

describe("a task", () => {
  it("makes a system call, and goes on with its answer", () => {
    const { exit, requests } = runProgram(call(5, [1n, 2n]), (request) =>
      request._tag === "Syscall"
        ? { _tag: "Syscall", badge: 3n, info: (9n << 12n) | 1n, mr0: 42n, mr1: 0n, mr2: 0n, mr3: 0n }
        : idle(request)
    )
    assert.deepStrictEqual(
      requests.map((request) => request._tag),
      ["Syscall", "Exit"]
    )
    assert.deepInclude(requests[0], {
      number: 2n ** 64n - 1n,
      capability: 7n,
      info: (5n << 12n) | 2n,
      mr0: 1n,
      mr1: 2n
    })
    assert.deepStrictEqual(
      exit,
      Exit.succeed({ badge: 3n, label: 9, words: [42n], extraCaps: 0, unwrapped: 0, badges: [] })
    )
  })

  it("ends where it throws while it looks at an answer, and can be told so", () => {
    const program = Effect.flatMap(Syscalls, (syscalls) =>
      syscalls.call({ syscall: "Call", capability: 7n, label: 0, words: [], caps: [], reply: 0n }, () => {
        throw new Error("this is no answer")
      })
    )
    const { exit, requests } = runProgram(
      Effect.catchCause(program, (cause) => Effect.succeed(Cause.pretty(cause))),
      idle
    )
    assert.deepStrictEqual(
      requests.map((request) => request._tag),
      ["Syscall", "Exit"]
    )
    assert.include(Exit.isSuccess(exit) ? exit.value : "", "this is no answer")
  })

  it("starts with the word that its thread was started with", () => {
    let argument = 0n
    const fiber = Task.make({ name: "alice" }, (word) =>
      Effect.sync(() => {
        argument = word
      })
    )
    fiber.resume({ _tag: "Start", argument: 4096n }, 0, noMemory)
    assert.strictEqual(argument, 4096n)
  })

  it("has the machine's time, and no other", () => {
    const { exit } = runProgram(
      Effect.gen(function* () {
        const before = yield* Clock.currentTimeNanos
        yield* call(0)
        return (yield* Clock.currentTimeNanos) - before
      })
    )
    assert.deepStrictEqual(exit, Exit.succeed(100n))
  })

  it("sleeps by letting others run until the time has come", () => {
    const { exit, requests } = runProgram(Effect.andThen(Effect.sleep("1 micros"), Clock.currentTimeNanos))
    assert.deepStrictEqual(exit, Exit.succeed(1000n))
    const yields = requests.slice(0, -1)
    assert.strictEqual(yields.length, 10)
    for (const request of yields) assert.deepInclude(request, { _tag: "Syscall", number: BigInt.asUintN(64, -11n) })
  })

  it("has random numbers that come from its name", () => {
    const draw = Effect.all([Random.next, Random.next])
    const drawn = (name: string) => runProgram(draw, idle, { name }).exit
    assert.deepStrictEqual(drawn("alice"), drawn("alice"))
    assert.notDeepEqual(drawn("alice"), drawn("bob"))
  })

  it("that computes gives way to the machine, and says how much it did", () => {
    const { requests } = runProgram(
      Effect.forEach(Array.from({ length: 2000 }), () => Effect.yieldNow, { discard: true })
    )
    const computes = requests.filter((request) => request._tag === "Compute")
    assert.isAbove(computes.length, 4)
    for (const compute of computes) assert.isAtLeast(compute.operations, 256)
  })

  it("that loops without waiting for anything gives way too", () => {
    const forever = Task.make({ name: "alice" }, () =>
      Effect.forever(
        Effect.sync(() => undefined),
        { disableYield: true }
      )
    )
    assert.strictEqual(forever.resume({ _tag: "Start", argument: 0n }, 0, noMemory)._tag, "Compute")
    assert.strictEqual(forever.resume({ _tag: "Continue" }, 1, noMemory)._tag, "Compute")
  })

  it("asks for one thing at a time, in the order in which its fibers wanted it", () => {
    const { requests } = runProgram(Effect.all([call(1), call(2), call(3)], { concurrency: "unbounded" }))
    assert.deepStrictEqual(
      requests.flatMap((request) => (request._tag === "Syscall" ? [request.info >> 12n] : [])),
      [1n, 2n, 3n]
    )
  })

  it("has fibers that wait for each other", () => {
    const { exit } = runProgram(
      Effect.gen(function* () {
        const news = yield* Deferred.make<number>()
        const bob = yield* Effect.forkChild(Deferred.await(news))
        yield* call(0)
        yield* Deferred.succeed(news, 5)
        return yield* Fiber.join(bob)
      })
    )
    assert.deepStrictEqual(exit, Exit.succeed(5))
  })

  it("that waits for a promise of the host is a defect that names it", () => {
    const fiber = Task.make({ name: "alice" }, () => Effect.promise(() => Promise.resolve(1)))
    assert.throws(
      () => fiber.resume({ _tag: "Start", argument: 0n }, 0, noMemory),
      Task.TaskDefect,
      /'alice' waits for what no machine/
    )
  })

  it.each([
    ["Date.now", () => Date.now()],
    ["new Date", () => new Date()],
    ["performance.now", () => performance.now()],
    ["Math.random", () => Math.random()],
    ["crypto.randomUUID", () => crypto.randomUUID()],
    ["setTimeout", () => setTimeout(() => undefined, 0)],
    ["queueMicrotask", () => queueMicrotask(() => undefined)]
  ])("that uses the host's %s dies of it by name, and the host may still use it", (name, use) => {
    const { exit } = runProgram(Effect.sync(() => void use()))
    assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", `task 'alice' used the host's ${name}`)
    use()
  })

  it("calculates with dates", () => {
    const { exit } = runProgram(Effect.sync(() => new Date(0).toISOString()))
    assert.deepStrictEqual(exit, Exit.succeed("1970-01-01T00:00:00.000Z"))
    assert.instanceOf(new Date(0), Date)
  })

  it("tells what it logs, and prints nothing of it", () => {
    const told: Array<unknown> = []
    const logged: Task.Logged = (task, line) => told.push([task, line])
    run(
      Task.make({ name: "alice", logged }, () => Effect.logWarning("tired", { hours: 20 })),
      idle
    )
    assert.deepStrictEqual(told, [["alice", 'WARN tired {"hours":20}']])
  })

  it("tells how it ended", () => {
    const told: Array<unknown> = []
    const ended: Task.Ended = (task, exit) => told.push([task, exit])
    run(
      Task.make({ name: "alice", ended }, () => Effect.fail("tired")),
      idle
    )
    assert.deepStrictEqual(told, [["alice", Exit.fail("tired")]])
  })
})

describe("a message", () => {
  const long = [0n, 1n, 2n, 3n, 4n, 5n]

  it("of more than four words is written to the IPC buffer, read back from it, and nothing comes between", () => {
    const { exit, requests } = runProgram(
      Effect.all([call(1, long), call(2)], { concurrency: "unbounded" }),
      (request) => {
        switch (request._tag) {
          case "Syscall":
            return { _tag: "Syscall", badge: 0n, info: request.info, mr0: 10n, mr1: 11n, mr2: 12n, mr3: 13n }
          case "Read":
            return { _tag: "Read", bytes: new Uint8Array(BigUint64Array.from([14n, 15n]).buffer) }
          default:
            return idle(request)
        }
      },
      { ipcBuffer: 0x1000n }
    )
    assert.deepStrictEqual(
      requests.map((request) => request._tag),
      ["Write", "Syscall", "Read", "Syscall", "Exit"]
    )
    assert.deepInclude(requests[0], {
      address: 0x1000n + 8n + 32n,
      bytes: new Uint8Array(BigUint64Array.from([4n, 5n]).buffer)
    })
    assert.deepInclude(requests[2], { address: 0x1000n + 8n + 32n, length: 16 })
    if (!Exit.isSuccess(exit)) throw new Error("it ended well")
    assert.deepStrictEqual(exit.value[0].words, [10n, 11n, 12n, 13n, 14n, 15n])
  })

  it("without an IPC buffer goes as it is, and the kernel cuts it", () => {
    const { requests } = runProgram(call(1, long))
    assert.deepStrictEqual(
      requests.map((request) => request._tag),
      ["Syscall", "Exit"]
    )
    assert.deepInclude(requests[0], { info: (1n << 12n) | 6n, mr3: 3n })
  })

  it("with capabilities names them in the buffer, where their badges come back", () => {
    const { exit, requests } = runProgram(
      Effect.flatMap(Syscalls, (syscalls) =>
        syscalls.call(
          {
            syscall: "Call",
            capability: 7n,
            label: 0,
            words: [],
            caps: [20n, 21n],
            reply: 0n,
            receiveInto: { root: 2n, index: 99n, depth: 64 }
          },
          whole
        )
      ),
      (request) => {
        switch (request._tag) {
          case "Syscall":
            return { _tag: "Syscall", badge: 0n, info: (1n << 9n) | (1n << 7n), mr0: 0n, mr1: 0n, mr2: 0n, mr3: 0n }
          case "Read": {
            const bytes = new Uint8Array(request.length)
            new DataView(bytes.buffer).setBigUint64(976 - 40, 77n, true)
            return { _tag: "Read", bytes }
          }
          default:
            return idle(request)
        }
      },
      { ipcBuffer: 0n }
    )
    assert.deepStrictEqual(
      requests.flatMap((request) =>
        request._tag === "Write" ? [[request.address, new BigUint64Array(request.bytes.buffer)]] : []
      ),
      [
        [976n, BigUint64Array.from([20n, 21n])],
        [1000n, BigUint64Array.from([2n, 99n, 64n])]
      ]
    )
    if (!Exit.isSuccess(exit)) throw new Error("it ended well")
    assert.deepInclude(exit.value, { extraCaps: 1, unwrapped: 1, badges: [77n] })
  })
})
