import { assert, describe, it } from "@effect/vitest"
import { slotOf, tcbSlot } from "../../../src/kernel/Tcb.ts"
import { ArchData } from "../../../src/kernel/x86_64/ArchData.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import { linked } from "../../../src/types/x86_64/KernelSpace.ts"
import * as ASIDControl from "../../../src/types/x86_64/methods/ASIDControl.ts"
import * as ASIDPool from "../../../src/types/x86_64/methods/ASIDPool.ts"
import * as Frame from "../../../src/types/x86_64/methods/Frame.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { mappings } from "./machine.ts"
import { boot, copy, invoke, object, remove, type System, untypedList } from "./system.ts"

const PML4 = 8
const at = (index: number) => 0x80_0000 + index * 0x1000

const assign = (system: System, space: number, pool: number = slots.asidPool) =>
  invoke(system, pool, ASIDPool.Assign.label, [], [space])

const root = (system: System) => system.processor.system.get(SystemRegister.CR3)

describe("an address space that gets an ASID", () => {
  it("gets the kernel's half", () => {
    const system = boot()
    const space = object(system, PML4, at(0))
    assert.deepStrictEqual(assign(system, space), [])
    const kernel = ArchData.kernelRoot.load(system.memory, system.machine.archData)
    assert.deepStrictEqual(mappings(system.memory, at(0)), mappings(system.memory, kernel))
    assert.isNotEmpty(mappings(system.memory, at(0)).filter(({ virtual }) => virtual >= linked))
  })

  it("gets one only once", () => {
    const system = boot()
    const space = object(system, PML4, at(0))
    assign(system, space)
    assert.deepStrictEqual(assign(system, space), { _tag: "InvalidCapability", index: 1 })
    assert.deepStrictEqual(assign(system, slots.cnode), { _tag: "InvalidCapability", index: 1 })
  })

  it("can be copied, and before not", () => {
    const system = boot()
    const space = object(system, PML4, at(0))
    assert.deepStrictEqual(copy(system, space), { _tag: "IllegalOperation" })
    assign(system, space)
    assert.strictEqual(typeof copy(system, space), "number")
  })
})

describe("an ASID pool", () => {
  it("gives out 512 ASIDs but for the one that is nobody's", () => {
    const system = boot()
    // The root task's is the first of them.
    for (let index = 2; index < 512; index++) {
      assert.deepStrictEqual(assign(system, object(system, PML4, at(index))), [])
    }
    assert.deepStrictEqual(assign(system, object(system, PML4, at(600))), { _tag: "DeleteFirst" })
  })

  it("is made of untyped memory of a page that nothing is in", () => {
    const system = boot()
    const { machine } = system
    const memory = untypedList(system).filter(({ isDevice }) => !isDevice)
    const page = memory.find(({ bits }) => bits === 12)
    const larger = memory.find(({ bits }) => bits > 12)
    assert.isDefined(page)
    assert.isDefined(larger)
    const make = (untyped: number, into: number) =>
      invoke(system, slots.asidControl, ASIDControl.MakePool.label, [into, 64], [untyped, slots.cnode])
    const into = system.empty()
    assert.deepStrictEqual(make(larger.slot, into), { _tag: "InvalidCapability", index: 1 })
    assert.deepStrictEqual(make(page.slot, slots.tcb), { _tag: "DeleteFirst" })
    assert.deepStrictEqual(make(page.slot, into), [])
    assert.deepStrictEqual(make(page.slot, system.empty()), { _tag: "RevokeFirst" })

    const space = object(system, PML4, at(0))
    assert.deepStrictEqual(assign(system, space, into), [])
    assert.deepStrictEqual(system.memory.load32(system.slot(space) + 8), 512)
    assert.strictEqual(machine.paging.entries, 512)
  })

  it("deleted, takes its ASIDs along", () => {
    const system = boot()
    const frame = object(system, 10, at(5))
    remove(system, slots.asidPool)
    assert.deepStrictEqual(invoke(system, frame, Frame.Map.label, [0x40_4000, 3, 0], [slots.addressSpace]), {
      _tag: "FailedLookup",
      wasSource: false,
      failure: { _tag: "InvalidRoot" }
    })
    assert.include(system.processor.invalidated, "1")
  })
})

describe("the address space in force", () => {
  it("is that of the thread to run, tagged with its ASID, and no translation is forgotten", () => {
    const system = boot()
    system.state.architecture.switchTo(system.state, system.thread)
    assert.strictEqual(root(system), BigInt(system.space) | 1n | (1n << 63n))
  })

  it("does not change when it need not", () => {
    const system = boot()
    system.state.architecture.switchTo(system.state, system.thread)
    system.processor.system.delete(SystemRegister.CR3)
    system.state.architecture.switchTo(system.state, system.thread)
    assert.isUndefined(root(system))
  })

  it("is the kernel's own while nobody runs, and of a thread whose own is gone", () => {
    const system = boot()
    const { architecture } = system.state
    const kernel = BigInt(ArchData.kernelRoot.load(system.memory, system.machine.archData)) | (1n << 63n)
    architecture.switchTo(system.state, system.thread)
    architecture.idle(system.state)
    assert.strictEqual(root(system), kernel)

    architecture.switchTo(system.state, system.thread)
    remove(system, slots.asidPool)
    assert.strictEqual(root(system), kernel)
    architecture.switchTo(system.state, system.thread)
    assert.strictEqual(root(system), kernel)
  })

  it("stays while there is a capability to it, and is the kernel's with the last one gone", () => {
    const system = boot()
    const { state, slot } = system
    state.architecture.switchTo(state, system.thread)
    remove(system, slots.addressSpace)
    assert.strictEqual(root(system), BigInt(system.space) | 1n | (1n << 63n))
    const own = (slotOf(system.thread, tcbSlot.addressSpace) - slot(0)) / 32
    remove(system, own)
    assert.strictEqual((root(system) ?? 0n) & 0xfffn, 0n)
    assert.include(system.processor.invalidated, "1")
  })
})
