/** Estate: the memory of all guests, in blocks, as their landlord lends it and takes it back. */
import { Effect } from "effect"
import type { AnyCap } from "../types/Capability.ts"
import type { Full } from "../user/BootInfo.ts"
import { Cap_Copy, Cap_Revoke, discard } from "../user/Capabilities.ts"
import { AddressSpace_Map, create, Untyped_Retype } from "../user/Memory.ts"
import { EPT_Map } from "../user/VirtualProcessor.ts"
import { memoryAt } from "./GuestRam.ts"
import { blockBits, blockBytes } from "./Landlord.ts"

/** What a guest has of it: in the guest's own tables and, `memoryAt` further, in the address space of its monitor. */
export interface Tenancy {
  readonly guest: string
  readonly root: Full<"EPTPML4">
  readonly space: Full<"AddressSpace">
  readonly memoryBytes: number
  /** Block n is at n times `blockBytes`. */
  readonly blocks: Map<number, Block>
}

/** Untyped memory, and the capabilities to what has become of it. */
interface Block {
  readonly untyped: Full<"Untyped">
  readonly made: Array<AnyCap>
}

const frameBytes = 2 ** 21

export const makeEstate = () => {
  /** Blocks that nobody has. */
  const free: Array<Full<"Untyped">> = []

  /** So many of them, and new ones if there are not enough. Undefined if there is no memory for those. */
  const take = (count: number) =>
    Effect.gen(function* () {
      while (free.length < count) {
        const block = yield* create("Untyped", blockBits).pipe(
          Effect.catchTag("OutOfMemory", () => Effect.succeed(undefined))
        )
        if (block === undefined) return undefined
        free.push(block)
      }
      return free.splice(0, count)
    })

  const map = Effect.fnUntraced(function* ({ root, space, memoryBytes }: Tenancy, n: number, { untyped, made }: Block) {
    const start = n * blockBytes
    for (let at = start; at < Math.min(start + blockBytes, memoryBytes); at += frameBytes) {
      const frame = yield* Untyped_Retype(untyped, "LargePage")
      made.push(frame)
      const window = yield* Cap_Copy(frame, ["read", "write"])
      made.push(window)
      yield* EPT_Map(root, at, frame)
      yield* AddressSpace_Map(space, memoryAt + at, window, ["read", "write"])
    }
  })

  /** A guest loses a block. What was made of that is no more, wherever it is mapped. False: it has none of this number. */
  const takeBack = Effect.fnUntraced(function* ({ blocks }: Tenancy, n: number) {
    const block = blocks.get(n)
    if (block === undefined) return false
    blocks.delete(n)
    yield* Cap_Revoke(block.untyped)
    for (const cap of block.made) yield* discard(cap)
    free.push(block.untyped)
    return true
  })

  /** A guest gets blocks, which are zeros: all of them, or (false) none. */
  const lend = Effect.fnUntraced(function* (tenancy: Tenancy, numbers: ReadonlyArray<number>) {
    const { guest, blocks } = tenancy
    const taken = yield* take(numbers.length)
    if (taken === undefined) return false
    for (const [index, n] of numbers.entries()) blocks.set(n, { untyped: taken[index]!, made: [] })
    return yield* Effect.forEach(numbers, (n) => map(tenancy, n, blocks.get(n)!), { discard: true }).pipe(
      Effect.as(true),
      Effect.catch((why) =>
        Effect.gen(function* () {
          yield* Effect.logError(`${guest} does not get its memory:`, why)
          for (const n of numbers) yield* takeBack(tenancy, n)
          return false
        })
      )
    )
  })

  return { lend, takeBack }
}

/** The numbers of all blocks of a guest with so much memory. */
export const blocksOf = (memoryBytes: number): ReadonlyArray<number> =>
  Array.from({ length: Math.ceil(memoryBytes / blockBytes) }, (_, n) => n)
