import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import { cptrOf, kindOf } from "../../src/types/Capability.ts"
import { notEnoughMemory } from "../../src/types/SyscallError.ts"
import { Untyped_Carve, Untyped_Clear, Untyped_Create, Untyped_Uncount } from "../../src/user/Untyped.ts"
import { firstSlot, Kernel } from "./kernel.ts"

describe("memory that is counted", () => {
  it("is carved by one retype, into slots in a row", () => {
    const kernel = new Kernel()
    const exit = kernel.run(
      Effect.gen(function* () {
        const memory = yield* Untyped_Create(14)
        const [frames] = yield* Untyped_Carve(memory, "Page4K", 3)
        return frames.map((frame) => [kindOf(frame), cptrOf(frame)])
      })
    )
    const first = BigInt(firstSlot)
    assert.deepStrictEqual(
      exit,
      Exit.succeed([
        ["Frame", first + 1n],
        ["Frame", first + 2n],
        ["Frame", first + 3n]
      ])
    )
    const [create, carve] = kernel.calls("Untyped_Retype")
    assert.deepInclude(create, { type: 0, sizeBits: 14, numObjects: 1 })
    assert.deepInclude(carve, { on: first, type: 10, numObjects: 3, nodeOffset: firstSlot + 1 })
  })

  it("is memory again when untyped memory is carved of it, of the size given", () => {
    const kernel = new Kernel()
    kernel.run(
      Effect.gen(function* () {
        const [[low]] = yield* Untyped_Carve(yield* Untyped_Create(16), ["Untyped", 15], 2)
        yield* Untyped_Carve(low, ["CapTable", 8])
      })
    )
    assert.deepInclude(kernel.calls("Untyped_Retype")[1], { type: 0, sizeBits: 15, numObjects: 2 })
    assert.deepInclude(kernel.calls("Untyped_Retype")[2], { on: BigInt(firstSlot + 1), type: 4, sizeBits: 8 })
  })

  it("is not taken from by a count that is out of date", () => {
    const exit = new Kernel().run(
      Effect.gen(function* () {
        const memory = yield* Untyped_Create(14)
        yield* Untyped_Carve(memory, "Page4K", 4)
        yield* Untyped_Carve(memory, "Page4K", 4)
      })
    )
    assert.include(String(Exit.isFailure(exit) && exit.cause), "moved, deleted or revoked")
  })

  it("that the kernel does not have is a defect: its count was wrong", () => {
    const kernel = new Kernel(({ method, type }) =>
      method === "Untyped_Retype" && type !== 0 ? notEnoughMemory(0) : undefined
    )
    const exit = kernel.run(Effect.flatMap(Untyped_Create(14), (memory) => Untyped_Carve(memory, "Endpoint")))
    assert.isTrue(Exit.hasDies(exit))
  })

  it("is all free once it is cleared, and what was made of it is gone", () => {
    const kernel = new Kernel()
    const exit = kernel.run(
      Effect.gen(function* () {
        const [, rest] = yield* Untyped_Carve(yield* Untyped_Create(14), "Page4K", 4)
        const free = yield* Untyped_Clear(rest)
        yield* Untyped_Carve(free, "Page4K", 4)
      })
    )
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual(kernel.kinds(), ["Untyped", "Frame", "Frame", "Frame", "Frame"])
  })

  it("whose count is given up is a capability like any other", () => {
    const exit = new Kernel().run(
      Effect.gen(function* () {
        const memory = yield* Untyped_Create(14)
        return cptrOf(Untyped_Uncount(memory)) === cptrOf(memory)
      })
    )
    assert.deepStrictEqual(exit, Exit.succeed(true))
  })
})
