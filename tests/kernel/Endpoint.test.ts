import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import { right, wordKeeping } from "../../src/types/Rights.ts"
import { type Actor, labelOf, World } from "./fixture.ts"

let world: World
let alice: Actor
let bob: Actor
let carol: Actor
let endpoint: number
let reply: number

beforeEach(() => {
  world = new World()
  alice = world.actor("alice")
  bob = world.actor("bob")
  carol = world.actor("carol")
  endpoint = world.object("Endpoint").slot
  reply = world.object("Reply").slot
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

const { write, read, grant, grantReply } = right.Endpoint
const keeping = (rights: number) => wordKeeping("Endpoint", rights, false).bits

describe("Send", () => {
  it("waits for somebody who receives", () => {
    world.syscall(alice, "Send", { capability: endpoint, words: [7] })

    assert.strictEqual(world.stateOf(alice), "blockedOnSend")
  })

  it("gives the words, the label and the badge to a receiver that waits, and goes on", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Send", { capability: world.minted(endpoint, 42), label: 5, words: [1, 2, 3] })

    assert.deepInclude(world.found(bob), { badge: 42, label: 5, words: [1, 2, 3] })
    assert.strictEqual(world.stateOf(alice), "running")
    assert.strictEqual(world.stateOf(bob), "running")
  })

  it("gives the badge of the capability that was sent through, however long ago", () => {
    world.syscall(alice, "Send", { capability: world.minted(endpoint, 42), words: [7] })
    world.syscall(bob, "Recv", { capability: endpoint, reply })

    assert.deepInclude(world.found(bob), { badge: 42, words: [7] })
  })

  it("delivers in the order in which senders of one priority came", () => {
    world.syscall(alice, "Send", { capability: endpoint, words: [1] })
    world.syscall(carol, "Send", { capability: endpoint, words: [2] })
    world.syscall(bob, "Wait", { capability: endpoint })

    assert.deepInclude(world.found(bob), { words: [1] })
    world.syscall(bob, "Wait", { capability: endpoint })
    assert.deepInclude(world.found(bob), { words: [2] })
  })

  it("delivers of higher priority first", () => {
    const urgent = world.actor("urgent", { priority: 200 })
    world.syscall(alice, "Send", { capability: endpoint, words: [1] })
    world.syscall(urgent, "Send", { capability: endpoint, words: [2] })
    world.syscall(bob, "Wait", { capability: endpoint })

    assert.deepInclude(world.found(bob), { words: [2] })
  })

  it("without the right to write is dropped, and nobody told", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Send", { capability: world.diminished(endpoint, keeping(read | grant)), words: [7] })

    assert.strictEqual(world.stateOf(bob), "blockedOnReceive")
    assert.strictEqual(world.stateOf(alice), "running")
  })

  it("carries up to 120 words, in registers and in the IPC buffers", () => {
    const words = Array.from({ length: 120 }, (_, index) => index * 3)
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Send", { capability: endpoint, words })

    assert.deepStrictEqual(world.found(bob).words, words)
  })

  it("carries no more than 120 words, whatever the message says", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.turn(alice)
    world.set(alice, 0, endpoint)
    world.set(alice, 1, 127)
    world.kernel.handleSyscall(-5, -1)

    assert.strictEqual(world.found(bob).words.length, 120)
  })

  it.each(["alice", "bob"])("to or from a thread without an IPC buffer is cut to four words (%s has none)", (name) => {
    const sender = name === "alice" ? world.actor("poor alice", { withoutBuffer: true }) : alice
    const receiver = name === "bob" ? world.actor("poor bob", { withoutBuffer: true }) : bob
    world.syscall(receiver, "Recv", { capability: endpoint, reply })
    world.syscall(sender, "Send", { capability: endpoint, words: [1, 2, 3, 4, 5] })

    assert.deepStrictEqual(world.found(receiver).words, [1, 2, 3, 4])
  })
})

describe("NBSend", () => {
  it("is dropped if nobody waits", () => {
    world.syscall(alice, "NBSend", { capability: endpoint, words: [7] })
    world.syscall(bob, "NBRecv", { capability: endpoint, reply })

    assert.strictEqual(world.stateOf(alice), "running")
    assert.strictEqual(world.found(bob).badge, 0)
  })

  it("through a capability that is not there is dropped", () => {
    world.syscall(alice, "NBSend", { capability: 999, words: [7] })

    assert.strictEqual(world.stateOf(alice), "running")
  })
})

