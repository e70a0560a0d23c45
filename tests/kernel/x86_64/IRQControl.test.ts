import { assert, describe, it } from "@effect/vitest"
import { slots } from "../../../src/types/BootInfo.ts"
import { numberOf } from "../../../src/types/Kind.ts"
import * as Get from "../../../src/types/methods/IRQControl.ts"
import * as IRQControl from "../../../src/types/x86_64/methods/IRQControl.ts"
import { boot, copy, invoke, kindIn, remove, type System } from "./system.ts"

const getMSI = (system: System, vector: number, into = system.empty(), device = [0, 3, 0]) => {
  const words = [into, 64, ...device, 0, vector]
  const answer = invoke(system, slots.irqControl, IRQControl.GetMSI.label, words, [slots.cnode])
  return Array.isArray(answer) ? into : answer
}

describe("message-signalled interrupts", () => {
  it("have a handler each, of the number that the program chose", () => {
    const system = boot()
    const first = getMSI(system, 0)
    const last = getMSI(system, 109)
    assert(typeof first === "number" && typeof last === "number")
    assert.strictEqual(kindIn(system, first), numberOf.IRQHandler)
    assert.strictEqual(system.memory.load32(system.slot(last) + 8), 109)
    assert.deepStrictEqual(getMSI(system, 110), { _tag: "RangeError", min: 0, max: 109 })
  })

  it("are given out again when the last handler is gone", () => {
    const system = boot()
    const handler = getMSI(system, 7)
    assert(typeof handler === "number")
    const second = copy(system, handler)
    assert(typeof second === "number")
    getMSI(system, 8)
    assert.deepStrictEqual(getMSI(system, 7), { _tag: "RevokeFirst" })
    remove(system, handler)
    assert.deepStrictEqual(getMSI(system, 7), { _tag: "RevokeFirst" })
    remove(system, second)
    assert.strictEqual(typeof getMSI(system, 7), "number")
  })

  it("come from a bus, a device and a function that there can be", () => {
    const system = boot()
    const slot = system.empty()
    assert.deepStrictEqual(getMSI(system, 0, slot, [256, 0, 0]), { _tag: "RangeError", min: 0, max: 255 })
    assert.deepStrictEqual(getMSI(system, 0, slot, [0, 32, 0]), { _tag: "RangeError", min: 0, max: 31 })
    assert.deepStrictEqual(getMSI(system, 0, slot, [0, 0, 8]), { _tag: "RangeError", min: 0, max: 7 })
  })
})

describe("other interrupts", () => {
  it("have no handler by number alone", () => {
    const system = boot()
    const answer = invoke(system, slots.irqControl, Get.Get.label, [1, system.empty(), 64], [slots.cnode])
    assert.deepStrictEqual(answer, { _tag: "IllegalOperation" })
  })
})
