import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { check } from "../../src/kernel/invariants.ts"
import * as Refill from "../../src/kernel/Refill.ts"
import { Tcb } from "../../src/kernel/Tcb.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as SchedControl from "../../src/types/methods/SchedControl.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

let world: World

beforeEach(() => {
  world = new World()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

const millisecond = 1_000_000
const micro = 1000
const sporadic = 1

/** Time passes until the timer's interrupt comes. */
const untilTimer = () => {
  const deadline = world.time.deadline()
  if (deadline === undefined) throw new Error("nothing will happen any more")
  world.time.pass(Math.max(0, deadline - world.time.now()))
  world.kernel.handleTimer()
}

const configure = (by: Actor, actor: Actor, budget: number, period: number, extra = 0, flags: number | bigint = 0) =>
  world.invoke(by, world.schedControl, {
    label: SchedControl.ConfigureFlags.label,
    words: [budget, period, extra, 77, flags],
    caps: [actor.contextSlot]
  })

describe("of the threads that can run", () => {
  it("the one of the highest priority does", () => {
    world.actor("low", { priority: 10 })
    world.actor("high", { priority: 200 })
    world.start()

    assert.strictEqual(world.running, "high")
  })

  it("equals have turns, as long as their budget, one after the other", () => {
    for (const name of ["alice", "bob", "carol"]) world.actor(name)
    world.start()
    const turns = Array.from({ length: 6 }, () => {
      const name = world.running
      untilTimer()
      return name
    })

    assert.deepStrictEqual(turns.slice(0, 3), turns.slice(3))
    assert.sameMembers(turns.slice(0, 3), ["alice", "bob", "carol"])
  })

  it("a turn is as long as the budget, to the nanosecond, whatever the kernel does in it", () => {
    const alice = world.actor("alice")
    world.actor("bob")
    world.start()
    world.turn(alice)
    const begin = world.time.now()
    for (let calls = 0; calls < 10; calls++) world.syscall(alice, "NBSend", { capability: 999 })
    world.kernel.handleTimer()

    assert.closeTo(world.time.deadline()! - begin, 5 * millisecond, 10 * micro)
  })

  it("one that is interrupted in its turn goes on with the rest of it", () => {
    const alice = world.actor("alice")
    world.actor("bob")
    world.start()
    world.turn(alice)
    world.kernel.handleTimer()
    const first = world.time.deadline()!
    world.time.pass(millisecond)
    world.kernel.handleTimer()

    assert.strictEqual(world.running, "alice")
    assert.closeTo(world.time.deadline()!, first, micro)
  })

  it("nobody: the timer is off", () => {
    const alice = world.actor("alice")
    world.start()
    world.syscall(alice, "Wait", { capability: world.object("Notification").slot })

    assert.strictEqual(world.running, "nobody")
    assert.isUndefined(world.time.deadline())
  })
})

describe("Yield", () => {
  it("gives the turn to the next of equals", () => {
    const alice = world.actor("alice")
    world.actor("bob")
    world.start()
    world.syscall(alice, "Yield")

    assert.strictEqual(world.running, "bob")
  })

  it("counts as consumed only what was used", () => {
    const alice = world.actor("alice")
    const bob = world.actor("bob")
    world.start()
    world.syscall(alice, "Yield")
    const { words } = world.invoke(bob, alice.contextSlot, { label: SchedContext.Consumed.label })

    assert.isBelow(words[0]!, 100)
  })
})

describe("SetPriority", () => {
  it("takes effect at once", () => {
    const alice = world.actor("alice")
    const bob = world.actor("bob")
    world.start()
    world.invoke(alice, bob.slot, { label: TCB.SetPriority.label, words: [150], caps: [alice.slot] })

    assert.strictEqual(world.running, "bob")
  })

  it("gives no more than the authority's maximum controlled priority", () => {
    const alice = world.actor("alice")
    world.start()
    Tcb.mcp.store(world.memory, alice.thread, 120)
    const answer = world.invoke(alice, alice.slot, { label: TCB.SetPriority.label, words: [121], caps: [alice.slot] })

    assert.deepInclude(answer, { label: labelOf.RangeError, words: [0, 120] })
  })

  it("of the maximum controlled priority leaves the priority", () => {
    const alice = world.actor("alice")
    world.start()
    world.invoke(alice, alice.slot, { label: TCB.SetMCPriority.label, words: [50], caps: [alice.slot] })

    assert.strictEqual(Tcb.priority.load(world.memory, alice.thread), 100)
    assert.strictEqual(Tcb.mcp.load(world.memory, alice.thread), 50)
  })

  it("moves a thread that waits for a signal, too", () => {
    const [alice, bob, carol] = [world.actor("alice"), world.actor("bob"), world.actor("carol")]
    const notification = world.object("Notification").slot
    world.start()
    world.syscall(alice, "Wait", { capability: notification })
    world.syscall(bob, "Wait", { capability: notification })
    world.invoke(carol, bob.slot, { label: TCB.SetPriority.label, words: [110], caps: [carol.slot] })
    world.syscall(carol, "Send", { capability: notification })

    assert.strictEqual(world.stateOf(bob), "running")
    assert.strictEqual(world.stateOf(alice), "blockedOnNotification")
  })

  it("moves a thread that waits to its new place in the queue", () => {
    const [alice, bob, carol] = [world.actor("alice"), world.actor("bob"), world.actor("carol")]
    const endpoint = world.object("Endpoint").slot
    world.start()
    world.syscall(alice, "Send", { capability: endpoint, words: [1] })
    world.syscall(bob, "Send", { capability: endpoint, words: [2] })
    world.invoke(carol, bob.slot, { label: TCB.SetPriority.label, words: [110], caps: [carol.slot] })
    world.syscall(carol, "Wait", { capability: endpoint })

    assert.deepInclude(world.found(carol), { words: [2] })
  })
})

describe("a budget that is less than its period", () => {
  it("used up, comes back a period after it was begun with", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    world.start()
    configure(admin, alice, 1000, 10_000)
    world.syscall(admin, "Wait", { capability: world.object("Notification").slot })
    assert.strictEqual(world.running, "alice")
    const begin = world.time.now()
    untilTimer()
    assert.strictEqual(world.running, "nobody")
    untilTimer()

    assert.strictEqual(world.running, "alice")
    assert.closeTo(world.time.now() - begin, 10 * millisecond, 20 * micro)
  })

  it("is refused below 20 microseconds, above the period, and with more refills than there is room for", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin")]
    world.start()
    const most = 2 ** 38

    assert.deepInclude(configure(admin, alice, 19, 1000), { label: labelOf.RangeError, words: [20, most] })
    assert.deepInclude(configure(admin, alice, 19, 19), { label: labelOf.RangeError, words: [20, most] })
    assert.deepInclude(configure(admin, alice, 2000, 1000), { label: labelOf.RangeError, words: [20, 1000] })
    assert.deepInclude(configure(admin, alice, 100, 1000, 9), { label: labelOf.RangeError, words: [0, 8] })
    assert.strictEqual(configure(admin, alice, 100, 1000, 8).label, 0)
  })

  it("of a sporadic one, comes back as it was used", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    const bell = world.object("Notification").slot
    world.start()
    configure(admin, alice, 1000, 10_000, 8, sporadic)
    world.syscall(admin, "Wait", { capability: bell })
    world.time.pass(300 * micro)
    world.syscall(alice, "Wait", { capability: world.object("Notification").slot })
    const refills = Refill.all(world.state, alice.context)

    assert.strictEqual(refills.length, 2)
    assert.closeTo(refills[0]!.amount, 700 * micro, 10 * micro)
    assert.closeTo(refills[1]!.time - refills[0]!.time, 10_000 * micro - 300 * micro, 10 * micro)
  })

  it("never gives more in a period than the budget", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    world.start()
    configure(admin, alice, 1000, 10_000, 4)
    world.syscall(admin, "Wait", { capability: world.object("Notification").slot })
    const runs: Array<{ from: number; to: number }> = []
    for (let turn = 0; turn < 20; turn++) {
      const from = world.time.now()
      const isAlice = world.running === "alice"
      untilTimer()
      if (isAlice) runs.push({ from, to: world.time.now() })
    }

    for (const { from } of runs) {
      const end = from + 10_000 * micro
      const used = runs.reduce((sum, run) => sum + Math.max(0, Math.min(run.to, end) - Math.max(run.from, from)), 0)
      assert.isAtMost(used, 1000 * micro + 20 * micro)
    }
  })

  it("changed while it is in use, does not give both", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    world.start()
    configure(admin, alice, 1000, 10_000)
    configure(admin, alice, 3000, 10_000)

    assert.deepStrictEqual(
      Refill.all(world.state, alice.context).map(({ amount }) => amount),
      [1000 * micro, 2000 * micro]
    )
  })
})