describe("Call", () => {
  it("waits for the answer", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Call", { capability: endpoint, words: [7] })

    assert.strictEqual(world.stateOf(alice), "blockedOnReply")
    assert.deepInclude(world.found(bob), { words: [7] })
  })

  it("gets the answer, without a badge", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Call", { capability: endpoint, words: [7] })
    world.syscall(bob, "ReplyRecv", { capability: endpoint, reply, label: 3, words: [8, 9] })

    assert.deepInclude(world.found(alice), { badge: 0, label: 3, words: [8, 9] })
    assert.strictEqual(world.stateOf(alice), "running")
    assert.strictEqual(world.stateOf(bob), "blockedOnReceive")
  })

  it("without a right to an answer is never answered", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Call", { capability: world.diminished(endpoint, keeping(write)), words: [7] })

    assert.strictEqual(world.stateOf(alice), "inactive")
    assert.deepInclude(world.found(bob), { words: [7] })
  })

  it("of a receiver without a reply object is never answered", () => {
    world.syscall(bob, "Wait", { capability: endpoint })
    world.syscall(alice, "Call", { capability: endpoint, words: [7] })

    assert.strictEqual(world.stateOf(alice), "inactive")
  })

  it("with the right to an answer alone is answered", () => {
    world.syscall(bob, "Recv", { capability: endpoint, reply })
    world.syscall(alice, "Call", { capability: world.diminished(endpoint, keeping(write | grantReply)) })

    assert.strictEqual(world.stateOf(alice), "blockedOnReply")
  })

  it("without the right to write is refused", () => {
    const answer = world.invoke(alice, world.diminished(endpoint, keeping(read)), {})

    assert.deepInclude(answer, { label: labelOf.InvalidCapability, words: [0] })
  })
})

describe("NBRecv", () => {
  it("finds a badge of 0 if nobody sends", () => {
    world.set(bob, 0, 77)
    world.syscall(bob, "NBRecv", { capability: endpoint, reply })

    assert.strictEqual(world.found(bob).badge, 0)
    assert.strictEqual(world.stateOf(bob), "running")
  })

  it("takes the message of a sender that waits", () => {
    world.syscall(alice, "Send", { capability: endpoint, words: [7] })
    world.syscall(bob, "NBRecv", { capability: endpoint, reply })

    assert.deepInclude(world.found(bob), { words: [7] })
    assert.strictEqual(world.stateOf(alice), "running")
  })
})

describe("NBSendRecv", () => {
  it("sends to one and receives from the other", () => {
    const other = world.object("Endpoint").slot
    world.syscall(bob, "Recv", { capability: other, reply })
    world.syscall(carol, "Send", { capability: endpoint, words: [3] })
    world.syscall(alice, "NBSendRecv", {
      destination: other,
      capability: endpoint,
      reply: world.object("Reply").slot,
      words: [9]
    })

    assert.deepInclude(world.found(bob), { words: [9] })
    assert.deepInclude(world.found(alice), { words: [3] })
  })
})

describe("NBSendWait", () => {
  it.each(["destination", "reply"] as const)("sends to what the register of the %s says", (register) => {
    const other = world.object("Endpoint").slot
    world.syscall(bob, "Recv", { capability: other, reply })
    world.syscall(alice, "NBSendWait", { [register]: other, capability: endpoint, words: [9] })

    assert.deepInclude(world.found(bob), { words: [9] })
    assert.strictEqual(world.stateOf(alice), "blockedOnReceive")
  })
})

