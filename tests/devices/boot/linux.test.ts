import { assert, describe, it } from "vitest"
import { describe as sentence } from "../../../src/devices/boot/BootError.ts"
import { Machine } from "../../../src/hal/x86_64/Machine.ts"
import { makeInterpreter } from "../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../src/hal/x86_64/processor/plain.ts"

const MiB = 2 ** 20
const preferred = 16 * MiB

/** A bzImage of one sector of setup, and these instructions at its 64-bit entry. */
const aKernel = ({
  code = [0xf4],
  version = 0x20f,
  xloadflags = 1,
  magic = 0x5372_6448
}: {
  code?: readonly number[]
  version?: number
  xloadflags?: number
  magic?: number
} = {}): Uint8Array => {
  const setupBytes = 2 * 512
  const bytes = new Uint8Array(setupBytes + 0x400)
  const view = new DataView(bytes.buffer)
  view.setUint8(0x1f1, 1)
  view.setUint32(0x1f4, 0x400 / 16, true)
  view.setUint16(0x200, 0x6aeb, true)
  view.setUint32(0x202, magic, true)
  view.setUint16(0x206, version, true)
  view.setUint16(0x236, xloadflags, true)
  view.setUint32(0x238, 2047, true)
  view.setUint32(0x258, preferred, true)
  view.setUint32(0x260, MiB, true)
  bytes.set(code, setupBytes + 0x200)
  return bytes
}

const noKernel =
  "vmlinuz is no kernel that can be started here: it is neither a Linux kernel (bzImage) nor an ELF file, and has no Multiboot header"

const aMachine = (memoryBytes = 32 * MiB) =>
  new Machine({ memoryBytes, reading: makePlain, console: { write: () => undefined } })
const file = (bytes: Uint8Array, name = "vmlinuz") => ({ name, bytes })

describe("a Linux kernel", () => {
  it("is entered in 64-bit mode, 200H behind its load address, with the zero page in RSI", () => {
    const machine = aMachine()
    // MOV RAX, [RSI + 228H]; HLT
    const code = [0x48, 0x8b, 0x86, 0x28, 2, 0, 0, 0xf4]
    assert.isUndefined(machine.loadKernel({ kernel: file(aKernel({ code })), commandLine: "quiet" }))
    assert.deepStrictEqual(machine.run(100), { _tag: "Idle" })

    const line = machine.core.low(0)
    assert.strictEqual(new TextDecoder().decode(machine.memory.ram(line, 6)), "quiet\0")
  })

  it("is told of its memory, its initial RAM disk and the ACPI tables", () => {
    const machine = aMachine()
    const initrd = Uint8Array.from({ length: 5000 }, (_, n) => n)
    machine.loadKernel({ kernel: file(aKernel()), initrd: file(initrd), commandLine: "" })

    const rsi = machine.core.low(6 * 8)
    const page = machine.memory.ram(rsi, 4096)
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
    const disk = view.getUint32(0x218, true)
    assert.deepStrictEqual(machine.memory.ram(disk, view.getUint32(0x21c, true)), initrd)
    const rsdp = view.getUint32(0x70, true)
    assert.strictEqual(new TextDecoder().decode(machine.memory.ram(rsdp, 8)), "RSD PTR ")
    const map = Array.from({ length: view.getUint8(0x1e8) }, (_, n) =>
      [0, 8, 16].map((field) => view.getUint32(0x2d0 + 20 * n + field, true))
    )
    assert.deepStrictEqual(map, [
      [0, 0x9_fc00, 1],
      [0xe_0000, 0x2_0000, 2],
      [MiB, 31 * MiB, 1]
    ])
  })

  it.each([
    ["what is none", aKernel({ magic: 0 }), noKernel],
    ["too short a file", new Uint8Array(100), noKernel],
    [
      "an old one",
      aKernel({ version: 0x20a }),
      "vmlinuz speaks boot protocol 2.10; 64-bit kernels speak 2.12 or later"
    ],
    [
      "one of 32 bits",
      aKernel({ xloadflags: 0 }),
      "vmlinuz has no 64-bit entry: it is a kernel for another architecture"
    ],
    [
      "a truncated one",
      aKernel().subarray(0, 1500),
      "vmlinuz is cut off: the kernel behind its setup at offset 400H needs 1024 bytes"
    ]
  ])("is refused with a sentence: %s", (_what, bytes, why) => {
    assert.strictEqual(sentence(aMachine().loadKernel({ kernel: file(bytes), commandLine: "" })!), why)
  })

  it("is refused if it, its initial RAM disk or its command line do not fit", () => {
    const kernel = file(aKernel())
    assert.strictEqual(
      sentence(aMachine(8 * MiB).loadKernel({ kernel, commandLine: "" })!),
      "vmlinuz needs 1048576 bytes; the memory for it is 1000000H to 800000H"
    )
    const initrd = file(new Uint8Array(16 * MiB), "initrd")
    assert.strictEqual(
      sentence(aMachine().loadKernel({ kernel, initrd, commandLine: "" })!),
      "initrd needs 16777216 bytes; the memory for it is 1100000H to 2000000H"
    )
    assert.strictEqual(
      sentence(aMachine().loadKernel({ kernel, commandLine: "x".repeat(3000) })!),
      "the command line has 3000 characters; the kernel takes 2047"
    )
  })
})

