/**
 * What programs do that types do not keep them from: because they do not see it, or because the program does not keep to types.
 *
 * Each is a row of docs/types.md whose mark says that src/user (R) or the kernel (K) sees it, and what becomes of it.
 */
import { Effect, Schema } from "effect"
import { type AnyCap, type Cap, consume, cptrOf, endpointUnsafe } from "../../src/types/Capability.ts"
import * as S from "../../src/user/index.ts"
import { Syscalls } from "../../src/user/Syscalls.ts"

export type Program = Effect.Effect<unknown, unknown, S.RootServices>

/** A call as a program makes it that knows no types. */
const untyped = (call: unknown, ...args: ReadonlyArray<unknown>): Program =>
  Effect.suspend(() => (call as (...args: ReadonlyArray<unknown>) => Program)(...args))

/** The tag of the error that a program fails with. */
const tag = (program: Program): Program =>
  Effect.map(Effect.flip(program), (error) =>
    typeof error === "object" && error !== null && "_tag" in error ? error._tag : error
  )

class Echo extends S.protocol("echo", { say: { request: Schema.String, reply: Schema.String } }) {}
class Other extends S.protocol("echo", { say: { request: Schema.Int, reply: Schema.Int } }) {}

const frame = S.create("Page4K")
const bell = S.create("Notification")
const space = Effect.flatMap(S.BootInfo, ({ asidPool }) => S.AddressSpace_Create(asidPool))

/** A server of one protocol, by its endpoint. */
const server = Effect.gen(function* () {
  const endpoint = yield* S.Endpoint_Create(Echo)
  const gives = { endpoint: yield* S.Cap_Copy(endpoint, ["read"]), answers: yield* S.create("Reply") }
  yield* S.spawn({ name: "server", gives }, ({ endpoint, answers }) =>
    S.serve(endpoint, answers, { say: (text, to) => S.reply(to, text.repeat(text === "long" ? 1000 : 1)) })
  )
  return endpoint
})

const zeros = {
  ...{ number: 0n, capability: 0n, info: 0n, reply: 0n, destination: 0n },
  ...{ mr0: 0n, mr1: 0n, mr2: 0n, mr3: 0n }
}

