import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import { check } from "../../src/kernel/invariants.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import { right, wordKeeping, wordKeepingAll } from "../../src/types/Rights.ts"
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

const all = BigInt(wordKeepingAll.bits)
const derive = 1n << 63n
const root = () => world.root

const copy = (from: number, to: number, rights: bigint = all) =>
  world.invoke(alice, root(), { label: CNode.Copy.label, words: [to, 64, from, 64, rights], caps: [root()] })
const mint = (from: number, to: number, badge: bigint, rights: bigint = all) =>
  world.invoke(alice, root(), { label: CNode.Mint.label, words: [to, 64, from, 64, rights, badge], caps: [root()] })
const move = (from: number, to: number) =>
  world.invoke(alice, root(), { label: CNode.Move.label, words: [to, 64, from, 64], caps: [root()] })
const mutate = (from: number, to: number, data: bigint) =>
  world.invoke(alice, root(), { label: CNode.Mutate.label, words: [to, 64, from, 64, data], caps: [root()] })
const remove = (slot: number) => world.invoke(alice, root(), { label: CNode.Delete.label, words: [slot, 64] })
const revoke = (slot: number) => world.invoke(alice, root(), { label: CNode.Revoke.label, words: [slot, 64] })

const badgeOf = (slot: number) => Capability.read(world.state, world.at(slot)).lo
const endpoint = () => world.object("Endpoint").slot
const frame = () => world.object("Page4K").slot

describe("Copy", () => {
  it("fills an empty slot with the same capability", () => {
    const [from, to] = [endpoint(), world.emptySlot()]

    assert.strictEqual(copy(from, to).label, 0)
    assert.strictEqual(world.kindIn(to), "Endpoint")
    assert.strictEqual(Capability.object(world.state, world.at(to)), Capability.object(world.state, world.at(from)))
  })

  it("takes away the rights that its rights word does not keep", () => {
    const [from, to] = [endpoint(), world.emptySlot()]
    copy(from, to, 0b0010n)

    assert.strictEqual(Capability.rights(world.state, world.at(to)), right.Endpoint.read)
  })

  it("gives no right that the capability does not have", () => {
    const [from, lesser, to] = [endpoint(), world.emptySlot(), world.emptySlot()]
    copy(from, lesser, 0b0010n)
    copy(lesser, to)

    assert.strictEqual(Capability.rights(world.state, world.at(to)), right.Endpoint.read)
  })

  it("keeps every right above the four that seL4 has, of a program that does not know them", () => {
    const to = world.emptySlot()
    copy(alice.slot, to, 0n)

    assert.strictEqual(
      Capability.rights(world.state, world.at(to)),
      Capability.rights(world.state, world.at(alice.slot))
    )
  })

  it("is refused where the slot is in use", () => {
    assert.strictEqual(copy(endpoint(), root()).label, labelOf.DeleteFirst)
  })

  it("is refused of nothing", () => {
    assert.deepInclude(copy(world.emptySlot(), world.emptySlot()), { label: labelOf.FailedLookup, words: [1, 2, 64] })
  })

  it("of untyped memory that has children is refused", () => {
    const untyped = world.untyped(12).slot
    const first = world.emptySlot()
    assert.strictEqual(copy(untyped, first).label, 0)

    assert.strictEqual(copy(untyped, world.emptySlot()).label, labelOf.RevokeFirst)
  })

  it("is refused with too few words, or without the source", () => {
    const words = [world.emptySlot(), 64, 2, 64]
    const label = CNode.Copy.label

    assert.strictEqual(world.invoke(alice, root(), { label, words, caps: [root()] }).label, labelOf.TruncatedMessage)
    assert.strictEqual(world.invoke(alice, root(), { label, words: [...words, 15] }).label, labelOf.TruncatedMessage)
  })

  it("from what is no CNode is refused as an invalid root", () => {
    const answer = world.invoke(alice, root(), {
      label: CNode.Copy.label,
      words: [world.emptySlot(), 64, 1, 64, 15],
      caps: [endpoint()]
    })

    assert.deepInclude(answer, { label: labelOf.FailedLookup, words: [1, 1] })
  })
})

