/** What programs may say to the kernel that makes no sense: each gets the right error or fault, and nothing else happens. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, Random } from "effect"
import { assert, describe, it } from "vitest"
import { cptrOf } from "../../src/types/Capability.ts"
import type { Fault } from "../../src/types/Fault.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import type { Givable } from "../../src/types/Need.ts"
import { syscalls } from "../../src/types/Syscall.ts"
import { labels } from "../../src/types/SyscallError.ts"
import { invoke } from "../../src/user/Invocation.ts"
import {
  create,
  Fault_Receive,
  Receive,
  Reply,
  SendBlocking,
  Syscalls,
  spawn,
  spawnElf,
  TCB_ReadRegisters,
  TCB_Resume,
  TCB_WriteRegisters
} from "../../src/user/index.ts"
import type { Caps } from "../../src/user/Spawn.ts"
import type { Registers, RegistersAfter } from "../../src/user/Syscalls.ts"
import { runProgram } from "./system.ts"

const garbage = readFileSync(join(import.meta.dirname, "garbage.elf"))

const zeros: Registers = {
  number: 0n,
  capability: 0n,
  info: 0n,
  mr0: 0n,
  mr1: 0n,
  mr2: 0n,
  mr3: 0n,
  reply: 0n,
  destination: 0n
}

/** The numbers of the system calls, as words. */
const number = Object.fromEntries(
  Object.entries(syscalls).map(([name, value]) => [name, BigInt.asUintN(64, BigInt(value))])
) as {
  readonly [S in keyof typeof syscalls]: bigint
}

interface Heard {
  readonly faults: ReadonlyArray<Fault<bigint>>
  readonly answers: ReadonlyArray<RegistersAfter>
}

/** A task that makes system calls with these registers. Whatever faults is stepped over by its handler: SYSCALL has two bytes. */
const make = <G extends Caps>(
  gives: Effect.Effect<Givable<G, "spawn">, unknown, never>,
  calls: (caps: G) => ReadonlyArray<Partial<Registers>>
): Heard => {
  const faults: Array<Fault<bigint>> = []
  const answers: Array<RegistersAfter> = []
  const { stop } = runProgram(
    Effect.gen(function* () {
      const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
      const vandal = yield* spawn({ name: "vandal", gives: yield* gives, faultHandler }, (caps) =>
        Effect.gen(function* () {
          const { raw } = yield* Syscalls
          for (const registers of calls(caps)) answers.push(yield* raw({ ...zeros, ...registers }))
        })
      )
      for (;;) {
        const { fault } = yield* Fault_Receive(faultHandler, answering)
        faults.push(fault)
        const registers = yield* TCB_ReadRegisters(vandal.tcb)
        yield* TCB_WriteRegisters(vandal.tcb, { ...registers, rip: registers.rip + 2n })
        yield* TCB_Resume(vandal.tcb)
      }
    })
  )
  assert.strictEqual(stop._tag, "Idle")
  return { faults, answers }
}

const nothing = Effect.succeed({})
const label = ({ info }: RegistersAfter): number => Number(info >> 12n)

describe("a system call that there is none of", () => {
  it.each([0n, 1n, 2n ** 64n - 18n, 2n ** 64n - 100n, 2n ** 32n - 1n, 2n ** 63n])(
    "with number %d is a fault that says the number",
    (wrong) => {
      assert.deepStrictEqual(make(nothing, () => [{ number: wrong }]).faults, [
        { _tag: "UnknownSyscall", number: wrong }
      ])
    }
  )
})