describe("threads whose budget lies ahead", () => {
  it("go on in the order in which it comes", () => {
    const names = ["alice", "bob", "carol"]
    const actors = names.map((name) => world.actor(name))
    const admin = world.actor("admin", { priority: 200 })
    world.start()
    for (const [index, actor] of actors.entries()) configure(admin, actor, 1000, 20_000 - 6000 * index)
    world.syscall(admin, "Wait", { capability: world.object("Notification").slot })
    for (const _ of names) untilTimer()
    assert.strictEqual(world.running, "nobody")
    const order = names.map(() => {
      untilTimer()
      const name = world.running
      const actor = actors[names.indexOf(name)]!
      world.syscall(actor, "Wait", { capability: world.object("Notification").slot })
      return name
    })

    assert.deepStrictEqual([...order].sort(), names)
    assert.strictEqual(world.running, "nobody")
  })

  it("suspended, do not go on when it comes", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    world.start()
    configure(admin, alice, 1000, 10_000)
    world.syscall(admin, "Wait", { capability: world.object("Notification").slot })
    untilTimer()
    const nurse = world.actor("nurse")
    world.invoke(nurse, alice.slot, { label: TCB.Suspend.label })
    world.syscall(nurse, "Wait", { capability: world.object("Notification").slot })

    assert.strictEqual(world.running, "nobody")
    assert.isUndefined(world.time.deadline())
  })
})

