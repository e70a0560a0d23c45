import { assert, describe, it } from "@effect/vitest"
import { paging } from "../../../src/hal/x86_64/entries.ts"
import * as Capability from "../../../src/kernel/Capability.ts"
import { slotOf, tcbSlot } from "../../../src/kernel/Tcb.ts"
import { ArchData } from "../../../src/kernel/x86_64/ArchData.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import { numberOf } from "../../../src/types/Kind.ts"
import { mappings, pcMemory } from "./machine.ts"
import { boot, gateRom, kindIn, register, untypedList } from "./system.ts"

describe("the root task", () => {
  const system = boot()
  const { info, memory, slot, state, thread } = system

  it("has the capabilities of the first slots", () => {
    const kinds = Object.fromEntries(Object.entries(slots).map(([name, index]) => [name, kindIn(system, index)]))
    assert.deepStrictEqual(kinds, {
      null: 0,
      tcb: numberOf.TCB,
      cnode: numberOf.CNode,
      addressSpace: numberOf.AddressSpace,
      irqControl: numberOf.IRQControl,
      asidControl: numberOf.ASIDControl,
      asidPool: numberOf.ASIDPool,
      ioPortControl: numberOf.IOPortControl,
      ioSpace: 0,
      bootInfoFrame: numberOf.Frame,
      ipcBuffer: numberOf.Frame,
      domain: numberOf.Domain,
      schedContext: numberOf.SchedContext
    })
  })

  it("finds its boot information by RDI, and starts at the gate with every other register 0", () => {
    const rdi = register(system, thread, "rdi")
    const page = mappings(memory, system.space).find(({ virtual }) => virtual === rdi)
    assert.strictEqual(page?.physical, system.infoFrame)
    assert.strictEqual(register(system, thread, "next"), 0x40_0000n)
    assert.strictEqual(register(system, thread, "rflags"), 0x202n)
    for (const name of ["rax", "rbx", "rcx", "rdx", "rsi", "rsp", "r15", "fsBase"] as const) {
      assert.strictEqual(register(system, thread, name), 0n)
    }
  })

  it("has the gate, its IPC buffer and its boot information mapped, and nothing else", () => {
    const pages = mappings(memory, system.space)
      .filter(({ virtual }) => virtual < 2n ** 47n)
      .map(({ virtual, write, execute, user }) => ({
        virtual,
        may: `${write ? "w" : "-"}${execute ? "x" : "-"}${user ? "u" : "-"}`
      }))
    assert.deepStrictEqual(pages, [
      { virtual: 0x40_0000n, may: "-xu" },
      { virtual: 0x40_1000n, may: "w-u" },
      { virtual: 0x40_2000n, may: "w-u" },
      { virtual: 0x40_3000n, may: "w-u" }
    ])
    assert.strictEqual(info("ipcBuffer"), 0x40_1000)
    assert.strictEqual(mappings(memory, system.space)[0]?.physical, gateRom)
  })

  it("can reach its IPC buffer by the capability in its TCB", () => {
    const frame = Capability.address(state, slot(slots.ipcBuffer))
    assert.strictEqual(state.architecture.buffer(state, thread, "write"), frame)
    assert.strictEqual(Capability.object(state, slotOf(thread, tcbSlot.addressSpace)), system.space)
  })

  it("holds a capability to every table and frame of its own", () => {
    for (let index = info("userImagePagingStart"); index < info("userImagePagingEnd"); index++) {
      assert.include([numberOf.PDPT, numberOf.PageDirectory, numberOf.PageTable], kindIn(system, index))
    }
    assert.strictEqual(info("userImagePagingEnd") - info("userImagePagingStart"), 3)
    assert.strictEqual(info("userImageFramesEnd") - info("userImageFramesStart"), 1)
    assert.strictEqual(Capability.address(state, slot(info("userImageFramesStart"))), gateRom)
    assert.strictEqual(kindIn(system, info("schedControlStart")), numberOf.SchedControl)
    assert.strictEqual(kindIn(system, info("emptyStart") - 1) === 0, false)
    assert.strictEqual(kindIn(system, info("emptyStart")), 0)
    assert.strictEqual(info("emptyEnd"), 8192)
  })

  it("is told the frequency of the time stamp counter", () => {
    const extra = Capability.address(state, slot(info("extraBIPagesStart")))
    assert.strictEqual(memory.load32(extra), 5)
    assert.strictEqual(memory.load32(extra + 8), 20)
    assert.strictEqual(memory.load32(extra + 16), 1000)
    assert.strictEqual(info("extraLength"), 0x1000)
  })

  it("is told which memory the machine has, as by a Multiboot loader", () => {
    const map = Capability.address(state, slot(info("extraBIPagesStart"))) + 20
    assert.strictEqual(memory.load32(map), 2)
    const entries = memory.load32(map + 16)
    assert.strictEqual(memory.load32(map + 8), 20 + entries)
    let bytes = 0
    for (let at = map + 20; at < map + 20 + entries; at += 24) bytes += memory.load32(at + 12)
    assert.strictEqual(bytes, 16 * 2 ** 20 - 0x6_0000)
    // Padding fills the rest.
    assert.strictEqual(memory.load32(map + 20 + entries), 0)
    assert.strictEqual(memory.load32(map + 28 + entries), 0x1000 - 40 - entries)
  })
})