describe("a reset", () => {
  const cf9 = [0x66, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee]
  const keyboard = [0xb0, 0xfe, 0xe6, 0x64]
  /** UD2, and no IDT. */
  const tripleFault = [0x0f, 0x0b]
  /** INIT by the xAPIC's ICR, to all. */
  const init = [0xb8, ...[0x00, 0x03, 0xe0, 0xfe], 0xc7, 0x00, ...[0x00, 0x45, 0x08, 0x00], 0x90]
  /** Counts in memory at 5000H, which outlives resets: the third time it halts. INC; CMP; JE. */
  const counting = (ask: readonly number[]) => [
    ...[0xff, 0x04, 0x25, 0, 0x50, 0, 0],
    ...[0x83, 0x3c, 0x25, 0, 0x50, 0, 0, 3, 0x74, ask.length],
    ...ask,
    0xf4
  ]
  const started = (ask: readonly number[], hardware: Partial<ConstructorParameters<typeof Machine>[0]>) => {
    const machine = new Machine({
      memoryBytes: 32 * MiB,
      reading: makeInterpreter,
      console: { write: () => undefined },
      ...hardware
    })
    machine.loadKernel({ kernel: file(aKernel({ code: counting(ask) })), commandLine: "" })
    return machine
  }
  const count = (machine: Machine) => machine.memory.ram(0x5000, 1)[0]

  it.each([
    ["port CF9H", cf9],
    ["the keyboard controller", keyboard],
    ["INIT to the first processor", init]
  ])("by %s starts what was loaded again", (_by, ask) => {
    const machine = started(ask, { onReset: "start" })
    assert.deepStrictEqual(machine.run(1000), { _tag: "Idle" })
    assert.strictEqual(count(machine), 3)
  })

  it("is the end if nothing else was asked for", () => {
    const machine = started(cf9, {})
    assert.deepStrictEqual(machine.run(1000), { _tag: "Reset" })
    assert.strictEqual(count(machine), 1)
  })

  it("is what a triple fault leads to, if that was asked for", () => {
    assert.deepStrictEqual(started(tripleFault, { onReset: "start" }).run(1000), { _tag: "TripleFault" })
    assert.deepStrictEqual(started(tripleFault, { onTripleFault: "reset" }).run(1000), { _tag: "Reset" })
    const machine = started(tripleFault, { onReset: "start", onTripleFault: "reset" })
    assert.deepStrictEqual(machine.run(1000), { _tag: "Idle" })
    assert.strictEqual(count(machine), 3)
  })

  it("lets the other processors wait to be started", () => {
    const machine = started(cf9, { onReset: "start", processors: 3 })
    assert.deepStrictEqual(machine.run(1000), { _tag: "Idle" })
    assert.strictEqual(count(machine), 3)
  })
})
