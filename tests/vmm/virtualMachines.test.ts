import { assert, describe, it } from "@effect/vitest"
import { ExitReason } from "../../src/types/x86_64/ExitReason.ts"
import { SetPage, SetTCB } from "../../src/types/x86_64/methods/VCPU.ts"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { word } from "./code.ts"
import { run } from "./machine.ts"

const hello = { payload: { _tag: "Flat", bytes: greeting } } as const

/** A guest of these bytes of 32-bit code. */
const code = (...bytes: ReadonlyArray<number>) =>
  ({ payload: { _tag: "Flat", bytes: Uint8Array.from(bytes) } }) as const

/** MOV EAX, page directory; MOV CR3, EAX; MOV EAX, CR0; OR EAX, 80000000H; MOV CR0, EAX */
const paging = (directory: number): ReadonlyArray<number> => [
  ...[0xb8, ...word(directory), 0x0f, 0x22, 0xd8],
  ...[0x0f, 0x20, 0xc0, 0x0d, ...word(0x8000_0000), 0x0f, 0x22, 0xc0]
]

const minute = 60_000

describe("the guest that is built in", { timeout: minute }, () => {
  it("says hello, measures, and powers off; two runs are the same to the bit", () => {
    const { seen, reports, notes, stop, machine, instructions } = run({ guests: [hello] })
    assert.deepStrictEqual(notes, [])
    assert.include(seen, "Hello from a guest of Skyscope")
    assert.match(seen, /monitor that it runs under is SkyscopeVMM\r/)
    assert.match(seen, /A million instructions of its own take {2}10000\d\d ns/)
    assert.match(seen, /late by at most \d{1,4} ns/)
    assert.include(seen, "It powers off.\r\n")
    const [report] = reports
    assert.deepStrictEqual(report?.ending, { _tag: "PowerOff" })
    assert.strictEqual(report?.exits.byReason.get(ExitReason.CPUID), 101)
    assert.strictEqual(report?.exits.byReason.get(ExitReason.VMCALL), 100)
    assert.strictEqual(report?.exits.byReason.get(ExitReason.HLT), 10)
    assert.strictEqual(stop._tag, "Idle")

    const again = run({ guests: [hello] })
    assert.strictEqual(again.seen, seen)
    assert.strictEqual(again.instructions, instructions)
    assert.strictEqual(again.machine.memoryHash(), machine.memoryHash())
  })

  it("runs several times at once, each line with its guest's name", () => {
    const { seen, reports, notes } = run({ guests: [hello, { ...hello, name: "other" }] })
    assert.deepStrictEqual(notes, [])
    for (const name of ["guest1", "other"]) {
      assert.include(seen, `${name} | Hello from a guest of Skyscope`)
      assert.include(seen, `${name} | It powers off.`)
    }
    assert.deepStrictEqual(
      reports.map(({ ending }) => ending._tag),
      ["PowerOff", "PowerOff"]
    )
  })
})

describe("two guests, with a disk and a network", { timeout: minute }, () => {
  it("print the same, are left as often, and leave the same memory, in every run", () => {
    const once = () => {
      const bytes = new Uint8Array(2 ** 20)
      const disk = {
        sectors: 2 ** 11,
        isReadOnly: false,
        read: (sector: number, into: Uint8Array) => {
          into.set(bytes.subarray(512 * sector, 512 * sector + into.length))
          return true
        },
        write: () => true,
        flush: () => true
      }
      const card = (n: number) => ({ ...hello, mac: Uint8Array.of(0x52, 0x54, 0, 0, 0, n) })
      const { seen, reports, instructions, machine } = run({ guests: [card(1), card(2)], disks: { 0: disk, 1: disk } })
      const exits = reports.map(({ name, ending, exits: { byReason, byDevice } }) => ({
        ...{ name, ending, byReason: [...byReason], byDevice: [...byDevice] }
      }))
      return { seen, exits, instructions, memory: machine.memoryHash() }
    }
    const first = once()
    assert.strictEqual(first.exits.length, 2)
    assert.deepStrictEqual(once(), first)
  })
})

describe("a guest that does what no guest should", { timeout: minute }, () => {
  it.each([
    ["jumps to where no memory is", [0xb8, 0, 0, 0, 0x70, 0xff, 0xe0], /executes at 70000000H, where no memory is/],
    ["has page tables where no memory is", paging(0xd000_0000), /paging structures at D0000000H, where no memory is/],
    ["has page tables where its local APIC is", paging(0xfee0_0000), /paging structures at FEE00000H/],
    ["has no handlers, and divides by zero", [0x31, 0xc9, 0xf7, 0xf1], /triple fault at CS:RIP 10H:/],
    ["halts for ever", [0xfa, 0xf4], /nothing can wake it/],
    ["counts up a register of no device", [0xff, 0x05, 0, 0, 0, 0xd0], /accesses D0000000H/]
  ])("that %s is stopped, and another does not notice", (_what, bytes, why) => {
    const { seen, reports, notes } = run({ guests: [code(...bytes), hello] })
    assert.deepStrictEqual(notes, [])
    const [bad, good] = ["guest1", "guest2"].map((name) => reports.find((report) => report.name === name)?.ending)
    assert.strictEqual(bad?._tag, "Stopped")
    if (bad?._tag === "Stopped") assert.match(bad.why, why)
    assert.deepStrictEqual(good, { _tag: "PowerOff" })
    assert.include(seen, "guest2 | It powers off.")
  })

  it("that hammers ports it does not have reads ones there", () => {
    // mov edx, 0x1234; in al, dx; cmp al, 0xff; jne itself; mov dx, 0xf4; mov eax, 3; out dx, eax
    const { reports } = run({
      guests: [code(0xba, 0x34, 0x12, 0, 0, 0xec, 0x3c, 0xff, 0x75, 0xfe, 0x66, 0xba, 0xf4, 0, 0xb8, 3, 0, 0, 0, 0xef)]
    })
    assert.deepStrictEqual(reports[0]?.ending, { _tag: "Exit", status: 7 })
  })
})

describe("guests of which the kernel refuses something", { timeout: minute }, () => {
  it("do not begin: what was refused is said, and for which processor of which guest", () => {
    // Each processor has two pages: the sixth is the virtual-APIC page of the second guest's first.
    let pages = 0
    const { notes, reports, stop } = run({
      guests: [{ ...hello, processors: 2 }, hello],
      refuses: ({ label }) => label === SetPage.label && ++pages === 6
    })
    const why = { _tag: "IllegalOperation", call: "X86_VCPU_SetPage", field: "VIRTUAL_APIC_ADDRESS" }
    const notReady = { _tag: "NotReady", thread: "guest2", why }
    assert.deepStrictEqual(notes, [`root failed: Cause([Fail(${JSON.stringify(notReady)})])`])
    assert.deepStrictEqual(reports, [])
    assert.strictEqual(stop._tag, "Idle")
    let further = 0
    const other = run({
      guests: [{ ...hello, processors: 3 }],
      refuses: ({ label }) => label === SetTCB.label && ++further === 3
    })
    assert.include(other.notes.join(), '"thread":"guest1, processor 2"')
  })
})
