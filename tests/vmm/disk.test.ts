import { assert, describe, it } from "@effect/vitest"
import { greeting } from "../../src/vmm/guest/greeting.ts"
import { run } from "./machine.ts"

describe("a guest's disk", { timeout: 120_000 }, () => {
  it("is read whole before the guest begins, and a disk that lies about its size is said to", () => {
    const bytes = new Uint8Array(2 ** 20)
    let reads = 0
    const disk = {
      sectors: 2048,
      isReadOnly: false,
      read: (sector: number, into: Uint8Array) => {
        reads++
        into.set(bytes.subarray(512 * sector, 512 * sector + into.length))
        return true
      },
      write: () => true,
      flush: () => true
    }
    const hello = { payload: { _tag: "Flat", bytes: greeting } as const, sectors: 2048 }
    const { notes, reports } = run({ disk, guests: [hello] })
    assert.deepStrictEqual(notes, [])
    assert.strictEqual(reads, 16)
    assert.deepStrictEqual(reports[0]?.ending, { _tag: "PowerOff" })

    const lying = run({ disk: { ...disk, sectors: 1000 }, guests: [hello] })
    assert.match(lying.notes.join(), /disk failed.*it cannot read/)
    assert.deepStrictEqual(lying.reports[0]?.ending, { _tag: "PowerOff" })
  })
})
