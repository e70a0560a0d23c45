import { assert, describe, it } from "@effect/vitest"
import { Halt } from "../../../src/hal/Gates.ts"
import { write } from "../../../src/kernel/x86_64/Elf.ts"
import { Offset } from "../../../src/kernel/x86_64/Image.ts"
import { SystemRegister } from "../../../src/types/x86_64/SystemRegister.ts"
import { linked, machine } from "./booted.ts"
import { mappings } from "./machine.ts"

const bit = (n: number) => 1n << BigInt(n)

/** A program of one page that says nothing. */
const program = (entry = 0x40_0000n) =>
  write({
    entry,
    segments: [
      {
        virtual: 0x40_0000n,
        physical: 0x40_0000n,
        bytes: new Uint8Array([0x0f, 0x0b]),
        memoryBytes: 0x1000,
        writable: false,
        executable: true
      }
    ]
  })

describe("boot", () => {
  it("ends in the root task, by IRET, with interrupts on", () => {
    const pc = machine()
    assert.deepStrictEqual(pc.boot(), { by: "iret", rflags: 0x202n })
    assert.strictEqual(pc.get("rip"), 0x40_0000n)
    assert.strictEqual(pc.get("rdi"), 0x40_2000n)
    assert.strictEqual(pc.get("rbx"), 0n)
  })

  it("turns on what protects the kernel", () => {
    const { boot, processor } = machine()
    boot()
    const cr4 = processor.system.get(SystemRegister.CR4) ?? 0n
    const cr0 = processor.system.get(SystemRegister.CR0) ?? 0n
    const efer = processor.system.get(SystemRegister.IA32_EFER) ?? 0n
    // PGE, UMIP, FSGSBASE, PCIDE, SMEP, SMAP
    for (const n of [7, 11, 16, 17, 20, 21]) assert.notStrictEqual(cr4 & bit(n), 0n, `CR4 bit ${n}`)
    assert.notStrictEqual(cr0 & bit(16), 0n, "CR0.WP")
    assert.notStrictEqual(efer & bit(0), 0n, "SCE")
    assert.notStrictEqual(efer & bit(11), 0n, "NXE")
  })

  it("sends SYSCALL and interrupts to the image's stubs, with AC, NT, DF, IF and TF clear", () => {
    const { boot, processor } = machine()
    boot()
    const value = (register: number) => processor.system.get(register)
    assert.strictEqual(value(SystemRegister.IA32_LSTAR), linked + BigInt(Offset.syscall))
    assert.strictEqual(value(SystemRegister.IA32_STAR), 0x0013_0008_0000_0000n)
    assert.strictEqual(value(SystemRegister.IDTR_BASE), linked + BigInt(Offset.idt))
    assert.strictEqual(value(SystemRegister.IDTR_LIMIT), 0xfffn)
    assert.strictEqual(value(SystemRegister.GDTR_BASE), linked + BigInt(Offset.gdt))
    assert.strictEqual(value(SystemRegister.TR), 0x28n)
    const mask = value(SystemRegister.IA32_FMASK) ?? 0n
    for (const n of [8, 9, 10, 12, 13, 14, 18]) assert.notStrictEqual(mask & bit(n), 0n, `FMASK bit ${n}`)
  })

  it("has the timer interrupt once at its deadline", () => {
    const { boot, processor } = machine()
    boot()
    assert.strictEqual((processor.system.get(SystemRegister.IA32_APIC_BASE) ?? 0n) & 0xc00n, 0xc00n)
    assert.strictEqual(processor.system.get(SystemRegister.X2APIC_LVT_TIMER), 0x4_009en)
    assert.strictEqual(processor.system.get(SystemRegister.X2APIC_SPURIOUS), 0x1ffn)
  })

  it("runs a module's program with its pages at their rights", () => {
    const pc = machine({ modules: [{ name: "root", bytes: program() }], commandLine: "" })
    pc.boot()
    assert.strictEqual(pc.get("rip"), 0x40_0000n)
    const cr3 = pc.processor.system.get(SystemRegister.CR3) ?? 0n
    const root = Number(BigInt.asUintN(52, cr3) & ~0xfffn)
    const [image] = mappings(pc.memory, root)
    assert.deepStrictEqual(
      { virtual: image?.virtual, write: image?.write, execute: image?.execute },
      { virtual: 0x40_0000n, write: false, execute: true }
    )
    assert.strictEqual(pc.memory.load16(image?.physical ?? 0), 0x0b0f)
  })

  it("loads every part of a program, zeros behind what the file has, and maps what lies between read-only", () => {
    const part = (virtual: bigint, byte: number, memoryBytes: number, writable: boolean) => ({
      virtual,
      physical: 0n,
      bytes: new Uint8Array(0x10).fill(byte),
      memoryBytes,
      writable,
      executable: !writable
    })
    const bytes = write({
      entry: 0x40_0000n,
      segments: [part(0x40_2ff8n, 2, 0x1010, true), part(0x40_0100n, 1, 0x10, false)]
    })
    const pc = machine({ modules: [{ name: "root", bytes }], commandLine: "" })
    pc.boot()
    const cr3 = pc.processor.system.get(SystemRegister.CR3) ?? 0n
    const root = Number(BigInt.asUintN(52, cr3) & ~0xfffn)
    const image = mappings(pc.memory, root, "user").slice(0, 5)
    assert.deepStrictEqual(
      image.map(({ virtual, write, execute }) => ({ virtual, may: `${write ? "w" : "-"}${execute ? "x" : "-"}` })),
      [
        { virtual: 0x40_0000n, may: "-x" },
        { virtual: 0x40_1000n, may: "--" },
        { virtual: 0x40_2000n, may: "w-" },
        { virtual: 0x40_3000n, may: "w-" },
        { virtual: 0x40_4000n, may: "w-" }
      ]
    )
    const byte = (address: number) =>
      pc.memory.load8((image[(address - 0x40_0000) >> 12]?.physical ?? 0) + (address % 0x1000))
    assert.deepStrictEqual([0x40_0100, 0x40_010f, 0x40_0110].map(byte), [1, 1, 0])
    assert.deepStrictEqual([0x40_2ff7, 0x40_2ff8, 0x40_3007, 0x40_3008].map(byte), [0, 2, 2, 0])
    // The IPC buffer comes next, then the boot information.
    assert.strictEqual(pc.get("rdi"), 0x40_6000n)
  })

  it("takes the program of the name that the command line gives", () => {
    const modules = [
      { name: "first", bytes: program(0x40_0010n) },
      { name: "second", bytes: program(0x40_0020n) }
    ]
    const pc = machine({ modules, commandLine: "quiet root=second" })
    pc.boot()
    assert.strictEqual(pc.get("rip"), 0x40_0020n)
  })

  it("without a number of domains that there can be stops the machine and says so", () => {
    for (const number of ["0", "257", "many"])
      assert.throws(
        () => machine({ commandLine: `root=gate domains=${number}` }).boot(),
        Halt,
        /a number of domains, 1 to 256/
      )
  })

  it("without a root task stops the machine and says so", () => {
    assert.throws(() => machine({ commandLine: "" }).boot(), Halt, /there is no root task/)
    assert.throws(() => machine({ commandLine: "root=nobody" }).boot(), Halt, /no boot module is named nobody/)
    const modules = [{ name: "notes.txt", bytes: new Uint8Array(100) }]
    assert.throws(() => machine({ modules, commandLine: "" }).boot(), Halt, /notes.txt is no program.*no ELF file/)
  })
})
