import { assert, describe, it } from "@effect/vitest"
import { guestPaging } from "../../../src/hal/x86_64/entries.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import * as AddressSpace from "../../../src/types/methods/AddressSpace.ts"
import { right, wordKeeping } from "../../../src/types/Rights.ts"
import * as SyscallError from "../../../src/types/SyscallError.ts"
import * as ASIDPool from "../../../src/types/x86_64/methods/ASIDPool.ts"
import * as EPTPD from "../../../src/types/x86_64/methods/EPTPD.ts"
import * as EPTPDPT from "../../../src/types/x86_64/methods/EPTPDPT.ts"
import * as EPTPT from "../../../src/types/x86_64/methods/EPTPT.ts"
import * as Frame from "../../../src/types/x86_64/methods/Frame.ts"
import * as PDPT from "../../../src/types/x86_64/methods/PDPT.ts"
import { boot, copy, invoke, object, remove, type System } from "./system.ts"

const type = { huge: 9, page: 10, large: 11, PML4: 16, PDPT: 17, PD: 18, PT: 19 } as const
const at = (index: number) => 0x80_0000 + index * 0x1000
const MiB = 2 ** 20
const writeBack = 6
const all = 0xf

interface Guest {
  readonly system: System
  readonly root: number
  readonly pdpt: number
  readonly directory: number
  readonly table: number
}

/** A guest's memory with the tables for its first 2 MiB. */
const guest = (): Guest => {
  const system = boot()
  const [root, pdpt, directory, table] = [type.PML4, type.PDPT, type.PD, type.PT].map((number, index) =>
    object(system, number, at(index))
  ) as [number, number, number, number]
  assert.deepStrictEqual(invoke(system, slots.asidPool, ASIDPool.Assign.label, [], [root]), [])
  assert.deepStrictEqual(invoke(system, pdpt, EPTPDPT.Map.label, [0, 0], [root]), [])
  assert.deepStrictEqual(invoke(system, directory, EPTPD.Map.label, [0, 0], [root]), [])
  assert.deepStrictEqual(invoke(system, table, EPTPT.Map.label, [0, 0], [root]), [])
  return { system, root, pdpt, directory, table }
}

const map = ({ system, root }: Guest, frame: number, gpa: number | bigint, rights = all, attr = writeBack) =>
  invoke(system, frame, Frame.MapEPT.label, [gpa, rights, attr], [root])

/** The entry that translates a guest's physical address: the machine's address, and what it allows (R W X). */
const translation = ({ system: { memory } }: Guest, gpa: number) => {
  let table = at(0)
  for (const [level, { shift }] of guestPaging.levels.entries()) {
    const entry = table + 8 * (Math.floor(gpa / 2 ** shift) % 512)
    const low = memory.load32(entry)
    if (!guestPaging.present(low)) return undefined
    const address = guestPaging.address(level, low, memory.load32(entry + 4))
    if (guestPaging.mapsPage(level, low)) return { address, allows: low & 7, memoryType: (low >>> 3) & 7 }
    table = address
  }
  return undefined
}

