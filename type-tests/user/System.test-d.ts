/** What effects require of what they use, what is made of what, and what follows from what. */
import { Effect } from "effect"
import { expectAssignable, expectNotAssignable, expectType } from "tsd"
import type {
  Cap,
  Derived,
  Exercise,
  Frame,
  LifetimeOf,
  Made,
  Region,
  Slot,
  Untyped,
  Using
} from "../../src/types/Capability.ts"
import type { After } from "../../src/types/Memory.ts"
import type { Copied, Deleted, Moved, Outcome, Revoked } from "../../src/types/Plan.ts"
import type { Task } from "../../src/types/System.ts"
import type { Allocator } from "../../src/user/Allocator.ts"
import { Signal, Wait } from "../../src/user/Ipc.ts"
import type { Syscalls } from "../../src/user/Syscalls.ts"
import { task } from "../../src/user/System.ts"

declare const a: <T>() => T

// A frame whose size is known is a frame; one whose size is not known is of no size.
expectAssignable<Cap<"Frame", "read">>(a<Frame<"Page4K", "read" | "write">>())
expectAssignable<Frame<"Page4K", "read">>(a<Frame<"Page4K", "read" | "write">>())
expectNotAssignable<Frame<"Page4K", "read">>(a<Cap<"Frame", "read">>())
expectNotAssignable<Frame<"LargePage", "read">>(a<Frame<"Page4K", "read">>())
expectNotAssignable<Frame<"Page4K", "read" | "write">>(a<Frame<"Page4K", "read">>())
expectType<Frame<"LargePage", "write" | "read" | "execute">>(a<Made<"LargePage">>())
expectType<Cap<"CNode", "take" | "put" | "delete">>(a<Made<"CapTable">>())
expectType<Frame<"Page4K", "read">>(a<Derived<Frame<"Page4K", "read" | "write">, "read">>())

// Memory that is counted gives no right to who does not count, and one count is not another.
expectAssignable<Cap<"Untyped", never>>(a<Untyped<12, "0x0">>())
expectNotAssignable<Cap<"Untyped", "retype">>(a<Untyped<12, "0x0">>())
expectNotAssignable<Untyped<12, "0x0">>(a<Untyped<12, "0x10">>())
expectNotAssignable<Untyped<12, "0x0">>(a<Untyped<13, "0x0">>())
expectNotAssignable<Untyped<12, "0x0">>(a<Cap<"Untyped", "retype">>())

// The count is the kernel's: objects lie at multiples of their sizes.
expectType<"0x10">(a<After<14, "0x0", "Endpoint", 1>>())
expectType<"0x1000">(a<After<14, "0x10", "TCB", 1>>())
expectType<"0x4000">(a<After<14, "0x1", "Page4K", 3>>())
expectType<undefined>(a<After<14, "0x1", "Page4K", 4>>())
expectType<"0x2000">(a<After<20, "0x0", readonly ["CapTable", 8], 1>>())
expectType<"0x800000000000">(a<After<47, "0x0", readonly ["Untyped", 46], 2>>())

// What using a capability requires: nothing, its region, or that the system grants it.
interface Loan {
  readonly loan: 1
}
expectType<never>(a<Using<Cap<"Notification", "write">, "write">>())
expectType<Region<Loan>>(a<Using<Cap<"Notification", "write", Region<Loan>>, "write">>())
expectType<Exercise<"bell", "Notification", "write">>(a<Using<Cap<"Notification", "write", Slot<"bell">>, "write">>())
expectType<never>(a<LifetimeOf<Cap<"Notification", "write", Slot<"bell">>>>())
expectType<Region<Loan>>(a<LifetimeOf<Cap<"Notification", "write", Region<Loan>>>>())

// What a program uses is what its effects do.
type Bell = { readonly bell: "Notification" }
expectType<Task<Bell, Exercise<"bell", "Notification", "write">>>(
  task({ bell: "Notification" }, ({ bell }) => Signal(bell))
)
expectType<Task<Bell, Exercise<"bell", "Notification", "write"> | Exercise<"bell", "Notification", "read">>>(
  task({ bell: "Notification" }, ({ bell }) => Effect.andThen(Signal(bell), Wait(bell)))
)
expectType<Task<Bell, never>>(task({ bell: "Notification" }, () => Effect.void))
expectNotAssignable<Effect.Effect<void, never, Syscalls | Allocator>>(
  Signal(a<Cap<"Notification", "write", Slot<"bell">>>())
)

// A plan's slots, one step after the other.
interface In<C, From extends string> {
  readonly cap: C
  readonly object: "o"
  readonly from: From
  readonly at: undefined
}
type Top = Cap<"Endpoint", "read" | "write">
interface Start {
  readonly top: In<Top, never>
  readonly child: In<Cap<"Endpoint", "write">, "top">
}
expectType<{ readonly top: Top; readonly child: Cap<"Endpoint", "write"> }>(a<Outcome<Start>>())
expectType<"top" | "child">(a<Copied<Start, "child", "write", "next">["next"]["from"]>())
expectType<{ readonly top: Top }>(a<Outcome<Revoked<Start, "top">>>())
expectType<{ readonly child: Cap<"Endpoint", "write"> }>(a<Outcome<Deleted<Start, "top">>>())
expectType<never>(a<Deleted<Start, "top">["child"]["from"]>())
expectType<"moved">(a<Moved<Start, "top", "moved">["child"]["from"]>())
expectType<"moved" | "child">(a<keyof Outcome<Moved<Start, "top", "moved">>>())
