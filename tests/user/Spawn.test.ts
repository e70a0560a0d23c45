/** Tasks that are started with something, and what they can do with it. */
import { Effect, Exit } from "effect"
import { assert, describe, it } from "vitest"
import {
  Cap_Copy,
  Cap_Revoke,
  create,
  Fault_Receive,
  Memory_Read,
  Poll,
  SendBlocking,
  Signal,
  spawn,
  spawnElf,
  TCB_ReadRegisters,
  Wait
} from "../../src/user/index.ts"
import { elfOf } from "../examples/machine-code.ts"
import { runProgram } from "../examples/system.ts"

describe("a task", () => {
  it("has the capabilities that it was given, with the rights that they had", () => {
    let bits = 0n
    const { ends } = runProgram(
      Effect.gen(function* () {
        const notification = yield* create("Notification")
        const bell = yield* Cap_Copy(notification, ["write"])
        yield* spawn({ name: "ringer", gives: { bell } }, ({ bell }) => Signal(bell))
        yield* Wait(notification)
        bits = yield* Poll(notification)
      })
    )
    assert.deepStrictEqual([bits, ends.get("ringer")], [0n, Exit.void])
  })

  it("makes objects of the memory that it was given, and no more than fit there", () => {
    const { ends } = runProgram(
      spawn({ name: "maker", memory: 13 }, () =>
        Effect.gen(function* () {
          yield* create("Page4K")
          yield* create("TCB")
          yield* create("TCB")
          return yield* Effect.flip(create("TCB"))
        })
      )
    )
    assert.deepStrictEqual(ends.get("maker"), Exit.succeed({ _tag: "OutOfMemory", bits: 11 }))
  })

  it("makes nothing without memory", () => {
    const { ends } = runProgram(spawn({ name: "maker" }, () => Effect.flip(create("Endpoint"))))
    assert.deepStrictEqual(ends.get("maker"), Exit.succeed({ _tag: "OutOfMemory", bits: 4 }))
  })

  it("copies and revokes its own capabilities", () => {
    const { ends } = runProgram(
      Effect.gen(function* () {
        const notification = yield* create("Notification")
        yield* spawn({ name: "lender", gives: { notification } }, ({ notification }) =>
          Effect.gen(function* () {
            const copy = yield* Cap_Copy(notification, ["write", "read"])
            yield* Signal(copy)
            yield* Cap_Revoke(notification)
            return yield* Poll(notification)
          })
        )
      })
    )
    assert.deepStrictEqual(ends.get("lender"), Exit.succeed(0n))
  })

  it("has an address space of its own, where nothing is but what it was given", () => {
    let where: bigint | undefined
    runProgram(
      Effect.gen(function* () {
        const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        yield* spawn({ name: "reader", faultHandler }, () => Memory_Read(0x40_0000, 8))
        const { fault } = yield* Fault_Receive(faultHandler, answering)
        where = fault._tag === "VMFault" ? fault.address : undefined
      })
    )
    assert.strictEqual(where, 0x40_0000n)
  })

  it("that fails tells who runs the system, by its name", () => {
    const { ends } = runProgram(spawn({ name: "bob" }, () => Effect.fail("tired")))
    assert.deepStrictEqual(ends.get("bob"), Exit.fail("tired"))
  })
})

describe("a compiled task", () => {
  it("starts with its buffer in RDI, its argument in RSI, its own thread in RDX, and a stack", () => {
    let registers: { readonly [name: string]: bigint } = {}
    runProgram(
      Effect.gen(function* () {
        const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        const gives = { first: yield* create("Notification"), second: yield* create("Notification") }
        // PUSH RSI; UD2
        const task = yield* spawnElf(
          { name: "compiled", gives, faultHandler, argument: 42n },
          elfOf([0x56, 0x0f, 0x0b])
        )
        yield* Fault_Receive(faultHandler, answering)
        registers = yield* TCB_ReadRegisters(task.tcb)
      })
    )
    assert.deepInclude(registers, { rip: 0x40_0001n, rsi: 42n, rdx: 3n })
    assert.strictEqual((registers.rdi ?? 1n) % 1024n, 0n)
    assert.strictEqual((registers.rsp ?? 1n) % 16n, 0n)
  })

  it("is refused if its file is none", () => {
    const { ends } = runProgram(spawnElf({ name: "broken" }, Uint8Array.of(1, 2, 3)))
    assert.deepStrictEqual(ends.get("root"), Exit.fail({ _tag: "BadElf", why: "it is shorter than an ELF header" }))
  })
})

describe("the first task", () => {
  it("goes on while others wait, and the run ends when nobody can go on", () => {
    const { stop, ends } = runProgram(
      Effect.gen(function* () {
        const endpoint = yield* create("Endpoint")
        yield* spawn({ name: "waits", gives: { endpoint } }, ({ endpoint }) => SendBlocking(endpoint, {}))
        return "first"
      })
    )
    assert.strictEqual(stop._tag, "Idle")
    assert.deepStrictEqual([...ends], [["root", Exit.succeed("first")]])
  })
})
