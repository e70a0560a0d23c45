import { assert, describe, it } from "vitest"
import * as Elf from "../../src/user/Elf.ts"
import { elfOf, forEver } from "../examples/machine-code.ts"

const file = elfOf(forEver)
const changed = (...bytes: ReadonlyArray<readonly [at: number, value: number]>): Uint8Array => {
  const copy = Uint8Array.from(file)
  for (const [at, value] of bytes) copy[at] = value
  return copy
}

describe("an ELF", () => {
  it("is its entry and what is to be loaded", () => {
    assert.deepStrictEqual(Elf.read(file), {
      entry: 0x40_0000,
      segments: [{ address: 0x40_0000, bytes: file.subarray(0x1000, 0x1002), size: 2, rights: ["read", "execute"] }]
    })
  })

  it.each([
    ["nothing", new Uint8Array(0), "it is shorter than an ELF header"],
    ["half a header", file.subarray(0, 63), "it is shorter than an ELF header"],
    ["another file", changed([0, 0x7e]), "it is no ELF file"],
    ["a file of 32 bits", changed([4, 1]), "it is not 64-bit and little-endian"],
    ["a big-endian file", changed([5, 2]), "it is not 64-bit and little-endian"],
    ["a shared object", changed([16, 3]), "it is no static executable"],
    ["a file for another machine", changed([18, 0xb7]), "it is for another machine than x86-64"],
    ["a file that ends in its table", file.subarray(0, 100), "its program headers are cut off"],
    ["a file that ends in a segment", file.subarray(0, 0x1001), "a segment is cut off"],
    ["a segment larger in the file", changed([64 + 40, 1]), "a segment is larger in the file than in memory"],
    ["a file with nothing to load", changed([64, 4]), "it has nothing to load"]
  ])("is not in %s", (_name, bytes, why) => {
    assert.deepStrictEqual(Elf.read(bytes), { _tag: "BadElf", why })
  })
})
