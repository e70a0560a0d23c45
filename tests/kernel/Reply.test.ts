import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { check } from "../../src/kernel/invariants.ts"
import { Tcb } from "../../src/kernel/Tcb.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as SchedControl from "../../src/types/methods/SchedControl.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

let world: World
let admin: Actor
let client: Actor
let server: Actor
let endpoint: number
let reply: number

beforeEach(() => {
  world = new World()
  admin = world.actor("admin")
  client = world.actor("client")
  server = world.actor("server", { passive: true })
  endpoint = world.object("Endpoint").slot
  reply = world.object("Reply").slot
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

/** A server without time waits for calls: it came there on time that it does not have any more. */
const serve = (actor: Actor, at: number, by: number) => {
  world.invoke(admin, actor.contextSlot, { label: SchedContext.Bind.label, caps: [actor.slot] })
  world.syscall(actor, "Recv", { capability: at, reply: by })
  world.invoke(admin, actor.contextSlot, { label: SchedContext.Unbind.label })
}

const contextOf = (actor: Actor) => Tcb.schedContext.load(world.memory, actor.thread)
const remove = (slot: number) => world.invoke(admin, world.root, { label: CNode.Delete.label, words: [slot, 64] })

describe("a call", () => {
  it("lends the caller's time to a server that has none", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Call", { capability: endpoint })

    assert.strictEqual(contextOf(server), client.context)
    assert.strictEqual(contextOf(client), 0)
    assert.strictEqual(world.running, "server")
  })

  it("leaves the time with the caller if the server has its own", () => {
    const busy = world.actor("busy")
    world.syscall(busy, "Recv", { capability: endpoint, reply })
    world.syscall(client, "Call", { capability: endpoint })

    assert.strictEqual(contextOf(busy), busy.context)
    assert.strictEqual(contextOf(client), client.context)
  })

  it("gives the time back with the answer", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Call", { capability: endpoint })
    world.syscall(server, "ReplyRecv", { capability: endpoint, reply })

    assert.strictEqual(contextOf(client), client.context)
    assert.strictEqual(contextOf(server), 0)
    assert.strictEqual(world.running, "client")
  })

  it("passes time on along further calls, and back", () => {
    const next = world.object("Endpoint").slot
    const backend = world.actor("backend", { passive: true })
    const backReply = world.object("Reply").slot
    serve(server, endpoint, reply)
    serve(backend, next, backReply)
    world.syscall(client, "Call", { capability: endpoint })
    world.syscall(server, "Call", { capability: next })
    assert.strictEqual(contextOf(backend), client.context)

    world.syscall(backend, "ReplyRecv", { capability: next, reply: backReply })
    assert.strictEqual(contextOf(server), client.context)
    world.syscall(server, "ReplyRecv", { capability: endpoint, reply })
    assert.strictEqual(contextOf(client), client.context)
  })
})

describe("a message without an answer", () => {
  it("lends time to a receiver that has none only if it is sent before receiving", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Send", { capability: endpoint })
    assert.strictEqual(contextOf(server), 0)

    const next = world.object("Endpoint").slot
    const backend = world.actor("backend", { passive: true })
    serve(backend, next, world.object("Reply").slot)
    world.syscall(client, "NBSendRecv", {
      destination: next,
      capability: world.object("Endpoint").slot,
      reply: world.object("Reply").slot
    })
    assert.strictEqual(contextOf(backend), client.context)
    assert.strictEqual(contextOf(client), 0)
  })
})

