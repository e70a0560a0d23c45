/** Ports: the machine's IO ports, each range by a capability. */
import { Effect } from "effect"
import { type AnyCap, type Cap, capUnsafe, type LifetimeOf, type Using } from "../types/Capability.ts"
import type { Answer, Request } from "../types/Gate.ts"
import type { RightOf } from "../types/Kind.ts"
import * as MessageInfo from "../types/MessageInfo.ts"
import type { Need } from "../types/Need.ts"
import * as IOPort from "../types/x86_64/methods/IOPort.ts"
import * as IOPortControl from "../types/x86_64/methods/IOPortControl.ts"
import { Allocator, type OutOfSlots } from "./Allocator.ts"
import { invoke, pointer, type Refusal, refusal } from "./Invocation.ts"
import { Syscalls } from "./Syscalls.ts"
import { invocation, steps, syscallOf } from "./Transaction.ts"

/** The ports from `first` to `last`. No two ranges overlap. */
export const IOPort_Create = <C extends AnyCap>(
  control: Need<C, "IOPort_Create", "IOPortControl", "issue">,
  first: number,
  last: number
): Effect.Effect<
  Cap<"IOPort", RightOf<"IOPort">, LifetimeOf<C>>,
  Refusal | OutOfSlots,
  Syscalls | Allocator | Using<C, "issue">
> =>
  Effect.gen(function* () {
    const allocator = yield* Allocator
    const slot = yield* allocator.slots(1)
    yield* invoke(IOPortControl.Issue, pointer(control), {
      firstPort: first,
      lastPort: last,
      index: slot,
      depth: allocator.depth,
      root: allocator.cnode
    }).pipe(Effect.onError(() => Effect.sync(() => allocator.release(slot))))
    return capUnsafe<"IOPort", RightOf<"IOPort">, LifetimeOf<C>>("IOPort", slot)
  })

/** Read a byte from a port. */
export const IOPort_In8 = <C extends AnyCap>(
  ports: Need<C, "IOPort_In8", "IOPort", "in">,
  port: number
): Effect.Effect<number, Refusal, Syscalls | Using<C, "in">> => read(IOPort.In8, ports, port)

/** Write a byte to a port. */
export const IOPort_Out8 = <C extends AnyCap>(
  ports: Need<C, "IOPort_Out8", "IOPort", "out">,
  port: number,
  data: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "out">> => write(IOPort.Out8, ports, port, data)

/** `IOPort_Out8` of one byte after another. */
export const IOPort_Out8s = <C extends AnyCap>(
  ports: Need<C, "IOPort_Out8", "IOPort", "out">,
  port: number,
  data: Uint8Array
): Effect.Effect<void, Refusal, Syscalls | Using<C, "out">> => {
  const [first] = data
  if (first === undefined) return Effect.void
  return Effect.flatMap(Syscalls, ({ transact }) =>
    Effect.flatMap(
      transact(() => steps(writing(pointer(ports), BigInt(port), data))),
      (refused) => (refused === undefined ? Effect.void : Effect.fail(refused))
    )
  )
}

/** @returns why one was refused, and then no more were written. */
function* writing(ports: bigint, port: bigint, data: Uint8Array): Generator<Request, Refusal | undefined, Answer> {
  for (const byte of data) {
    const { info, mr0, mr1, mr2, mr3 } = syscallOf(yield invocation(ports, IOPort.Out8, 2, port, BigInt(byte)))
    const { label } = MessageInfo.fromBigInt(info)
    if (label !== 0) return refusal(IOPort.Out8.name, { label, words: [mr0, mr1, mr2, mr3] })
  }
  return undefined
}

/** Read two bytes from a port and those after it. */
export const IOPort_In16 = <C extends AnyCap>(
  ports: Need<C, "IOPort_In16", "IOPort", "in">,
  port: number
): Effect.Effect<number, Refusal, Syscalls | Using<C, "in">> => read(IOPort.In16, ports, port)

/** Write two bytes to a port and those after it. */
export const IOPort_Out16 = <C extends AnyCap>(
  ports: Need<C, "IOPort_Out16", "IOPort", "out">,
  port: number,
  data: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "out">> => write(IOPort.Out16, ports, port, data)

/** Read four bytes from a port and those after it. */
export const IOPort_In32 = <C extends AnyCap>(
  ports: Need<C, "IOPort_In32", "IOPort", "in">,
  port: number
): Effect.Effect<number, Refusal, Syscalls | Using<C, "in">> => read(IOPort.In32, ports, port)

/** Write four bytes to a port and those after it. */
export const IOPort_Out32 = <C extends AnyCap>(
  ports: Need<C, "IOPort_Out32", "IOPort", "out">,
  port: number,
  data: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "out">> => write(IOPort.Out32, ports, port, data)

const read = (method: typeof IOPort.In8, ports: unknown, port: number) =>
  Effect.map(invoke(method, pointer(ports), { port }), ({ result }) => result)

const write = (method: typeof IOPort.Out8, ports: unknown, port: number, data: number) =>
  Effect.asVoid(invoke(method, pointer(ports), { port, data }))
