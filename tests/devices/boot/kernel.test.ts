import { assert, describe, it } from "vitest"
import { describe as sentence } from "../../../src/devices/boot/BootError.ts"
import type { Payload } from "../../../src/devices/boot/Payload.ts"
import { Machine } from "../../../src/hal/x86_64/Machine.ts"
import { makePlain } from "../../../src/hal/x86_64/processor/plain.ts"
import { build } from "./kernels/build.ts"

const MiB = 2 ** 20

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const started = (payload: Payload, memoryBytes = 16 * MiB) => {
  let seen = ""
  const write = (byte: number) => {
    seen += String.fromCharCode(byte)
  }
  const machine = new Machine({ memoryBytes, reading: makePlain, console: { write } })
  const error = machine.loadKernel(payload)
  if (error !== undefined) return sentence(error)
  const stop = machine.run(5_000_000)
  assert.deepStrictEqual(stop, { _tag: "Exit", status: 7 }, `${seen}${machine.report()}`)
  return seen
}

const kernelOf = (image: Uint8Array): Payload => ({
  kernel: { name: "a.elf", bytes: image },
  initrd: { name: "first 1", bytes: bytes("one") },
  modules: [{ name: "second", bytes: bytes("another"), commandLine: "second 2" }],
  commandLine: "and more"
})

const map = `memory at 0
bytes 9FC00
type 1
memory at E0000
bytes 20000
type 2
memory at 100000
bytes F00000
type 1
`

describe("a Multiboot kernel", () => {
  const told = `magic 2BADB002
cr0 11
interrupts 0
told 24D
lower 27F
upper 3C00
command line 'a.elf and more'
loader 'Skyscope'
module 'first 1'
at page 0
one
module 'second 2'
at page 0
another
${map}`

  it("is loaded by its program headers, and told of memory, its command line and modules", () => {
    assert.strictEqual(started(kernelOf(build("multiboot"))), told)
  })

  it("is loaded by the addresses in its header, whatever the file is", () => {
    const image = build("multiboot", "-DADDRESSES", "-Wl,--oformat=binary")
    assert.strictEqual(started(kernelOf(image)), told)
  })

  it("is refused if it is truncated, or asks for what no loader knows", () => {
    const image = build("multiboot", "-DADDRESSES", "-Wl,--oformat=binary")
    assert.match(
      started(kernelOf(image.subarray(0, 300))),
      /^a.elf is cut off: the kernel at offset 0H needs \d+ bytes$/
    )
    const elf = build("multiboot")
    assert.match(started(kernelOf(elf.subarray(0, 500))), /^a.elf is cut off: segment 0 at offset/)
    const view = new DataView(elf.buffer)
    const at = elf.findIndex((_, n) => n % 4 === 0 && view.getUint32(n, true) === 0x1bad_b002)
    view.setUint32(at + 4, 0x13, true)
    view.setUint32(at + 8, -(0x1bad_b002 + 0x13), true)
    assert.match(
      started(kernelOf(elf)),
      /^a.elf asks in its Multiboot header, .* for what no loader knows \(flags 10H\)$/
    )
  })

  it("and its modules must fit", () => {
    const modules = [{ name: "large", bytes: new Uint8Array(8 * MiB), commandLine: "" }]
    const payload = { kernel: { name: "a.elf", bytes: build("multiboot") }, modules, commandLine: "" }
    assert.match(started(payload, 8 * MiB), /^large needs 8388608 bytes; the memory for it is \w+H to 800000H$/)
  })
})

describe("a Multiboot 2 kernel", () => {
  it("is told of memory, the ACPI tables, its command line and modules", () => {
    assert.strictEqual(
      started(kernelOf(build("multiboot2"))),
      `magic 36D76289
aligned 0
command line 'and more'
loader 'Skyscope'
module 'first 1'
one
module 'second 2'
another
lower 27F
upper 3C00
${map}rsdp RSD PTR 
rsdp RSD PTR 
all bytes 0
`
    )
  })

  it("is refused if it cannot do without what is not there", () => {
    assert.match(
      started(kernelOf(build("multiboot2", '-DTAG="7"'))),
      /^a.elf asks in its Multiboot header, at offset \w+H, for what this loader does not have \(tag 7\)$/
    )
  })
})

describe("a PVH kernel", () => {
  const told = `magic 336EC578
version 1
cr0 11
command line 'and more'
module 'first 1'
one
module 'second 2'
another
${map}rsdp RSD PTR 
`

  it("is entered where its note says, and told of memory, the ACPI tables, its command line and modules", () => {
    assert.strictEqual(started(kernelOf(build("pvh", "-Wl,-e,elsewhere"))), told)
  })

  it("without its note is entered where ELF says, and told the same", () => {
    const image = build("pvh")
    const note = image.findIndex((_, n) => new TextDecoder().decode(image.subarray(n, n + 3)) === "Xen")
    image[note] = 0
    assert.strictEqual(started(kernelOf(image)), told)
  })
})

describe("what is no kernel", () => {
  it("is refused in a sentence", () => {
    assert.match(
      started(kernelOf(bytes("#!/bin/sh\n".repeat(5000)))),
      /^a.elf is no kernel that can be started here: it is neither a Linux kernel \(bzImage\) nor an ELF file, and has no Multiboot header$/
    )
  })

  it("is refused if it is for another architecture", () => {
    const image = build("pvh")
    image[18] = 0xb7
    assert.strictEqual(started(kernelOf(image)), "a.elf: the machine (x86-64) at offset 12H is B7H, not 3EH")
  })
})