describe("a capability pointer that leads nowhere", () => {
  // The vandal's CNode has 2^8 slots, and a guard of zeros before them.
  const beyond = 2n ** 40n

  it.each(["Call", "Send", "Recv", "Wait", "NBRecv", "NBWait"] as const)(
    "is a fault of %s that says where it was",
    (call) => {
      const [fault] = make(nothing, () => [{ number: number[call], capability: beyond }]).faults
      assert.deepInclude(fault, {
        _tag: "CapFault",
        address: beyond,
        inReceivePhase: call !== "Call" && call !== "Send",
        failure: { _tag: "GuardMismatch", bitsLeft: 64, guard: 0n, guardSize: 56 }
      })
    }
  )

  it("is no fault of a send that does not wait", () => {
    const { faults, answers } = make(nothing, () => [{ number: number.NBSend, capability: beyond }])
    assert.deepStrictEqual([faults.length, answers.length], [0, 1])
  })

  it("to an empty slot is an invalid capability for a call, and a fault for who receives", () => {
    const { faults, answers } = make(nothing, () => [
      { number: number.Call, capability: 200n },
      { number: number.Recv, capability: 200n }
    ])
    assert.deepStrictEqual([label(answers[0]!), answers[0]!.mr0], [labels.InvalidCapability, 0n])
    assert.deepInclude(faults[0], { _tag: "CapFault", address: 200n, inReceivePhase: true })
  })

  it("as reply object is a fault too", () => {
    const endpoint = Effect.map(Effect.void, () => ({}))
    const [fault] = make(endpoint, () => [{ number: number.Recv, capability: 200n, reply: beyond }]).faults
    assert.strictEqual(fault?._tag, "CapFault")
  })
})

describe("a message info of garbage", () => {
  // The slot after those that it was given is the vandal's own thread, which it may run; the next its own CNode.
  const [self, cnode] = [1n, 2n]

  it.each([
    ["all ones", 2n ** 64n - 1n],
    ["a method that there is none of", 9999n << 12n],
    ["a method of another kind", 1n << 12n]
  ])("that says %s is an illegal operation", (_name, info) => {
    const { answers } = make(nothing, () => [{ number: number.Call, capability: self, info }])
    assert.strictEqual(label(answers[0]!), labels.IllegalOperation)
  })

  it("that says no words where a method wants some is a truncated message", () => {
    const { answers } = make(nothing, () => [{ number: number.Call, capability: cnode, info: 18n << 12n }])
    assert.strictEqual(label(answers[0]!), labels.TruncatedMessage)
  })

  it("with a slot that is none is a failed lookup", () => {
    const { answers } = make(nothing, () => [
      { number: number.Call, capability: cnode, info: (18n << 12n) | 2n, mr0: 5n, mr1: 77n }
    ])
    assert.include([labels.FailedLookup, labels.RangeError], label(answers[0]!))
  })
})

describe("a thread without an IPC buffer", () => {
  it("sends and receives four words of a message, and no more", () => {
    let heard: ReadonlyArray<bigint> = []
    let answered: ReadonlyArray<bigint> = []
    const long = Array.from({ length: 10 }, (_, index) => BigInt(index + 1))
    runProgram(
      Effect.gen(function* () {
        const [ready, endpoint, answering] = [
          yield* create("Endpoint"),
          yield* create("Endpoint"),
          yield* create("Reply")
        ]
        const task = yield* spawn({ name: "mute", gives: { ready, endpoint } }, ({ ready, endpoint }) =>
          Effect.gen(function* () {
            yield* SendBlocking(ready, {})
            const { raw } = yield* Syscalls
            const [mr0, mr1, mr2, mr3] = [1n, 2n, 3n, 4n]
            const after = yield* raw({
              ...zeros,
              number: number.Call,
              capability: cptrOf(endpoint),
              info: 10n,
              mr0,
              mr1,
              mr2,
              mr3
            })
            answered = [after.info, after.mr0, after.mr1, after.mr2, after.mr3]
          })
        )
        yield* invoke(TCB.SetIPCBuffer, cptrOf(task.tcb), { buffer: 0 })
        yield* Receive(ready)
        heard = (yield* Receive(endpoint, answering)).words
        yield* Reply(answering, { words: long })
      })
    )
    assert.deepStrictEqual(heard, [1n, 2n, 3n, 4n])
    assert.deepStrictEqual(answered, [4n, 1n, 2n, 3n, 4n])
  })
})

