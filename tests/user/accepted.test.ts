/** What the compiler accepts, the kernel does: programs of each kind that types judge, on the whole system. */
import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { consume, cptrOf, kindOf } from "../../src/types/Capability.ts"
import { BootInfo } from "../../src/user/BootInfo.ts"
import { Cap_Copy, Cap_Delete, Cap_Mint, Cap_Move, withRevocable } from "../../src/user/Capabilities.ts"
import { Poll, Signal } from "../../src/user/Ipc.ts"
import {
  AddressSpace_Create,
  AddressSpace_Map,
  AddressSpace_Unmap,
  create,
  Frame_Unmap,
  Untyped_Retype
} from "../../src/user/Memory.ts"
import { perform, plan } from "../../src/user/Plan.ts"
import type { RootServices } from "../../src/user/RootTask.ts"
import { Untyped_Carve, Untyped_Clear, Untyped_Create, Untyped_Uncount } from "../../src/user/Untyped.ts"
import { runProgram } from "../examples/system.ts"

/** How a program ends that runs as the first of a system. */
const end = <A, E>(program: Effect.Effect<A, E, RootServices>): unknown => {
  const exit = runProgram(program, { memoryBytes: 2 ** 25 }).ends.get("root")
  if (exit === undefined) throw new Error("the program ends")
  return Exit.isSuccess(exit) ? exit.value : exit.cause
}

describe("memory that is counted", () => {
  it("is there to the last byte, and no further", () => {
    const left = end(
      Effect.gen(function* () {
        const memory = yield* Untyped_Create(14)
        const [, one] = yield* Untyped_Carve(memory, "Endpoint")
        const [, two] = yield* Untyped_Carve(one, "TCB")
        const [, full] = yield* Untyped_Carve(two, "Page4K", 3)
        return yield* Effect.flip(Untyped_Retype(Untyped_Uncount(full), "Endpoint"))
      })
    )
    assert.deepInclude(left, { _tag: "NotEnoughMemory", available: 0 })
  })

  it("has room for as many objects as one call makes", () => {
    const made = end(
      Effect.map(
        Effect.flatMap(Untyped_Create(12), (memory) => Untyped_Carve(memory, "Endpoint", 256)),
        ([all]) => all.length
      )
    )
    assert.strictEqual(made, 256)
  })

  it("is divided into memory that is counted in its turn", () => {
    const kinds = end(
      Effect.gen(function* () {
        const [[low, high]] = yield* Untyped_Carve(yield* Untyped_Create(16), ["Untyped", 15], 2)
        const [[table]] = yield* Untyped_Carve(low, ["CapTable", 10])
        const [[time]] = yield* Untyped_Carve(high, ["SchedContext", 15])
        return [table, time].map(kindOf)
      })
    )
    assert.deepStrictEqual(kinds, ["CNode", "SchedContext"])
  })

  it("is free again once it is cleared", () => {
    const made = end(
      Effect.gen(function* () {
        const [, full] = yield* Untyped_Carve(yield* Untyped_Create(12), "Page4K")
        const free = yield* Untyped_Clear(full)
        const [[again]] = yield* Untyped_Carve(free, "PML4")
        return kindOf(again)
      })
    )
    assert.strictEqual(made, "AddressSpace")
  })
})