describe("Mint", () => {
  it("gives a badge, of 64 bits", () => {
    const [from, to] = [endpoint(), world.emptySlot()]
    mint(from, to, 0xfedc_ba98_7654_3210n)
    const { lo, hi } = Capability.read(world.state, world.at(to))

    assert.deepEqual([lo >>> 0, hi >>> 0], [0x7654_3210, 0xfedc_ba98])
  })

  it("never gives another badge", () => {
    const [from, to] = [endpoint(), world.emptySlot()]
    mint(from, to, 5n)

    assert.strictEqual(mint(to, world.emptySlot(), 6n).label, labelOf.IllegalOperation)
    assert.strictEqual(mint(to, world.emptySlot(), 0n).label, labelOf.IllegalOperation)
  })

  it("gives a CNode a guard: bits above its size do not count", () => {
    const [from, to] = [world.object("CapTable", 4).slot, world.emptySlot()]
    mint(from, to, (0xffn << 6n) | 3n)
    const { lo } = Capability.read(world.state, world.at(to))

    assert.strictEqual(lo, (0b111 << 6) | 3)
  })

  it("gives no guard that leaves no bits for the index", () => {
    const from = world.object("CapTable", 4).slot

    assert.strictEqual(mint(from, world.emptySlot(), 61n).label, labelOf.IllegalOperation)
    assert.strictEqual(mint(from, world.emptySlot(), 58n).label, 0)
  })
})

describe("Move and Mutate", () => {
  it("empty the source", () => {
    const [from, to] = [endpoint(), world.emptySlot()]
    move(from, to)

    assert.isUndefined(world.kindIn(from))
    assert.strictEqual(world.kindIn(to), "Endpoint")
  })

  it("keep the place among parents and children", () => {
    const [from, to, child] = [endpoint(), world.emptySlot(), world.emptySlot()]
    copy(from, child)
    move(from, to)
    revoke(to)

    assert.isUndefined(world.kindIn(child))
    assert.strictEqual(world.kindIn(to), "Endpoint")
  })

  it("give no badge, only a guard", () => {
    assert.strictEqual(mutate(endpoint(), world.emptySlot(), 5n).label, labelOf.IllegalOperation)
    assert.strictEqual(mutate(world.object("CapTable", 4).slot, world.emptySlot(), 5n).label, 0)
  })
})

describe("Rotate", () => {
  const rotate = (to: number, pivot: number, from: number) =>
    world.invoke(alice, root(), {
      label: CNode.Rotate.label,
      words: [to, 64, 0, pivot, 64, 0, from, 64],
      caps: [root(), root()]
    })

  it("moves the pivot to the destination and the source to the pivot", () => {
    const [from, pivot, to] = [frame(), alice.contextSlot, world.emptySlot()]
    assert.strictEqual(rotate(to, pivot, from).label, 0)

    assert.deepEqual(
      [from, pivot, to].map((slot) => world.kindIn(slot)),
      [undefined, "Frame", "SchedContext"]
    )
  })

  it("swaps if the destination is the source", () => {
    const [from, pivot] = [frame(), alice.contextSlot]
    rotate(from, pivot, from)

    assert.deepEqual(
      [from, pivot].map((slot) => world.kindIn(slot)),
      ["SchedContext", "Frame"]
    )
  })

  it("swaps neighbours in the derivation list", () => {
    const [from, child] = [frame(), world.emptySlot()]
    copy(from, child, all | derive)
    rotate(from, child, from)
    revoke(child)

    assert.isUndefined(world.kindIn(from))
    assert.strictEqual(world.kindIn(child), "Frame")
  })

  it("needs a pivot of its own", () => {
    const [from, to] = [frame(), world.emptySlot()]

    assert.strictEqual(rotate(to, from, from).label, labelOf.IllegalOperation)
    assert.strictEqual(rotate(to, world.emptySlot(), from).label, labelOf.FailedLookup)
  })
})

describe("Delete", () => {
  it("empties a slot", () => {
    const slot = endpoint()
    remove(slot)

    assert.isUndefined(world.kindIn(slot))
  })

  it("of an empty slot does nothing", () => {
    assert.strictEqual(remove(world.emptySlot()).label, 0)
  })

  it("leaves what was derived from it to those that it was derived from", () => {
    const [first, second, third] = [frame(), world.emptySlot(), world.emptySlot()]
    copy(first, second, all | derive)
    copy(second, third, all | derive)
    remove(second)
    revoke(first)

    assert.isUndefined(world.kindIn(third))
  })
})

