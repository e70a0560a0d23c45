/** Calls from one task to another and back, per second: through the whole of machine, kernel and programs. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Exit, Schema } from "effect"
import { failure } from "../src/cli/failure.ts"
import { boot } from "../src/cli/System.ts"
import { makeInterpreter } from "../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import {
  ask,
  Call,
  create,
  Endpoint_Create,
  protocol,
  Receive,
  ReplyReceive,
  type RootServices,
  reply,
  rootTask,
  serve,
  spawn,
  spawnElf
} from "../src/user/index.ts"
import type { Benchmark, Figure } from "./Benchmark.ts"

class Arithmetic extends protocol("arithmetic", {
  double: { request: Schema.Int, reply: Schema.Int }
}) {}

const calls = 100_000
const program = (path: string) => readFileSync(join(import.meta.dirname, "..", path))

/** Start a server and a client that calls it `calls` times. */
type Pair = (calls: number) => Effect.Effect<unknown, unknown, RootServices>

const typescript: Pair = (calls) =>
  Effect.gen(function* () {
    const endpoint = yield* Endpoint_Create(Arithmetic)
    yield* spawn(
      { name: "server", gives: { endpoint, answering: yield* create("Reply") } },
      ({ endpoint, answering }) => serve(endpoint, answering, { double: (number, to) => reply(to, 2 * number) })
    )
    yield* spawn({ name: "client", gives: { endpoint } }, ({ endpoint }) =>
      Effect.gen(function* () {
        for (let times = 0; times < calls; times++) yield* ask(endpoint, "double", 21)
      })
    )
  })

const untyped: Pair = (calls) =>
  Effect.gen(function* () {
    const endpoint = yield* create("Endpoint")
    yield* spawn(
      { name: "server", gives: { endpoint, answering: yield* create("Reply") } },
      ({ endpoint, answering }) =>
        Effect.gen(function* () {
          let arrived = yield* Receive(endpoint, answering)
          for (;;) arrived = yield* ReplyReceive(endpoint, answering, { words: [2n * arrived.words[0]!] })
        })
    )
    yield* spawn({ name: "client", gives: { endpoint } }, ({ endpoint }) =>
      Effect.gen(function* () {
        for (let times = 0; times < calls; times++) yield* Call(endpoint, { words: [21n] })
      })
    )
  })

const compiled: Pair = (calls) =>
  Effect.gen(function* () {
    const endpoint = yield* Endpoint_Create(Arithmetic)
    const gives = { endpoint, reply: yield* create("Reply") }
    yield* spawnElf({ name: "server", gives }, program("examples/pingpong/server.elf"))
    yield* spawnElf({ name: "client", gives: { endpoint }, argument: BigInt(calls) }, program("bench/ipc/caller.elf"))
  })

interface Taken {
  readonly milliseconds: number
  /** Of the processor, whoever else runs on it. */
  readonly busy: number
  readonly instructions: number
}

const measure = (pair: Pair, calls: number): Taken => {
  const failures: Array<Exit.Exit<unknown, unknown>> = []
  const root = rootTask(pair(calls))
  const fiber = root.fiber({ name: "root", ended: (_, exit) => exit._tag === "Failure" && failures.push(exit) }, {})
  const system = boot({
    memoryBytes: 2 ** 24,
    reading: makeInterpreter,
    first: { _tag: "Fiber", fiber },
    output: () => undefined,
    note: (line) => console.error(line)
  })
  if ("_tag" in system) throw new Error("the system boots")
  const [started, startedBusy] = [performance.now(), process.cpuUsage()]
  system.run()
  const [milliseconds, { user, system: kernel }] = [performance.now() - started, process.cpuUsage(startedBusy)]
  if (failures.length > 0)
    throw new Error(failures.map((exit) => (Exit.isFailure(exit) ? failure(exit.cause) : "")).join())
  return { milliseconds, busy: (user + kernel) / 1000, instructions: system.machine.instructions }
}

/** What the calls themselves take, without starting the tasks and without what the host's compiler does first. */
const figures = (pair: Pair): ReadonlyArray<Figure> => {
  measure(pair, calls)
  const start = measure(pair, 1)
  const whole = measure(pair, calls)
  const milliseconds = whole.milliseconds - start.milliseconds
  return [
    { name: "round trips per second", value: (calls - 1) / (milliseconds / 1000) },
    { name: "µs each", value: (milliseconds * 1000) / (calls - 1) },
    { name: "µs of the processor each", value: ((whole.busy - start.busy) * 1000) / (calls - 1) },
    { name: "instructions each", value: (whole.instructions - start.instructions) / (calls - 1) }
  ]
}

export const benchmarks: ReadonlyArray<Benchmark> = [
  { name: "typed IPC, TypeScript to TypeScript", run: () => figures(typescript) },
  { name: "IPC of plain words, TypeScript to TypeScript", run: () => figures(untyped) },
  { name: "IPC, machine code to machine code", run: () => figures(compiled) }
]
