import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import { preempted } from "../../src/kernel/State.ts"
import * as Untyped from "../../src/kernel/Untyped.ts"
import * as UntypedData from "../../src/kernel/UntypedData.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as Methods from "../../src/types/methods/Untyped.ts"
import { type ObjectType, objectTypes } from "../../src/types/ObjectType.ts"
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

const first = 500
interface Where {
  readonly node?: number
  readonly depth?: number
  readonly offset?: number
}

const retype = (untyped: number, type: ObjectType | number, sizeBits: number, count = 1, where: Where = {}) =>
  world.invoke(alice, untyped, {
    label: Methods.Retype.label,
    words: [
      typeof type === "number" ? type : objectTypes[type].number,
      sizeBits,
      where.node ?? 0,
      where.depth ?? 0,
      where.offset ?? first,
      count
    ],
    caps: [world.root]
  })

const remove = (slot: number) => world.invoke(alice, world.root, { label: CNode.Delete.label, words: [slot, 64] })
const objectAt = (slot: number) => Capability.address(world.state, world.at(slot))
const used = (slot: number) => UntypedData.used(world.state, world.at(slot))

describe("Retype", () => {
  it("makes objects from the beginning on, one behind the other", () => {
    const untyped = world.untyped(14)
    assert.strictEqual(retype(untyped.slot, "Endpoint", 0, 3).label, 0)

    assert.deepEqual(
      [0, 1, 2].map((index) => objectAt(first + index) - untyped.at),
      [0, 16, 32]
    )
    assert.strictEqual(used(untyped.slot), 48)
  })

  it("aligns up to the size of the object", () => {
    const untyped = world.untyped(14)
    retype(untyped.slot, "Endpoint", 0)
    retype(untyped.slot, "Page4K", 0, 1, { offset: first + 1 })

    assert.strictEqual(objectAt(first + 1) - untyped.at, 4096)
    assert.strictEqual(used(untyped.slot), 8192)
  })

  it("gives every right to what it makes", () => {
    const untyped = world.untyped(14)
    retype(untyped.slot, "TCB", 0)

    assert.strictEqual(Capability.rights(world.state, world.at(first)), 0b1_1111_0000)
  })

  it("makes 256 objects a call at most", () => {
    const untyped = world.untyped(14)

    assert.deepInclude(retype(untyped.slot, "Endpoint", 0, 257), { label: labelOf.RangeError, words: [1, 256] })
    assert.deepInclude(retype(untyped.slot, "Endpoint", 0, 0), { label: labelOf.RangeError, words: [1, 256] })
    assert.strictEqual(retype(untyped.slot, "Endpoint", 0, 256).label, 0)
  })

  it("is refused where it does not fit, and says how much there is", () => {
    const untyped = world.untyped(12)
    retype(untyped.slot, "Endpoint", 0)

    assert.deepInclude(retype(untyped.slot, "Page4K", 0, 1, { offset: first + 1 }), {
      label: labelOf.NotEnoughMemory,
      words: [4080]
    })
  })

  it("is refused a type that is none", () => {
    assert.deepInclude(retype(world.untyped(12).slot, 99, 0), { label: labelOf.InvalidArgument, words: [0] })
  })

  it.each([
    ["CapTable", 0],
    ["Untyped", 3],
    ["SchedContext", 6]
  ] as const)("is refused a %s of %i bits: too small", (type, bits) => {
    assert.deepInclude(retype(world.untyped(12).slot, type, bits), { label: labelOf.InvalidArgument, words: [1] })
  })

  it.each([
    ["Untyped", 48],
    ["CapTable", 43],
    ["CapTable", 2 ** 60]
  ] as const)("is refused a %s of %i bits: too large", (type, bits) => {
    assert.deepInclude(retype(world.untyped(12).slot, type, bits), { label: labelOf.RangeError, words: [0, 47] })
  })

  it("fills slots of a CNode that is found by its address, too", () => {
    const node = world.object("CapTable", 4)
    const answer = retype(world.untyped(12).slot, "Endpoint", 0, 2, { node: node.slot, depth: 64, offset: 3 })

    assert.strictEqual(answer.label, 0)
    assert.isFalse(Capability.isEmpty(world.state, node.at + 32 * 4))
  })

  it("is refused where the slots are not: outside the CNode, in use, or of none", () => {
    const untyped = world.untyped(12).slot

    assert.deepInclude(retype(untyped, "Endpoint", 0, 1, { offset: 1024 }), {
      label: labelOf.RangeError,
      words: [0, 1023]
    })
    assert.deepInclude(retype(untyped, "Endpoint", 0, 2, { offset: 1023 }), {
      label: labelOf.RangeError,
      words: [1, 1]
    })
    assert.deepInclude(retype(untyped, "Endpoint", 0, 1, { offset: 1 }), { label: labelOf.DeleteFirst })
    assert.deepInclude(retype(untyped, "Endpoint", 0, 1, { node: alice.slot, depth: 64, offset: 0 }), {
      label: labelOf.FailedLookup,
      words: [0, 2, 64]
    })
  })

  it("needs the right to it", () => {
    const lesser = world.diminished(world.untyped(12).slot, 1 << 4)

    assert.strictEqual(retype(lesser, "Endpoint", 0).label, labelOf.IllegalOperation)
  })
})

