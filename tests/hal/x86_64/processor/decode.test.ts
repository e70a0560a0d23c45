import { assert, describe, expect, it } from "vitest"
import { decode, type NoInstruction } from "../../../../src/hal/x86_64/processor/decode.ts"
import type { Instruction } from "../../../../src/hal/x86_64/processor/Instruction.ts"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import { print } from "../../../../src/hal/x86_64/processor/print.ts"
import { encode } from "../native/encode.ts"
import { Random } from "../native/Random.ts"
import { common, isOfOtherFeature, opinion, undecoded } from "./iced.ts"

const mode = { bits: 64, privilege: 0 } as const
const longForms = forms.filter(({ long }) => long)
const rip = 0x1001_0800n
const aim = { start: Number(rip), data: (random: Random) => 0x1000_0000 + random.below(0x3000) }

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16))
const decoded = (hex: string): Instruction | NoInstruction => decode(bytesOf(hex), 0, bytesOf(hex).length, mode)
const text = (hex: string): string => {
  const found = decoded(hex)
  return typeof found === "string" ? found : print(found)
}
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")

describe("prefixes", () => {
  it("66 makes the operand size 16, REX.W 64, and REX.W wins", () => {
    expect(["01 c8", "66 01 c8", "48 01 c8", "66 48 01 c8"].map(text)).toEqual([
      "add eax, ecx",
      "add ax, cx",
      "add rax, rcx",
      "add rax, rcx"
    ])
  })
  it("REX before another prefix says nothing", () => {
    expect(text("48 66 01 c8")).toBe("add ax, cx")
  })
  it("without REX, byte registers 4 to 7 are AH, CH, DH and BH; with it, SPL, BPL, SIL and DIL", () => {
    expect(["88 e7", "40 88 e7", "45 88 e7"].map(text)).toEqual(["mov bh, ah", "mov dil, spl", "mov r15b, r12b"])
  })
  it("of segment overrides only FS and GS count, and the last of them", () => {
    expect(["2e 8b 00", "64 8b 00", "64 65 3e 8b 00"].map(text)).toEqual([
      "mov eax, dword ptr [rax]",
      "mov eax, dword ptr fs:[rax]",
      "mov eax, dword ptr gs:[rax]"
    ])
  })
  it("67 makes addresses 32 bits wide", () => {
    expect(["67 8b 04 48", "67 e3 00", "e3 00"].map(text)).toEqual([
      "mov eax, dword ptr [eax+ecx*2]",
      "jecxz 0x3",
      "jrcxz 0x2"
    ])
  })
  it("LOCK goes before what may be locked, if the destination is memory", () => {
    expect(["f0 01 08", "f0 01 c8", "f0 03 08", "f0 89 08"].map(text)).toEqual([
      "lock add dword ptr [rax], ecx",
      "invalid",
      "invalid",
      "invalid"
    ])
  })
  it("F2 and F3 are ignored, or part of the opcode where a line says so; the last one counts", () => {
    expect(["f3 01 c8", "f3 0f bc c1", "f2 f3 0f bc c1", "f3 f2 0f bc c1"].map(text)).toEqual([
      "add eax, ecx",
      "tzcnt eax, ecx",
      "tzcnt eax, ecx",
      "bsf eax, ecx"
    ])
  })
})

describe("an instruction", () => {
  it("of more than 15 bytes is none", () => {
    expect(decoded(`${"66 ".repeat(13)}01 c8`)).toMatchObject({ length: 15 })
    expect(decoded(`${"66 ".repeat(14)}01 c8`)).toBe("tooLong")
  })
  it("is incomplete as long as its bytes may go on", () => {
    expect(["48", "48 81", "48 81 04", "48 81 04 25 00 00 00 00 11 22 33"].map(decoded)).toEqual(
      Array(4).fill("incomplete")
    )
  })
  it("is told apart by REX.B where the manual has a line of its own for register 0", () => {
    expect(["90", "f3 90", "41 90", "48 90"].map(text)).toEqual(["nop", "pause", "xchg eax, r8d", "nop"])
    expect(["f3 41 90", "f3 49 90", "f2 41 90"].map(text)).toEqual(["pause", "pause", "xchg eax, r8d"])
  })
  it("that pops to memory at RSP addresses it from where RSP is after that", () => {
    expect(decoded("8f 44 24 08")).toMatchObject({ operands: [{ disp: 16 }] })
    expect(text("8f 44 24 08")).toBe("pop qword ptr [rsp+0x8]")
    expect(decoded("66 8f 04 24")).toMatchObject({ operands: [{ disp: 2 }] })
  })
  it("does not depend on where it lies", () => {
    expect(decoded("48 8d 05 10 00 00 00")).toMatchObject({ operands: [{}, { ripRelative: true, disp: 16 }] })
    expect(decoded("eb fe")).toMatchObject({ operands: [{ kind: "rel", disp: -2 }] })
  })
})

describe("every line of the opcode table", { timeout: 60_000 }, () => {
  it("has encodings that decode as it, and no other line claims", () => {
    const random = new Random(1)
    for (const form of longForms) for (let i = 0; i < 3; i++) encode(form, random, aim)
  })

  it("reads as a disassembler by others reads it", () => {
    const random = new Random(2)
    for (const form of longForms.filter(({ name }) => name !== "gate"))
      for (let i = 0; i < 8; i++) {
        const bytes = encode(form, random, aim)
        const found = decode(bytes, 0, bytes.length, mode) as Instruction
        const theirs = opinion(bytes, rip)
        assert(theirs !== undefined, `${hexOf(bytes)} is nothing, not ${print(found, rip)}`)
        assert.equal(common(print(found, rip)), common(theirs.text), hexOf(bytes))
        assert.equal(found.length, theirs.length, hexOf(bytes))
      }
  })
})

describe("random bytes", { timeout: 60_000 }, () => {
  it("are instructions of the same length and text where a disassembler by others sees one", () => {
    const random = new Random(3)
    let instructions = 0
    for (let i = 0; i < 20_000; i++) {
      const bytes = randomBytes(random)
      const found = decode(bytes, 0, bytes.length, mode)
      const theirs = opinion(bytes, rip)
      if (typeof found !== "string") {
        instructions++
        if (theirs === undefined) assert.equal(found.form.name, "gate", hexOf(bytes))
        else {
          assert.equal(found.length, theirs.length, hexOf(bytes))
          assert.equal(common(print(found, rip)), common(theirs.text), hexOf(bytes))
        }
      } else if (theirs !== undefined && !isOfOtherFeature(theirs)) assert.match(theirs.text, undecoded, hexOf(bytes))
    }
    expect(instructions).toBeGreaterThan(8000)
  })
})

const somePrefixes = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64, 0x65, 0x48, 0x41, 0x4f, 0x40]

const randomBytes = (random: Random): Uint8Array => {
  const bytes = Uint8Array.from({ length: 15 }, () => random.below(256))
  let start = 0
  while (start < 4 && random.oneIn(2)) bytes[start++] = random.of(somePrefixes)
  if (random.oneIn(2)) bytes[start] = 0x0f
  // VEX, mostly with the maps, lengths and opcodes that are in use.
  else if (random.oneIn(8)) bytes.set([0xc4, random.oneIn(8) ? random.below(256) : 0xe0 | random.below(4)], start)
  return bytes
}
