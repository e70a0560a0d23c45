import { assert, describe, it } from "@effect/vitest"
import { paging } from "../../../src/hal/x86_64/entries.ts"
import { make } from "../../../src/kernel/x86_64/BootMemory.ts"
import { loadAddress, sections } from "../../../src/kernel/x86_64/Image.ts"
import { build } from "../../../src/kernel/x86_64/KernelTables.ts"
import { linked, window } from "../../../src/types/x86_64/KernelSpace.ts"
import { type Mapped, mappings, memoryOf, pcMemory } from "./machine.ts"

const MiB = 2 ** 20
const image = { start: loadAddress, end: loadAddress + (sections.at(-1)?.end ?? Number.NaN) }

/** The tables that a kernel builds of a machine with 16 MiB, and what they map. */
const built = () => {
  const ram = pcMemory(16 * MiB)
  const memory = memoryOf(new Uint8Array(16 * MiB))
  const free = make(memory, ram, [image])
  const pages: number[] = []
  const takePage = () => {
    const page = free.take("a page table", 0x1000)
    pages.push(page)
    return page
  }
  const root = build({ memory, paging }, ram, image, takePage)
  return { ram, memory, root, pages, mapped: mappings(memory, root) }
}

const { ram, mapped } = built()
const reaches = (address: number) => (page: Mapped) => page.physical <= address && address < page.physical + page.bytes
const pagesOf = (name: string) => {
  const section = sections.find((s) => s.name === name)
  assert.isDefined(section)
  return Array.from(
    { length: (section.end - section.start) / 0x1000 },
    (_, i) => loadAddress + section.start + i * 0x1000
  )
}
/** Where a page of memory is seen, and what may be done with it there. */
const seen = (address: number) =>
  mapped.filter(reaches(address)).map((page) => ({
    where: page.virtual >= linked ? "linked" : "window",
    may: `r${page.write ? "w" : "-"}${page.execute ? "x" : "-"}`
  }))

describe("the kernel's page tables", () => {
  it("show text to execute where it is linked, and read-only in the window", () => {
    for (const page of pagesOf("text")) {
      assert.deepStrictEqual(seen(page), [
        { where: "window", may: "r--" },
        { where: "linked", may: "r-x" }
      ])
    }
  })

  it("show rodata read-only in both places", () => {
    for (const page of pagesOf("rodata")) {
      assert.deepStrictEqual(seen(page), [
        { where: "window", may: "r--" },
        { where: "linked", may: "r--" }
      ])
    }
  })

  it("show data writable and never executable", () => {
    for (const page of pagesOf("data")) {
      assert.deepStrictEqual(seen(page), [
        { where: "window", may: "rw-" },
        { where: "linked", may: "rw-" }
      ])
    }
  })

  it("show all memory in the window, once, and nothing that is not memory", () => {
    for (let address = 0; address < 16 * MiB; address += 0x1000) {
      const here = mapped.filter((page) => page.virtual < linked && reaches(address)(page))
      const isRam = ram.some(({ start, end }) => start <= address && address < end)
      assert.strictEqual(here.length, isRam ? 1 : 0)
      for (const page of here) assert.strictEqual(page.virtual, window + BigInt(page.physical))
    }
  })

  it("execute nothing but text", () => {
    const executable = mapped.filter(({ execute }) => execute).map(({ physical }) => physical)
    assert.deepStrictEqual(executable, pagesOf("text"))
  })

  it("let users reach nothing, and leave their half empty", () => {
    assert.isEmpty(mapped.filter(({ user }) => user))
    assert.isEmpty(mapped.filter(({ virtual }) => virtual < 2n ** 47n))
  })

  it("use large pages where neither text nor rodata lies", () => {
    const small = mapped.filter(({ bytes, virtual }) => bytes === 0x1000 && virtual < linked)
    assert.isTrue(small.every(({ physical }) => physical < 2 * MiB))
    assert.isNotEmpty(mapped.filter(({ bytes }) => bytes === 2 * MiB))
  })

  it("show a GiB of memory as one page", () => {
    const memory = memoryOf(new Uint8Array(4 * MiB))
    const big = { start: 2 ** 30, end: 2 ** 31 }
    const free = make(memory, pcMemory(4 * MiB), [image])
    const root = build({ memory, paging }, [big], image, () => free.take("a page table", 0x1000))
    const inWindow = mappings(memory, root).filter(({ virtual }) => virtual < linked)
    assert.deepStrictEqual(
      inWindow.map(({ bytes, physical }) => ({ bytes, physical })),
      [{ bytes: 2 ** 30, physical: 2 ** 30 }]
    )
  })
})
