import { assert, describe, it } from "vitest"
import * as Fault from "../../../src/types/Fault.ts"
import * as Word from "../../../src/types/Word.ts"
import * as FaultMessage from "../../../src/types/x86_64/FaultMessage.ts"
import { syscall, userContext } from "../../../src/types/x86_64/Registers.ts"
import * as abi from "../abi.ts"

const missing = { _tag: "MissingCapability", bitsLeft: 64 } as const
const one = Word.fromNumber(1)

const examples: ReadonlyArray<Fault.Fault> = [
  { _tag: "CapFault", address: one, inReceivePhase: true, failure: missing },
  { _tag: "UnknownSyscall", number: Word.fromBigInt(2n ** 64n - 99n) },
  { _tag: "UserException", number: 6, code: 0 },
  { _tag: "VMFault", address: Word.fromBigInt(0xffff_8000_0000_0000n), instructionFetch: false, status: 7 },
  { _tag: "Timeout", badge: one, consumed: 20 }
]

describe.each(examples)("the message of $_tag", (fault) => {
  const registers = FaultMessage.sent[fault._tag]
  const own = Fault.toWords(fault).map(Word.toBigInt)

  it("has its words in the order of the interface", () => {
    const [label, names] = abi.faults[fault._tag]
    assert.strictEqual(Fault.labels[fault._tag], label)
    assert.deepStrictEqual(
      [...registers, ...Object.keys(fault).filter((name) => !["_tag", "failure"].includes(name))],
      [...names]
    )
  })

  it("is read by its handler", () => {
    const words = [...registers.map((_, index) => BigInt(100 + index)), ...own]
    const read = FaultMessage.fromWords(Fault.labels[fault._tag], words)
    assert.strictEqual(read?.fault._tag, fault._tag)
    assert.deepStrictEqual(Object.keys(read?.registers ?? {}), [...registers])
    assert.deepStrictEqual(Object.values(read?.registers ?? {}), words.slice(0, registers.length))
  })

  it("that is too short is none", () => {
    if (registers.length > 0) assert.isUndefined(FaultMessage.fromWords(Fault.labels[fault._tag], []))
  })
})

describe("the reply to a fault", () => {
  it("sets the registers that were sent, and after a timeout all but one", () => {
    assert.deepStrictEqual<ReadonlyArray<string>>(
      FaultMessage.replied.UnknownSyscall,
      abi.faults.UnknownSyscall[1].slice(0, 18)
    )
    assert.deepStrictEqual<ReadonlyArray<string>>(FaultMessage.replied.UserException, ["rip", "rsp", "rflags"])
    assert.deepStrictEqual<ReadonlyArray<string>>(FaultMessage.replied.Timeout, abi.timeoutReply)
    assert.deepStrictEqual<ReadonlyArray<string>>(FaultMessage.replied.VMFault, [])
    assert.deepStrictEqual<ReadonlyArray<string>>(FaultMessage.replied.CapFault, [])
  })
})

describe("registers", () => {
  it("are read and written in the order of the interface", () => {
    assert.deepStrictEqual<ReadonlyArray<string>>(userContext, abi.userContext)
  })

  it("have the parts in a system call that the interface gives them", () => {
    assert.deepStrictEqual<unknown>(syscall, {
      ...{ number: "rdx", capability: "rdi", info: "rsi", reply: "r12", destination: "r13" },
      message: ["r10", "r8", "r9", "r15"]
    })
  })
})