describe("untyped memory at boot", () => {
  const system = boot()
  const list = untypedList(system)
  const overlaps = (a: { start: number; bits: number }, b: { start: number; bits: number }) =>
    a.start < b.start + 2 ** b.bits && b.start < a.start + 2 ** a.bits

  it("is listed with devices first, each a multiple of its size", () => {
    const firstMemory = list.findIndex(({ isDevice }) => !isDevice)
    assert.isTrue(list.slice(firstMemory).every(({ isDevice }) => !isDevice))
    assert.isTrue(list.slice(0, firstMemory).every(({ isDevice }) => isDevice))
    for (const { start, bits } of list) assert.strictEqual(start % 2 ** bits, 0)
  })

  it("is in the slots that the list names", () => {
    for (const { slot, start } of list) {
      assert.strictEqual(kindIn(system, slot), numberOf.Untyped)
      assert.strictEqual(Capability.address(system.state, system.slot(slot)), start)
    }
  })

  it("never overlaps itself, the kernel, its page tables, or an object of the root task", () => {
    for (const [index, a] of list.entries()) assert.isFalse(list.slice(index + 1).some((b) => overlaps(a, b)))
    const { machine, memory } = system
    const taken = [
      ...mappings(memory, system.space).filter(({ virtual }) => virtual < 2n ** 47n && virtual !== 0x40_0000n),
      { physical: system.space, bytes: 0x1000 },
      { physical: system.thread, bytes: 0x800 },
      { physical: system.slot(0), bytes: 2 ** 18 }
    ].map(({ physical, bytes }) => ({ start: physical, bits: Math.log2(bytes) }))
    for (const region of taken) assert.isFalse(list.some((block) => overlaps(block, region)))
    for (let page = machine.image.start; page < machine.image.end; page += 0x1000) {
      assert.isFalse(list.some((block) => overlaps(block, { start: page, bits: 12 })))
    }
  })

  it("is all memory but the kernel's, what its tables show, and the objects of the root task", () => {
    const { machine, memory, info } = system
    const pages = new Set<number>()
    const mark = (start: number, end: number) => {
      for (let page = start; page < end; page += 0x1000) pages.add(page)
    }
    const tables = (table: number, level: number) => {
      pages.add(table)
      for (let index = 0; index < 512; index++) {
        const [low, high] = [memory.load32(table + 8 * index), memory.load32(table + 8 * index + 4)]
        if ((low & 1) !== 0 && level < paging.levels.length - 1 && !paging.mapsPage(level, low))
          tables(paging.address(level, low, high), level + 1)
      }
    }
    for (const { start, bits, isDevice } of list) if (!isDevice) mark(start, start + 2 ** bits)
    assert.isFalse(pages.has(system.space))
    mark(machine.image.start, machine.image.end)
    tables(system.space, 0)
    tables(ArchData.kernelRoot.load(memory, machine.archData), 0)
    mark(system.slot(0), system.slot(2 ** 13))
    pages.add(system.thread)
    for (const index of [slots.asidPool, slots.bootInfoFrame, slots.ipcBuffer, info("extraBIPagesStart")])
      pages.add(Capability.address(system.state, system.slot(index)))

    const missing = pcMemory(16 * 2 ** 20).flatMap(({ start, end }) =>
      Array.from({ length: (end - start) / 0x1000 }, (_, index) => start + 0x1000 * index).filter(
        (page) => !pages.has(page)
      )
    )
    // An object at address 0 would be no object.
    assert.deepStrictEqual(missing, [0])
  })

  it("covers all that is no memory below 2^47 but the registers of IOAPIC and local APIC", () => {
    const devices = list.filter(({ isDevice }) => isDevice).reduce((sum, { bits }) => sum + 2 ** bits, 0)
    assert.strictEqual(devices, 2 ** 47 - (16 * 2 ** 20 - 0x6_0000) - 0x2000)
  })

  it("has the gate as a block of its own, used up where the root task has it mapped", () => {
    const gate = list.find(({ start }) => start === gateRom)
    assert.strictEqual(gate?.bits, 12)
  })
})
