import { assert, describe, it } from "vitest"
import { afterWrite, get, mask, RegisterFile, ro, rw, rw1c, set, wo } from "../../src/devices/registers.ts"

// biome-ignore format: a table
const table = {
  STATUS:  { offset: 0, width: 16, reset: 0x8001, fields: { ERROR: rw1c(15), COUNT: ro(3, 0) } },
  CONTROL: { offset: 2, width: 16,                fields: { GO: wo(15), RATE: rw(11, 4), ON: rw(0) } },
  WIDE:    { offset: 8, reset: 0xffff_ffff,       fields: { ALL: rw(31, 0) } }
} as const

const aFile = () => new RegisterFile(table)

describe("a field", () => {
  it("may be the whole register", () => {
    assert.strictEqual(mask(rw(31, 0)), 0xffff_ffff)
    assert.strictEqual(set(rw(31), 0, 1), 0x8000_0000)
    assert.strictEqual(get(rw(31, 24), 0xab00_0000), 0xab)
  })

  it("is cut to its width when it is set", () => {
    assert.strictEqual(set(rw(7, 4), 0xf0f, 0x123), 0xf3f)
  })
})

describe("a write", () => {
  it("changes only what software may change", () => {
    assert.strictEqual(afterWrite(table.STATUS, 0x8001, 0x000f), 0x8001)
    assert.strictEqual(afterWrite(table.STATUS, 0x8001, 0x8000), 0x0001)
    assert.strictEqual(afterWrite(table.CONTROL, 0, 0xffff), 0x0ff1)
  })

  it("of one byte leaves the other lanes", () => {
    const file = aFile()
    file.write(2, 16, 0x0ff1)
    file.write(3, 8, 0)
    assert.strictEqual(file.value("CONTROL"), 0x00f1)
    file.write(1, 8, 0x80)
    assert.strictEqual(file.value("STATUS"), 1)
  })

  it("reaches every register it covers, and says which and with what bits", () => {
    const file = aFile()
    const written: [string, number][] = []
    file.write(0, 32, 0x8010_8000, (name, bits) => written.push([name, bits]))
    assert.deepStrictEqual(written, [
      ["STATUS", 0x8000],
      ["CONTROL", 0x8010]
    ])
    assert.strictEqual(file.read(0, 32), 0x0010_0001)
  })

  it("to a command is seen by the device and reads as 0", () => {
    const file = aFile()
    let command = 0
    file.write(2, 16, 0x8000, (_, bits) => {
      command = bits
    })
    assert.strictEqual(get(table.CONTROL.fields.GO, command), 1)
    assert.strictEqual(file.read(2, 16), 0)
  })
})

describe("a read", () => {
  it("of a part gives the part, and between registers 0", () => {
    const file = aFile()
    assert.strictEqual(file.read(1, 8), 0x80)
    assert.strictEqual(file.read(4, 32), 0)
    assert.strictEqual(file.read(10, 16), 0xffff)
  })
})

describe("the device", () => {
  it("sets what software only reads, and reset takes it back", () => {
    const file = aFile()
    file.set("STATUS", "COUNT", 9)
    assert.strictEqual(file.get("STATUS", "COUNT"), 9)
    file.reset()
    assert.strictEqual(file.get("STATUS", "COUNT"), 1)
  })
})
