import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { check } from "../../src/kernel/invariants.ts"
import { Tcb } from "../../src/kernel/Tcb.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { right, wordKeeping } from "../../src/types/Rights.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

let world: World
let alice: Actor
let bob: Actor
let notification: number

beforeEach(() => {
  world = new World()
  alice = world.actor("alice")
  bob = world.actor("bob")
  notification = world.object("Notification").slot
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

const bind = (actor: Actor) =>
  world.invoke(alice, actor.slot, { label: TCB.BindNotification.label, caps: [notification] })

describe("a signal", () => {
  it("wakes a thread that waits, with its badge", () => {
    world.syscall(bob, "Wait", { capability: notification })
    world.syscall(alice, "Send", { capability: world.minted(notification, 4) })

    assert.strictEqual(world.found(bob).badge, 4)
    assert.strictEqual(world.stateOf(bob), "running")
  })

  it("is there for the next who waits; several are one, with the bits of all", () => {
    world.syscall(alice, "Send", { capability: world.minted(notification, 4) })
    world.syscall(alice, "NBSend", { capability: world.minted(notification, 1) })
    world.syscall(bob, "Wait", { capability: notification })

    assert.strictEqual(world.found(bob).badge, 5)
    world.syscall(bob, "NBWait", { capability: notification })
    assert.strictEqual(world.found(bob).badge, 0)
  })

  it("wakes one thread of several", () => {
    world.syscall(bob, "Wait", { capability: notification })
    const carol = world.actor("carol")
    world.syscall(carol, "Wait", { capability: notification })
    world.syscall(alice, "Send", { capability: notification })

    assert.strictEqual(world.stateOf(bob), "running")
    assert.strictEqual(world.stateOf(carol), "blockedOnNotification")
  })

  it("by Call is answered by the kernel at once", () => {
    const answer = world.invoke(alice, notification, {})

    assert.deepInclude(answer, { label: 0, words: [] })
  })

  it("without the right to write is refused", () => {
    const lesser = world.diminished(notification, wordKeeping("Notification", right.Notification.read, false).bits)

    assert.strictEqual(world.invoke(alice, lesser, {}).label, labelOf.InvalidCapability)
  })
})

describe("waiting", () => {
  it("without the right to read is a fault", () => {
    const lesser = world.diminished(notification, wordKeeping("Notification", right.Notification.write, false).bits)
    world.syscall(bob, "Wait", { capability: lesser })

    assert.strictEqual(world.stateOf(bob), "inactive")
  })

  it("for one that is bound to another thread is a fault", () => {
    bind(alice)
    world.syscall(bob, "Wait", { capability: notification })

    assert.strictEqual(world.stateOf(bob), "inactive")
  })
})

describe("a bound notification", () => {
  it("reaches its thread while it receives from an endpoint; the badge says which", () => {
    bind(bob)
    world.syscall(bob, "Recv", { capability: world.object("Endpoint").slot, reply: world.object("Reply").slot })
    world.syscall(alice, "Send", { capability: world.minted(notification, 32) })

    assert.strictEqual(world.found(bob).badge, 32)
    assert.strictEqual(world.stateOf(bob), "running")
  })

  it("is heard of by a receive that comes later", () => {
    bind(bob)
    world.syscall(alice, "Send", { capability: world.minted(notification, 32) })
    world.syscall(bob, "Recv", { capability: world.object("Endpoint").slot, reply: world.object("Reply").slot })

    assert.strictEqual(world.found(bob).badge, 32)
  })

  it("is bound to one thread, and a thread to one", () => {
    assert.strictEqual(bind(bob).label, 0)
    assert.strictEqual(bind(alice).label, labelOf.IllegalOperation)
    notification = world.object("Notification").slot
    assert.strictEqual(bind(bob).label, labelOf.IllegalOperation)
  })

  it("can be unbound, once", () => {
    bind(bob)
    const unbind = () => world.invoke(alice, bob.slot, { label: TCB.UnbindNotification.label }).label

    assert.strictEqual(unbind(), 0)
    assert.strictEqual(unbind(), labelOf.IllegalOperation)
    assert.strictEqual(bind(alice).label, 0)
  })

  it("when it is deleted, is nobody's", () => {
    bind(bob)
    world.invoke(alice, world.root, { label: CNode.Delete.label, words: [notification, 64] })

    assert.strictEqual(Tcb.boundNotification.load(world.memory, bob.thread), 0)
  })
})

describe("a scheduling context bound to a notification", () => {
  const lend = (actor: Actor) => {
    world.invoke(alice, actor.contextSlot, { label: SchedContext.Unbind.label })
    assert.strictEqual(
      world.invoke(alice, actor.contextSlot, { label: SchedContext.Bind.label, caps: [notification] }).label,
      0
    )
  }

  it("goes to a thread without time that a signal wakes, and comes back when it waits again", () => {
    world.syscall(bob, "Wait", { capability: notification })
    lend(bob)
    world.syscall(alice, "Send", { capability: notification })
    assert.strictEqual(Tcb.schedContext.load(world.memory, bob.thread), bob.context)

    world.syscall(bob, "Wait", { capability: notification })
    assert.strictEqual(Tcb.schedContext.load(world.memory, bob.thread), 0)
  })

  it("comes back when a bound thread receives from an endpoint again", () => {
    const [endpoint, reply] = [world.object("Endpoint").slot, world.object("Reply").slot]
    bind(bob)
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    lend(bob)
    world.syscall(alice, "Send", { capability: notification })
    assert.strictEqual(world.stateOf(bob), "running")
    world.syscall(bob, "Recv", { capability: endpoint, reply })

    assert.strictEqual(Tcb.schedContext.load(world.memory, bob.thread), 0)
  })
})

describe("the last capability to a notification", () => {
  it("when it is deleted, lets everybody who waits try again", () => {
    world.syscall(bob, "Wait", { capability: notification })
    world.invoke(alice, world.root, { label: CNode.Delete.label, words: [notification, 64] })

    assert.strictEqual(world.stateOf(bob), "restart")
  })
})