describe("capabilities with a message", () => {
  const received = 900
  const frame = () => world.object("Page4K").slot

  beforeEach(() => {
    world.receiveInto(bob, received)
    world.syscall(bob, "Recv", { capability: endpoint, reply })
  })

  it("arrive in the slot that the receiver said", () => {
    world.syscall(alice, "Send", { capability: endpoint, caps: [frame()] })

    assert.deepInclude(world.found(bob), { extraCaps: 1, unwrapped: 0 })
    assert.strictEqual(world.kindIn(received), "Frame")
  })

  it("do not arrive without the right to grant", () => {
    world.syscall(alice, "Send", { capability: world.diminished(endpoint, keeping(write)), caps: [frame()] })

    assert.deepInclude(world.found(bob), { extraCaps: 0 })
    assert.isUndefined(world.kindIn(received))
  })

  it("arrive one at most", () => {
    world.syscall(alice, "Send", { capability: endpoint, caps: [frame(), frame()] })

    assert.deepInclude(world.found(bob), { extraCaps: 1 })
  })

  it("to the endpoint itself arrive as their badge, and leave the slot to the next", () => {
    world.syscall(alice, "Send", { capability: endpoint, caps: [world.minted(endpoint, 6), frame()] })

    assert.deepInclude(world.found(bob), { extraCaps: 2, unwrapped: 0b01 })
    assert.strictEqual(world.memory.load32(bob.buffer + 976), 6)
    assert.strictEqual(world.kindIn(received), "Frame")
  })

  it("that are not there are a fault of the sender, and nothing is sent", () => {
    world.syscall(alice, "Send", { capability: endpoint, caps: [frame(), 2 ** 40] })

    assert.strictEqual(world.stateOf(alice), "inactive")
    assert.strictEqual(world.stateOf(bob), "blockedOnReceive")
  })

  it("are left out silently if the receiver's slot is in use", () => {
    world.receiveInto(bob, world.root)
    world.syscall(alice, "Send", { capability: endpoint, words: [7], caps: [frame()] })

    assert.deepInclude(world.found(bob), { words: [7], extraCaps: 0 })
  })

  it("are derived from the sender's: it can take them back", () => {
    const lent = frame()
    world.syscall(alice, "Send", { capability: endpoint, caps: [lent] })
    world.invoke(alice, world.root, { label: CNode.Revoke.label, words: [lent, 64] })

    assert.isUndefined(world.kindIn(received))
    assert.strictEqual(world.kindIn(lent), "Frame")
  })

  it("arrive with an answer only if the reply capability grants", () => {
    world.receiveInto(alice, received)
    world.syscall(alice, "Call", { capability: endpoint })
    world.syscall(bob, "Send", { capability: world.diminished(reply, 0), caps: [frame()] })

    assert.deepInclude(world.found(alice), { extraCaps: 0 })
  })
})

describe("CancelBadgedSends", () => {
  it("makes those try again that wait to send with that badge, and no others", () => {
    const [six, seven] = [world.minted(endpoint, 6), world.minted(endpoint, 7)]
    world.syscall(alice, "Send", { capability: six })
    world.syscall(carol, "Send", { capability: seven })
    world.invoke(bob, world.root, { label: CNode.CancelBadgedSends.label, words: [six, 64] })

    assert.strictEqual(world.stateOf(alice), "restart")
    assert.strictEqual(world.stateOf(carol), "blockedOnSend")
  })

  it("does nothing on a capability without a badge", () => {
    world.syscall(alice, "Send", { capability: endpoint })
    const answer = world.invoke(bob, world.root, { label: CNode.CancelBadgedSends.label, words: [endpoint, 64] })

    assert.strictEqual(answer.label, 0)
    assert.strictEqual(world.stateOf(alice), "blockedOnSend")
  })

  it("needs every right to the endpoint", () => {
    const lesser = world.diminished(endpoint, keeping(write | read | grant))
    const answer = world.invoke(bob, world.root, { label: CNode.CancelBadgedSends.label, words: [lesser, 64] })

    assert.strictEqual(answer.label, labelOf.IllegalOperation)
  })

  it("stops when an interrupt waits, and goes on when made again", () => {
    const six = world.minted(endpoint, 6)
    world.syscall(alice, "Send", { capability: six })
    world.syscall(carol, "Send", { capability: six })
    world.time.interruptAfter(1)
    world.invoke(bob, world.root, { label: CNode.CancelBadgedSends.label, words: [six, 64] })
    assert.strictEqual(world.stateOf(carol), "blockedOnSend")

    const answer = world.invoke(bob, world.root, { label: CNode.CancelBadgedSends.label, words: [six, 64] })
    assert.strictEqual(answer.label, 0)
    assert.strictEqual(world.stateOf(carol), "restart")
  })
})

describe("the last capability to an endpoint", () => {
  it("when it is deleted, lets everybody who waits try again, and find nothing", () => {
    world.syscall(alice, "Send", { capability: endpoint })
    world.syscall(carol, "Send", { capability: endpoint })
    world.invoke(bob, world.root, { label: CNode.Delete.label, words: [endpoint, 64] })

    assert.strictEqual(world.stateOf(alice), "restart")
    assert.strictEqual(world.stateOf(carol), "restart")
    assert.strictEqual(Capability.kind(world.state, world.at(endpoint)), 0)
  })
})
