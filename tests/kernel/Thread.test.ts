import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import { slotOf, Tcb, tcbSlot } from "../../src/kernel/Tcb.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import { right, wordKeeping } from "../../src/types/Rights.ts"
import { type Actor, labelOf, register, World } from "./fixture.ts"

let world: World
let alice: Actor
let bob: Actor

beforeEach(() => {
  world = new World()
  alice = world.actor("alice")
  bob = world.actor("bob", { stopped: true })
  world.start()
})

afterEach(() => {
  assert.deepStrictEqual(check(world.state, [world.at(world.root)]), [])
})

const invoke = (label: number, words: ReadonlyArray<number | bigint> = [], caps: ReadonlyArray<number> = []) =>
  world.invoke(alice, bob.slot, { label, words, caps })
const kindOf = (slot: (typeof tcbSlot)[keyof typeof tcbSlot]) => Capability.kind(world.state, slotOf(bob.thread, slot))

describe("Resume and Suspend", () => {
  it("start and stop a thread", () => {
    invoke(TCB.Resume.label)
    assert.strictEqual(world.stateOf(bob), "restart")
    invoke(TCB.Suspend.label)
    assert.strictEqual(world.stateOf(bob), "inactive")
  })

  it("of a thread that waits, make it do its system call again", () => {
    invoke(TCB.Resume.label)
    world.syscall(bob, "Send", { capability: world.object("Endpoint").slot })
    invoke(TCB.Suspend.label)
    assert.strictEqual(world.stateOf(bob), "inactive")
    world.set(bob, register.pc, 0x400)
    invoke(TCB.Resume.label)
    world.syscall(alice, "Wait", { capability: world.object("Notification").slot })

    assert.strictEqual(world.running, "bob")
    assert.strictEqual(world.get(bob, register.next), 0x400)
  })

  it("of a thread in its turn, let it go on where it was", () => {
    invoke(TCB.Resume.label)
    world.turn(bob)
    world.set(bob, register.next, 0x500)
    world.turn(alice)
    invoke(TCB.Suspend.label)

    assert.strictEqual(world.get(bob, register.pc), 0x500)
  })

  it("of oneself, lets others run", () => {
    world.syscall(alice, "Call", { capability: alice.slot, label: TCB.Suspend.label })

    assert.strictEqual(world.running, "nobody")
    assert.strictEqual(world.stateOf(alice), "inactive")
  })
})

describe("WriteRegisters and ReadRegisters", () => {
  it("have the registers in one order", () => {
    invoke(TCB.WriteRegisters.label, [0, 3, 0x400, 0x900, 7])
    const answer = invoke(TCB.ReadRegisters.label, [0, 3])

    assert.deepStrictEqual(answer.words, [0x400, 0x900, 7])
    assert.strictEqual(world.get(bob, register.pc), 0x400)
    assert.strictEqual(world.get(bob, register.next), 0x400)
  })

  it("can resume and suspend", () => {
    invoke(TCB.WriteRegisters.label, [1, 1, 0x400])
    assert.strictEqual(world.stateOf(bob), "restart")
    invoke(TCB.ReadRegisters.label, [1, 1])
    assert.strictEqual(world.stateOf(bob), "inactive")
  })

  it("of oneself are refused", () => {
    for (const label of [TCB.ReadRegisters.label, TCB.WriteRegisters.label])
      assert.strictEqual(world.invoke(alice, alice.slot, { label, words: [0, 1, 2] }).label, labelOf.IllegalOperation)
  })

  it("write no more than the message has, read no more than there are", () => {
    assert.strictEqual(invoke(TCB.WriteRegisters.label, [0, 3, 1, 2]).label, labelOf.TruncatedMessage)
    assert.deepInclude(invoke(TCB.ReadRegisters.label, [0, 15]), { label: labelOf.RangeError, words: [1, 14] })
    assert.deepInclude(invoke(TCB.ReadRegisters.label, [0, 0]), { label: labelOf.RangeError, words: [1, 14] })
  })

  it("each need their right", () => {
    const { readRegisters, run } = right.TCB
    const reader = world.diminished(bob.slot, wordKeeping("TCB", readRegisters, false).bits)
    const runner = world.diminished(bob.slot, wordKeeping("TCB", run, false).bits)
    const ask = (slot: number, label: number, words: ReadonlyArray<number>) =>
      world.invoke(alice, slot, { label, words }).label

    assert.strictEqual(ask(reader, TCB.ReadRegisters.label, [0, 1]), 0)
    assert.strictEqual(ask(reader, TCB.ReadRegisters.label, [1, 1]), labelOf.IllegalOperation)
    assert.strictEqual(ask(reader, TCB.WriteRegisters.label, [0, 1, 5]), labelOf.IllegalOperation)
    assert.strictEqual(ask(runner, TCB.ReadRegisters.label, [0, 1]), labelOf.IllegalOperation)
    assert.strictEqual(ask(runner, TCB.Resume.label, []), 0)
  })
})

