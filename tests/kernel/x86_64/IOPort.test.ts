import { assert, describe, it } from "@effect/vitest"
import { slots } from "../../../src/types/BootInfo.ts"
import { numberOf } from "../../../src/types/Kind.ts"
import { right, wordKeeping } from "../../../src/types/Rights.ts"
import * as IOPort from "../../../src/types/x86_64/methods/IOPort.ts"
import * as IOPortControl from "../../../src/types/x86_64/methods/IOPortControl.ts"
import { boot, copy, invoke, kindIn, remove, type System } from "./system.ts"

const issue = (system: System, first: number | bigint, last: number | bigint, into = system.empty()) => {
  const answer = invoke(system, slots.ioPortControl, IOPortControl.Issue.label, [first, last, into, 64], [slots.cnode])
  return Array.isArray(answer) ? into : answer
}
const issued = (system: System, first: number, last: number): number => {
  const slot = issue(system, first, last)
  assert(typeof slot === "number")
  return slot
}

describe("IO ports", () => {
  it("are given out in ranges, each port once", () => {
    const system = boot()
    const serial = issued(system, 0x3f8, 0x3ff)
    assert.strictEqual(kindIn(system, serial), numberOf.IOPort)
    for (const [first, last] of [
      [0x3f8, 0x3f8],
      [0x3ff, 0x400],
      [0, 0xffff]
    ] as const) {
      assert.deepStrictEqual(issue(system, first, last), { _tag: "RevokeFirst" })
    }
    assert.strictEqual(typeof issue(system, 0x400, 0xffff), "number")
    assert.strictEqual(typeof issue(system, 0, 0x3f7), "number")
  })

  it("are given out again when the last capability to them is gone", () => {
    const system = boot()
    const serial = issued(system, 0x3f8, 0x3ff)
    const second = copy(system, serial)
    assert(typeof second === "number")
    const neighbour = issued(system, 0x400, 0x41f)
    remove(system, serial)
    assert.deepStrictEqual(issue(system, 0x3f8, 0x3ff), { _tag: "RevokeFirst" })
    remove(system, second)
    assert.strictEqual(typeof issue(system, 0x3f8, 0x3ff), "number")
    assert.deepStrictEqual(issue(system, 0x41f, 0x41f), { _tag: "RevokeFirst" })
    remove(system, neighbour)
    assert.strictEqual(typeof issue(system, 0x400, 0x41f), "number")
  })

  it("have numbers of 16 bits, whatever else is in the word, and the last is no lower than the first", () => {
    const system = boot()
    assert.deepStrictEqual(issue(system, 0x60, 0x5f), { _tag: "InvalidArgument", index: 1 })
    assert.deepStrictEqual(issue(system, 0x60, 0x1_005f), { _tag: "InvalidArgument", index: 1 })
    const all = issue(system, 0xffff_0000_0000_0000n, 2n ** 64n - 1n)
    assert(typeof all === "number")
    assert.deepStrictEqual(issue(system, 0x60, 0x60), { _tag: "RevokeFirst" })
    invoke(system, all, IOPort.In8.label, [0x1_0064])
    assert.deepStrictEqual(system.ports.log, ["in8 64"])
  })

  it("go into an empty slot alone", () => {
    const system = boot()
    assert.deepStrictEqual(issue(system, 0x3f8, 0x3ff, slots.tcb), { _tag: "DeleteFirst" })
    assert.strictEqual(typeof issue(system, 0x3f8, 0x3ff), "number")
  })

  it("cannot be given out by a copy of the right to: there is none", () => {
    const system = boot()
    const second = copy(system, slots.ioPortControl)
    assert(typeof second === "number")
    assert.strictEqual(kindIn(system, second), 0)
  })
})

describe("a range of IO ports", () => {
  it("reads and writes 8, 16 and 32 bits", () => {
    const system = boot()
    const ports = issued(system, 0x3f8, 0x3ff)
    system.ports.answer = 0xffff_fffe
    assert.deepStrictEqual(invoke(system, ports, IOPort.In8.label, [0x3fd]), [0xffff_fffen])
    invoke(system, ports, IOPort.In16.label, [0x3fc])
    invoke(system, ports, IOPort.In32.label, [0x3fc])
    invoke(system, ports, IOPort.Out8.label, [0x3f8, 0xfedc_ba98_7654_3210n])
    invoke(system, ports, IOPort.Out16.label, [0x3f8, 0xfedc_ba98_7654_3210n])
    invoke(system, ports, IOPort.Out32.label, [0x3f8, 0xfedc_ba98_7654_3210n])
    assert.deepStrictEqual(system.ports.log, [
      "in8 3fd",
      "in16 3fc",
      "in32 3fc",
      "out8 3f8 10",
      "out16 3f8 3210",
      "out32 3f8 76543210"
    ])
  })

  it("reaches no other port, not even with the rest of a wider access", () => {
    const system = boot()
    const ports = issued(system, 0x3f8, 0x3ff)
    for (const [method, port] of [
      [IOPort.In8, 0x3f7],
      [IOPort.In8, 0x400],
      [IOPort.In16, 0x3ff],
      [IOPort.In32, 0x3fd]
    ] as const) {
      assert.deepStrictEqual(invoke(system, ports, method.label, [port]), { _tag: "IllegalOperation" })
    }
    assert.isEmpty(system.ports.log)
  })

  it("does what its rights say", () => {
    const system = boot()
    const ports = issued(system, 0x3f8, 0x3ff)
    const readable = copy(system, ports, wordKeeping("IOPort", right.IOPort.in, false).bits)
    assert(typeof readable === "number")
    assert.deepStrictEqual(invoke(system, readable, IOPort.Out8.label, [0x3f8, 1]), { _tag: "IllegalOperation" })
    assert.deepStrictEqual(invoke(system, readable, IOPort.In8.label, [0x3f8]), [0n])
  })

  it("needs the words of its message", () => {
    const system = boot()
    const ports = issued(system, 0x3f8, 0x3ff)
    assert.deepStrictEqual(invoke(system, ports, IOPort.In8.label), { _tag: "TruncatedMessage" })
    assert.deepStrictEqual(invoke(system, ports, IOPort.Out8.label, [0x3f8]), { _tag: "TruncatedMessage" })
    assert.deepStrictEqual(invoke(system, ports, 1), { _tag: "IllegalOperation" })
  })
})
