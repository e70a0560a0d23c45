import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Kind, kinds, numberOf, ofNumber, rightsOf } from "../../src/types/Kind.ts"
import * as Rights from "../../src/types/Rights.ts"
import { small } from "./words.ts"

const kind = fc.constantFrom(...kinds)

describe("the table of kinds and rights", () => {
  it.each(kinds)("gives each right of %s a bit of its own, in order", (kind) => {
    const bits: ReadonlyArray<number> = rightsOf[kind].map(([, bit]) => bit)
    assert.deepStrictEqual(
      bits,
      [...new Set(bits)].sort((a, b) => a - b)
    )
    assert.isBelow(Math.max(...bits), 31)
  })

  it.each(kinds)("gives the bits 0 to 3 of %s to the rights that they have always had, and to no other", (kind) => {
    const always = new Map(Object.entries({ write: 0, read: 1, grant: 2, grantReply: 3 }))
    for (const [name, bit] of rightsOf[kind]) {
      assert.strictEqual(always.get(name) ?? "above 3", bit > 3 ? "above 3" : bit, name)
    }
  })

  it("numbers kinds from 1, and 0 is none", () => {
    assert.isUndefined(ofNumber(0))
    assert.isUndefined(ofNumber(kinds.length + 1))
    for (const kind of kinds) assert.strictEqual(ofNumber(numberOf[kind]), kind)
  })
})

describe("a rights word", () => {
  it("of the low four bits keeps what a program that knows only these expects", () => {
    const endpoint = Rights.heldAll("Endpoint")
    assert.deepStrictEqual(Rights.toNames("Endpoint", Rights.masked(endpoint, 0b0000)), [])
    assert.deepStrictEqual(Rights.toNames("Endpoint", Rights.masked(endpoint, 0b0010)), ["read"])
    assert.deepStrictEqual(Rights.toNames("Endpoint", Rights.masked(endpoint, 0b0101)), ["write", "grant"])
    assert.deepStrictEqual(
      Rights.toNames("Endpoint", Rights.masked(endpoint, 0b1111)),
      rightsOf.Endpoint.map(([name]) => name)
    )
  })

  it("of the low four bits takes nothing away that they do not name", () => {
    fc.assert(
      fc.property(kind, small(0b1111), (kind, bits) => {
        const held = Rights.heldAll(kind)
        assert.strictEqual(Rights.masked(held, bits) & ~0b1111, held & ~0b1111)
      })
    )
    assert.deepStrictEqual(Rights.toNames("Frame", Rights.masked(Rights.heldAll("Frame"), 0b0010)), ["read", "execute"])
  })

  it("takes away a right above when its bit is set", () => {
    const bits = Rights.right.TCB.run | Rights.right.TCB.schedule
    assert.deepStrictEqual(Rights.toNames("TCB", Rights.masked(Rights.heldAll("TCB"), bits)), [
      "configure",
      "readRegisters",
      "writeRegisters"
    ])
  })

  it("never gives a right that is not held", () => {
    fc.assert(
      fc.property(small(2 ** 20), fc.integer(), (held, bits) => {
        assert.strictEqual(Rights.masked(held, bits) & ~held, 0)
      })
    )
  })

  it("made to keep some rights keeps these and no other", () => {
    fc.assert(
      fc.property(kind, fc.integer(), fc.integer(), (kind: Kind, held, keep) => {
        const all = Rights.heldAll(kind)
        const { bits } = Rights.wordKeeping(kind, keep & all, false)
        assert.strictEqual(Rights.masked(held & all, bits), held & keep & all)
      })
    )
  })

  it("that takes nothing away takes nothing away", () => {
    for (const kind of kinds) {
      assert.strictEqual(Rights.masked(Rights.heldAll(kind), Rights.wordKeepingAll.bits), Rights.heldAll(kind))
    }
  })
})

describe("a set of rights", () => {
  it("is the names in it", () => {
    fc.assert(
      fc.property(kind, fc.integer(), (kind, set) => {
        const held = set & Rights.heldAll(kind)
        assert.strictEqual(Rights.fromNames(kind, Rights.toNames(kind, held)), held)
      })
    )
  })

  it("names them in the order of the table", () => {
    assert.deepStrictEqual(Rights.toNames("Endpoint", Rights.fromNames("Endpoint", ["grant", "read", "write"])), [
      "write",
      "read",
      "grant"
    ])
  })
})
