/** Endpoint: a new one, where a protocol is spoken. */
import { Effect } from "effect"
import { type Endpoint, endpointUnsafe } from "../types/Capability.ts"
import type { RightOf } from "../types/Kind.ts"
import type { Protocol, ProtocolClass } from "../types/Protocol.ts"
import { Allocator, type NotMade } from "./Allocator.ts"
import type { Syscalls } from "./Syscalls.ts"

/** A new endpoint. Nobody has it yet, so that all who will speak at it are those to whom its maker gives it. */
export const Endpoint_Create = <P extends Protocol>(
  speaks: ProtocolClass<P>
): Effect.Effect<Endpoint<P, RightOf<"Endpoint">>, NotMade, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) =>
    Effect.map(allocator.make("Endpoint", 0, 1), (slot) => endpointUnsafe<P, RightOf<"Endpoint">>(slot, speaks))
  )