describe("a timeout", () => {
  const handle = (admin: Actor, alice: Actor, endpoint: number) =>
    world.invoke(admin, alice.slot, { label: TCB.SetTimeoutEndpoint.label, caps: [endpoint] })

  const run = () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    const [endpoint, reply] = [world.object("Endpoint").slot, world.object("Reply").slot]
    world.start()
    configure(admin, alice, 1000, 10_000)
    handle(admin, alice, endpoint)
    world.syscall(admin, "Recv", { capability: endpoint, reply })
    return { alice, admin, endpoint, reply }
  }

  it("is told to the handler, with the badge of the scheduling context and what it consumed", () => {
    const { admin } = run()
    untilTimer()

    const { label, words } = world.found(admin)
    assert.strictEqual(label, 5)
    assert.strictEqual(words[0], 77)
    assert.closeTo(words[1]!, 1000, 20)
    assert.strictEqual(world.running, "admin")
  })

  it("answered, lets the thread go on when it has budget again", () => {
    const { alice, admin, endpoint, reply } = run()
    untilTimer()
    world.syscall(admin, "ReplyRecv", { capability: endpoint, reply })

    assert.strictEqual(world.stateOf(alice), "restart")
    assert.strictEqual(world.running, "nobody")
    untilTimer()
    assert.strictEqual(world.running, "alice")
  })

  it("answered with new budget, lets it go on at once", () => {
    const { alice, admin, endpoint, reply } = run()
    untilTimer()
    configure(admin, alice, 2000, 10_000)
    world.syscall(admin, "ReplyRecv", { capability: endpoint, reply })

    assert.strictEqual(world.running, "alice")
  })

  it("befalls a caller whose time comes back used up", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    const server = world.actor("server")
    const [endpoint, reply] = [world.object("Endpoint").slot, world.object("Reply").slot]
    const [timeouts, answers] = [world.object("Endpoint").slot, world.object("Reply").slot]
    world.start()
    configure(admin, alice, 1000, 10_000)
    handle(admin, alice, timeouts)
    world.syscall(server, "Recv", { capability: endpoint, reply })
    world.invoke(admin, server.contextSlot, { label: SchedContext.Unbind.label })
    world.syscall(admin, "Recv", { capability: timeouts, reply: answers })
    world.syscall(alice, "Call", { capability: endpoint })
    assert.strictEqual(world.running, "server")
    untilTimer()
    assert.strictEqual(world.running, "nobody")

    // The server's own answer comes when there is budget again; another one's comes now.
    world.syscall(world.actor("other"), "Send", { capability: reply })
    assert.strictEqual(world.running, "admin")
    assert.strictEqual(world.found(admin).label, 5)
  })

  it("answered with a label other than 0, stops the thread", () => {
    const { alice, admin, endpoint, reply } = run()
    untilTimer()
    world.syscall(admin, "ReplyRecv", { capability: endpoint, reply, label: 1 })

    assert.strictEqual(world.stateOf(alice), "inactive")
  })

  it("is no fault of a thread without a handler: it waits for its budget", () => {
    const [alice, admin] = [world.actor("alice"), world.actor("admin", { priority: 200 })]
    world.start()
    configure(admin, alice, 1000, 10_000)
    world.syscall(admin, "Wait", { capability: world.object("Notification").slot })
    untilTimer()

    assert.strictEqual(world.stateOf(alice), "running")
    assert.strictEqual(world.running, "nobody")
  })
})