describe("CopyRegisters", () => {
  it("copies the frame, the integer registers, or both", () => {
    const carol = world.actor("carol", { stopped: true })
    world.set(carol, register.pc, 0x700)
    world.set(carol, 14, 0x800)
    invoke(TCB.CopyRegisters.label, [0b0100], [carol.slot])
    assert.deepEqual([world.get(bob, register.pc), world.get(bob, 14)], [0x700, 0])
    invoke(TCB.CopyRegisters.label, [0b1010], [carol.slot])

    assert.strictEqual(world.get(bob, 14), 0x800)
    assert.strictEqual(world.stateOf(bob), "restart")
  })

  it("needs a thread as its source", () => {
    assert.deepInclude(invoke(TCB.CopyRegisters.label, [0], [world.root]), {
      label: labelOf.InvalidCapability,
      words: [1]
    })
  })
})

describe("Configure", () => {
  it("gives spaces and a buffer", () => {
    const frame = world.object("Page4K").slot
    const answer = invoke(TCB.Configure.label, [0, 0, 0x5400], [world.root, world.space, frame])

    assert.strictEqual(answer.label, 0)
    assert.strictEqual(Tcb.buffer.loadLo(world.memory, bob.thread), 0x5400)
    assert.strictEqual(kindOf(tcbSlot.buffer), Capability.kind(world.state, world.at(frame)))
  })

  it("with a buffer at 0 takes it away", () => {
    invoke(TCB.Configure.label, [0, 0, 0], [world.root, world.space, 0])

    assert.strictEqual(kindOf(tcbSlot.buffer), Capability.nullKind)
  })

  it("gives the capability space a guard", () => {
    const node = world.object("CapTable", 4).slot
    invoke(TCB.Configure.label, [60, 0, 0], [node, world.space, 0])
    const { lo } = Capability.read(world.state, slotOf(bob.thread, tcbSlot.cspace))

    assert.strictEqual(lo, 60)
  })

  it("is refused with what is no space, or a buffer that is none", () => {
    const { slot: frame } = world.object("Page4K")
    const refuse = (words: ReadonlyArray<number>, caps: ReadonlyArray<number>) =>
      invoke(TCB.Configure.label, words, caps).label

    assert.strictEqual(refuse([0, 0, 0], [frame, world.space, 0]), labelOf.IllegalOperation)
    assert.strictEqual(refuse([0, 0, 0], [world.root, frame, 0]), labelOf.IllegalOperation)
    assert.strictEqual(refuse([0, 0, 0x400], [world.root, world.space, world.root]), labelOf.IllegalOperation)
    assert.strictEqual(refuse([0, 0, 0x401], [world.root, world.space, frame]), labelOf.AlignmentError)
    assert.strictEqual(refuse([0, 0, 0], [world.root, world.space]), labelOf.TruncatedMessage)
  })

  it("refused, changes nothing", () => {
    const before = world.bytes.slice(bob.thread, bob.thread + 2048)
    invoke(TCB.Configure.label, [0, 0, 0x401], [world.root, world.space, world.object("Page4K").slot])

    assert.deepEqual(world.bytes.slice(bob.thread, bob.thread + 2048), before)
  })
})

