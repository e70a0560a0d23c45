/**
 * Console: a task that prints, and how others ask it to.
 *
 * It alone has the serial port COM1. "PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs".
 */
import { Effect, Schema } from "effect"
import type { Cap, Endpoint, Using } from "../types/Capability.ts"
import { protocol } from "../types/Protocol.ts"
import type { Allocator, NotMade } from "./Allocator.ts"
import { BootInfo } from "./BootInfo.ts"
import { Cap_Copy } from "./Capabilities.ts"
import { ask, type NotAnswered } from "./Client.ts"
import { Endpoint_Create } from "./Endpoint.ts"
import { Yield } from "./Ipc.ts"
import { create } from "./Memory.ts"
import { IOPort_Create, IOPort_In8, IOPort_Out8, IOPort_Out8s } from "./Ports.ts"
import { reply, serve } from "./Server.ts"
import { type Spawner, spawn } from "./Spawn.ts"
import type { Syscalls } from "./Syscalls.ts"
import { task } from "./System.ts"

export class Console extends protocol("console", {
  /** Print text. The reply comes when all of it has been given to the port. */
  write: { request: Schema.String, reply: Schema.Void }
}) {}

/** Start a console. Whoever is given the endpoint can print. */
export const startConsole: Effect.Effect<
  Endpoint<Console, "write" | "grantReply">,
  NotMade,
  Syscalls | Allocator | BootInfo | Spawner
> = Effect.gen(function* () {
  const { ioPortControl } = yield* BootInfo
  const endpoint = yield* Endpoint_Create(Console)
  const gives = {
    endpoint: yield* Cap_Copy(endpoint, ["read"]),
    reply: yield* create("Reply"),
    port: yield* IOPort_Create(ioPortControl, com1, com1 + 7)
  }
  yield* spawn({ name: "console", priority: 200, gives }, ({ endpoint, reply: answering, port }) =>
    program(endpoint, answering, port)
  )
  return yield* Cap_Copy(endpoint, ["write", "grantReply"])
})

const program = <E, A, P>(
  endpoint: Endpoint<Console, "read", E>,
  answers: Cap<"Reply", "send" | "receive", A>,
  port: Cap<"IOPort", "in" | "out", P>
) =>
  Effect.andThen(
    IOPort_Out8(port, com1 + FCR, enableFifos),
    serve(endpoint, answers, {
      write: (text, to) => Effect.andThen(Com1_Send(port, new TextEncoder().encode(text)), reply(to, undefined))
    })
  )

/** The console as a task of a system: `port` is of the IO ports that `com1Ports` says. */
export const consoleTask = task(
  { endpoint: Console, answers: "Reply", port: "IOPort" },
  ({ endpoint, answers, port }) => program(endpoint, answers, port)
)

type Printing = "write" | "grantReply"

/** Print text of any length, a message at a time. */
export const print = <Q = never>(
  console: Endpoint<Console, Printing, Q>,
  text: string
): Effect.Effect<void, NotAnswered, Syscalls | Using<Endpoint<Console, Printing, Q>, Printing>> =>
  Effect.forEach(pieces(text), (piece) => ask(console, "write", piece), { discard: true })

/** Parts of a text that fit a message: a character takes at most 3 bytes for each of its UTF-16 units. */
const pieces = (text: string): ReadonlyArray<string> => {
  const units = 300
  // A pair of surrogates stays together.
  return text.match(new RegExp(`[\\s\\S]{1,${units}}(?![\\udc00-\\udfff])`, "g")) ?? []
}

const com1 = 0x3f8
/** The serial port's registers. */
export const com1Ports = { ports: [com1, com1 + 7] } as const
/** Offsets of registers: Transmitter Holding (read: Receiver Buffer), Interrupt Enable, FIFO Control, Modem Control, Line Status. */
const [THR, IER, FCR, MCR, LSR] = [0, 1, 2, 4, 5]
/** FIFO Control: use the FIFOs, and empty both. */
const enableFifos = 0b111
/** Line Status: the transmitter's FIFO is empty; something has arrived. */
const THRE = 1 << 5
const DR = 1 << 0
/** Interrupt Enable: received data. Modem Control: DTR, RTS, and OUT2, by which the interrupt reaches its wire. */
const dataInterrupt = 1
const interruptsOn = 0b1011
/** The FIFO takes so many bytes at a time. */
const fifoBytes = 16

/** Give bytes to the port. */
export const Com1_Send = <Q>(port: Cap<"IOPort", "in" | "out", Q>, bytes: Uint8Array) =>
  Effect.gen(function* () {
    for (let at = 0; at < bytes.length; at += fifoBytes) {
      while (((yield* IOPort_In8(port, com1 + LSR)) & THRE) === 0) yield* Yield
      yield* IOPort_Out8s(port, com1 + THR, bytes.subarray(at, at + fifoBytes))
    }
  })

/** Use the port's FIFOs, and let it interrupt when something arrives. */
export const Com1_Listen = <Q>(port: Cap<"IOPort", "in" | "out", Q>) =>
  Effect.gen(function* () {
    yield* IOPort_Out8(port, com1 + FCR, enableFifos)
    yield* IOPort_Out8(port, com1 + MCR, interruptsOn)
    yield* IOPort_Out8(port, com1 + IER, dataInterrupt)
  })

/** The bytes that have arrived. */
export const Com1_Receive = <Q>(port: Cap<"IOPort", "in" | "out", Q>) =>
  Effect.gen(function* () {
    const bytes: Array<number> = []
    while (((yield* IOPort_In8(port, com1 + LSR)) & DR) !== 0) bytes.push(yield* IOPort_In8(port, com1 + THR))
    return Uint8Array.from(bytes)
  })
