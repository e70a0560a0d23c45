import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { Halt } from "../../src/hal/Gates.ts"
import { check } from "../../src/kernel/invariants.ts"
import { numberOf } from "../../src/types/Kind.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { type Actor, labelOf, register, World } from "./fixture.ts"

let world: World
let alice: Actor

beforeEach(() => {
  world = new World()
  alice = world.actor("alice")
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

describe("an invocation", () => {
  it("of an empty slot is refused", () => {
    assert.deepInclude(world.invoke(alice, world.emptySlot(), { label: 1 }), {
      label: labelOf.InvalidCapability,
      words: [0]
    })
  })

  it("that is refused is answered only to a call", () => {
    world.set(alice, register.info, 0)
    world.syscall(alice, "Send", { capability: world.root, label: 999 })

    assert.strictEqual(world.found(alice).label, 999)
    assert.strictEqual(world.stateOf(alice), "running")
  })

  it("of a method of another kind is an illegal operation", () => {
    assert.strictEqual(world.invoke(alice, world.root, { label: TCB.Suspend.label }).label, labelOf.IllegalOperation)
  })

  it("by Send is performed and not answered", () => {
    const bob = world.actor("bob", { stopped: true })
    world.syscall(alice, "Send", { capability: bob.slot, label: TCB.Resume.label })

    assert.strictEqual(world.stateOf(bob), "restart")
    assert.strictEqual(world.found(alice).label, TCB.Resume.label)
  })

  it("with any message at all is answered or a fault, never more", () => {
    for (const info of [0n, -1n, 0xfffn, 0x1f7fn, 1n << 63n, (21n << 12n) | 0x7fn]) {
      const bob = world.actor("bob")
      world.turn(bob)
      world.set(bob, register.capability, world.root)
      world.set(bob, register.info, BigInt.asUintN(64, info))
      world.kernel.handleSyscall(-1, -1)
      assert.include(["running", "inactive"], world.stateOf(bob))
    }
  })
})

describe("the first half of a system call", () => {
  it.each(["TCB", "CNode", "SchedContext", "SchedControl"] as const)("invokes no %s", (kind) => {
    const bob = world.actor("bob", { stopped: true })
    const [slot, label] = {
      TCB: [bob.slot, TCB.Resume.label],
      CNode: [world.root, 19],
      SchedContext: [bob.contextSlot, SchedContext.Unbind.label],
      SchedControl: [world.schedControl, 33]
    }[kind] as [number, number]
    const before = world.bytes.slice(bob.thread, bob.thread + 2048)
    const [endpoint, reply] = [world.object("Endpoint").slot, world.object("Reply").slot]
    world.syscall(alice, "NBSendRecv", { destination: slot, label, words: [bob.slot, 64], capability: endpoint, reply })

    assert.deepEqual(world.bytes.slice(bob.thread, bob.thread + 2048), before)
    assert.strictEqual(world.stateOf(alice), "blockedOnReceive")
  })
})

describe("time", () => {
  it("passes for every call, and for every CNode, word and slot on the way", () => {
    const cost = (act: () => void) => {
      const before = world.time.now()
      act()
      return world.time.now() - before
    }
    const endpoint = world.object("Endpoint").slot
    const send = (words: number) => () =>
      world.syscall(alice, "NBSend", { capability: endpoint, words: Array.from({ length: words }, () => 1) })

    assert.strictEqual(cost(send(0)), 60 + 12)
  })

  it("does not depend on what is in the words", () => {
    const [bob, endpoint] = [world.actor("bob"), world.object("Endpoint").slot]
    const reply = world.object("Reply").slot
    const costs = [0n, 2n ** 64n - 1n].map((word) => {
      world.syscall(bob, "Recv", { capability: endpoint, reply })
      const before = world.time.now()
      world.syscall(alice, "NBSend", { capability: endpoint, words: [word, word, word, word, word, word] })
      return world.time.now() - before
    })

    assert.strictEqual(costs[0], costs[1])
  })
})

describe("a thread whose budget is used up when it enters the kernel", () => {
  it("makes its call when it has a turn again", () => {
    const bob = world.actor("bob")
    const endpoint = world.object("Endpoint").slot
    world.turn(alice)
    world.time.pass(5_000_000)
    world.syscall(alice, "Send", { capability: endpoint })

    assert.strictEqual(world.running, "bob")
    assert.strictEqual(world.stateOf(alice), "restart")
    world.syscall(bob, "NBRecv", { capability: endpoint, reply: world.object("Reply").slot })
    assert.strictEqual(world.found(bob).badge, 0)
  })
})

describe("debug calls", () => {
  it("print a character", () => {
    world.set(alice, register.capability, 0x41)
    world.kernel.handleSyscall(-12, -1)

    assert.deepStrictEqual(world.printed, ["A"])
  })

  it("say what a capability is", () => {
    world.set(alice, register.capability, alice.slot)
    world.kernel.handleSyscall(-15, -1)
    assert.strictEqual(world.get(alice, register.capability), numberOf.TCB)
    world.set(alice, register.capability, 2 ** 40)
    world.kernel.handleSyscall(-15, -1)
    assert.strictEqual(world.get(alice, register.capability), 0)
  })

  it("name a thread", () => {
    const bytes = new TextEncoder().encode("wonderland\0")
    world.bytes.set(bytes, alice.buffer + 8)
    world.set(alice, register.capability, alice.slot)
    world.kernel.handleSyscall(-17, -1)

    assert.strictEqual(world.running, "wonderland")
  })

  it("list who runs and who is ready", () => {
    world.actor("bob", { priority: 7 })
    world.kernel.handleSyscall(-13, -1)

    assert.deepStrictEqual(world.printed, ["100 alice runs", "7 bob is ready"])
  })

  it("take a snapshot", () => {
    world.kernel.handleSyscall(-16, -1)

    assert.deepStrictEqual(world.printed, ["snapshot"])
  })

  it("halt the machine", () => {
    assert.throws(() => world.kernel.handleSyscall(-14, -1), Halt, "alice halted the machine")
  })
})
