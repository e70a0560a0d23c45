import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { kinds } from "../../src/types/Kind.ts"
import * as Method from "../../src/types/Method.ts"
import { all, byLabel } from "../../src/types/Methods.ts"
import * as CNode from "../../src/types/methods/CNode.ts"
import * as SchedContext from "../../src/types/methods/SchedContext.ts"
import * as SchedControl from "../../src/types/methods/SchedControl.ts"
import * as TCB from "../../src/types/methods/TCB.ts"
import * as Untyped from "../../src/types/methods/Untyped.ts"
import { heldAll, right } from "../../src/types/Rights.ts"
import * as Word from "../../src/types/Word.ts"
import * as abi from "./abi.ts"
import { bigWord, count } from "./words.ts"

/** The words of a message as the kernel finds them. */
const message = (words: ReadonlyArray<bigint>): Method.MessageWords => ({
  lo: (index) => Word.fromBigInt(words[index]!).lo,
  hi: (index) => Word.fromBigInt(words[index]!).hi
})

describe("the methods", () => {
  it("are those of the interface, and those that this kernel has beyond it", () => {
    const beyond = all.filter(({ label }) => label > 77)
    assert.deepStrictEqual(
      beyond.map(({ label, name }) => [label, name]),
      [
        [0x1000, "AddressSpace_Unmap"],
        [0x1002, "X86_VCPU_ResetRegisters"],
        [0x1001, "X86_VCPU_SetPage"]
      ]
    )
    assert.strictEqual(all.length, 77 + beyond.length)
  })

  it("have labels of their own, from 1 to 77 without a gap", () => {
    const labels = all.map(({ label }) => label).filter((label) => label <= 77)
    assert.deepStrictEqual(
      labels.toSorted((a, b) => a - b),
      Array.from({ length: 77 }, (_, index) => index + 1)
    )
  })

  it.each(abi.invocations)(
    "%i is %s, with %i words, %i capabilities and %i results",
    (label, name, words, caps, results) => {
      const method = all.find((method) => method.label === label)!
      assert.strictEqual(method.name, name)
      assert.strictEqual(method.length + method.rest.length, words)
      assert.strictEqual(Object.keys(method.caps).length, caps)
      assert.strictEqual(Object.keys(method.results).length, results)
    }
  )

  it("are found by kind and label", () => {
    for (const method of all) {
      for (const kind of kinds) {
        assert.strictEqual(byLabel(kind, method.label), kind === method.kind ? method : undefined, method.name)
      }
    }
    assert.isUndefined(byLabel("TCB", 0))
    assert.isUndefined(byLabel("TCB", 78))
    assert.isUndefined(byLabel("TCB", 2 ** 52 - 1))
  })

  it("need rights that there are", () => {
    for (const method of all) {
      assert.strictEqual(method.needs & ~heldAll(method.kind), 0, method.name)
      assert.strictEqual(method.needs === 0, method.rights.length === 0, method.name)
    }
  })
})

