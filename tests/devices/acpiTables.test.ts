import { assert, describe, it } from "vitest"
import { acpiTables } from "../../src/devices/acpiTables.ts"
import { device, eisaId, integer, name, packageOf, resources, scope } from "../../src/devices/aml.ts"

const start = 0xe0000

/** The tables as software finds them: from the RSDP through the XSDT. */
const found = (processors = 2, more?: readonly Uint8Array[]) => {
  const { rsdp, image } = acpiTables(start, more ? { processors, more } : { processors })
  const view = new DataView(image.buffer)
  const u32 = (at: number) => view.getUint32(at - start, true)
  const bytes = (at: number, length: number) => image.subarray(at - start, at - start + length)
  const text = (at: number, length: number) => String.fromCharCode(...bytes(at, length))
  const table = (at: number) => bytes(at, u32(at + 4))
  const [rsdt, xsdt] = [u32(rsdp + 16), u32(rsdp + 24)]
  const entries = Array.from({ length: (u32(xsdt + 4) - 36) / 8 }, (_, n) => u32(xsdt + 36 + 8 * n))
  const at = new Map(entries.map((entry) => [text(entry, 4), entry]))
  return { rsdp, image, u32, bytes, text, table, rsdt, xsdt, entries, at }
}

const sum = (bytes: Uint8Array) => bytes.reduce((a, b) => a + b, 0) & 0xff

describe("the RSDP", () => {
  it("is on a 16-byte step, with both its checksums", () => {
    const { rsdp, bytes, text } = found()
    assert.strictEqual(rsdp % 16, 0)
    assert.strictEqual(text(rsdp, 8), "RSD PTR ")
    assert.strictEqual(sum(bytes(rsdp, 20)), 0)
    assert.strictEqual(sum(bytes(rsdp, 36)), 0)
  })
})

describe("the tables", () => {
  it("are listed by the RSDT and the XSDT alike", () => {
    const { rsdt, u32, entries, at } = found()
    const short = Array.from({ length: (u32(rsdt + 4) - 36) / 4 }, (_, n) => u32(rsdt + 36 + 4 * n))
    assert.deepStrictEqual(short, entries)
    assert.deepStrictEqual([...at.keys()], ["FACP", "APIC", "HPET", "MCFG"])
  })

  it("add up to 0 over the length that they say", () => {
    const { rsdt, xsdt, entries, table, u32, at } = found()
    for (const address of [rsdt, xsdt, ...entries, u32(at.get("FACP")! + 40)])
      assert.strictEqual(sum(table(address)), 0)
  })

  it("say of one PCI bus, and of an HPET only where software is to have it", () => {
    const { at, bytes } = found()
    assert.deepStrictEqual([...bytes(at.get("MCFG")! + 54, 2)], [0, 0])
    const without = new TextDecoder("latin1").decode(acpiTables(0, { processors: 1, hasHpet: false }).image)
    assert.notInclude(without, "HPET")
    assert.include(without, "MCFG")
  })

  it("include those of others", () => {
    const dmar = acpiTables(0, { processors: 1 }).image.subarray(0, 36)
    assert.strictEqual(found(1, [dmar]).entries.length, 5)
  })
})

describe("the FADT", () => {
  it("has 244 bytes, and says where the DSDT and an aligned FACS are, twice", () => {
    const { at, u32, text } = found()
    const fadt = at.get("FACP")!
    assert.strictEqual(u32(fadt + 4), 244)
    assert.strictEqual(text(u32(fadt + 36), 4), "FACS")
    assert.strictEqual(u32(fadt + 36) % 64, 0)
    assert.strictEqual(text(u32(fadt + 40), 4), "DSDT")
    assert.strictEqual(u32(fadt + 132), u32(fadt + 36))
    assert.strictEqual(u32(fadt + 140), u32(fadt + 40))
  })

  it("has the power management block at 600H and the reset register at CF9H", () => {
    const { at, u32, bytes } = found()
    const fadt = at.get("FACP")!
    assert.deepStrictEqual(
      [56, 64, 76].map((offset) => u32(fadt + offset)),
      [0x600, 0x604, 0x608]
    )
    assert.deepStrictEqual([...bytes(fadt + 116, 13)], [1, 8, 0, 0, 0xf9, 0x0c, 0, 0, 0, 0, 0, 0, 6])
  })
})

describe("the MADT", () => {
  const structures = (processors: number) => {
    const { at, table } = found(processors)
    const madt = table(at.get("APIC")!)
    const list: number[][] = []
    for (let offset = 44; offset < madt.length; offset += madt[offset + 1]!) {
      list.push([...madt.subarray(offset, offset + madt[offset + 1]!)])
    }
    return list
  }

  it("has a local APIC for each processor", () => {
    assert.deepStrictEqual(
      structures(3).filter(([type]) => type === 0),
      [0, 1, 2].map((id) => [0, 8, id, id, 1, 0, 0, 0])
    )
  })

  it("has the timer at pin 2, and the SCI level-triggered and high active", () => {
    assert.deepStrictEqual(
      structures(1).filter(([type]) => type === 2),
      [
        [2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
        [2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0]
      ]
    )
  })
})

describe("AML", () => {
  it("writes integers as short as they can be", () => {
    assert.deepStrictEqual([0, 1, 2, 0x100, 0x1_0000].map(integer), [
      [0],
      [1],
      [0x0a, 2],
      [0x0b, 0, 1],
      [0x0c, 0, 0, 1, 0]
    ])
  })

  it("counts package lengths with themselves", () => {
    assert.deepStrictEqual(packageOf(integer(0)), [0x12, 3, 1, 0])
    assert.deepStrictEqual(packageOf(...Array.from({ length: 61 }, () => integer(0))).slice(0, 3), [0x12, 63, 61])
    assert.deepStrictEqual(packageOf(...Array.from({ length: 62 }, () => integer(0))).slice(0, 4), [0x12, 0x41, 4, 62])
  })

  it("compresses EISA identifiers", () => {
    assert.deepStrictEqual(eisaId("PNP0A03"), [0x0c, 0x41, 0xd0, 0x0a, 0x03])
  })

  it("fills names up to four characters", () => {
    assert.deepStrictEqual(name("\\_S5", integer(0)), [0x08, 0x5c, 0x5f, 0x53, 0x35, 0x5f, 0])
    assert.deepStrictEqual(scope("\\_SB.PCI0").slice(2), [0x5c, 0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30])
    assert.deepStrictEqual(device("KBD"), [0x5b, 0x82, 5, 0x4b, 0x42, 0x44, 0x5f])
  })

  it("ends resources with a tag", () => {
    assert.deepStrictEqual(resources(), [0x11, 5, 0x0a, 2, 0x79, 0])
  })
})
