import { assert, describe, it } from "@effect/vitest"
import * as Capability from "../../../src/kernel/Capability.ts"
import { slots } from "../../../src/types/BootInfo.ts"
import * as AddressSpace from "../../../src/types/methods/AddressSpace.ts"
import { failedLookup, invalidCapability, truncatedMessage } from "../../../src/types/SyscallError.ts"
import * as Frame from "../../../src/types/x86_64/methods/Frame.ts"
import * as PageDirectory from "../../../src/types/x86_64/methods/PageDirectory.ts"
import * as PageTable from "../../../src/types/x86_64/methods/PageTable.ts"
import * as PDPT from "../../../src/types/x86_64/methods/PDPT.ts"
import { walk } from "./machine.ts"
import { boot, copy, invoke, object, remove, type System } from "./system.ts"

const type = { PDPT: 7, PML4: 8, HugePage: 9, Page4K: 10, LargePage: 11, PageTable: 12, PageDirectory: 13 } as const
const vspace = slots.addressSpace

/** Places for objects: memory that the kernel has given to nobody. */
const at = (index: number) => 0x80_0000 + index * 0x1000
const readWrite = 0b11
const notExecutable = 0b1_0000

const V = 2 ** 40

/** The tables for 2 MiB at `V`. */
const withTables = () => {
  const system = boot()
  const pdpt = object(system, type.PDPT, at(0))
  const pd = object(system, type.PageDirectory, at(1))
  const pt = object(system, type.PageTable, at(2))
  assert.deepStrictEqual(invoke(system, pdpt, PDPT.Map.label, [V, 0], [vspace]), [])
  assert.deepStrictEqual(invoke(system, pd, PageDirectory.Map.label, [V, 0], [vspace]), [])
  assert.deepStrictEqual(invoke(system, pt, PageTable.Map.label, [V, 0], [vspace]), [])
  return { system, pdpt, pd, pt, frame: object(system, type.Page4K, at(3)) }
}

const map = (system: System, frame: number, address: number | bigint, rights = readWrite, space: number = vspace) =>
  invoke(system, frame, Frame.Map.label, [address, rights, 0], [space])
const seen = (system: System, address: number) => {
  const page = walk(system.memory, system.space, BigInt(address))
  return (
    page && {
      physical: page.physical,
      may: `${page.user ? "r" : "-"}${page.write ? "w" : "-"}${page.execute ? "x" : "-"}`
    }
  )
}

