/** What the kernel's operations take, asked for by machine code and by TypeScript: through the whole of machine, kernel and programs. */
import { join } from "node:path"
import { Effect } from "effect"
import {
  AddressSpace_Map,
  BootInfo,
  Cap_Delete,
  Cap_Mint,
  consume,
  create,
  Fault_Receive,
  Fault_Reply,
  Frame_Unmap,
  Memory_Read,
  type RootServices,
  Signal,
  spawn,
  Wait,
  Yield
} from "../src/user/index.ts"
import { build } from "../tests/kernel/programs/programs.ts"
import type { Benchmark } from "./Benchmark.ts"
import { figures } from "./system.ts"

/** By the name that it has in kernel/operations.c. */
const compiled = {
  call: "call and reply, in one address space",
  signal: "signal that nobody waits for",
  wake: "signal, wake, and wait again",
  switch: "to another thread and back (Yield)",
  retype: "retype an endpoint and delete it",
  map: "map a page and unmap it",
  fault: "fault, its handler, and on",
  guest: "run a guest until it calls its monitor (VMEnter)"
} as const

const nowhere = 0x1000_0000

type Program = Effect.Effect<unknown, unknown, RootServices>
const repeat = <E, R>(times: number, operation: Effect.Effect<unknown, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    for (let time = 0; time < times; time++) yield* operation
  })

const typescript: Readonly<Record<string, (times: number) => Program>> = {
  "signal that nobody waits for": (times) =>
    Effect.gen(function* () {
      const bell = yield* create("Notification")
      yield* repeat(times, Signal(bell))
    }),

  "signal, wake, and wait again": (times) =>
    Effect.gen(function* () {
      const bell = yield* create("Notification")
      yield* spawn({ name: "listener", gives: { bell } }, ({ bell }) => repeat(times, Wait(bell)))
      yield* spawn({ name: "ringer", gives: { bell } }, ({ bell }) =>
        repeat(times, Effect.andThen(Signal(bell), Yield))
      )
    }),

  "to another thread and back (Yield)": (times) =>
    Effect.gen(function* () {
      for (const name of ["one", "other"]) yield* spawn({ name, gives: {} }, () => repeat(times, Yield))
    }),

  "retype an endpoint and delete it": (times) =>
    repeat(
      times,
      Effect.gen(function* () {
        const endpoint = yield* create("Endpoint")
        consume(endpoint)
        yield* Cap_Delete(endpoint)
      })
    ),

  "fault, its handler, and on": (times) =>
    Effect.gen(function* () {
      const faults = yield* create("Endpoint")
      const answering = yield* create("Reply")
      const faultHandler = yield* Cap_Mint(faults, ["write", "grant"], { badge: 7n })
      yield* spawn({ name: "stumbler", gives: {}, faultHandler }, () => Memory_Read(nowhere, 8))
      // Nothing is mapped there meanwhile: it tries again, and is refused again.
      let received = yield* Fault_Receive(faults, answering)
      yield* repeat(
        times,
        Effect.gen(function* () {
          yield* Fault_Reply(answering, received)
          received = yield* Fault_Receive(faults, answering)
        })
      )
    }),

  "map a page and unmap it": (times) =>
    Effect.gen(function* () {
      const { addressSpace } = yield* BootInfo
      const frame = yield* create("Page4K")
      yield* repeat(
        times,
        Effect.andThen(AddressSpace_Map(addressSpace, "0x480000", frame, ["read", "write"]), Frame_Unmap(frame))
      )
    })
}

const folder = join(import.meta.dirname, "kernel")

export const benchmarks: ReadonlyArray<Benchmark> = [
  ...Object.entries(compiled).map(([name, what]) => ({
    name: `kernel, from machine code: ${what}`,
    run: () => figures((times) => build("operations", { folder, defines: [`OPERATION=${name}`, `TIMES=${times}`] }))
  })),
  ...Object.entries(typescript).map(([what, program]) => ({
    name: `kernel, from TypeScript: ${what}`,
    run: () => figures(program)
  }))
]
