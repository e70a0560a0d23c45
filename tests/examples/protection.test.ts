/** What the machine does not let anybody do, the kernel included. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import { loadAddress } from "../../src/kernel/x86_64/Image.ts"
import { linked, window } from "../../src/types/x86_64/KernelSpace.ts"
import {
  create,
  Fault_Receive,
  type FaultReceived,
  print,
  spawn,
  spawnElf,
  startConsole
} from "../../src/user/index.ts"
import { Memory_Write } from "../../src/user/Memory.ts"
import { elfOf, forEver, jumpTo, readFrom, writeTo } from "./machine-code.ts"
import { runElf, runProgram } from "./system.ts"

/** The first fault of a task compiled from this code, as its handler hears of it. */
const faultOf = (code: ReadonlyArray<number>): FaultReceived => {
  let heard: FaultReceived | undefined
  runProgram(
    Effect.gen(function* () {
      const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
      yield* spawnElf({ name: "vandal", faultHandler }, elfOf(code))
      heard = yield* Fault_Receive(faultHandler, answering)
    })
  )
  if (heard === undefined) throw new Error("the task does what it may not")
  return heard
}

/** Page-fault error code: P, W/R, U/S, I/D. SDM vol. 3A, figure "Page-Fault Error Code". */
const [P, W, U, I] = [1, 2, 4, 16]

describe("a program cannot", () => {
  const text = linked
  const rodata = linked + 0x1000n
  const textInWindow = window + BigInt(loadAddress)

  it.each([
    ["write to the kernel's text", writeTo(text), text, P | W | U],
    ["write to the kernel's text through the window", writeTo(textInWindow), textInWindow, P | W | U],
    ["read the kernel's data", readFrom(rodata), rodata, P | U],
    ["jump into the kernel", jumpTo(text), text, P | U | I],
    ["read where nothing is mapped", readFrom(0x1234_5678n), 0x1234_5678n, U],
    ["write to its own code", writeTo(0x40_0000n), 0x40_0000n, P | W | U]
  ])("%s: its handler hears of it, and where it was", (_name, code, address, status) => {
    const { fault } = faultOf(code)
    assert.deepStrictEqual(fault, { _tag: "VMFault", address, instructionFetch: (status & I) !== 0, status })
  })

  it("use a port, or stop the processor: its handler hears of the exception", () => {
    for (const privileged of [[0xee], [0xf4], [0x0f, 0x30]]) {
      assert.deepInclude(faultOf(privileged).fault, { _tag: "UserException", number: 13 })
    }
  })

  it("enter the kernel's gate from its own code", () => {
    assert.deepInclude(faultOf([0x0f, 0x04, 0x00]).fault, { _tag: "UserException", number: 6 })
  })
})

describe("a TypeScript program cannot", () => {
  it("write to the kernel's text", () => {
    let heard: FaultReceived | undefined
    runProgram(
      Effect.gen(function* () {
        const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        yield* spawn({ name: "vandal", faultHandler }, () =>
          Memory_Write(Number(linked >> 32n) * 2 ** 32, Uint8Array.of(0))
        )
        heard = yield* Fault_Receive(faultHandler, answering)
      })
    )
    assert.deepInclude(heard?.fault, { _tag: "VMFault", address: linked & ~0xffff_ffffn })
  })
})

describe("the kernel cannot", () => {
  it.each([
    ["text", 0],
    ["read-only data", 0x1000]
  ])("write to its own %s: the machine stops, and the report names the address", (_name, offset) => {
    const { system } = runElf(elfOf(forEver), { limit: 10_000 })
    const { window: kernelsMemory, memory, instructions } = system.machine
    const address = loadAddress + offset
    const before = memory.load32(address)

    // At its next entry, the kernel writes there, once.
    const load32 = kernelsMemory.load32.bind(kernelsMemory)
    Object.assign(kernelsMemory, {
      load32: (from: number) => {
        Object.assign(kernelsMemory, { load32 })
        kernelsMemory.store32(address, ~before)
        return load32(from)
      }
    })
    const stop = system.run(instructions + 10_000_000)

    assert.strictEqual(stop._tag, "Halt")
    assert.include(stop._tag === "Halt" ? stop.report : "", (window + BigInt(address)).toString(16).toUpperCase())
    assert.strictEqual(memory.load32(address), before)
  })
})

describe("who computes for ever", () => {
  it.each([
    ["in TypeScript", spawn({ name: "spinner" }, () => Effect.forever(Effect.void))],
    ["in machine code", spawnElf({ name: "spinner" }, elfOf(forEver))]
  ])("%s does not keep its equals from running", (_name, spinner) => {
    const { output, stop } = runProgram(
      Effect.gen(function* () {
        const console = yield* startConsole
        yield* spinner
        yield* spawn({ name: "worker", gives: { console } }, ({ console }) =>
          Effect.gen(function* () {
            // More than a turn's work.
            yield* Effect.forEach(Array.from({ length: 400_000 }), () => Effect.void, { discard: true })
            yield* print(console, "done\n")
          })
        )
      }),
      { limit: 60_000_000 }
    )
    assert.deepStrictEqual([output, stop._tag], ["done\n", "Limit"])
  })
})