/** By the row's first column: a program, and how it ends. A text is what it returns; a pattern, what its defect or the kernel's note says. */
export const misuses: Readonly<Record<string, readonly [program: Program, ends: string | RegExp]>> = {
  "a capability of another kind": [
    tag(
      Effect.gen(function* () {
        yield* untyped(S.AddressSpace_Map, yield* bell, 0x1000, yield* frame, ["read"])
      })
    ),
    "InvalidCapability"
  ],
  "a right that is not held": [
    tag(
      Effect.gen(function* () {
        const { tcb } = yield* S.BootInfo
        yield* untyped(S.TCB_Resume, yield* S.Cap_Copy(tcb, ["configure"]))
      })
    ),
    "IllegalOperation"
  ],
  "a copy with more rights than its source": [
    tag(
      Effect.gen(function* () {
        const { tcb } = yield* S.BootInfo
        const less = yield* S.Cap_Copy(tcb, ["configure"])
        yield* untyped(S.TCB_Resume, yield* untyped(S.Cap_Copy, less, ["configure", "run"]))
      })
    ),
    "IllegalOperation"
  ],
  "another badge for what has one": [
    tag(
      Effect.gen(function* () {
        const badged = yield* S.Cap_Mint(yield* bell, ["write"], { badge: 1n })
        yield* untyped(S.Cap_Mint, badged, ["write"], { badge: 2n })
      })
    ),
    "IllegalOperation"
  ],
  "something that is no capability": [untyped(S.Signal, 7), /a typed call was given something that is no capability/],
  "a copy of what has none": [
    tag(Effect.flatMap(S.BootInfo, ({ irqControl }) => untyped(S.Cap_Copy, irqControl, []))),
    "IllegalOperation"
  ],
  "use of what has no place yet": [
    tag(
      Effect.gen(function* () {
        yield* untyped(S.AddressSpace_Map, yield* S.create("PML4"), 0x1000, yield* frame, ["read"])
      })
    ),
    "InvalidCapability"
  ],
  "a client that a protocol does not know": [
    Effect.flatMap(S.Endpoint_Create(Echo), (endpoint) => untyped(S.Cap_Mint, endpoint, ["write"], { badge: "carol" })),
    /'echo' has no client 'carol'/
  ],
  "rights widened by method syntax, or through a mutable array or property": [
    tag(
      Effect.gen(function* () {
        const { tcb } = yield* S.BootInfo
        const held: Array<Cap<"TCB", "configure">> = [yield* S.Cap_Copy(tcb, ["configure"])]
        const widened: Array<AnyCap> = held
        yield* untyped(S.TCB_Resume, widened[0])
      })
    ),
    "IllegalOperation"
  ],

  "more than is left of other memory": [
    tag(
      Effect.gen(function* () {
        const memory = yield* S.create("Untyped", 12)
        yield* S.Untyped_Retype(memory, "Page4K")
        yield* S.Untyped_Retype(memory, "Endpoint")
      })
    ),
    "NotEnoughMemory"
  ],
  "a size that no object has; too many objects in one call": [
    tag(Effect.flatMap(S.create("Untyped", 14), (memory) => untyped(S.Untyped_Retype, memory, "CapTable", 60))),
    "RangeError"
  ],
  "a count that is out of date (the memory as it was before an `Untyped_Carve`)": [
    Effect.gen(function* () {
      const memory = yield* S.Untyped_Create(13)
      yield* S.Untyped_Carve(memory, "Endpoint")
      yield* S.Untyped_Carve(memory, "Endpoint")
    }),
    /moved, deleted or revoked/
  ],
  "counted memory given to another task with `give` or `spawn`": [
    Effect.gen(function* () {
      const memory = yield* S.Untyped_Create(13)
      yield* S.spawn({ name: "heir", gives: { memory } }, () => Effect.void)
      yield* S.Untyped_Carve(memory, "Endpoint")
    }),
    /NotEnoughMemory/
  ],
  "no slot is left": [
    tag(
      Effect.gen(function* () {
        const one = yield* bell
        for (;;) yield* S.Cap_Copy(one, [])
      })
    ),
    "OutOfSlots"
  ],
  "a copy of other memory that something is made of": [
    tag(
      Effect.gen(function* () {
        const memory = yield* S.create("Untyped", 12)
        yield* S.Untyped_Retype(memory, "Endpoint")
        yield* S.Cap_Copy(memory, ["retype"])
      })
    ),
    "RevokeFirst"
  ],

  "an address that is no multiple of the frame's size": [
    tag(Effect.flatMap(Effect.all([space, frame]), ([to, of]) => S.AddressSpace_Map(to, 0x1800, of, ["read"]))),
    "AlignmentError"
  ],
  "an address outside the user half, or its last page": [
    tag(Effect.flatMap(Effect.all([space, frame]), ([to, of]) => S.AddressSpace_Map(to, 2 ** 47, of, ["read"]))),
    "InvalidArgument"
  ],
  "an address that is calculated (a `number`)": [
    tag(Effect.flatMap(Effect.all([space, frame]), ([to, of]) => S.AddressSpace_Map(to, 0x1000 + 1, of, ["read"]))),
    "AlignmentError"
  ],
  "a right that the frame's capability lacks": [
    Effect.gen(function* () {
      const { addressSpace } = yield* S.BootInfo
      const less = yield* S.Cap_Copy(yield* frame, ["read"])
      yield* untyped(S.AddressSpace_Map, addressSpace, 0x1000_0000, less, ["read", "write"])
      yield* S.Memory_Write(0x1000_0000, Uint8Array.of(1))
    }),
    /root has no fault handler/
  ],
  "a mapping without `read`": [
    Effect.gen(function* () {
      const { addressSpace } = yield* S.BootInfo
      yield* untyped(S.AddressSpace_Map, addressSpace, 0x1000_0000, yield* frame, [])
      yield* S.Memory_Read(0x1000_0000, 1)
    }),
    /root has no fault handler/
  ],
  "a frame mapped twice, an address taken": [
    tag(
      Effect.gen(function* () {
        const [to, of] = [yield* space, yield* frame]
        yield* S.AddressSpace_Map(to, 0x1000, of, ["read"])
        yield* S.AddressSpace_Map(to, 0x2000, of, ["read"])
      })
    ),
    "InvalidArgument"
  ],

  "use after `consume`, in a straight line, also of a property": [
    Effect.gen(function* () {
      const one = yield* bell
      consume(one)
      yield* untyped(S.Signal, one)
    }),
    /moved, deleted or revoked/
  ],
  "use after `consume` through an alias, after one branch, in a loop, in a closure made before": [
    Effect.gen(function* () {
      const one = yield* bell
      const alias = one
      const closure = S.Signal(alias)
      consume(one)
      yield* S.Cap_Delete(one)
      yield* closure
      yield* S.Signal(alias)
    }),
    /moved, deleted or revoked/
  ],
  "deleting or moving the same capability twice": [
    Effect.gen(function* () {
      const one = yield* bell
      consume(one)
      yield* S.Cap_Delete(one)
      yield* S.Cap_Delete(one)
    }),
    /a capability was deleted or moved twice/
  ],
  "a fiber that is detached and goes on when the loan is over": [
    Effect.gen(function* () {
      const one = yield* bell
      const later = yield* S.withRevocable(one, ["write"], (lent) => Effect.sync(() => untyped(S.Signal, lent)))
      yield* later
    }),
    /moved, deleted or revoked/
  ],
  "a capability that another task holds, after its source was revoked": [
    Effect.gen(function* () {
      const source = yield* server
      const client = yield* S.Cap_Copy(source, ["write", "grantReply"])
      yield* S.Cap_Revoke(source)
      return yield* tag(S.ask(client, "say", "hello"))
    }),
    /^InvalidCapability/
  ],
  "a copy of what was revoked, in the same task": [
    tag(
      Effect.gen(function* () {
        const { tcb } = yield* S.BootInfo
        const copy = yield* S.Cap_Copy(tcb, ["run"])
        const again = yield* S.Cap_Copy(copy, ["run"])
        yield* S.Cap_Revoke(copy)
        yield* S.TCB_Resume(again)
      })
    ),
    "InvalidCapability"
  ],
  "a slot of a table that is named by its number, and filled already": [
    tag(
      Effect.gen(function* () {
        const [cnode, one] = [yield* S.CNode_Create(4), yield* bell]
        yield* S.Cap_CopyInto({ cnode, index: 3, depth: 4 }, one, ["read"])
        yield* S.Cap_CopyInto({ cnode, index: 3, depth: 4 }, one, ["read"])
      })
    ),
    "DeleteFirst"
  ],

  "giving capabilities without the right to grant": [
    Effect.gen(function* () {
      const endpoint = yield* S.create("Endpoint")
      const mute = yield* S.Cap_Copy(endpoint, ["write"])
      const gives = { mute, one: yield* bell }
      yield* S.spawn({ name: "giver", gives }, ({ mute, one }) => S.SendBlocking(mute, { caps: [one] }))
      return (yield* S.Receive(endpoint)).extraCaps
    }),
    "0"
  ],
  "answering twice": [
    Effect.gen(function* () {
      const endpoint = yield* S.create("Endpoint")
      const gives = { endpoint: yield* S.Cap_Copy(endpoint, ["write", "grantReply"]) }
      yield* S.spawn({ name: "caller", gives }, ({ endpoint }) => S.Call(endpoint, {}))
      const answers = yield* S.create("Reply")
      yield* S.Receive(endpoint, answers)
      yield* S.Reply(answers, {})
      yield* S.Reply(answers, {})
      return "the second says nothing to anybody"
    }),
    "the second says nothing to anybody"
  ],
  "two programs that speak different protocols under one name": [
    Effect.gen(function* () {
      const endpoint = yield* server
      // The same endpoint, as somebody sees it who speaks another protocol.
      const other = endpointUnsafe<Other, "write" | "grantReply">(cptrOf(endpoint), Other)
      return yield* tag(S.ask(other, "say", 7))
    }),
    "NotUnderstood"
  ],
  "a message that is too long": [
    Effect.flatMap(server, (endpoint) => tag(S.ask(endpoint, "say", "x".repeat(2000)))),
    "MessageTooLong"
  ],

  "a task that uses what it is not granted: a capability, a right": [
    Effect.gen(function* () {
      const { tcb } = yield* S.BootInfo
      const program = S.task({ thread: "TCB" }, ({ thread }) => S.TCB_Suspend(thread))
      const tasks = { one: { program, priority: 1, grants: { thread: { to: "thread", rights: ["configure"] } } } }
      yield* untyped(S.startSystem, { spec: { objects: { thread: "TCB" }, tasks } })
      return tcb
    }),
    /task 'one' IllegalOperation/
  ],
  "a budget that is more than its period, or too small": [
    tag(
      Effect.gen(function* () {
        const { schedControl } = yield* S.BootInfo
        const [time, tcb] = [yield* S.create("SchedContext", 8), yield* S.create("TCB")]
        yield* S.SchedControl_Configure(schedControl[0]!, time, tcb, { budget: 2000, period: 1000 })
      })
    ),
    "RangeError"
  ],

  "the host's clock, timers and chance": [
    Effect.sync(() => Reflect.get(globalThis, "Math").random()),
    /task 'root' used the host's Math.random: take Effect's Random/
  ],
  "waiting for a promise of the host": [
    Effect.promise(() => new Promise(() => {})),
    /task 'root' waits for what no machine can give it/
  ],
  "an unknown system call, a garbage message, a bad capability pointer from machine code": [
    Effect.flatMap(Syscalls, ({ raw }) => raw({ ...zeros, number: 99n })),
    /root has no fault handler/
  ],
  "a thread's only scheduling context, a notification's only thread, and what else an object has once": [
    tag(
      Effect.gen(function* () {
        const tcb = yield* S.create("TCB")
        const [one, other] = [yield* S.create("SchedContext", 8), yield* S.create("SchedContext", 8)]
        yield* S.SchedContext_Bind(one, tcb)
        yield* S.SchedContext_Bind(other, tcb)
      })
    ),
    "IllegalOperation"
  ],
  "a thread that reads or writes its own registers, which the kernel lets it do to others only": [
    tag(
      Effect.gen(function* () {
        yield* S.TCB_ReadRegisters((yield* S.BootInfo).tcb)
      })
    ),
    "IllegalOperation"
  ]
}
