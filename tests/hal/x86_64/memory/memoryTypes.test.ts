import { assert, describe, it } from "@effect/vitest"
import { effectiveType, type MemoryTypeRegisters, mtrrType } from "../../../../src/hal/x86_64/memory/memoryTypes.ts"

const [UC, WC, WT, WP, WB] = [0, 1, 4, 5, 6] as const
const enabled = 1 << 11
const fixed = 1 << 10
const defaultPat = [0x0007_0406, 0x0007_0406] as const

interface Range {
  readonly base: number
  readonly size: number
  readonly type: number
}

/** Registers with these ranges, of powers of two, and fixed types that count up from UC to WB and again. */
const registers = (control: number, ...ranges: readonly Range[]): MemoryTypeRegisters => ({
  pat: defaultPat,
  defType: [control, 0],
  fixed: (n) => (n === 0 ? [0x0606_0606, 0x0606_0606] : n === 2 ? [0x0001_0405, 0x0606_0606] : [0, 0]),
  variable: (n) => {
    const range = ranges[n]
    if (range === undefined) return { base: [0, 0], mask: [0, 0] }
    const mask = 2 ** 40 - range.size
    return {
      base: [(range.base | range.type) >>> 0, Math.floor(range.base / 2 ** 32)],
      mask: [((mask % 2 ** 32) | enabled) >>> 0, Math.floor(mask / 2 ** 32)]
    }
  }
})

describe("memory types", () => {
  it("are UC everywhere while MTRRs are off", () => {
    assert.strictEqual(mtrrType(registers(WB), 0x1234), "UC")
  })

  it("are the default where no range is", () => {
    assert.strictEqual(mtrrType(registers(enabled | WT), 0x1234), "WT")
    assert.strictEqual(
      mtrrType(registers(enabled | WB, { base: 0x1_0000_0000, size: 2 ** 30, type: UC }), 0x4000_0000),
      "WB"
    )
    assert.strictEqual(
      mtrrType(registers(enabled | WB, { base: 0x1_0000_0000, size: 2 ** 30, type: UC }), 0x1_3fff_f000),
      "UC"
    )
  })

  it("of fixed ranges count below 1 MiB, each eighth of a register for itself", () => {
    const on = registers(enabled | fixed | WB)
    assert.strictEqual(mtrrType(on, 0x7_ffff), "WB")
    assert.deepStrictEqual(
      [0xa_0000, 0xa_4000, 0xa_8000, 0xa_c000, 0xb_0000].map((address) => mtrrType(on, address)),
      ["WP", "WT", "WC", "UC", "WB"]
    )
    assert.strictEqual(mtrrType(on, 0xf_f000), "UC")
    assert.strictEqual(mtrrType(on, 0x10_0000), "WB")
  })

  it("where ranges overlap are UC if one is, WT of WT and WB", () => {
    const both = (one: number, other: number) =>
      mtrrType(
        registers(enabled | WC, { base: 0, size: 2 ** 30, type: one }, { base: 0, size: 2 ** 20, type: other }),
        0
      )
    assert.strictEqual(both(WB, UC), "UC")
    assert.strictEqual(both(WB, WT), "WT")
    assert.strictEqual(both(WP, WP), "WP")
  })

  it.each([
    [WB, 0, "WB"],
    [WB, 1, "WT"],
    [WB, 2, "UC"],
    [WB, 3, "UC"],
    [WC, 2, "WC"],
    [WC, 3, "UC"],
    [UC, 0, "UC"],
    [WT, 0, "WT"],
    [WP, 0, "WP"]
  ] as const)("of an MTRR of type %s and entry %s of the PAT after reset are %s", (mtrr, entry, type) => {
    assert.strictEqual(effectiveType(registers(enabled | mtrr), 0x20_0000, entry), type)
  })
})
