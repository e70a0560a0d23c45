import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import type { Kind } from "../../src/types/Kind.ts"
import type { Method } from "../../src/types/Method.ts"
import * as Methods from "../../src/types/Methods.ts"
import { heldAll, right, wordKeeping } from "../../src/types/Rights.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

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

const kinds: ReadonlyArray<Kind> = ["Untyped", "TCB", "CNode", "SchedContext", "SchedControl"]

/** A capability of this kind. */
const some = (kind: Kind): number => {
  switch (kind) {
    case "Untyped":
      return world.untyped(12).slot
    case "TCB":
      return world.actor("bob", { stopped: true }).slot
    case "CNode":
      return world.root
    case "SchedContext":
      return world.actor("bob", { stopped: true }).contextSlot
    case "SchedControl":
      return world.schedControl
    default:
      return world.object("Endpoint").slot
  }
}

const lacking = (slot: number, kind: Kind, lost: number): number =>
  world.diminished(slot, wordKeeping(kind, heldAll(kind) & ~lost, false).bits)

/** The method and each right that the capability invoked must have. */
const cases = Methods.all
  .filter(({ kind, name }) => kinds.includes(kind) && name !== "TCB_SetEPTRoot")
  .flatMap((method: Method) => method.rights.map((name) => ({ method, name, title: `${method.name}: ${name}` })))

describe("a method is an illegal operation without its right", () => {
  it.each(cases)("$title", ({ method, name }) => {
    const { kind } = method
    const bit = (right[kind] as Readonly<Record<string, number>>)[name]!
    const words = Array.from({ length: method.length }, () => 1)
    const caps = Object.keys(method.caps).map(() => world.root)
    const answer = world.invoke(alice, lacking(some(kind), kind, bit), { label: method.label, words, caps })

    assert.strictEqual(answer.label, labelOf.IllegalOperation)
  })
})

describe("a capability with a message lacks a right: it is invalid", () => {
  it("the authority of a priority, to schedule", () => {
    const authority = lacking(alice.slot, "TCB", right.TCB.schedule)
    const answer = world.invoke(alice, alice.slot, { label: 6, words: [5], caps: [authority] })

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [1] })
  })

  it("the capability space of a thread, to take from it", () => {
    const space = lacking(world.root, "CNode", right.CNode.take)
    const answer = world.invoke(alice, alice.slot, { label: 5, words: [0, 0, 0], caps: [space, world.space, 0] })

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [1] })
  })

  it("the address space of a thread, to be bound", () => {
    const space = lacking(world.space, "AddressSpace", right.AddressSpace.bind)
    const answer = world.invoke(alice, alice.slot, { label: 5, words: [0, 0, 0], caps: [world.root, space, 0] })

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [2] })
  })

  it("the thread of a scheduling context, to be scheduled", () => {
    const passive = world.actor("passive", { passive: true })
    const thread = lacking(passive.slot, "TCB", right.TCB.schedule)
    const answer = world.invoke(alice, passive.contextSlot, { label: 34, caps: [thread] })

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [1] })
  })

  it("the scheduling context that gets a budget, to be configured", () => {
    const context = lacking(alice.contextSlot, "SchedContext", right.SchedContext.configure)
    const answer = world.invoke(alice, world.schedControl, { label: 33, words: [100, 100, 0, 0, 0], caps: [context] })

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [1] })
  })

  it("the CNode that objects go to, to put into it", () => {
    const node = lacking(world.root, "CNode", right.CNode.put)
    const answer = world.invoke(alice, world.untyped(12).slot, { label: 1, words: [2, 0, 0, 0, 900, 1], caps: [node] })

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [1] })
  })

  it("the notification of a thread, to read", () => {
    const notification = lacking(world.object("Notification").slot, "Notification", right.Notification.read)
    const answer = world.invoke(alice, alice.slot, { label: 14, caps: [notification] })

    assert.strictEqual(answer.label, labelOf.IllegalOperation)
  })
})

describe("where capabilities arrive", () => {
  it("must be a CNode that they can be put into", () => {
    const bob = world.actor("bob")
    const [endpoint, reply] = [world.object("Endpoint").slot, world.object("Reply").slot]
    world.receiveInto(bob, 900)
    world.storeWord(bob.buffer + 1000, lacking(world.root, "CNode", right.CNode.put))
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Send", { capability: endpoint, caps: [world.object("Page4K").slot] })

    assert.deepInclude(world.found(bob), { extraCaps: 0 })
    assert.isTrue(Capability.isEmpty(world.state, world.at(900)))
  })
})

describe("a reply object", () => {
  it("is received with only with the right to", () => {
    const reply = lacking(world.object("Reply").slot, "Reply", right.Reply.receive)
    world.syscall(alice, "Recv", { capability: world.object("Endpoint").slot, reply })

    assert.strictEqual(world.stateOf(alice), "inactive")
  })
})
