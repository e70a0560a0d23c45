import { assert, describe, it } from "@effect/vitest"
import { Offset, sections } from "../../../src/kernel/x86_64/Image.ts"
import { ownStack, pushesErrorCode, Vector, vectors } from "../../../src/kernel/x86_64/Vectors.ts"
import { selectors, stubAt, theImage } from "./image.ts"

const hex = (bytes: Iterable<number>) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ")

describe("the kernel's image", () => {
  const image = theImage()

  it("is three sections of whole pages, one behind the other, none both writable and executable", () => {
    assert.deepStrictEqual(
      sections.map(({ name }) => name),
      ["text", "rodata", "data"]
    )
    let end = 0
    for (const section of sections) {
      assert.strictEqual(section.start, end)
      assert.strictEqual(section.end % 0x1000, 0)
      assert.isFalse(section.writable && section.executable)
      end = section.end
    }
  })

  it("loads each section at 1 MiB as it is linked at the top 2 GiB", () => {
    assert.strictEqual(image.segments.length, 3)
    image.segments.forEach((segment, index) => {
      const start = sections[index]?.start ?? Number.NaN
      assert.strictEqual(segment.virtual, 0xffff_ffff_8000_0000n + BigInt(start))
      assert.strictEqual(segment.physical, 0x10_0000n + BigInt(start))
    })
    assert.strictEqual(image.entry, 0x10_0000n + BigInt(Offset.boot))
  })

  it("is entered by gates: at boot, by SYSCALL and by a vector", () => {
    assert.strictEqual(hex(image.at(Offset.boot, 3)), "0f 04 00")
    assert.strictEqual(hex(image.at(Offset.syscall, 3)), "0f 04 01")
    const { jumpsTo } = stubAt(image, 0)
    assert.strictEqual(hex(image.at(jumpsTo, 3)), "0f 04 02")
  })

  it("is left by SYSRETQ, IRETQ, or an idle loop that misses no interrupt", () => {
    assert.strictEqual(hex(image.at(Offset.sysret, 3)), "48 0f 07")
    assert.strictEqual(hex(image.at(Offset.iret, 2)), "48 cf")
    assert.strictEqual(hex(image.at(Offset.idle, 7)), "fb f4 e9 f9 ff ff ff")
    assert.strictEqual(Offset.idleEnd, Offset.idle + 7)
  })
})

describe("a vector's stub", () => {
  const image = theImage()

  it("clears AC first, and leaves the vector above an error code", () => {
    for (let vector = 0; vector < vectors; vector++) {
      const { code } = stubAt(image, vector)
      const dummy = pushesErrorCode(vector) ? "" : " 68 00 00 00 00"
      assert.isTrue(
        code.startsWith(`0f 01 ca${dummy} 68 ${vector.toString(16).padStart(2, "0")} 00 00 00 e9`),
        `vector ${vector}`
      )
    }
  })

  it("meets the others at one gate", () => {
    const gates = new Set(Array.from({ length: vectors }, (_, vector) => stubAt(image, vector).jumpsTo))
    assert.strictEqual(gates.size, 1)
  })
})

describe("the IDT", () => {
  const image = theImage()
  const gateOf = (vector: number) => image.view(Offset.idt + vector * 16, 16)

  it("holds an interrupt gate to the kernel's code for each vector", () => {
    for (let vector = 0; vector < vectors; vector++) {
      assert.strictEqual(gateOf(vector).getUint16(2, true), selectors.kernelCode)
      assert.strictEqual(gateOf(vector).getUint8(5) & 0x9f, 0x8e, `vector ${vector}`)
    }
  })

  it("gives what can come before the syscall gate a stack of its own, and nothing else", () => {
    const stacks = Array.from({ length: vectors }, (_, vector) => gateOf(vector).getUint8(4) & 7)
    const own = [Vector.PF, Vector.DF, Vector.NMI, Vector.MC, Vector.DB]
    assert.deepStrictEqual([...ownStack].sort(), [...own].sort())
    assert.strictEqual(new Set(own.map((vector) => stacks[vector])).size, own.length)
    stacks.forEach((stack, vector) => {
      assert.strictEqual(
        stack !== 0,
        own.some((v) => v === vector),
        `vector ${vector}`
      )
    })
  })

  it("lets programs raise only #BP and the traps at the top", () => {
    const open = Array.from({ length: vectors }, (_, vector) => vector).filter(
      (v) => (gateOf(v).getUint8(5) & 0x60) !== 0
    )
    const traps = Array.from({ length: Vector.lastTrap - Vector.firstTrap + 1 }, (_, i) => Vector.firstTrap + i)
    assert.deepStrictEqual(open, [Vector.BP, ...traps])
  })
})

describe("the GDT", () => {
  const image = theImage()
  const descriptor = (selector: number) => image.view(Offset.gdt + (selector & ~7), 8)

  it("has the user's data and code where SYSRET looks for them", () => {
    const star = 0x13
    assert.strictEqual(selectors.userData, (star + 8) | 3)
    assert.strictEqual(selectors.userCode, (star + 16) | 3)
    assert.strictEqual(selectors.kernelData, selectors.kernelCode + 8)
  })

  it("has 64-bit code at both privileges, and every segment accessed already", () => {
    for (const [selector, access] of [
      [selectors.kernelCode, 0x9b],
      [selectors.kernelData, 0x93],
      [selectors.userData, 0xf3],
      [selectors.userCode, 0xfb]
    ] as const) {
      assert.strictEqual(descriptor(selector).getUint8(5), access)
    }
    assert.strictEqual(descriptor(selectors.kernelCode).getUint8(6) & 0x60, 0x20)
    assert.strictEqual(descriptor(selectors.userCode).getUint8(6) & 0x60, 0x20)
  })

  it("leads to a TSS whose stacks end on pages of the image's data", () => {
    const low = descriptor(selectors.task)
    const base =
      BigInt(low.getUint16(2, true)) |
      (BigInt(low.getUint8(4)) << 16n) |
      (BigInt(low.getUint8(7)) << 24n) |
      (BigInt(image.view(Offset.gdt + selectors.task + 8, 8).getUint32(0, true)) << 32n)
    assert.strictEqual(base, 0xffff_ffff_8000_0000n + BigInt(Offset.tss))

    const tss = image.view(Offset.tss, 104)
    const stacks = [tss.getBigUint64(4, true), ...ownStack.map((_, index) => tss.getBigUint64(36 + index * 8, true))]
    const data = sections[2]
    assert.isDefined(data)
    assert.strictEqual(new Set(stacks).size, stacks.length)
    for (const top of stacks) {
      const offset = Number(top - 0xffff_ffff_8000_0000n)
      assert.strictEqual(offset % 0x1000, 0)
      assert.isTrue(offset > data.start && offset <= data.end)
    }
    assert.strictEqual(tss.getUint16(102, true), 104)
  })
})
