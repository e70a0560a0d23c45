import { assert, describe, it } from "vitest"
import { objectTypes, ofNumber, type Row, sizeBits } from "../../src/types/ObjectType.ts"
import { ofNumber as syscallOfNumber, syscalls } from "../../src/types/Syscall.ts"
import * as abi from "./abi.ts"

const rows: Readonly<Record<string, Row>> = objectTypes

describe("object types", () => {
  it("are those of the interface", () => {
    assert.sameMembers(Object.keys(objectTypes), Object.keys(abi.objectTypes))
  })

  it.each(Object.entries(abi.objectTypes))("%s has its number and its size", (name, [number, bits]) => {
    const row = rows[name]!
    assert.strictEqual(row.number, number)
    assert.strictEqual(ofNumber(number), row)
    if (bits !== undefined) assert.strictEqual(sizeBits(row, 63), bits)
  })

  it("of no fixed size have the size that is asked for, a CNode's in slots of 32 bytes", () => {
    assert.strictEqual(sizeBits(objectTypes.Untyped, 20), 20)
    assert.strictEqual(sizeBits(objectTypes.CapTable, 13), 18)
    assert.strictEqual(sizeBits(objectTypes.SchedContext, 8), 8)
  })

  it("end where the table ends", () => {
    assert.isUndefined(ofNumber(20))
    assert.isUndefined(ofNumber(-1))
    assert.isUndefined(ofNumber(2 ** 60))
  })
})

describe("system calls", () => {
  it("have the numbers of the interface", () => {
    assert.deepStrictEqual<Record<string, number>>(syscalls, abi.syscalls)
    for (const [name, number] of Object.entries(abi.syscalls)) assert.strictEqual(syscallOfNumber(number), name)
  })

  it("have no other numbers", () => {
    for (const number of [0, 1, -18, -31, -33, 2 ** 32 - 1, Number.NaN]) assert.isUndefined(syscallOfNumber(number))
  })
})
