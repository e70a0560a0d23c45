import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import { slotOf, Tcb, tcbSlot } from "../../src/kernel/Tcb.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import * as Untyped from "../../src/types/methods/Untyped.ts"
import { objectTypes } from "../../src/types/ObjectType.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

let world: World
let alice: Actor
let bob: Actor

beforeEach(() => {
  world = new World()
  alice = world.actor("alice")
  bob = world.actor("bob")
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

const remove = (slot: number) => world.invoke(alice, world.root, { label: CNode.Delete.label, words: [slot, 64] })
/** A capability goes to slot `index` of a CNode. */
const put = (from: number, node: number, index: number, radix: number) =>
  world.invoke(alice, node, { label: CNode.Move.label, words: [index, radix, from, 64], caps: [world.root] })
const copyInto = (from: number, node: number, index: number, radix: number) =>
  world.invoke(alice, node, { label: CNode.Copy.label, words: [index, radix, from, 64, 15], caps: [world.root] })
const isZombie = (slot: number) => Capability.kind(world.state, world.at(slot)) === Capability.zombieKind

describe("deleting the last capability to a CNode", () => {
  it("deletes what is in its slots", () => {
    const node = world.object("CapTable", 2)
    const endpoint = world.object("Endpoint")
    put(endpoint.slot, node.slot, 3, 2)
    world.syscall(bob, "Send", { capability: endpoint.slot })
    remove(node.slot)

    assert.isUndefined(world.kindIn(node.slot))
    assert.isTrue(Capability.isEmpty(world.state, node.at + 32 * 3))
  })

  it("leaves it alone as long as there is another", () => {
    const node = world.object("CapTable", 2)
    const endpoint = world.object("Endpoint")
    put(endpoint.slot, node.slot, 3, 2)
    const other = world.diminished(node.slot, 15)
    remove(node.slot)

    assert.isFalse(Capability.isEmpty(world.state, node.at + 32 * 3))
    remove(other)
    assert.isTrue(Capability.isEmpty(world.state, node.at + 32 * 3))
  })

  it("can stop; meanwhile nobody can use it, and deleting again goes on", () => {
    const node = world.object("CapTable", 3)
    for (let index = 0; index < 8; index++) copyInto(alice.slot, node.slot, index, 3)
    world.time.interruptAfter(3)
    remove(node.slot)
    assert.isTrue(isZombie(node.slot))

    assert.deepInclude(world.invoke(bob, node.slot, { label: CNode.Delete.label, words: [0, 3] }), {
      label: labelOf.InvalidCapability,
      words: [0]
    })
    world.syscall(alice, "Yield")
    assert.strictEqual(remove(node.slot).label, 0)
    assert.isUndefined(world.kindIn(node.slot))
  })

  it("ends though it holds itself", () => {
    const node = world.object("CapTable", 2)
    copyInto(node.slot, node.slot, 1, 2)
    const frame = world.object("Page4K").slot
    copyInto(frame, node.slot, 2, 2)
    world.invoke(alice, world.root, { label: CNode.Delete.label, words: [node.slot, 64] })
    const held = node.at + 32

    // The capability inside is the last one now, and leads to its own slot: nobody can reach it, and nothing else is
    // lost.
    assert.isUndefined(world.kindIn(node.slot))
    assert.strictEqual(Capability.object(world.state, held), node.at)
  })

  it("ends though two hold one another", () => {
    const [one, two] = [world.object("CapTable", 2), world.object("CapTable", 2)]
    copyInto(two.slot, one.slot, 1, 2)
    put(one.slot, two.slot, 2, 2)
    remove(two.slot)

    assert.isUndefined(world.kindIn(two.slot))
  })

  it("leaves a CNode inside it to who revokes the memory: nobody else can reach it", () => {
    const untyped = world.untyped(12).slot
    const [outer, inner, frame] = [600, 601, world.object("Page4K").slot]
    const label = Untyped.Retype.label
    world.invoke(alice, untyped, { label, words: [objectTypes.CapTable.number, 2, 0, 0, outer, 2], caps: [world.root] })
    const innerAt = Capability.object(world.state, world.at(inner))
    copyInto(frame, inner, 3, 2)
    put(inner, outer, 1, 2)
    remove(outer)
    assert.isUndefined(world.kindIn(outer))
    assert.isFalse(Capability.isEmpty(world.state, innerAt + 32 * 3))

    world.invoke(alice, world.root, { label: CNode.Revoke.label, words: [untyped, 64] })
    assert.isTrue(Capability.isEmpty(world.state, innerAt + 32 * 3))
    assert.isTrue(Capability.isEmpty(world.state, innerAt))
  })
})

describe("deleting the last capability to a TCB", () => {
  it("stops the thread, takes its time, its notification and its capabilities", () => {
    const notification = world.object("Notification")
    world.invoke(alice, bob.slot, { label: TCB.BindNotification.label, caps: [notification.slot] })
    remove(bob.slot)

    assert.strictEqual(world.stateOf(bob), "inactive")
    assert.strictEqual(Tcb.schedContext.load(world.memory, bob.thread), 0)
    assert.strictEqual(Tcb.boundNotification.load(world.memory, bob.thread), 0)
    assert.isTrue(Capability.isEmpty(world.state, slotOf(bob.thread, tcbSlot.cspace)))
  })

  it("of a thread that waits, takes it out of the queue", () => {
    const endpoint = world.object("Endpoint").slot
    const carol = world.actor("carol")
    world.syscall(bob, "Send", { capability: endpoint, words: [1] })
    world.syscall(carol, "Send", { capability: endpoint, words: [2] })
    remove(bob.slot)
    world.syscall(alice, "Wait", { capability: endpoint })

    assert.deepInclude(world.found(alice), { words: [2] })
  })

  it("of the thread that asks, leaves the machine to others", () => {
    world.syscall(alice, "Call", { capability: world.root, label: CNode.Delete.label, words: [alice.slot, 64] })

    assert.strictEqual(world.running, "bob")
  })

  it("whose capability space is the last, deletes that as well", () => {
    const node = world.object("CapTable", 2)
    const child = world.actor("child", { stopped: true })
    world.invoke(alice, child.slot, {
      label: TCB.SetSpace.label,
      words: [0, 0],
      caps: [0, node.slot, world.space]
    })
    remove(node.slot)
    assert.isFalse(Capability.isEmpty(world.state, slotOf(child.thread, tcbSlot.cspace)))
    remove(child.slot)

    assert.isUndefined(world.kindIn(child.slot))
  })
})

describe("a capability space that is being deleted", () => {
  it("cannot be taken from its thread meanwhile", () => {
    const node = world.object("CapTable", 2)
    const child = world.actor("child", { stopped: true })
    const set = () =>
      world.invoke(alice, child.slot, { label: TCB.SetSpace.label, words: [0, 0], caps: [0, world.root, world.space] })
    world.invoke(alice, child.slot, { label: TCB.SetSpace.label, words: [0, 0], caps: [0, node.slot, world.space] })
    assert.strictEqual(set().label, 0)
    world.invoke(alice, child.slot, { label: TCB.SetSpace.label, words: [0, 0], caps: [0, node.slot, world.space] })
    remove(node.slot)

    assert.strictEqual(set().label, labelOf.IllegalOperation)
  })
})

describe("deleting what one runs on", () => {
  it("stops where an interrupt waits, and whoever is left runs", () => {
    const untyped = world.untyped(13).slot
    const label = Untyped.Retype.label
    world.invoke(alice, untyped, { label, words: [objectTypes.TCB.number, 0, 0, 0, 700, 2], caps: [world.root] })
    world.invoke(alice, untyped, {
      label,
      words: [objectTypes.SchedContext.number, 8, 0, 0, 702, 1],
      caps: [world.root]
    })
    const [thread, context] = [700, 702].map((slot) => Capability.object(world.state, world.at(slot))) as [
      number,
      number
    ]
    world.invoke(alice, world.schedControl, { label: 33, words: [5000, 5000, 0, 0, 0], caps: [702] })
    world.invoke(alice, 700, { label: TCB.Configure.label, words: [0, 0, 0], caps: [world.root, world.space, 0] })
    world.invoke(alice, 700, { label: TCB.SetSchedParams.label, words: [200, 200], caps: [alice.slot, 702, 0] })
    world.invoke(alice, 700, { label: TCB.Resume.label })
    const child: Actor = { ...alice, name: "child", thread, slot: 700, context, contextSlot: 702 }
    assert.strictEqual(world.running, "nobody")
    world.time.interruptAfter(4)
    world.syscall(child, "Call", { capability: world.root, label: CNode.Revoke.label, words: [untyped, 64] })

    assert.include(["alice", "bob"], world.running)
  })
})

describe("deleting a capability space that is in use", () => {
  it("of the thread that asks leaves it without one", () => {
    const frame = world.object("Page4K")
    remove(frame.slot)
    assert.isUndefined(world.kindIn(frame.slot))
    world.syscall(alice, "Send", { capability: frame.slot })

    assert.strictEqual(world.stateOf(alice), "running")
  })
})
