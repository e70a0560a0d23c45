import { Cause, Deferred, Effect, Exit, Fiber } from "effect"
import { assert, describe, it } from "vitest"
import { consume, cptrOf } from "../../src/types/Capability.ts"
import { illegalOperation } from "../../src/types/SyscallError.ts"
import { Cap_Copy, Cap_Delete, Cap_Mint, Cap_Move, withRevocable } from "../../src/user/Capabilities.ts"
import { Signal } from "../../src/user/Ipc.ts"
import { create } from "../../src/user/Memory.ts"
import { firstSlot, Kernel } from "./kernel.ts"

const made = BigInt(firstSlot)
const lentSlot = made + 1n

/** The calls after the notification was made, by name. */
const story = (kernel: Kernel) => kernel.called.slice(1).map(({ method }) => method)

const messageOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "it succeeded"

describe("a loan", () => {
  it("is a copy with the rights lent, which is a parent of its own", () => {
    const kernel = new Kernel()
    kernel.run(Effect.flatMap(create("Notification"), (bell) => withRevocable(bell, ["write"], (lent) => Signal(lent))))
    const [copy] = kernel.calls("CNode_Copy")
    assert.deepInclude(copy, { srcIndex: made, destIndex: lentSlot })
    assert.deepStrictEqual(copy?.rights, { bits: 0b0001, derive: true })
    assert.deepInclude(kernel.calls("Send")[0], { on: lentSlot })
  })

  it("ends with its program's success: what was derived is revoked, the copy deleted", () => {
    const kernel = new Kernel()
    const exit = kernel.run(
      Effect.flatMap(create("Notification"), (bell) =>
        withRevocable(bell, ["write"], (lent) => Effect.as(Signal(lent), "rung"))
      )
    )
    assert.deepStrictEqual(exit, Exit.succeed("rung"))
    assert.deepStrictEqual(story(kernel), ["CNode_Copy", "Send", "CNode_Revoke", "CNode_Delete"])
    assert.deepStrictEqual(kernel.kinds(), ["Notification"])
  })

  it("ends with its program's failure", () => {
    const kernel = new Kernel()
    const exit = kernel.run(
      Effect.flatMap(create("Notification"), (bell) => withRevocable(bell, ["write"], () => Effect.fail("tired")))
    )
    assert.deepStrictEqual(exit, Exit.fail("tired"))
    assert.deepStrictEqual(story(kernel), ["CNode_Copy", "CNode_Revoke", "CNode_Delete"])
  })

  it("ends with its program's defect", () => {
    const kernel = new Kernel()
    kernel.run(Effect.flatMap(create("Notification"), (bell) => withRevocable(bell, [], () => Effect.die("a bug"))))
    assert.deepStrictEqual(kernel.kinds(), ["Notification"])
  })

  it("ends with its program's interruption", () => {
    const kernel = new Kernel()
    kernel.run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        const waiting = yield* Effect.forkChild(withRevocable(bell, ["write"], () => Effect.never))
        yield* Effect.yieldNow
        assert.deepStrictEqual(kernel.kinds(), ["Notification", "Notification"])
        yield* Fiber.interrupt(waiting)
      })
    )
    assert.deepStrictEqual(story(kernel), ["CNode_Copy", "CNode_Revoke", "CNode_Delete"])
  })

  it("takes with it what was derived from it, and loans of it, innermost first", () => {
    const kernel = new Kernel()
    kernel.run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        yield* withRevocable(bell, ["write"], (outer) =>
          Effect.gen(function* () {
            yield* Cap_Copy(outer, ["write"])
            yield* Cap_Mint(outer, ["write"], { badge: 1n })
            yield* withRevocable(outer, ["write"], (inner) => Signal(inner))
          })
        )
      })
    )
    assert.deepStrictEqual(kernel.kinds(), ["Notification"])
    assert.deepStrictEqual(
      kernel.calls("CNode_Delete").map(({ index }) => index),
      [lentSlot + 3n, lentSlot]
    )
  })

  it("that was not made is no loan: the slot is free again, and nothing is deleted", () => {
    const kernel = new Kernel(({ method }) => (method === "CNode_Copy" ? illegalOperation : undefined))
    const exit = kernel.run(
      Effect.flatMap(create("Notification"), (bell) => withRevocable(bell, ["write"], (lent) => Signal(lent)))
    )
    assert.deepStrictEqual(exit, Exit.fail({ ...illegalOperation, call: "CNode_Copy" }))
    assert.deepStrictEqual(story(kernel), ["CNode_Copy"])
  })

  it("that a detached fiber kept is of no use to it, though the slot has another capability by then", () => {
    const kernel = new Kernel()
    const exit = kernel.run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        const over = yield* Deferred.make<void>()
        const left = yield* withRevocable(bell, ["write"], (lent) =>
          Effect.forkDetach(
            Effect.andThen(
              Deferred.await(over),
              Effect.suspend(() => Signal(lent))
            )
          )
        )
        const other = yield* create("Endpoint")
        assert.strictEqual(cptrOf(other), lentSlot)
        yield* Deferred.succeed(over, undefined)
        return yield* Fiber.await(left)
      })
    )
    assert.include(Exit.isSuccess(exit) ? messageOf(exit.value) : "", "moved, deleted or revoked")
    assert.isEmpty(kernel.calls("Send"))
  })
})

describe("a capability that was given up", () => {
  it("is deleted, and its slot is the next one's", () => {
    const kernel = new Kernel()
    kernel.run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        consume(bell)
        yield* Cap_Delete(bell)
        assert.strictEqual(cptrOf(yield* create("Endpoint")), made)
      })
    )
    assert.deepStrictEqual(kernel.kinds(), ["Endpoint"])
  })

  it("is not deleted twice: something else may be in its slot", () => {
    const kernel = new Kernel()
    const exit = kernel.run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        consume(bell)
        yield* Cap_Delete(bell)
        yield* create("Endpoint")
        yield* Cap_Delete(bell)
      })
    )
    assert.include(messageOf(exit), "deleted or moved twice")
    assert.deepStrictEqual(kernel.kinds(), ["Endpoint"])
  })

  it("may be deleted once more when the kernel refused the first time", () => {
    let refusals = 1
    const kernel = new Kernel(({ method }) =>
      method === "CNode_Delete" && refusals-- > 0 ? illegalOperation : undefined
    )
    const exit = kernel.run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        consume(bell)
        yield* Effect.ignore(Cap_Delete(bell))
        yield* Cap_Delete(bell)
      })
    )
    assert.isTrue(Exit.isSuccess(exit))
    assert.isEmpty(kernel.kinds())
  })

  it("is moved to another capability space, and is there no more", () => {
    const kernel = new Kernel()
    kernel.run(
      Effect.gen(function* () {
        const cnode = yield* create("CapTable", 8)
        const bell = yield* create("Notification")
        consume(bell)
        yield* Cap_Move({ cnode, index: 5, depth: 8 }, bell)
      })
    )
    assert.deepInclude(kernel.calls("CNode_Move")[0], { on: made, destIndex: 5n, destDepth: 8, srcIndex: made + 1n })
  })

  it("is known to be, where the compiler lost sight of it", () => {
    const exit = new Kernel().run(
      Effect.gen(function* () {
        const bell = yield* create("Notification")
        const alias = bell
        consume(bell)
        yield* Signal(alias)
      })
    )
    assert.include(messageOf(exit), "moved, deleted or revoked")
  })
})
