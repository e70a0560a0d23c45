/** Ports: the machine's IO ports, each range by a capability. */
import { Effect } from "effect"
import { type AnyCap, type Cap, capUnsafe, type LifetimeOf, type Using } from "../types/Capability.ts"
import type { RightOf } from "../types/Kind.ts"
import type { Need } from "../types/Need.ts"
import * as IOPort from "../types/x86_64/methods/IOPort.ts"
import * as IOPortControl from "../types/x86_64/methods/IOPortControl.ts"
import { Allocator, type OutOfSlots } from "./Allocator.ts"
import { invoke, pointer, type Refusal } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"

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
): Effect.Effect<number, Refusal, Syscalls | Using<C, "in">> =>
  Effect.map(invoke(IOPort.In8, pointer(ports), { port }), ({ result }) => result)

/** Write a byte to a port. */
export const IOPort_Out8 = <C extends AnyCap>(
  ports: Need<C, "IOPort_Out8", "IOPort", "out">,
  port: number,
  data: number
): Effect.Effect<void, Refusal, Syscalls | Using<C, "out">> =>
  Effect.asVoid(invoke(IOPort.Out8, pointer(ports), { port, data }))
