/** How capabilities relate: which may stand for which. */
import { Schema } from "effect"
import { expectAssignable, expectNotAssignable, expectType } from "tsd"
import type {
  AnyCap,
  Cap,
  Derived,
  Endpoint,
  KindOf,
  Region,
  RegionOf,
  RightsOf,
  Spent
} from "../../src/types/Capability.ts"
import type { Kind, RightOf } from "../../src/types/Kind.ts"
import { protocol } from "../../src/types/Protocol.ts"

declare const rw: Cap<"Endpoint", "read" | "write">
declare const r: Cap<"Endpoint", "read">
declare const w: Cap<"Endpoint", "write">
declare const none: Cap<"Endpoint", never>

// More rights may stand for fewer, and fewer never for more.
expectAssignable<Cap<"Endpoint", "read">>(rw)
expectAssignable<Cap<"Endpoint", "write">>(rw)
expectAssignable<Cap<"Endpoint", never>>(rw)
expectAssignable<Cap<"Endpoint", never>>(none)
expectNotAssignable<Cap<"Endpoint", "read" | "write">>(r)
expectNotAssignable<Cap<"Endpoint", "write">>(r)
expectNotAssignable<Cap<"Endpoint", "read">>(w)
expectNotAssignable<Cap<"Endpoint", "read">>(none)

// One of two has what both have.
declare const either: Cap<"Endpoint", "read" | "write"> | Cap<"Endpoint", "read" | "grant">
expectAssignable<Cap<"Endpoint", "read">>(either)
expectNotAssignable<Cap<"Endpoint", "write">>(either)

// A kind stands for itself only, even where its rights have the same names.
declare const notification: Cap<"Notification", "read">
expectNotAssignable<Cap<"Endpoint", "read">>(notification)
expectNotAssignable<Cap<"Notification", "read">>(r)
expectNotAssignable<Cap<"Endpoint" | "Notification", "read">>(r)
expectNotAssignable<Cap<Kind, never>>(r)

// A region stands for itself only, and none for the program's life.
interface One {
  readonly one: true
}
declare const lent: Cap<"Endpoint", "read", Region<One>>
expectNotAssignable<Cap<"Endpoint", "read">>(lent)
expectNotAssignable<Cap<"Endpoint", "read", Region<One>>>(r)
expectNotAssignable<Cap<"Endpoint", "read", Region<unknown>>>(lent)
expectNotAssignable<Cap<"Endpoint", "read", Region<never>>>(lent)
expectNotAssignable<Cap<"Endpoint", "read", Region<{ readonly one: true; readonly two: true }>>>(lent)
expectNotAssignable<Cap<"Endpoint", "read", unknown>>(lent)

// All are capabilities, and nothing else is.
expectAssignable<AnyCap>(rw)
expectAssignable<AnyCap>(lent)
expectNotAssignable<AnyCap>({})
expectNotAssignable<Cap<"Endpoint", never>>({})
expectNotAssignable<Cap<"Endpoint", never>>({ ...rw })
expectNotAssignable<Cap<"Endpoint", never>>(5n)
declare const unknownCap: AnyCap
expectNotAssignable<Cap<"Endpoint", never>>(unknownCap)

// A function may demand fewer rights than it is promised, not more.
declare const demandsRead: (cap: Cap<"Endpoint", "read">) => void
declare const demandsBoth: (cap: Cap<"Endpoint", "read" | "write">) => void
expectAssignable<(cap: Cap<"Endpoint", "read" | "write">) => void>(demandsRead)
expectNotAssignable<(cap: Cap<"Endpoint", "read">) => void>(demandsBoth)

// An endpoint with a protocol is an endpoint; one without has none; and two protocols are two.
class Log extends protocol("log", { write: { request: Schema.String, reply: Schema.Void } }) {}
class Out extends protocol("out", { write: { request: Schema.String, reply: Schema.Void } }) {}
declare const log: Endpoint<Log, "read" | "write">
expectAssignable<Cap<"Endpoint", "read" | "write">>(log)
expectAssignable<Endpoint<Log, "write">>(log)
expectNotAssignable<Endpoint<Log, "write" | "grant">>(log)
expectNotAssignable<Endpoint<Out, "write">>(log)
expectNotAssignable<Endpoint<Log, "write">>(rw)

// What a capability is made of, and what is derived from it.
expectType<"Endpoint">({} as KindOf<typeof lent>)
expectType<"read" | "write">({} as RightsOf<typeof rw>)
expectType<Region<One>>({} as RegionOf<typeof lent>)
expectAssignable<(_: RegionOf<typeof rw>) => void>((_: never) => undefined)
expectNotAssignable<Spent>(rw)
declare const derived: Derived<typeof rw, "read", Region<One>>
expectType<Cap<"Endpoint", "read", Region<One>>>(derived)
declare const derivedLog: Derived<typeof log, "write">
expectType<Endpoint<Log, "write">>(derivedLog)

// The rights to a kind.
expectType<"write" | "read" | "execute">({} as RightOf<"Frame">)
expectNotAssignable<RightOf<"Frame">>("grant")