describe("a scheduling context", () => {
  it("is sporadic by the lowest flag, whatever the others are", () => {
    const [admin, alice] = [world.actor("admin"), world.actor("alice", { priority: 50 })]
    world.start()
    for (const [flags, isSporadic] of [
      [2n ** 64n - 1n, true],
      [2n ** 64n - 2n, false]
    ] as const) {
      assert.strictEqual(configure(admin, alice, 100, 200, 0, flags).label, 0)
      assert.strictEqual(Refill.isSporadic(world.state, alice.context), isSporadic)
    }
  })

  it("is bound to one thread, and a thread to one", () => {
    const [alice, bob] = [world.actor("alice"), world.actor("bob")]
    const passive = world.actor("passive", { passive: true })
    world.start()
    const bind = (context: number, actor: Actor) =>
      world.invoke(alice, context, { label: SchedContext.Bind.label, caps: [actor.slot] }).label

    assert.strictEqual(bind(bob.contextSlot, passive), labelOf.IllegalOperation)
    assert.strictEqual(bind(passive.contextSlot, bob), labelOf.IllegalOperation)
    assert.strictEqual(bind(passive.contextSlot, passive), 0)
    assert.strictEqual(world.stateOf(passive), "running")
  })

  it("that has no budget now cannot be given to a thread that waits", () => {
    const alice = world.actor("alice")
    const passive = world.actor("passive", { passive: true })
    const fresh = world.object("SchedContext", 8).slot
    world.start()
    Tcb.state.store(world.memory, passive.thread, 0)
    const waiting = world.actor("waiting")
    world.syscall(waiting, "Wait", { capability: world.object("Notification").slot })
    world.invoke(alice, waiting.contextSlot, { label: SchedContext.Unbind.label })
    const answer = world.invoke(alice, fresh, { label: SchedContext.Bind.label, caps: [waiting.slot] })

    assert.strictEqual(answer.label, labelOf.IllegalOperation)
  })

  it("cannot be taken from the thread that asks", () => {
    const alice = world.actor("alice")
    world.start()

    assert.strictEqual(
      world.invoke(alice, alice.contextSlot, { label: SchedContext.Unbind.label }).label,
      labelOf.IllegalOperation
    )
    assert.strictEqual(
      world.invoke(alice, alice.contextSlot, { label: SchedContext.UnbindObject.label, caps: [alice.slot] }).label,
      labelOf.IllegalOperation
    )
  })

  it("taken from a thread, leaves it as it is, but not running", () => {
    const [alice, bob] = [world.actor("alice"), world.actor("bob", { priority: 50 })]
    world.start()
    world.invoke(alice, bob.contextSlot, { label: SchedContext.UnbindObject.label, caps: [bob.slot] })
    world.syscall(alice, "Wait", { capability: world.object("Notification").slot })

    assert.strictEqual(world.stateOf(bob), "running")
    assert.strictEqual(world.running, "nobody")
  })

  it("taken from a thread that waits, leaves it in its place in the queue", () => {
    const [alice, bob, carol] = [world.actor("alice"), world.actor("bob"), world.actor("carol")]
    const endpoint = world.object("Endpoint").slot
    world.start()
    for (const waiting of [bob, carol])
      world.syscall(waiting, "Recv", { capability: endpoint, reply: world.object("Reply").slot })
    world.invoke(alice, bob.contextSlot, { label: SchedContext.Unbind.label })
    world.syscall(alice, "Call", { capability: endpoint, words: [7] })

    assert.deepInclude(world.found(bob), { words: [7] })
    assert.strictEqual(world.stateOf(carol), "blockedOnReceive")
    assert.strictEqual(world.running, "bob")
  })

  it("deleted, stops its thread from running", () => {
    const [alice, bob] = [world.actor("alice"), world.actor("bob", { priority: 50 })]
    world.start()
    world.invoke(alice, world.root, { label: 19, words: [bob.contextSlot, 64] })

    assert.strictEqual(Tcb.schedContext.load(world.memory, bob.thread), 0)
  })
})

