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

const getIOAPIC = (system: System, words: readonly number[], into = system.empty()) => {
  const answer = invoke(system, slots.irqControl, IRQControl.GetIOAPIC.label, [into, 64, ...words], [slots.cnode])
  return Array.isArray(answer) ? into : answer
}

describe("interrupts of lines", () => {
  it("are routed to the vector of their number, and come from then on", () => {
    const system = boot()
    const handler = getIOAPIC(system, [0, 16, 1, 1, 5])
    assert(typeof handler === "number")
    assert.strictEqual(kindIn(system, handler), numberOf.IRQHandler)
    assert.deepStrictEqual(system.lines.log, ["0:16 is 53 level low", "0:16 on"])
  })

  it("are masked by the number of their handler, and no longer once a message has that number", () => {
    const system = boot()
    const handler = getIOAPIC(system, [0, 4, 0, 0, 5])
    assert(typeof handler === "number")
    system.lines.log.length = 0
    system.state.architecture.maskInterrupt(system.state, 5, true)
    system.state.architecture.maskInterrupt(system.state, 6, true)
    system.state.architecture.maskInterrupt(system.state, 5, false)
    assert.deepStrictEqual(system.lines.log, ["0:4 off", "0:4 on"])
    remove(system, handler)
    getMSI(system, 5)
    system.state.architecture.maskInterrupt(system.state, 5, true)
    assert.deepStrictEqual(system.lines.log.length, 2)
  })

  it("have a pin that there is, a trigger and a polarity", () => {
    const system = boot()
    for (const [words, max] of [
      [[1, 0, 0, 0, 5], 0],
      [[0, 24, 0, 0, 5], 23],
      [[0, 4, 2, 0, 5], 1],
      [[0, 4, 0, 2, 5], 1],
      [[0, 4, 0, 0, 110], 109]
    ] as const)
      assert.deepStrictEqual(getIOAPIC(system, words), { _tag: "RangeError", min: 0, max })
    assert.deepStrictEqual(system.lines.log, [])
  })
})

describe("other interrupts", () => {
  it("have no handler by number alone", () => {
    const system = boot()
    const answer = invoke(system, slots.irqControl, Get.Get.label, [1, system.empty(), 64], [slots.cnode])
    assert.deepStrictEqual(answer, { _tag: "IllegalOperation" })
  })
})