describe("untyped memory of a device", () => {
  it("becomes frames and untyped memory only", () => {
    const untyped = world.untyped(14, true).slot

    assert.deepInclude(retype(untyped, "Endpoint", 0), { label: labelOf.InvalidArgument, words: [1] })
    assert.strictEqual(retype(untyped, "Page4K", 0).label, 0)
    assert.strictEqual(retype(untyped, "Untyped", 12, 1, { offset: first + 1 }).label, 0)
    assert.isTrue(UntypedData.isDevice(world.state, world.at(first + 1)))
  })

  it("is not cleared", () => {
    const untyped = world.untyped(14, true)
    retype(untyped.slot, "Page4K", 0)
    world.storeWord(untyped.at, 0x1234)
    remove(first)
    retype(untyped.slot, "Page4K", 0)

    assert.strictEqual(world.memory.load32(untyped.at), 0x1234)
  })
})

describe("when all that was made of it is deleted", () => {
  it("the next retype begins anew, and clears what was in use", () => {
    const untyped = world.untyped(14)
    retype(untyped.slot, "Page4K", 0, 2)
    world.storeWord(untyped.at + 4096, 0x1234)
    remove(first)
    remove(first + 1)
    retype(untyped.slot, "Endpoint", 0)

    assert.strictEqual(objectAt(first), untyped.at)
    assert.strictEqual(world.memory.load32(untyped.at + 4096), 0)
  })

  it("but not before: with one child left, memory behind the watermark alone is used", () => {
    const untyped = world.untyped(14)
    retype(untyped.slot, "Page4K", 0, 2)
    remove(first)
    retype(untyped.slot, "Endpoint", 0)

    assert.strictEqual(objectAt(first), untyped.at + 8192)
  })

  it("clearing stops when an interrupt waits, at 256 bytes, and goes on when called again", () => {
    const untyped = world.untyped(13)
    retype(untyped.slot, "Page4K", 0)
    for (let at = 0; at < 4096; at += 8) world.storeWord(untyped.at + at, 1)
    remove(first)
    world.time.interruptAfter(3)
    retype(untyped.slot, "Endpoint", 0)
    assert.strictEqual(used(untyped.slot), 4096 - 3 * 256)
    assert.isUndefined(world.kindIn(first))

    assert.strictEqual(retype(untyped.slot, "Endpoint", 0).label, 0)
    assert.isTrue(world.bytes.subarray(untyped.at + 16, untyped.at + 8192).every((byte) => byte === 0))
  })

  it("revoking it deletes them", () => {
    const untyped = world.untyped(14)
    retype(untyped.slot, "TCB", 0)
    retype(untyped.slot, "CapTable", 3, 1, { offset: first + 1 })
    world.invoke(alice, world.root, { label: CNode.Revoke.label, words: [untyped.slot, 64] })

    assert.isUndefined(world.kindIn(first))
    assert.isUndefined(world.kindIn(first + 1))
  })
})

describe("a copy of untyped memory", () => {
  it("has it all, and the original nothing, as long as the copy stands", () => {
    const untyped = world.untyped(14)
    const copy = world.emptySlot()
    world.invoke(alice, world.root, {
      label: CNode.Copy.label,
      words: [copy, 64, untyped.slot, 64, 15],
      caps: [world.root]
    })

    assert.deepInclude(retype(untyped.slot, "Endpoint", 0), { label: labelOf.NotEnoughMemory, words: [0] })
    assert.strictEqual(retype(copy, "Endpoint", 0).label, 0)
  })
})

describe("clearing", () => {
  it("takes the time that its table says, for each 256 bytes", () => {
    const untyped = world.untyped(13)
    UntypedData.setUsed(world.state, world.at(untyped.slot), 8192)
    const before = world.time.now()
    assert.notStrictEqual(Untyped.reset(world.state, world.at(untyped.slot)), preempted)

    assert.strictEqual(world.time.now() - before, 32 * 32)
  })
})
