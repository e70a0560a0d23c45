/** What memory that the compiler counts says to those who would take more than there is. */
import { Effect } from "effect"
import { type Cap, consume, type Untyped } from "../../src/types/Capability.ts"
import { Cap_Copy, withRevocable } from "../../src/user/Capabilities.ts"
import { Untyped_Retype } from "../../src/user/Memory.ts"
import { Untyped_Carve, Untyped_Clear, Untyped_Create, Untyped_Uncount } from "../../src/user/Untyped.ts"

declare const u12: Untyped<12, "0x0">
declare const u14: Untyped<14, "0x0">
declare const u14used: Untyped<14, "0x1010">
declare const u20: Untyped<20, "0x0">
declare const uncounted: Cap<"Untyped", "retype">
declare const frame: Cap<"Frame", "read">
declare const many: number

// What fits: to the byte, and at multiples of each object's size.
export const fits = [
  Untyped_Carve(u14, "Page4K", 4),
  Untyped_Carve(u14, "Page4K", 5), //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^14 bytes is exhausted: 5 × Page4K of 2^12 bytes do not fit after 0x0
  Untyped_Carve(u14, "Page4K"),
  Untyped_Carve(u14, "LargePage"), //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^14 bytes is exhausted: 1 × LargePage of 2^21 bytes do not fit after 0x0
  Untyped_Carve(u14used, "Page4K", 2),
  Untyped_Carve(u14used, "Page4K", 3), //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^14 bytes is exhausted: 3 × Page4K of 2^12 bytes do not fit after 0x1010
  Untyped_Carve(u14used, "Endpoint", 256),
  Untyped_Carve(u12, "Endpoint", 256),
  Untyped_Carve(u20, "Page4K", 256),
  Untyped_Carve(u14used, "Page4K", 256), //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^14 bytes is exhausted: 256 × Page4K of 2^12 bytes do not fit after 0x1010
  Untyped_Carve(u20, ["CapTable", 15]),
  Untyped_Carve(u20, ["CapTable", 16]), //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^20 bytes is exhausted: 1 × CapTable of 2^21 bytes do not fit after 0x0
  Untyped_Carve(u20, ["Untyped", 19], 2),
  Untyped_Carve(u20, ["Untyped", 19], 3), //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^20 bytes is exhausted: 3 × Untyped of 2^19 bytes do not fit after 0x0
  Untyped_Carve(u14, "Endpoint"),
  Untyped_Carve(u14, "PML5") //! TS2345 '"PML5"' is not assignable to parameter of type
]

// How many, and how large.
export const counts = [
  Untyped_Carve(u14, "Endpoint", 256),
  Untyped_Carve(u14, "Endpoint", 257), //! TS2345 ⛔ Untyped_Carve makes at most 256 objects at once
  Untyped_Carve(u14, "Endpoint", 1),
  Untyped_Carve(u14, "Endpoint", 0), //! TS2345 ⛔ Untyped_Carve makes at least one object
  Untyped_Carve(u14, "Endpoint", many), //! TS2345 ⛔ Untyped_Carve: how many there are to be must stand in the text of the program
  Untyped_Carve(u20, ["SchedContext", 7]),
  Untyped_Carve(u20, ["SchedContext", 6]), //! TS2345 ⛔ Untyped_Carve: the size of a SchedContext is at least 2^7, not 2^6
  Untyped_Carve(u20, ["CapTable", 1]),
  Untyped_Carve(u20, ["CapTable", 0]), //! TS2345 ⛔ Untyped_Carve: the size of a CapTable is at least 2^1, not 2^0
  Untyped_Carve(u20, ["Untyped", 4]),
  Untyped_Carve(u20, ["Untyped", 3]), //! TS2345 ⛔ Untyped_Carve: the size of an Untyped is at least 2^4, not 2^3
  Untyped_Carve(u20, ["Untyped", 48]), //! TS2345 ⛔ Untyped_Carve: no Untyped is as large as 2^48
  Untyped_Create(47),
  Untyped_Create(48), //! TS2345 ⛔ Untyped_Create: no Untyped is as large as 2^48
  Untyped_Create(3), //! TS2345 ⛔ Untyped_Create: the size of an Untyped is at least 2^4, not 2^3
  Untyped_Create(many) //! TS2345 ⛔ Untyped_Create: the size of an Untyped must stand in the text of the program
]

// Whose memory it is.
export const memories = [
  Untyped_Carve(u14, "Endpoint"),
  Untyped_Carve(uncounted, "Endpoint"), //! TS2345 ⛔ Untyped_Carve: nobody has counted what is used of this memory: take from it with Untyped_Retype
  Untyped_Carve(frame, "Endpoint"), //! TS2345 ⛔ Untyped_Carve needs untyped memory, got Frame
  Untyped_Carve(14, "Endpoint"), //! TS2345 ⛔ Untyped_Carve: not a capability
  Untyped_Retype(uncounted, "Endpoint"),
  Untyped_Retype(u14, "Endpoint"), //! TS2345 ⛔ Untyped_Retype does not count this memory: take from it with Untyped_Carve, or let Untyped_Uncount give up the count
  Untyped_Retype(Untyped_Uncount(u14), "Endpoint"),
  Cap_Copy(uncounted, []),
  Cap_Copy(u14, []), //! TS2345 ⛔ Cap_Copy does not count this memory: take from it with Untyped_Carve, or let Untyped_Uncount give up the count
  withRevocable(uncounted, [], () => Effect.void),
  withRevocable(u14, [], () => Effect.void) //! TS2345 ⛔ withRevocable does not count this memory: take from it with Untyped_Carve, or let Untyped_Uncount give up the count
]

// The rest stands for the memory, step by step.
export const steps = Effect.gen(function* () {
  const memory = yield* Untyped_Create(14)
  const [[endpoint], one] = yield* Untyped_Carve(memory, "Endpoint")
  const [[tcb], two] = yield* Untyped_Carve(one, "TCB")
  const [[first, second, third], three] = yield* Untyped_Carve(two, "Page4K", 3)
  yield* Untyped_Carve(two, "Endpoint")
  yield* Untyped_Carve(three, "Endpoint") //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^14 bytes is exhausted: 1 × Endpoint of 2^4 bytes do not fit after 0x4000
  const [[child]] = yield* Untyped_Carve(memory, ["Untyped", 12])
  yield* Untyped_Carve(child, "Page4K")
  yield* Untyped_Carve(child, "PDPT", 2) //! TS2345 ⛔ Untyped_Carve: this Untyped of 2^12 bytes is exhausted: 2 × PDPT of 2^12 bytes do not fit after 0x0
  const free = yield* Untyped_Clear(three)
  yield* Untyped_Carve(free, "Page4K", 4)
  consume(free)
  yield* Untyped_Carve(memory, "Page4K", 4)
  yield* Untyped_Carve(free, "Page4K", 4) //! TS2345 ⛔ Untyped_Carve: capability was already moved, deleted or revoked
  return { endpoint, tcb, first, second, third }
})