describe("Revoke", () => {
  it("of an original takes back all copies, and copies of copies", () => {
    const [first, second, third] = [frame(), world.emptySlot(), world.emptySlot()]
    copy(first, second)
    copy(second, third)
    revoke(first)

    assert.deepEqual(
      [first, second, third].map((slot) => world.kindIn(slot)),
      ["Frame", undefined, undefined]
    )
  })

  it("of a plain copy takes back nothing, as in seL4", () => {
    const [first, second, third] = [frame(), world.emptySlot(), world.emptySlot()]
    copy(first, second)
    copy(second, third)
    revoke(second)

    assert.deepEqual(
      [first, second, third].map((slot) => world.kindIn(slot)),
      ["Frame", "Frame", "Frame"]
    )
  })

  it("of a copy that is a parent of its own takes back what was derived from it, and nothing else", () => {
    const [first, parent, child, grandchild, sibling] = [
      frame(),
      ...Array.from({ length: 4 }, () => world.emptySlot())
    ] as [number, number, number, number, number]
    copy(first, parent, all | derive)
    copy(parent, child)
    copy(child, grandchild)
    copy(first, sibling, all | derive)
    revoke(parent)

    assert.deepEqual(
      [first, parent, child, grandchild, sibling].map((slot) => world.kindIn(slot)),
      ["Frame", "Frame", undefined, undefined, "Frame"]
    )
  })

  it("never takes what the capability's former place left behind", () => {
    const [first, parent, child, later] = [frame(), ...Array.from({ length: 3 }, () => world.emptySlot())] as [
      number,
      number,
      number,
      number
    ]
    copy(first, parent, all | derive)
    copy(parent, child, all | derive)
    remove(parent)
    copy(first, later, all | derive)
    revoke(later)

    assert.strictEqual(world.kindIn(child), "Frame")
  })

  it("of a badged capability takes back its copies, and no others of its badge", () => {
    const [first, badged, copied, other] = [endpoint(), ...Array.from({ length: 3 }, () => world.emptySlot())] as [
      number,
      number,
      number,
      number
    ]
    mint(first, badged, 5n)
    copy(badged, copied)
    mint(first, other, 5n)
    revoke(badged)

    assert.deepEqual(
      [badged, copied, other].map((slot) => world.kindIn(slot)),
      ["Endpoint", undefined, "Endpoint"]
    )
    assert.strictEqual(badgeOf(other), 5)
  })

  it("stops when an interrupt waits, and goes on when made again", () => {
    const first = frame()
    const copies = Array.from({ length: 5 }, () => world.emptySlot())
    for (const slot of copies) copy(first, slot)
    world.time.interruptAfter(2)
    revoke(first)
    const left = copies.filter((slot) => world.kindIn(slot) !== undefined)
    assert.strictEqual(left.length, 3)
    assert.strictEqual(world.stateOf(alice), "running")

    assert.strictEqual(revoke(first).label, 0)
    assert.isTrue(copies.every((slot) => world.kindIn(slot) === undefined))
  })
})

describe("rights to a CNode", () => {
  const without = (...names: ReadonlyArray<"take" | "put" | "delete">) => {
    const lost = names.reduce((set, name) => set | right.CNode[name], 0)
    return wordKeeping("CNode", Capability.rights(world.state, world.at(root())) & ~lost, false).bits
  }
  const lesser = (...names: ReadonlyArray<"take" | "put" | "delete">) => world.diminished(root(), without(...names))

  it("without put, nothing is put into it", () => {
    const node = lesser("put")
    const words = [world.emptySlot(), 64, endpoint(), 64, all]

    assert.strictEqual(
      world.invoke(alice, node, { label: CNode.Copy.label, words, caps: [root()] }).label,
      labelOf.IllegalOperation
    )
  })

  it("without take, nothing is copied from it", () => {
    const words = [world.emptySlot(), 64, endpoint(), 64, all]

    assert.deepInclude(world.invoke(alice, root(), { label: CNode.Copy.label, words, caps: [lesser("take")] }), {
      label: labelOf.InvalidCapability,
      words: [1]
    })
  })

  it("without delete, nothing leaves it", () => {
    const node = lesser("delete")

    for (const { label } of [CNode.Delete, CNode.Revoke])
      assert.strictEqual(world.invoke(alice, node, { label, words: [endpoint(), 64] }).label, labelOf.IllegalOperation)
  })

  it("are those of every CNode on the way", () => {
    const inner = world.object("CapTable", 4)
    const outer = world.object("CapTable", 1)
    const node = world.diminished(inner.slot, without("put"))
    world.invoke(alice, outer.slot, {
      label: CNode.Move.label,
      words: [0, 1, node, 64],
      caps: [root()]
    })
    const words = [0b0_0011, 5, endpoint(), 64, all]
    const answer = world.invoke(alice, outer.slot, { label: CNode.Copy.label, words, caps: [root()] })

    assert.strictEqual(answer.label, labelOf.IllegalOperation)
  })
})