describe("whatever a program says", () => {
  const interesting = [
    0n,
    1n,
    2n,
    3n,
    7n,
    12n,
    64n,
    255n,
    0x1000n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 47n,
    2n ** 63n,
    2n ** 64n - 1n
  ]
  const some = <A>(of: ReadonlyArray<A>) => Effect.map(Random.nextIntBetween(0, of.length - 1), (index) => of[index]!)
  const calls = [
    number.Call,
    number.Call,
    number.Call,
    number.NBSend,
    number.NBSendRecv,
    number.ReplyRecv,
    number.NBRecv,
    number.NBWait
  ]

  const anything = Effect.gen(function* () {
    const info =
      ((yield* some([...Array(80).keys()].map(BigInt))) << 12n) |
      (yield* some([0n, 1n, 2n, 3n, 5n, 6n, 127n, 511n, 0xfffn]))
    const word = some(interesting)
    return {
      number: yield* some(calls),
      capability: BigInt(yield* Random.nextIntBetween(0, 12)),
      info,
      mr0: yield* word,
      mr1: yield* word,
      mr2: yield* word,
      mr3: yield* word,
      reply: BigInt(yield* Random.nextIntBetween(0, 12)),
      destination: BigInt(yield* Random.nextIntBetween(0, 12))
    }
  })

  it.each(Array.from({ length: 12 }, (_, seed) => seed))("it is answered, or is a fault: seed %i", (seed) => {
    let made = 0
    const { stop, notes, ends } = runProgram(
      Effect.gen(function* () {
        const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        const gives = {
          untyped: yield* create("Untyped", 16),
          notification: yield* create("Notification"),
          reply: yield* create("Reply"),
          frame: yield* create("Page4K"),
          tcb: yield* create("TCB"),
          time: yield* create("SchedContext", 8)
        }
        const vandal = yield* spawn({ name: "vandal", gives, faultHandler }, () =>
          Effect.gen(function* () {
            const { raw } = yield* Syscalls
            for (made = 0; made < 400; made++) yield* raw(yield* anything)
          }).pipe(Random.withSeed(seed))
        )
        for (;;) {
          yield* Fault_Receive(faultHandler, answering)
          const registers = yield* TCB_ReadRegisters(vandal.tcb)
          yield* TCB_WriteRegisters(vandal.tcb, { ...registers, rip: registers.rip + 2n })
          yield* TCB_Resume(vandal.tcb)
        }
      }),
      { limit: 20_000_000 }
    )
    assert.include(["Idle", "Limit"], stop._tag, notes.join())
    assert.isUndefined(ends.get("root"), "its handler is there to the end")
    assert.isAbove(made, 0)
  })

  it.each([1n, 2n, 3n, 4n, 5n, 6n])("in machine code, it is answered, or is a fault: seed %i", (argument) => {
    let heard = 0
    const { stop, notes, ends } = runProgram(
      Effect.gen(function* () {
        const [faultHandler, answering] = [yield* create("Endpoint"), yield* create("Reply")]
        const gives = {
          untyped: yield* create("Untyped", 16),
          notification: yield* create("Notification"),
          reply: yield* create("Reply"),
          frame: yield* create("Page4K"),
          tcb: yield* create("TCB"),
          time: yield* create("SchedContext", 8)
        }
        const vandal = yield* spawnElf({ name: "vandal", gives, faultHandler, argument }, garbage)
        for (;;) {
          const { fault } = yield* Fault_Receive(faultHandler, answering)
          assert.include(["UnknownSyscall", "CapFault"], fault._tag)
          heard++
          const registers = yield* TCB_ReadRegisters(vandal.tcb)
          yield* TCB_WriteRegisters(vandal.tcb, { ...registers, rip: registers.rip + 2n })
          yield* TCB_Resume(vandal.tcb)
        }
      }),
      { limit: 20_000_000 }
    )
    assert.include(["Idle", "Limit"], stop._tag, notes.join())
    assert.isUndefined(ends.get("root"), "its handler is there to the end")
    assert.isAbove(heard, 0)
  })
})