describe("a reply object", () => {
  it("answers once: later answers go nowhere", () => {
    const busy = world.actor("busy")
    world.syscall(busy, "Recv", { capability: endpoint, reply })
    world.syscall(client, "Call", { capability: endpoint })
    world.syscall(busy, "Send", { capability: reply, words: [1] })
    world.syscall(busy, "Send", { capability: reply, words: [2] })

    assert.deepInclude(world.found(client), { words: [1] })
  })

  it("received with again, leaves the caller before without an answer", () => {
    const busy = world.actor("busy")
    world.syscall(busy, "Recv", { capability: endpoint, reply })
    world.syscall(client, "Call", { capability: endpoint })
    world.syscall(busy, "Recv", { capability: endpoint, reply })

    assert.strictEqual(world.stateOf(client), "inactive")
    assert.strictEqual(world.stateOf(busy), "blockedOnReceive")
  })

  it("can be answered with by who holds a capability to it, received or not", () => {
    const busy = world.actor("busy")
    const other = world.actor("other")
    world.syscall(busy, "Recv", { capability: endpoint, reply })
    world.syscall(client, "Call", { capability: endpoint })
    world.syscall(other, "Send", { capability: reply, words: [5] })

    assert.deepInclude(world.found(client), { words: [5] })
  })

  it("deleted, is out of the chain: the caller has its time and no answer", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Call", { capability: endpoint })
    remove(reply)

    assert.strictEqual(contextOf(client), client.context)
    assert.strictEqual(world.stateOf(client), "inactive")
  })

  it("deleted in the middle of a chain, breaks it: the time stays with the callee", () => {
    const next = world.object("Endpoint").slot
    const backend = world.actor("backend", { passive: true })
    const backReply = world.object("Reply").slot
    serve(server, endpoint, reply)
    serve(backend, next, backReply)
    world.syscall(client, "Call", { capability: endpoint })
    world.syscall(server, "Call", { capability: next })
    remove(reply)
    assert.strictEqual(world.stateOf(client), "inactive")
    assert.strictEqual(contextOf(backend), client.context)

    world.syscall(backend, "ReplyRecv", { capability: next, reply: backReply })
    assert.strictEqual(contextOf(server), client.context)
  })

  it("whose receiver waits, deleted, lets it wait no more", () => {
    const busy = world.actor("busy")
    world.syscall(busy, "Recv", { capability: endpoint, reply })
    remove(reply)

    assert.strictEqual(world.stateOf(busy), "inactive")
  })

  it("gives time back only to a caller that has none", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Call", { capability: endpoint })
    const spare = world.actor("spare", { passive: true })
    configure(spare)
    const bound = world.invoke(admin, spare.contextSlot, { label: SchedContext.Bind.label, caps: [client.slot] })
    assert.strictEqual(bound.label, 0)

    world.syscall(server, "ReplyRecv", { capability: endpoint, reply })
    assert.strictEqual(contextOf(client), spare.context)
    assert.strictEqual(contextOf(server), client.context)
  })

  it("gives no time back that was taken from the callee meanwhile", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Call", { capability: endpoint })
    world.invoke(admin, client.contextSlot, { label: SchedContext.Unbind.label })
    world.invoke(admin, server.contextSlot, { label: SchedContext.Bind.label, caps: [server.slot] })
    world.syscall(server, "ReplyRecv", { capability: endpoint, reply })

    assert.strictEqual(contextOf(client), 0)
    assert.strictEqual(world.stateOf(client), "running")
  })

  it("of a caller that is suspended, gives nothing back", () => {
    serve(server, endpoint, reply)
    world.syscall(client, "Call", { capability: endpoint })
    world.invoke(admin, client.slot, { label: TCB.Suspend.label })

    assert.strictEqual(contextOf(server), client.context)
    world.syscall(server, "Recv", { capability: endpoint, reply })
    assert.strictEqual(contextOf(client), 0)
  })

  it("is needed to receive with: anything else is a fault", () => {
    world.syscall(client, "Recv", { capability: endpoint, reply: endpoint })

    assert.strictEqual(world.stateOf(client), "inactive")
  })

  it("cannot be sent to without the right", () => {
    const answer = world.invoke(client, world.diminished(reply, 1 << 4), {})

    assert.strictEqual(answer.label, labelOf.InvalidCapability)
  })
})

const configure = (actor: Actor) =>
  world.invoke(admin, world.schedControl, {
    label: SchedControl.ConfigureFlags.label,
    words: [5000, 5000, 0, 0, 0],
    caps: [actor.contextSlot]
  })
