/** Calls from one task to another and back: through the whole of machine, kernel and programs. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Schema } from "effect"
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
  serve,
  spawn,
  spawnElf
} from "../src/user/index.ts"
import type { Benchmark } from "./Benchmark.ts"
import { figures } from "./system.ts"

class Arithmetic extends protocol("arithmetic", {
  double: { request: Schema.Int, reply: Schema.Int }
}) {}

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

export const benchmarks: ReadonlyArray<Benchmark> = [
  { name: "kernel, typed IPC, TypeScript to TypeScript", run: () => figures(typescript) },
  { name: "kernel, IPC of plain words, TypeScript to TypeScript", run: () => figures(untyped) },
  { name: "kernel, IPC, machine code to machine code", run: () => figures(compiled) }
]