describe("a plan", () => {
  it("is done as it is judged: copies, marks, ends, and names that are used again", () => {
    const names = end(
      Effect.map(
        perform(
          plan(16)
            .retype("memory", "Endpoint", "service")
            .copy("service", ["read", "write"], "child")
            .mint("child", ["write"], { badge: 7n }, "grandchild")
            .delete("child")
            .retype("memory", "Notification", "child")
            .move("grandchild", "moved")
            .copy("moved", ["write"], "last")
            .revoke("service")
            .copy("child", ["read"], "last")
        ),
        Object.keys
      )
    )
    assert.deepStrictEqual(names, ["memory", "service", "child", "last"])
  })

  it("has its memory back when that is revoked", () => {
    const ended = end(
      Effect.map(
        perform(
          plan(13)
            .retype("memory", "Page4K", "one")
            .retype("memory", "Page4K", "two")
            .revoke("memory")
            .retype("memory", "PML4", "three")
        ),
        Object.keys
      )
    )
    assert.deepStrictEqual(ended, ["memory", "three"])
  })

  it("maps frames of two sizes, unmaps them, and maps others there, also through a copy of the address space", () => {
    const ended = end(
      Effect.map(
        perform(
          plan(23)
            .retype("memory", "PML4", "space")
            .retype("memory", "LargePage", "large")
            .retype("memory", "Page4K", "small")
            .copy("small", ["read"], "shared")
            .copy("space", ["map"], "alias")
            .map("large", "space", "0x40_0000", ["read", "write"])
            .map("small", "alias", "0x60_0000", ["read", "execute"])
            .map("shared", "space", "0x7fff_ffff_e000", ["read"])
            .unmap("small")
            .map("small", "space", "0x60_1000", ["read"])
            .delete("shared")
            .retype("memory", "Page4K", "shared")
            .map("shared", "alias", "0x7fff_ffff_e000", ["read", "write"], "uncacheable")
        ),
        Object.keys
      )
    )
    assert.deepStrictEqual(ended, ["memory", "space", "large", "small", "alias", "shared"])
  })
})

describe("a mapping by an address in the text", () => {
  it.each(["Page4K", "LargePage"] as const)("of a %s is done", (size) => {
    const ended = end(
      Effect.gen(function* () {
        const { asidPool } = yield* BootInfo
        const space = yield* AddressSpace_Create(asidPool)
        const frame = yield* create(size)
        yield* AddressSpace_Map(space, "0x0060_0000", frame, ["read", "write"])
        yield* AddressSpace_Unmap(space, "0x0060_0000")
        yield* Frame_Unmap(frame)
        yield* AddressSpace_Map(space, "0x7fff_ffc0_0000", frame, ["read"])
        return "mapped"
      })
    )
    assert.strictEqual(ended, "mapped")
  })
})

describe("a loan", () => {
  const ring = <E>(program: Effect.Effect<unknown, E, RootServices>) => end(program)

  it("gives the rights lent, and ends them, with the copies of the copy", () => {
    const heard = ring(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        yield* withRevocable(bell, ["write"], (lent) =>
          Effect.gen(function* () {
            const badged = yield* Cap_Copy(lent, ["write"])
            yield* Signal(badged)
            consume(badged)
            yield* Cap_Delete(badged)
            yield* withRevocable(lent, ["write"], (again) => Signal(again))
          })
        )
        const badged = yield* Cap_Mint(bell, ["write"], { badge: 6n })
        yield* Signal(badged)
        return yield* Poll(bell)
      })
    )
    assert.strictEqual(heard, 6n)
  })

  it("leaves its slot to others", () => {
    const same = ring(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        const slot = yield* withRevocable(bell, ["write"], (lent) => Effect.succeed(cptrOf(lent)))
        return slot === cptrOf(yield* create("Endpoint"))
      })
    )
    assert.strictEqual(same, true)
  })

  it("that is moved elsewhere as a copy is taken back from there", () => {
    const found = ring(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        const table = yield* create("CapTable", 4)
        yield* withRevocable(bell, ["write"], (lent) =>
          Effect.gen(function* () {
            const copy = yield* Cap_Copy(lent, ["write"])
            consume(copy)
            yield* Cap_Move({ cnode: table, index: 3, depth: 4 }, copy)
          })
        )
        // The slot is empty again: a move into it is not refused.
        const copy = yield* Cap_Copy(bell, ["read"])
        consume(copy)
        yield* Cap_Move({ cnode: table, index: 3, depth: 4 }, copy)
        return "empty"
      })
    )
    assert.strictEqual(found, "empty")
  })
})
