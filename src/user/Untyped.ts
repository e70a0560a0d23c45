/**
 * Untyped: memory that the compiler counts.
 *
 *     const memory = yield* Untyped_Create(16)
 *     const [[console], rest] = yield* Untyped_Carve(memory, "Endpoint")
 *     const [frames, last] = yield* Untyped_Carve(rest, "Page4K", 3)
 *
 * Who takes from it gets the rest, which is less; what no longer fits does not compile. Making it may fail, for there may be no
 * memory; from then on only slots can be lacking. Memory whose size is known when the program runs is for `Untyped_Retype`, and
 * the kernel says what does not fit.
 */
import { Effect } from "effect"
import {
  type AnyCap,
  type Cap,
  capUnsafe,
  cptrOf,
  end,
  madeUnsafe,
  type RegionOf,
  type Untyped,
  type Using,
  untypedUnsafe,
  vouchedUnsafe
} from "../types/Capability.ts"
import type { Carved, NeedCounted, Repeated, Rest, Unfit, What, WrongSize } from "../types/Memory.ts"
import * as CNode from "../types/methods/CNode.ts"
import * as Methods from "../types/methods/Untyped.ts"
import type { Unless } from "../types/Need.ts"
import { type ObjectType, objectTypes, type Row } from "../types/ObjectType.ts"
import { Allocator, type NotMade, type OutOfSlots } from "./Allocator.ts"
import { held, invoke } from "./Invocation.ts"
import type { Syscalls } from "./Syscalls.ts"

/** 2^bits bytes of the allocator's memory. Nobody else takes from them. */
export const Untyped_Create = <const Bits extends number>(
  bits: Unless<WrongSize<"Untyped_Create", readonly ["Untyped", Bits]>, Bits>
): Effect.Effect<Untyped<Bits, "0x0">, NotMade, Syscalls | Allocator> =>
  Effect.flatMap(Allocator, (allocator) => {
    if (typeof bits !== "number") throw new Error(`memory has no size ${bits}`)
    return Effect.map(allocator.make("Untyped", bits, 1), (slot) => untypedUnsafe<Bits, "0x0">(slot))
  })

/** Objects of one type, and what is left of the memory, which stands for it from here on. */
export const Untyped_Carve = <C extends AnyCap, const W extends What, const N extends number = 1>(
  memory: NeedCounted<C, "Untyped_Carve">,
  what: Unless<Unfit<C, "Untyped_Carve", W, N>, W>,
  count?: N
): Effect.Effect<
  readonly [made: Repeated<Carved<W, RegionOf<C>>, N>, rest: Rest<C, W, N>],
  OutOfSlots,
  Syscalls | Allocator | Using<C, "retype">
> =>
  Effect.gen(function* () {
    const allocator = yield* Allocator
    const [type, size] = sized(what)
    const row: Row = objectTypes[type]
    const numObjects = count ?? 1
    const source = held(memory)
    const first = yield* allocator.slots(numObjects)
    // Nobody else takes from this memory: what the kernel refused here would be a count gone wrong.
    yield* Effect.orDie(
      invoke(Methods.Retype, cptrOf(source), {
        type: row.number,
        sizeBits: size,
        nodeIndex: 0n,
        nodeDepth: 0,
        nodeOffset: Number(first),
        numObjects,
        root: allocator.cnode
      })
    )
    const made = Array.from({ length: numObjects }, (_, index) => madeUnsafe(type, first + BigInt(index)))
    return vouchedUnsafe([made, again(source)])
  })

/** Delete all that was made of this memory. All of it is free again. */
export const Untyped_Clear = <Bits extends number, Used extends string, Q>(
  memory: Untyped<Bits, Used, Q>
): Effect.Effect<Untyped<Bits, "0x0", Q>, never, Syscalls | Allocator | Using<Untyped<Bits, Used, Q>, "retype">> =>
  Effect.gen(function* () {
    const allocator = yield* Allocator
    const source = held(memory)
    yield* Effect.orDie(invoke(CNode.Revoke, allocator.cnode, { index: cptrOf(source), depth: allocator.depth }))
    end(source)
    return untypedUnsafe(cptrOf(source))
  })

/** Give up the count: from here on the kernel says what fits. */
export const Untyped_Uncount = <Bits extends number, Used extends string, Q>(
  memory: Untyped<Bits, Used, Q>
): Cap<"Untyped", "retype", Q> => {
  const source = held(memory)
  end(source)
  return capUnsafe("Untyped", cptrOf(source))
}

const sized = (what: unknown): readonly [type: ObjectType, size: number] => {
  const [type, size] = Array.isArray(what) ? what : [what, 0]
  if (typeof type !== "string" || !(type in objectTypes)) throw new Error(`nothing can be made of this type: ${type}`)
  return [type as ObjectType, Number(size)]
}

/** The same memory with another count. Nobody takes from it by the old one, or gives it up: its slot is the new one's. */
const again = (memory: AnyCap) => {
  end(memory)
  return untypedUnsafe(cptrOf(memory))
}