describe("mapping a frame", () => {
  it("makes it readable, writable and executable, as its rights say", () => {
    const { system, frame } = withTables()
    assert.deepStrictEqual(map(system, frame, V), [])
    assert.deepStrictEqual(seen(system, V), { physical: at(3), may: "rwx" })
  })

  it("again, where it is, changes its rights, and forgets the translation", () => {
    const { system, frame } = withTables()
    map(system, frame, V)
    assert.deepStrictEqual(map(system, frame, V, 0b10 | notExecutable), [])
    assert.deepStrictEqual(seen(system, V), { physical: at(3), may: "r--" })
    assert.deepStrictEqual(system.processor.invalidated, [`1:${V.toString(16)}`])
  })

  it("gives no right that the capability lacks", () => {
    const { system, frame } = withTables()
    const lent = copy(system, frame, 0b10 | notExecutable)
    assert(typeof lent === "number")
    map(system, lent, V)
    assert.deepStrictEqual(seen(system, V), { physical: at(3), may: "r--" })
  })

  it("without the right to read lets nobody in", () => {
    const { system, frame } = withTables()
    map(system, frame, V, 0b01)
    assert.deepStrictEqual(seen(system, V), { physical: at(3), may: "---" })
  })

  it("at a missing table says how many bits of the address are left", () => {
    const { system, frame } = withTables()
    const missing = (bitsLeft: number) => failedLookup("destination", { _tag: "MissingCapability", bitsLeft })
    assert.deepStrictEqual(map(system, frame, V + 2 ** 39), missing(39))
    assert.deepStrictEqual(map(system, frame, V + 2 ** 30), missing(30))
    assert.deepStrictEqual(map(system, frame, V + 2 ** 21), missing(21))
  })

  it("elsewhere while it is mapped is refused", () => {
    const { system, frame } = withTables()
    map(system, frame, V)
    assert.deepStrictEqual(map(system, frame, V + 0x1000), { _tag: "InvalidArgument", index: 0 })
  })

  it("is refused between pages, and beyond the user half up to its very end", () => {
    const { system, frame } = withTables()
    assert.deepStrictEqual(map(system, frame, V + 0x800), { _tag: "AlignmentError" })
    for (const address of [2 ** 47, 2 ** 47 - 0x1000, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_f000n]) {
      assert.deepStrictEqual(map(system, frame, address), { _tag: "InvalidArgument", index: 0 })
    }
  })

  it("is refused by what is no address space, or one without an ASID", () => {
    const { system, frame } = withTables()
    const unassigned = object(system, type.PML4, at(4))
    const invalid = invalidCapability(1)
    assert.deepStrictEqual(map(system, frame, V, readWrite, slots.cnode), invalid)
    assert.deepStrictEqual(map(system, frame, V, readWrite, unassigned), invalid)
  })

  it("is refused with a message too short, without words or without its capability", () => {
    const { system, frame } = withTables()
    assert.deepStrictEqual(invoke(system, frame, Frame.Map.label, [V, readWrite], [vspace]), truncatedMessage)
    assert.deepStrictEqual(invoke(system, frame, Frame.Map.label, [V, readWrite, 0]), truncatedMessage)
  })

  it("of 2 MiB takes the place of a page table, and is refused where one is", () => {
    const { system } = withTables()
    const large = object(system, type.LargePage, 0xa0_0000)
    assert.deepStrictEqual(map(system, large, V), { _tag: "DeleteFirst" })
    assert.deepStrictEqual(map(system, large, V + 0x1000), { _tag: "AlignmentError" })
    assert.deepStrictEqual(map(system, large, V + 2 ** 21), [])
    assert.deepStrictEqual(seen(system, V + 2 ** 21 + 0x1234), { physical: 0xa0_0000, may: "rwx" })
  })

  it("with an attribute says how it is cached: bits PWT, PCD and PAT of its entry", () => {
    const { system, frame } = withTables()
    const large = object(system, type.LargePage, 0xa0_0000)
    const bits = (target: number, entry: number, address: number, attribute: number) => {
      invoke(system, target, Frame.Map.label, [address, readWrite, attribute], [vspace])
      return system.memory.load32(entry) & (target === large ? 0x1098 : 0x98)
    }
    // A large page has PS where a small one has PAT.
    assert.deepStrictEqual(
      [0, 1, 2, 3, 4].map((n) => bits(frame, at(2), V, n)),
      [0, 0x08, 0x10, 0x18, 0x80]
    )
    assert.deepStrictEqual(
      [0, 4].map((n) => bits(large, at(1) + 8, V + 2 ** 21, n)),
      [0x80, 0x1080]
    )
    assert.deepStrictEqual(invoke(system, large, Frame.Unmap.label), [])
    assert.isUndefined(seen(system, V + 2 ** 21))
  })

  it("of 1 GiB needs a PDPT alone", () => {
    const { system } = withTables()
    const huge = object(system, type.HugePage, 2 ** 31, true)
    assert.deepStrictEqual(map(system, huge, V), { _tag: "DeleteFirst" })
    assert.deepStrictEqual(map(system, huge, V + 2 ** 30), [])
    assert.deepStrictEqual(seen(system, V + 2 ** 30), { physical: 2 ** 31, may: "rwx" })
  })

  it("of the kernel's own memory stops the machine: no such frame can be", () => {
    const { system } = withTables()
    const stolen = object(system, type.Page4K, system.machine.image.start)
    assert.throws(() => map(system, stolen, V), /kernel's own/)
    assert.isUndefined(seen(system, V))
  })
})

describe("unmapping a frame", () => {
  it("leaves nothing there, and no translation of it", () => {
    const { system, frame } = withTables()
    map(system, frame, V)
    assert.deepStrictEqual(invoke(system, frame, Frame.Unmap.label), [])
    assert.isUndefined(seen(system, V))
    assert.deepStrictEqual(system.processor.invalidated, [`1:${V.toString(16)}`])
    assert.deepStrictEqual(map(system, frame, V + 0x1000), [])
  })

  it("is nothing where it is not mapped", () => {
    const { system, frame } = withTables()
    assert.deepStrictEqual(invoke(system, frame, Frame.Unmap.label), [])
  })

  it("leaves what another capability has mapped over it", () => {
    const { system, frame } = withTables()
    const other = object(system, type.Page4K, at(5))
    map(system, frame, V)
    map(system, other, V)
    invoke(system, frame, Frame.Unmap.label)
    assert.deepStrictEqual(seen(system, V)?.physical, at(5))
  })

  it("happens when its capability is deleted, and leaves those of its copies", () => {
    const { system, frame } = withTables()
    const second = copy(system, frame)
    assert(typeof second === "number")
    map(system, frame, V)
    map(system, second, V + 0x1000)
    remove(system, second)
    assert.isUndefined(seen(system, V + 0x1000))
    assert.deepStrictEqual(seen(system, V)?.physical, at(3))
  })

  it("by the address space takes an address, and anything that is mapped there", () => {
    const { system, frame } = withTables()
    const unmap = (address: number) => invoke(system, vspace, AddressSpace.Unmap.label, [address])
    map(system, frame, V)
    assert.deepStrictEqual(unmap(V + 0x800), { _tag: "AlignmentError" })
    assert.deepStrictEqual(unmap(V), [])
    assert.isUndefined(seen(system, V))
    assert.deepStrictEqual(unmap(V), {
      _tag: "FailedLookup",
      wasSource: false,
      failure: { _tag: "MissingCapability", bitsLeft: 12 }
    })
    assert.deepStrictEqual(unmap(2 ** 47), { _tag: "InvalidArgument", index: 0 })
    assert.deepStrictEqual(map(system, frame, V), [])
  })
})

describe("a frame", () => {
  it("says where it is in physical memory", () => {
    const { system, frame } = withTables()
    const device = object(system, type.Page4K, 2 ** 40, true)
    assert.deepStrictEqual(invoke(system, frame, Frame.GetAddress.label), [BigInt(at(3))])
    assert.deepStrictEqual(invoke(system, device, Frame.GetAddress.label), [2n ** 40n])
  })

  it("has no other method", () => {
    const { system, frame } = withTables()
    assert.deepStrictEqual(invoke(system, frame, 12345), { _tag: "IllegalOperation" })
  })

  it("copied, is not mapped", () => {
    const { system, frame } = withTables()
    map(system, frame, V)
    const second = copy(system, frame)
    assert(typeof second === "number")
    assert.deepStrictEqual(map(system, second, V + 0x1000), [])
  })
})

describe("a page table", () => {
  it("is refused where one is, or a large page", () => {
    const { system } = withTables()
    const second = object(system, type.PageTable, at(6))
    assert.deepStrictEqual(invoke(system, second, PageTable.Map.label, [V + 0x1234, 0], [vspace]), {
      _tag: "DeleteFirst"
    })
  })

  it("is refused while it is mapped, and beyond the user half", () => {
    const { system, pt } = withTables()
    const second = object(system, type.PageTable, at(6))
    assert.deepStrictEqual(invoke(system, pt, PageTable.Map.label, [V + 2 ** 21, 0], [vspace]), {
      _tag: "InvalidCapability",
      index: 0
    })
    assert.deepStrictEqual(invoke(system, second, PageTable.Map.label, [2n ** 64n - 1n, 0], [vspace]), {
      _tag: "InvalidArgument",
      index: 0
    })
  })

  it("needs the directory above it", () => {
    const { system } = withTables()
    const second = object(system, type.PageTable, at(6))
    assert.deepStrictEqual(invoke(system, second, PageTable.Map.label, [V + 2 ** 30, 0], [vspace]), {
      _tag: "FailedLookup",
      wasSource: false,
      failure: { _tag: "MissingCapability", bitsLeft: 30 }
    })
  })

  it("unmapped, takes its pages along, and forgets them", () => {
    const { system, pt, frame } = withTables()
    map(system, frame, V)
    assert.deepStrictEqual(invoke(system, pt, PageTable.Unmap.label), [])
    assert.isUndefined(seen(system, V))
    assert.deepStrictEqual(system.processor.invalidated, ["1"])
    invoke(system, pt, PageTable.Map.label, [V, 0], [vspace])
    assert.isUndefined(seen(system, V))
  })

  it("is unmapped by the last capability to it alone", () => {
    const { system, pt } = withTables()
    const second = copy(system, pt)
    assert(typeof second === "number")
    assert.deepStrictEqual(invoke(system, second, PageTable.Unmap.label), { _tag: "RevokeFirst" })
    remove(system, second)
    assert.deepStrictEqual(invoke(system, pt, PageTable.Unmap.label), [])
  })

  it("can be copied only while it is mapped", () => {
    const { system, pt } = withTables()
    assert.strictEqual(typeof copy(system, pt), "number")
    const unmapped = object(system, type.PageTable, at(6))
    assert.deepStrictEqual(copy(system, unmapped), { _tag: "IllegalOperation" })
  })

  it("goes with its last capability", () => {
    const { system, pt, frame } = withTables()
    map(system, frame, V)
    const second = copy(system, pt)
    assert(typeof second === "number")
    remove(system, pt)
    assert.isDefined(seen(system, V))
    remove(system, second)
    assert.isUndefined(seen(system, V))
  })

  it("above which another is mapped, goes without harm when that is gone", () => {
    const { system, pd, pt, frame } = withTables()
    map(system, frame, V)
    remove(system, pd)
    assert.isUndefined(seen(system, V))
    remove(system, pt)
    remove(system, frame)
    assert.isTrue(Capability.isEmpty(system.state, system.slot(frame)))
  })
})