describe("YieldTo", () => {
  it("lets the other's thread run first, and tells what it consumed", () => {
    const [alice, bob] = [world.actor("alice"), world.actor("bob")]
    world.start()
    world.syscall(alice, "Call", { capability: bob.contextSlot, label: SchedContext.YieldTo.label })
    assert.strictEqual(world.running, "bob")
    world.time.pass(millisecond)
    world.syscall(bob, "Wait", { capability: world.object("Notification").slot })

    assert.strictEqual(world.running, "alice")
    assert.closeTo(world.found(alice).words[0]!, 1000, 20)
  })

  it("to a thread of lower priority comes back at once", () => {
    const [alice, bob] = [world.actor("alice"), world.actor("bob", { priority: 50 })]
    world.start()
    const answer = world.invoke(alice, bob.contextSlot, { label: SchedContext.YieldTo.label })

    assert.deepInclude(answer, { label: 0, words: [0] })
    assert.strictEqual(world.running, "alice")
  })

  it("to oneself, to nobody, or above one's maximum controlled priority is refused", () => {
    const [alice, bob] = [world.actor("alice"), world.actor("bob")]
    const passive = world.actor("passive", { passive: true })
    world.start()
    const yieldTo = (actor: Actor) =>
      world.invoke(alice, actor.contextSlot, { label: SchedContext.YieldTo.label }).label

    assert.strictEqual(yieldTo(alice), labelOf.IllegalOperation)
    assert.strictEqual(yieldTo(passive), labelOf.IllegalOperation)
    Tcb.mcp.store(world.memory, alice.thread, 99)
    assert.strictEqual(yieldTo(bob), labelOf.IllegalOperation)
  })
})
