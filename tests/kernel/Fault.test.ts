import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { check } from "../../src/kernel/invariants.ts"
import { Tcb } from "../../src/kernel/Tcb.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as SchedControl from "../../src/types/methods/SchedControl.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import * as Word from "../../src/types/Word.ts"
import { type Actor, register, World } from "./fixture.ts"

let world: World
let handler: Actor
let bob: Actor
let endpoint: number
let reply: number

beforeEach(() => {
  world = new World()
  handler = world.actor("handler")
  bob = world.actor("bob")
  endpoint = world.object("Endpoint").slot
  reply = world.object("Reply").slot
  world.start()
  world.invoke(handler, bob.slot, {
    label: TCB.SetSpace.label,
    words: [0, 0],
    caps: [world.minted(endpoint, 66), world.root, world.space]
  })
  world.syscall(handler, "Recv", { capability: endpoint, reply })
  world.turn(bob)
  world.set(bob, register.pc, 0x400)
  world.set(bob, register.sp, 0x900)
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

/** A thread that has no handler. */
let carol: Actor | undefined
const alone = (): Actor => (carol ??= world.actor("carol"))
afterEach(() => {
  carol = undefined
})

const touch = () =>
  world.kernel.handleFault({ _tag: "VMFault", address: Word.make(0x5000, 0x7fff), instructionFetch: false, status: 6 })

describe("a fault", () => {
  it("is a message to the handler, with the badge of its capability", () => {
    touch()

    assert.deepInclude(world.found(handler), { badge: 66, label: 6, words: [0x400, 0x7fff_0000_5000, 0, 6] })
    assert.strictEqual(world.stateOf(bob), "blockedOnReply")
  })

  it("waits until the handler receives", () => {
    touch()
    const carol = world.actor("carol")
    world.invoke(carol, carol.slot, {
      label: TCB.SetSpace.label,
      words: [0, 0],
      caps: [endpoint, world.root, world.space]
    })
    world.turn(carol)
    touch()
    assert.strictEqual(world.stateOf(carol), "blockedOnSend")
    world.syscall(handler, "ReplyRecv", { capability: endpoint, reply })

    assert.strictEqual(world.found(handler).label, 6)
    assert.strictEqual(world.stateOf(carol), "blockedOnReply")
  })

  it("answered, lets the thread try again", () => {
    touch()
    world.set(bob, register.next, 0x404)
    world.syscall(handler, "ReplyRecv", { capability: endpoint, reply })

    assert.strictEqual(world.running, "bob")
    assert.strictEqual(world.get(bob, register.next), 0x400)
  })

  it("of a thread without a handler stops it, and says so", () => {
    const carol = world.actor("carol")
    world.turn(carol)
    touch()

    assert.strictEqual(world.stateOf(carol), "inactive")
    assert.deepStrictEqual(world.printed, [
      "carol has no fault handler, and is stopped at 0H: it used address 7FFF00005000H, which it may not (status 6)"
    ])
  })

  it.each([
    ["made system call -77, which there is not", () => world.kernel.handleSyscall(-77, -1)],
    [
      "raised exception 13 (error code 8)",
      () => world.kernel.handleFault({ _tag: "UserException", number: 13, code: 8 })
    ],
    [
      "waited at capability 3E7H, which is not there (MissingCapability)",
      () => world.syscall(alone(), "Wait", { capability: 999 })
    ]
  ])("says what the thread did: it %s", (what, act) => {
    world.turn(alone())
    act()

    assert.include(world.printed.join("\n"), what)
  })

  it("of a thread whose handler was deleted stops it", () => {
    const admin = world.actor("admin")
    world.invoke(admin, world.root, { label: CNode.Revoke.label, words: [endpoint, 64] })
    world.turn(bob)
    touch()

    assert.strictEqual(world.stateOf(bob), "inactive")
  })

  it("lends the thread's time to a handler that has none", () => {
    const admin = world.actor("admin")
    world.invoke(admin, handler.contextSlot, { label: SchedContext.Unbind.label })
    world.turn(bob)
    touch()

    assert.strictEqual(Tcb.schedContext.load(world.memory, handler.thread), bob.context)
    assert.strictEqual(world.running, "handler")
  })
})

describe("a system call that there is not", () => {
  const call = () => world.kernel.handleSyscall(-77, -1)

  it("is a fault with the registers and the number", () => {
    world.set(bob, 11, 111)
    world.set(bob, 12, 112)
    call()

    const { label, words } = world.found(handler)
    assert.strictEqual(label, 2)
    assert.deepStrictEqual(words.slice(0, 4), [111, 112, 0x400, 0x900])
    assert.strictEqual(words[4], 2 ** 64 - 77 + 13)
  })

  it("answered, sets as many registers as the answer is long, and restarts at them", () => {
    call()
    world.syscall(handler, "ReplyRecv", { capability: endpoint, reply, words: [1, 2, 0x402] })

    assert.deepEqual(
      [11, 12, register.next, register.sp].map((index) => world.get(bob, index)),
      [1, 2, 0x402, 0x900]
    )
    assert.strictEqual(world.running, "bob")
  })

  it("answered with another label than 0, stops the thread", () => {
    call()
    world.syscall(handler, "ReplyRecv", { capability: endpoint, reply, label: 1 })

    assert.strictEqual(world.stateOf(bob), "inactive")
  })

  it.each([0, 5, 0x7fff_ffff])("has a positive number (%i)", (number) => {
    world.kernel.handleSyscall(number, 0)

    assert.deepInclude(world.found(handler), { label: 2 })
    assert.strictEqual(world.found(handler).words[4], number)
  })
})

describe("an answer of more than four words", () => {
  it("sets registers from the handler's buffer", () => {
    const admin = world.actor("admin", { priority: 200 })
    const timeouts = world.object("Endpoint").slot
    world.invoke(admin, bob.slot, { label: TCB.SetTimeoutEndpoint.label, caps: [timeouts] })
    world.invoke(admin, world.schedControl, {
      label: SchedControl.ConfigureFlags.label,
      words: [1000, 10_000, 0, 0, 0],
      caps: [bob.contextSlot]
    })
    world.syscall(admin, "Recv", { capability: timeouts, reply: world.object("Reply").slot })
    world.turn(bob)
    world.time.pass(1_000_000)
    world.kernel.handleTimer()
    world.syscall(admin, "ReplyRecv", {
      capability: timeouts,
      reply: world.lastSlot,
      words: Array.from({ length: 13 }, (_, index) => 100 + index)
    })

    assert.deepEqual(
      [register.pc, register.sp, 11, 13].map((index) => world.get(bob, index)),
      [100, 101, 110, 112]
    )
  })
})

describe("an exception of the processor", () => {
  it("is a fault with its number and code", () => {
    world.kernel.handleFault({ _tag: "UserException", number: 13, code: 8 })

    assert.deepInclude(world.found(handler), { label: 3, words: [0x400, 0x900, 13, 8] })
  })
})

describe("a capability that cannot be found", () => {
  it("is a fault with its address and why", () => {
    world.syscall(bob, "Send", { capability: 2 ** 40 })

    const { label, words } = world.found(handler)
    assert.strictEqual(label, 1)
    assert.deepStrictEqual(words, [0x400, 2 ** 40, 0, 4, 64, 0, 54])
  })

  it("to receive from, says so", () => {
    world.syscall(bob, "Recv", { capability: world.emptySlot(), reply })

    assert.deepStrictEqual(world.found(handler).words.slice(2), [1, 2, 0])
  })

  it("is answered by trying again, whatever the answer says", () => {
    world.syscall(bob, "Send", { capability: 2 ** 40 })
    world.syscall(handler, "ReplyRecv", { capability: endpoint, reply, label: 9 })

    assert.strictEqual(world.running, "bob")
  })
})

describe("a fault message", () => {
  it("to a handler without an IPC buffer is cut to four words", () => {
    const poor = world.actor("poor", { withoutBuffer: true, priority: 200 })
    world.syscall(poor, "Recv", { capability: endpoint, reply: world.object("Reply").slot })
    world.turn(bob)
    world.kernel.handleSyscall(-77, -1)

    assert.deepStrictEqual(world.found(poor).words, [0, 0, 0x400, 0x900])
  })
})