describe("a method's words", () => {
  it("are read by the kernel as a program wrote them", () => {
    fc.assert(
      fc.property(
        bigWord,
        bigWord,
        fc.integer({ min: 0, max: 255 }),
        fc.integer(),
        fc.boolean(),
        (index, badge, depth, bits, derive) => {
          const given = {
            ...{ destIndex: index, destDepth: depth, srcIndex: badge, srcDepth: depth },
            ...{ rights: { bits, derive }, badge, srcRoot: 2n }
          }
          const { words, label, caps } = Method.encode(CNode.Mint, given)
          assert.strictEqual(label, 22)
          assert.deepStrictEqual(caps, [2n])
          assert.deepStrictEqual(Method.decode(CNode.Mint, message(words)), {
            ...{
              destIndex: Word.fromBigInt(index),
              destDepth: depth,
              srcIndex: Word.fromBigInt(badge),
              srcDepth: depth
            },
            ...{ rights: { bits, derive }, badge: Word.fromBigInt(badge) }
          })
        }
      )
    )
  })

  it("that are numbers are exact below 2^53", () => {
    fc.assert(
      fc.property(count, count, (type, numObjects) => {
        const rest = { sizeBits: 12, nodeIndex: 0n, nodeDepth: 0, nodeOffset: 16, root: 2n }
        const read = Method.decode(
          Untyped.Retype,
          message(Method.encode(Untyped.Retype, { type, numObjects, ...rest }).words)
        )
        assert.strictEqual(read.type, type)
        assert.strictEqual(read.numObjects, numObjects)
      })
    )
  })

  it("can be anything: no word makes the kernel throw", () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.array(bigWord, { minLength: 22, maxLength: 22 }), (method, words) => {
        assert.hasAllKeys({ x: 0, ...Method.decode(method, message(words)) }, ["x", ...Object.keys(method.words)])
      })
    )
  })

  it("of which low bits are used have all of those, whatever is above", () => {
    const flags = Method.decode(SchedControl.ConfigureFlags, message([0n, 0n, 0n, 0n, 2n ** 64n - 1n])).flags
    assert.deepStrictEqual(flags, { lo: -1, hi: -1 })
  })

  it("that are bytes have no more bits from a program, and are read with all that they have", () => {
    assert.deepStrictEqual(Method.encode(CNode.Delete, { index: 0n, depth: 0x140 }).words, [0n, 0x40n])
    assert.strictEqual(Method.decode(CNode.Delete, message([0n, 0x140n])).depth, 0x140)
  })

  it("that hold several numbers hold each in its place", () => {
    const flags = { suspendSource: 1, resumeTarget: 0, transferFrame: 1, transferInteger: 1, archFlags: 0xa5 }
    const { words } = Method.encode(TCB.CopyRegisters, { flags, source: 1n })
    assert.deepStrictEqual(words, [0xa50dn])
    assert.deepStrictEqual(Method.decode(TCB.CopyRegisters, message([0xffff_0000_0000_a50dn])).flags, flags)
  })

  it("may be followed by others", () => {
    const registers = Object.fromEntries(TCB.WriteRegisters.rest.map((name, index) => [name, BigInt(index)]))
    const given = {
      flags: { resumeTarget: 1, archFlags: 0 },
      count: 20,
      rest: registers as Record<(typeof TCB.WriteRegisters.rest)[number], bigint>
    }
    const { words } = Method.encode(TCB.WriteRegisters, given)
    assert.deepStrictEqual(words.slice(0, 4), [1n, 20n, 0n, 1n])
    assert.lengthOf(words, 22)
  })
})

describe("a method's capabilities", () => {
  it("go in the order of the description, and 0 for one that is left out", () => {
    const data = { cspaceRootData: 0n, vspaceRootData: 0n }
    assert.deepStrictEqual(Method.encode(TCB.SetSpace, { ...data, vspaceRoot: 3n, cspaceRoot: 2n }).caps, [0n, 2n, 3n])
  })

  const { faultHandler } = TCB.SetSpace.caps
  const { write, read, grant, grantReply } = right.Endpoint

  it("are of a kind that the method takes", () => {
    assert.isTrue(Method.accepted(SchedContext.Bind.caps.object, "Notification", 0))
    assert.isTrue(Method.accepted(SchedContext.Bind.caps.object, "TCB", right.TCB.schedule))
    assert.isFalse(Method.accepted(SchedContext.Bind.caps.object, "TCB", right.TCB.run))
    assert.isFalse(Method.accepted(SchedContext.Bind.caps.object, "Endpoint", heldAll("Endpoint")))
  })

  it("have one of the rights of which one does", () => {
    assert.isTrue(Method.accepted(faultHandler, "Endpoint", write | grant))
    assert.isTrue(Method.accepted(faultHandler, "Endpoint", write | grantReply))
    assert.isFalse(Method.accepted(faultHandler, "Endpoint", write | read))
    assert.isFalse(Method.accepted(faultHandler, "Endpoint", read | grant | grantReply))
  })
})

describe("a method's results", () => {
  it("are read by name", () => {
    assert.deepStrictEqual(Method.results(SchedContext.Consumed, [1234n]), { consumed: 1234 })
    const registers = Method.results(
      TCB.ReadRegisters,
      abi.userContext.map((_, index) => BigInt(index))
    )
    assert.deepStrictEqual(Object.keys(registers), abi.userContext)
    assert.strictEqual(registers.gsBase, 19n)
  })
})
