import { assert, describe, it } from "vitest"
import { Shapes } from "../../../../../src/hal/x86_64/processor/interpreter/Shape.ts"
import { type Region, regionAt } from "../../../../../src/hal/x86_64/processor/translator/Region.ts"

const regionOf = (...bytes: ReadonlyArray<number>): Region | undefined => {
  const page = new Uint8Array(0x1000)
  page.set(bytes)
  return regionAt(page, 0, { bits: 64, privilege: 0 }, new Shapes(), "loops")
}

const inc = [0xff, 0xc0]
const jz = (offset: number) => [0x74, offset & 0xff]
const jnz = (offset: number) => [0x75, offset & 0xff]
const jmp = (offset: number) => [0xeb, offset & 0xff]
const ret = [0xc3]
const hlt = [0xf4]

/** What is told of each block, in order. */
const told = (region: Region) =>
  region.blocks.map(({ at, isLoop, longest, dominator }) => ({ at, isLoop, longest, under: dominator.at }))

describe("a region", () => {
  it("is nothing without a loop", () => {
    assert.isUndefined(regionOf(...inc, ...jz(2), ...inc, ...ret))
    assert.isUndefined(regionOf(...hlt))
  })

  it("of a loop is its blocks, with the longest way around", () => {
    // 0: INC; JZ 6. 4: INC. 6: INC; JNZ 0; RET is not part of it.
    const region = regionOf(...inc, ...jz(2), ...inc, ...inc, ...jnz(-10), ...ret)!
    assert.deepStrictEqual(told(region), [
      { at: 0, isLoop: true, longest: 5, under: 0 },
      { at: 4, isLoop: false, longest: 3, under: 0 },
      { at: 6, isLoop: false, longest: 2, under: 0 }
    ])
    assert.isUndefined(region.successor(region.blocks[2]!, 10))
  })

  it("has the loops in its loops, each measured to where the next begins", () => {
    // 0: INC. 2: INC; JNZ 2. 6: INC; JNZ 0.
    const region = regionOf(...inc, ...inc, ...jnz(-4), ...inc, ...jnz(-10), ...ret)!
    assert.deepStrictEqual(told(region), [
      { at: 0, isLoop: true, longest: 1, under: 0 },
      { at: 2, isLoop: true, longest: 4, under: 0 },
      { at: 6, isLoop: false, longest: 2, under: 2 }
    ])
  })

  it("is left by a way back into a loop that has another way in", () => {
    // 0: INC; JZ 6. 4: INC. 6: INC; JNZ 4: neither of the blocks at 4 and 6 dominates the other.
    const region = regionOf(...inc, ...jz(2), ...inc, ...inc, ...jnz(-6), ...jmp(-12))!
    const at = (offset: number) => region.blocks.find((block) => block.at === offset)!
    const ways = [region.successor(at(4), 6), region.successor(at(6), 4)]
    assert.sameMembers(ways, [ways[0] === undefined ? at(4) : at(6), undefined])
  })

  it("has instructions of XMM registers in it, but none of MMX registers or of MXCSR", () => {
    const around = (...body: ReadonlyArray<number>) => regionOf(...body, ...inc, ...jnz(-(body.length + 4)))
    assert.isDefined(around(0xf2, 0x0f, 0x58, 0xc1)) // ADDSD XMM0, XMM1
    assert.isDefined(around(0x66, 0x0f, 0xef, 0x03)) // PXOR XMM0, [RBX]
    assert.isUndefined(around(0x0f, 0xef, 0xc1)) // PXOR MM0, MM1
    assert.isUndefined(around(0x0f, 0xae, 0x1b)) // STMXCSR [RBX]
  })

  it("ends before what is not translated", () => {
    // 0: INC; JZ 4. 4: INC; HLT. Nothing from there comes back.
    const region = regionOf(...inc, ...jz(3), ...inc, ...hlt, ...jmp(-9))!
    assert.deepStrictEqual(
      region.blocks.map(({ at }) => at),
      [0, 7]
    )
  })
})

describe("flags between blocks", () => {
  it("are known where all ways agree", () => {
    // 0: CMP EAX, ECX; JZ 10. 4: INC EDX; JZ 10. 8: JNZ 0 (by INC). 10: JNZ 0 (by CMP or INC).
    const region = regionOf(0x39, 0xc8, ...jz(6), 0xff, 0xc2, ...jz(2), ...jnz(-10), ...jnz(-12), ...ret)!
    const knownAt = (at: number) => region.blocks.find((block) => block.at === at)!.known?.rule.name
    assert.strictEqual(knownAt(4), "subtraction")
    assert.strictEqual(knownAt(8), "increment")
    assert.isUndefined(knownAt(10))
  })
})
