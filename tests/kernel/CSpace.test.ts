import { assert, beforeEach, describe, it } from "vitest"
import * as Capability from "../../src/kernel/Capability.ts"
import * as CSpace from "../../src/kernel/CSpace.ts"
import { isRefusal } from "../../src/kernel/State.ts"
import { slotOf, tcbSlot } from "../../src/kernel/Tcb.ts"
import * as Word from "../../src/types/Word.ts"
import { type Actor, World } from "./fixture.ts"

let world: World
let alice: Actor

beforeEach(() => {
  world = new World()
  alice = world.actor("alice")
})

/** A CNode of 16 slots in slot 5 of one of 8, with guards 101 and 0. */
const nested = () => {
  const inner = world.object("CapTable", 4)
  const outer = world.object("CapTable", 3)
  Capability.write(
    world.state,
    outer.at + 32 * 5,
    Capability.withData(Capability.cnode(inner.at, 4), (0b101 << 6) | 3, 0)
  )
  Capability.write(world.state, inner.at + 32 * 9, Capability.original("Endpoint", world.allocate(4)))
  return { outer, inner }
}

const find = (root: number, address: bigint, depth: number) => {
  const { lo, hi } = Word.fromBigInt(address)
  return CSpace.slotAt(world.state, "source", world.at(root), lo, hi, depth, 0)
}

const failure = (found: ReturnType<typeof find>) => {
  assert.isTrue(isRefusal(found))
  return found
}

describe("a slot of a CNode", () => {
  it("is found by the bits of its address, through guards and other CNodes", () => {
    const { outer, inner } = nested()

    assert.strictEqual(find(outer.slot, 0b101_101_1001n, 10), inner.at + 32 * 9)
    assert.strictEqual(find(outer.slot, 0b101n, 3), outer.at + 32 * 5)
  })

  it("is found by the low bits of the address alone, as many as the depth says", () => {
    const { outer } = nested()

    assert.strictEqual(find(outer.slot, 0xffff_ffff_ffff_fff5n, 3), outer.at + 32 * 5)
  })

  it("is not found if a guard differs", () => {
    const { outer } = nested()

    assert.deepEqual(failure(find(outer.slot, 0b101_111_1001n, 10)), {
      _tag: "FailedLookup",
      wasSource: true,
      failure: { _tag: "GuardMismatch", bitsLeft: 7, guard: Word.make(0b101, 0), guardSize: 3 }
    })
  })

  it("is not found if the way ends before the address does", () => {
    const { outer } = nested()

    assert.deepEqual(failure(find(outer.slot, 0b101_101_1001_00n, 12)), {
      _tag: "FailedLookup",
      wasSource: true,
      failure: { _tag: "DepthMismatch", bitsLeft: 2, bitsFound: 0 }
    })
  })

  it("is not found if the address ends on the way", () => {
    const { outer } = nested()

    assert.deepEqual(failure(find(outer.slot, 0b101_101_10n, 8)), {
      _tag: "FailedLookup",
      wasSource: true,
      failure: { _tag: "DepthMismatch", bitsLeft: 5, bitsFound: 7 }
    })
    assert.deepEqual(failure(find(outer.slot, 0b101_10n, 5)), {
      _tag: "FailedLookup",
      wasSource: true,
      failure: { _tag: "GuardMismatch", bitsLeft: 2, guard: Word.make(0b101, 0), guardSize: 3 }
    })
  })

  it("has a depth of 1 to 64", () => {
    const { outer } = nested()

    for (const depth of [0, 65])
      assert.deepEqual(failure(find(outer.slot, 0n, depth)), { _tag: "RangeError", min: 1, max: 64 })
  })

  it("is not found where the root is no CNode", () => {
    assert.deepEqual(failure(find(alice.slot, 0n, 10)), {
      _tag: "FailedLookup",
      wasSource: true,
      failure: { _tag: "InvalidRoot" }
    })
  })
})

describe("a guard", () => {
  const guarded = (guard: bigint, size: number) => {
    const node = world.object("CapTable", 4)
    const { lo, hi } = Word.fromBigInt((guard << 6n) | BigInt(size))
    Capability.write(world.state, world.at(node.slot), Capability.withData(Capability.cnode(node.at, 4), lo, hi))
    return node
  }

  it.each([
    [1, 0b1n],
    [28, 0xabc_def1n],
    [32, 0xdead_beefn],
    [33, 0x1_dead_beefn],
    [58, 0x2aa_5555_aaaa_5555n]
  ])("of %i bits agrees with its own bits, and no others", (size, guard) => {
    const node = guarded(guard, size)
    const depth = size + 4

    assert.strictEqual(find(node.slot, (guard << 4n) | 3n, depth), node.at + 32 * 3)
    for (const bit of [0n, BigInt(size) - 1n])
      assert.isTrue(isRefusal(find(node.slot, ((guard ^ (1n << bit)) << 4n) | 3n, depth)))
  })
})

describe("a thread's capability", () => {
  const lookup = (address: bigint) => {
    const { lo, hi } = Word.fromBigInt(address)
    return CSpace.lookup(world.state, alice.thread, lo, hi)
  }

  it("is found by all 64 bits of its address", () => {
    assert.strictEqual(lookup(BigInt(alice.slot)), world.at(alice.slot))
  })

  it("is found though bits are left, where the way ends at no CNode", () => {
    const table = world.object("CapTable", 1)
    Capability.write(world.state, table.at, Capability.original("Endpoint", world.allocate(4)))
    const cspace = slotOf(alice.thread, tcbSlot.cspace)
    Capability.write(world.state, cspace, Capability.cnode(table.at, 1))

    assert.strictEqual(lookup(0x1234n), table.at)
  })

  it("is not found where the address has bits that the guard does not", () => {
    const found = lookup((1n << 40n) | 1n)

    assert.deepInclude(found, { _tag: "GuardMismatch", bitsLeft: 64, guardSize: 54 })
  })

  it("is not found in a space that is none", () => {
    Capability.write(world.state, slotOf(alice.thread, tcbSlot.cspace), Capability.none)

    assert.deepEqual(lookup(1n), { _tag: "InvalidRoot" })
  })
})