describe("a guest's memory", () => {
  it("is made of frames, at the rights and with the memory type that its monitor says", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    assert.deepStrictEqual(map(it, frame, 0x5000), [])
    assert.deepStrictEqual(translation(it, 0x5000), { address: at(16), allows: 0b111, memoryType: 6 })
    const readOnly = object(it.system, type.page, at(17))
    assert.deepStrictEqual(map(it, readOnly, 0x6000, 0b10, 0), [])
    assert.deepStrictEqual(translation(it, 0x6000), { address: at(17), allows: 0b101, memoryType: 0 })
  })

  it("is written only where the frame's capability may be written, and executed where it may be executed", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    const keep = wordKeeping("Frame", right.Frame.read, false)
    const readable = copy(it.system, frame, keep.bits)
    assert(typeof readable === "number")
    assert.deepStrictEqual(map(it, readable, 0x5000), [])
    assert.strictEqual(translation(it, 0x5000)?.allows, 0b001)
  })

  it("may have pages of 2 MiB and of 1 GiB", () => {
    const it = guest()
    const large = object(it.system, type.large, 10 * MiB)
    assert.deepStrictEqual(map(it, large, 4 * MiB), [])
    assert.deepStrictEqual(translation(it, 4 * MiB), { address: 10 * MiB, allows: 0b111, memoryType: 6 })
    const huge = object(it.system, type.huge, 2 ** 30)
    assert.deepStrictEqual(map(it, huge, 2 ** 30), [])
    assert.deepStrictEqual(translation(it, 2 ** 30), { address: 2 ** 30, allows: 0b111, memoryType: 6 })
  })

  it("is refused where a table is missing, something is mapped, or the address or memory type is none", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    assert.deepStrictEqual(
      map(it, frame, 2 * MiB),
      SyscallError.failedLookup("destination", { _tag: "MissingCapability", bitsLeft: 21 })
    )
    assert.deepStrictEqual(map(it, frame, 0x5800), { _tag: "AlignmentError" })
    assert.deepStrictEqual(map(it, frame, 2n ** 47n), { _tag: "InvalidArgument", index: 0 })
    assert.deepStrictEqual(map(it, frame, 0x5000, all, 2), { _tag: "InvalidArgument", index: 2 })
    map(it, frame, 0x5000)
    assert.deepStrictEqual(map(it, object(it.system, type.page, at(17)), 0x5000), { _tag: "DeleteFirst" })
    assert.deepStrictEqual(map(it, frame, 0x7000), { _tag: "InvalidCapability", index: 0 })
  })

  it("loses a frame that is unmapped, or whose capability is deleted, at once", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    map(it, frame, 0x5000)
    it.system.virtualization.log.length = 0
    assert.deepStrictEqual(invoke(it.system, frame, Frame.Unmap.label), [])
    assert.isUndefined(translation(it, 0x5000))
    assert.deepStrictEqual(it.system.virtualization.log, ["guest physical one 80001e"])
    map(it, frame, 0x5000)
    remove(it.system, frame)
    assert.isUndefined(translation(it, 0x5000))
  })

  it("loses what a table translates when the table is unmapped or deleted", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    map(it, frame, 0x5000)
    assert.deepStrictEqual(invoke(it.system, it.table, EPTPT.Unmap.label), [])
    assert.isUndefined(translation(it, 0x5000))
    invoke(it.system, it.table, EPTPT.Map.label, [0, 0], [it.root])
    // The table was cleared.
    assert.isUndefined(translation(it, 0x5000))
    remove(it.system, it.directory)
    assert.isUndefined(translation(it, 0x5000))
  })

  it("has nothing of an address space, and an address space nothing of it", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    const { system } = it
    assert.deepStrictEqual(invoke(system, frame, Frame.MapEPT.label, [0x5000, all, 6], [slots.addressSpace]), {
      _tag: "InvalidCapability",
      index: 1
    })
    assert.deepStrictEqual(invoke(system, frame, Frame.Map.label, [0x5000, all, 0], [it.root]), {
      _tag: "InvalidCapability",
      index: 1
    })
    const pdpt = object(system, 7, at(20))
    assert.deepStrictEqual(invoke(system, pdpt, PDPT.Map.label, [2 ** 40, 0], [it.root]), {
      _tag: "InvalidCapability",
      index: 1
    })
    assert.deepStrictEqual(invoke(system, it.root, AddressSpace.Unmap.label, [0x5000]), { _tag: "IllegalOperation" })
  })

  it("ends with its root: what was mapped is unmapped without it, and translations are gone", () => {
    const it = guest()
    const frame = object(it.system, type.page, at(16))
    map(it, frame, 0x5000)
    it.system.virtualization.log.length = 0
    remove(it.system, it.root)
    assert.deepStrictEqual(it.system.virtualization.log, ["guest physical one 80001e"])
    assert.deepStrictEqual(invoke(it.system, frame, Frame.Unmap.label), [])
    assert.deepStrictEqual(map({ ...it, root: slots.cnode }, frame, 0x5000), { _tag: "InvalidCapability", index: 1 })
  })

  it("needs an ASID", () => {
    const system = boot()
    const root = object(system, type.PML4, at(0))
    const pdpt = object(system, type.PDPT, at(1))
    assert.deepStrictEqual(invoke(system, pdpt, EPTPDPT.Map.label, [0, 0], [root]), {
      _tag: "InvalidCapability",
      index: 1
    })
    assert.deepStrictEqual(copy(system, root), { _tag: "IllegalOperation" })
  })

  it("is refused whole by a machine that runs no guests", () => {
    const system = boot(undefined, undefined, undefined, "no guests")
    const root = object(system, type.PML4, at(0))
    assert.deepStrictEqual(invoke(system, slots.asidPool, ASIDPool.Assign.label, [], [root]), {
      _tag: "IllegalOperation"
    })
    for (const [what, label] of [
      [object(system, type.PDPT, at(1)), EPTPDPT.Map.label],
      [object(system, type.PD, at(2)), EPTPD.Map.label],
      [object(system, type.PT, at(3)), EPTPT.Map.label]
    ] as const)
      assert.deepStrictEqual(invoke(system, what, label, [0, 0], [root]), { _tag: "IllegalOperation" })
    const frame = object(system, type.page, at(4))
    assert.deepStrictEqual(invoke(system, frame, Frame.MapEPT.label, [0, all, 6], [root]), { _tag: "IllegalOperation" })
  })
})
