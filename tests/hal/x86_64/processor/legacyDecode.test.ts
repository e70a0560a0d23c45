import { assert, describe, expect, it } from "vitest"
import { decode } from "../../../../src/hal/x86_64/processor/decode.ts"
import type { Mode } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { print } from "../../../../src/hal/x86_64/processor/print.ts"
import { Random } from "../native/Random.ts"
import { common, isOfOtherFeature, opinion, undecoded } from "./iced.ts"

const modeOf = (bits: 16 | 32): Mode => ({ bits, privilege: 0, stack: bits, isProtected: true, isFlat: true })
const [rip, room] = [0x1800n, 15]

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16))
const text = (hex: string, mode: Mode): string => {
  const bytes = bytesOf(hex)
  const found = decode(bytes, 0, bytes.length, mode)
  return typeof found === "string" ? found : print(found)
}
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")

describe("code of 32 bits", () => {
  const mode = modeOf(32)
  it("has operands and addresses of 32 bits, which 66 and 67 make 16", () => {
    expect(["8b 03", "66 8b 03", "67 8b 00", "67 66 8b 46 fe"].map((hex) => text(hex, mode))).toEqual([
      "mov eax, dword ptr [ebx]",
      "mov ax, word ptr [ebx]",
      "mov eax, dword ptr [bx+si]",
      "mov ax, word ptr [bp-0x2]"
    ])
  })
  it("has no REX: 40 to 4F are INC and DEC", () => {
    expect(["40", "4f", "66 41"].map((hex) => text(hex, mode))).toEqual(["inc eax", "dec edi", "inc cx"])
  })
  it("addresses a displacement where 64-bit mode is relative to RIP", () => {
    expect(text("8b 05 78 56 34 12", mode)).toBe("mov eax, dword ptr [0x12345678]")
  })
  it("takes C4 and C5 for LES and LDS, but for VEX where a register would be", () => {
    expect(["c4 03", "c5 03", "c4 e2 70 f2 c2"].map((hex) => text(hex, mode))).toEqual([
      "les eax, fword ptr [ebx]",
      "lds eax, fword ptr [ebx]",
      "andn eax, ecx, edx"
    ])
  })
  it("overrides all six segments", () => {
    expect(["26 8b 03", "2e 8b 03", "36 8b 03", "3e 8b 45 00"].map((hex) => text(hex, mode))).toEqual([
      "mov eax, dword ptr es:[ebx]",
      "mov eax, dword ptr cs:[ebx]",
      "mov eax, dword ptr ss:[ebx]",
      "mov eax, dword ptr ds:[ebp]"
    ])
  })
})

describe("code of 16 bits", () => {
  const mode = modeOf(16)
  it("has operands and addresses of 16 bits, which 66 and 67 make 32", () => {
    expect(["8b 07", "66 8b 07", "67 8b 03"].map((hex) => text(hex, mode))).toEqual([
      "mov ax, word ptr [bx]",
      "mov eax, dword ptr [bx]",
      "mov ax, word ptr [ebx]"
    ])
  })
  it("jumps within 16 bits", () => {
    expect(text("e9 fb ff", mode)).toBe("jmp 0xfffe")
  })
})

describe("real-address mode", () => {
  it("has neither VEX nor instructions about descriptors", () => {
    const real: Mode = { bits: 16, privilege: 0, stack: 16, isProtected: false, isFlat: false }
    expect(["c4 e2 70 f2 c2", "63 c8", "0f 00 d8", "0f 02 c1"].map((hex) => text(hex, real))).toEqual(
      Array(4).fill("invalid")
    )
  })
})

/** What the two say differently of code that is not of 64 bits. */
// biome-ignore format: a difference, a line
const alike = (text: string): string =>
  common(text.replace(/\b(?:data32|addr16) /g, "").replace(/(?<!maskmov\w+ qword ptr )\b[csd]s:(?=\[)/g, ""))
    .replace(/^(lea .*)[efgs]s:/, "$1")
    .replace(/^((?:push|pop)[af]|iret|popa|pusha)w$/, "$1")
    .replace(/^(push|pop)w? ([c-gs]s)$/, "$1 $2")
    .replace(/^(leave|enter|ret|retf|sysexit|call far|jmp far)[wd]\b/, "$1")
    .replace(/^(bound \w+), .word ptr /, "$1, ")
    .replace(/^bound (\w+), \w+ ptr /, "bound $1, ")
    .replace(/^xchg (e?ax), \1$/, "nop")

/** Written with and without the top of the stack. */
const isOfFpu = (text: string): boolean => text.startsWith("f")

/** SALC is on no page of the manual. SYSCALL and SYSRET are #UD, as on Intel's processors. */
const absent = new RegExp(`${undecoded.source}|^(?:salc|syscall|sysret|f\\w+)\\b`)

const somePrefixes = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x26, 0x36, 0x3e, 0x64, 0x65]

const randomBytes = (random: Random): Uint8Array => {
  const bytes = Uint8Array.from({ length: room }, () => random.below(256))
  let start = 0
  while (start < 4 && random.oneIn(2)) bytes[start++] = random.of(somePrefixes)
  if (random.oneIn(3)) bytes[start] = 0x0f
  return bytes
}

describe.each([16, 32] as const)("random bytes as code of %i bits", { timeout: 60_000 }, (bits) => {
  it("are instructions of the same length and text where a disassembler by others sees one", () => {
    const random = new Random(bits)
    let instructions = 0
    for (let i = 0; i < 20_000; i++) {
      const bytes = randomBytes(random)
      const found = decode(bytes, 0, bytes.length, modeOf(bits))
      const theirs = opinion(bytes, rip, bits)
      if (typeof found !== "string") {
        instructions++
        if (theirs === undefined) assert.equal(found.form.name, "gate", hexOf(bytes))
        else {
          assert.equal(found.length, theirs.length, `${hexOf(bytes)}: ${theirs.text}`)
          if (!isOfFpu(theirs.text)) assert.equal(alike(print(found, rip)), alike(theirs.text), hexOf(bytes))
        }
      } else if (theirs !== undefined && !isOfOtherFeature(theirs)) assert.match(theirs.text, absent, hexOf(bytes))
    }
    expect(instructions).toBeGreaterThan(8000)
  })
})