describe("a fault handler", () => {
  it("is an endpoint that can be called, or none", () => {
    const endpoint = world.object("Endpoint").slot
    const { read, write, grant } = right.Endpoint
    const weak = world.diminished(endpoint, wordKeeping("Endpoint", read | write, false).bits)
    const strong = world.diminished(endpoint, wordKeeping("Endpoint", write | grant, false).bits)
    const set = (handler: number) => invoke(TCB.SetTimeoutEndpoint.label, [], [handler])

    assert.strictEqual(set(strong).label, 0)
    assert.deepInclude(set(weak), { label: labelOf.InvalidCapability, words: [1] })
    assert.strictEqual(set(0).label, 0)
    assert.strictEqual(kindOf(tcbSlot.timeoutHandler), Capability.nullKind)
  })

  it("is set with the spaces, and with the scheduling parameters", () => {
    const endpoint = world.object("Endpoint").slot
    assert.strictEqual(invoke(TCB.SetSpace.label, [0, 0], [endpoint, world.root, world.space]).label, 0)
    assert.notStrictEqual(kindOf(tcbSlot.faultHandler), Capability.nullKind)
    assert.strictEqual(invoke(TCB.SetSchedParams.label, [9, 8], [alice.slot, 0, 0]).label, 0)
    assert.strictEqual(kindOf(tcbSlot.faultHandler), Capability.nullKind)
  })
})

describe("SetSchedParams", () => {
  it("sets both priorities and the scheduling context", () => {
    const passive = world.actor("passive", { passive: true })
    const answer = world.invoke(alice, passive.slot, {
      label: TCB.SetSchedParams.label,
      words: [120, 110],
      caps: [alice.slot, passive.contextSlot, 0]
    })

    assert.strictEqual(answer.label, 0)
    assert.deepEqual(
      [Tcb.mcp, Tcb.priority].map((field) => field.load(world.memory, passive.thread)),
      [120, 110]
    )
    assert.strictEqual(Tcb.schedContext.load(world.memory, passive.thread), passive.context)
  })

  it("takes the scheduling context away, but not one's own", () => {
    assert.strictEqual(invoke(TCB.SetSchedParams.label, [1, 1], [alice.slot, 0, 0]).label, 0)
    assert.strictEqual(Tcb.schedContext.load(world.memory, bob.thread), 0)
    assert.strictEqual(
      world.invoke(alice, alice.slot, { label: TCB.SetSchedParams.label, words: [1, 1], caps: [alice.slot, 0, 0] })
        .label,
      labelOf.IllegalOperation
    )
  })

  it("is refused with an authority that is no thread", () => {
    assert.deepInclude(invoke(TCB.SetSchedParams.label, [1, 1], [world.root, 0, 0]), {
      label: labelOf.InvalidCapability,
      words: [1]
    })
  })
})

describe("SetFlags", () => {
  it("sets and clears what there is, and tells what stands", () => {
    assert.deepStrictEqual(invoke(TCB.SetFlags.label, [0, 0b111]).words, [1])
    assert.deepStrictEqual(invoke(TCB.SetFlags.label, [1, 0]).words, [0])
  })
})

describe("SetTLSBase", () => {
  it("sets the register", () => {
    invoke(TCB.SetTLSBase.label, [0x1_0000_2000])

    assert.strictEqual(world.get(bob, 14), 0x1_0000_2000)
  })
})

describe("a method that there is not", () => {
  it("is an illegal operation", () => {
    assert.strictEqual(invoke(12345).label, labelOf.IllegalOperation)
  })
})
