/** Faults, from the thread that has them to its handler and back. */
import { Effect } from "effect"
import { assert, describe, it } from "vitest"
import {
  AddressSpace_Map,
  create,
  Fault_Receive,
  Fault_Reply,
  type FaultReceived,
  SendBlocking,
  spawn,
  spawnElf
} from "../../src/user/index.ts"
import { elfOf, writeTo } from "../examples/machine-code.ts"
import { runProgram } from "../examples/system.ts"

/** UD2 */
const undefinedOpcode = [0x0f, 0x0b]
/** MOV RDX, 5; SYSCALL */
const unknownSyscall = [0x48, 0xc7, 0xc2, 0x05, 0x00, 0x00, 0x00, 0x0f, 0x05]

/** The faults of a compiled task, each answered as `answer` says. */
const faults = (
  code: ReadonlyArray<number>,
  answer: (received: FaultReceived, index: number) => Parameters<typeof Fault_Reply>[2],
  count: number
) => {
  const heard: Array<FaultReceived> = []
  runProgram(
    Effect.gen(function* () {
      const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
      yield* spawnElf({ name: "faulty", faultHandler }, elfOf(code))
      for (let index = 0; index < count; index++) {
        const received = yield* Fault_Receive(faultHandler, answering)
        heard.push(received)
        yield* Fault_Reply(answering, received, answer(received, index))
      }
    })
  )
  return heard
}

describe("an answer to a fault", () => {
  it("lets the thread try again, and fault again", () => {
    const [first, second] = faults(undefinedOpcode, () => ({}), 2)
    assert.deepStrictEqual(first, second)
    assert.deepInclude(first?.fault, { _tag: "UserException", number: 6 })
    assert.strictEqual(first?.registers.rip, 0x40_0000n)
  })

  it("lets the thread go on elsewhere", () => {
    const [, second] = faults(
      [...undefinedOpcode, ...undefinedOpcode],
      ({ registers }) => ({ rip: registers.rip! + 2n }),
      2
    )
    assert.strictEqual(second?.registers.rip, 0x40_0002n)
  })

  it("gives a system call that there is none of what its handler makes of it", () => {
    const [first, second] = faults(
      [...unknownSyscall, ...undefinedOpcode],
      ({ registers }) => ({ rax: 42n, rip: registers.rip! + 2n }),
      2
    )
    assert.deepStrictEqual(first?.fault, { _tag: "UnknownSyscall", number: 5n })
    assert.strictEqual(second?.registers.rip, 0x40_0009n)
  })

  it("with a frame in place lets an access go on, of a compiled task as of one in TypeScript", () => {
    let rip: bigint | undefined
    runProgram(
      Effect.gen(function* () {
        const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        const code = [...writeTo(0x1000_0000n), ...undefinedOpcode]
        const { addressSpace } = yield* spawnElf({ name: "faulty", faultHandler }, elfOf(code))
        const received = yield* Fault_Receive(faultHandler, answering)
        yield* AddressSpace_Map(addressSpace, 0x1000_0000, yield* create("Page4K"), ["read", "write"])
        yield* Fault_Reply(answering, received)
        rip = (yield* Fault_Receive(faultHandler, answering)).registers.rip
      })
    )
    assert.strictEqual(rip, 0x40_0000n + BigInt(writeTo(0n).length))
  })
})

describe("a fault handler", () => {
  it("hears of nothing that is no fault, but that it came", () => {
    let failure: unknown
    runProgram(
      Effect.gen(function* () {
        const [endpoint, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        yield* spawn({ name: "liar", gives: { endpoint } }, ({ endpoint }) => SendBlocking(endpoint, { label: 77 }))
        failure = yield* Effect.flip(Fault_Receive(endpoint, answering))
      })
    )
    assert.deepStrictEqual(failure, { _tag: "NoFault", label: 77 })
  })
})

describe("a thread without a fault handler", () => {
  it("stops at its first fault, and the kernel says so", () => {
    const { notes, stop } = runProgram(spawnElf({ name: "faulty" }, elfOf(undefinedOpcode)))
    assert.deepStrictEqual(notes, [
      "faulty has no fault handler, and is stopped at 400000H: it raised exception 6 (error code 0)"
    ])
    assert.strictEqual(stop._tag, "Idle")
  })
})
