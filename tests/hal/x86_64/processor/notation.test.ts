import { describe, expect, it } from "vitest"
import type { Meaning } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { inst, sized, stackSized, vexSized } from "../../../../src/hal/x86_64/processor/notation.ts"
import { OpcodeMap } from "../../../../src/hal/x86_64/processor/opcodes.ts"

const nothing: Meaning = () => {}
const encodingOf = (opcode: string) => inst(opcode, "name", [], nothing).encoding

describe("the opcode column", () => {
  it("has prefixes, a map, an opcode and ModR/M", () => {
    expect(encodingOf("80 /0 ib")).toMatchObject({ prefix: "any", map: 0, opcode: 0x80, modrm: { digit: 0 } })
    expect(encodingOf("F3 REX.W + 0F B8 /r")).toMatchObject({
      prefix: "F3",
      rexW: true,
      map: 1,
      opcode: 0xb8,
      modrm: "/r"
    })
    expect(encodingOf("B8+rd id")).toMatchObject({ opcode: 0xb8, plusRegister: true, modrm: "none" })
    expect(encodingOf("NP 0F 01 CA")).toMatchObject({ prefix: "NP", opcode: 0x01, modrm: { byte: 0xca } })
    expect(encodingOf("VEX.LZ.F2.0F3A.W1 F0 /r ib")).toMatchObject({ prefix: "F2", rexW: true, vex: { L: 0 }, map: 3 })
  })
  it("in another notation is a mistake of the table", () => {
    expect(() => encodingOf("80 0")).toThrow("notation")
  })
})

describe("lines by operand size", () => {
  it("have an immediate of at most 4 bytes, which 64 bits extend", () => {
    expect(sized("81 /0 iz", "add", ["rm", "imm"], nothing)).toMatchObject([
      { opcode: "81 /0 iw", operands: ["rm16", "imm16"], sizes: [16], legacy: true },
      { opcode: "81 /0 id", operands: ["rm32", "imm32"], sizes: [32], legacy: true },
      { opcode: "REX.W + 81 /0 id", operands: ["rm64", "simm32"], sizes: [64], legacy: false }
    ])
  })
  it("of the stack need no REX.W for 64 bits", () => {
    expect(stackSized("FF /6", "push", ["rm"], nothing)).toMatchObject([
      { operands: ["rm16"], sizes: [16] },
      { opcode: "FF /6", operands: ["rm64"], sizes: [32, 64], legacy: false }
    ])
  })
  it("with VEX are those of W0 and W1", () => {
    expect(vexSized("VEX.LZ.0F38.W F2 /r", "andn", ["r", "rb", "rm"], nothing)).toMatchObject([
      { opcode: "VEX.LZ.0F38.W0 F2 /r", operands: ["r32", "r32b", "rm32"], sizes: [32] },
      { opcode: "VEX.LZ.0F38.W1 F2 /r", operands: ["r64", "r64b", "rm64"], sizes: [64] }
    ])
  })
})

describe("two lines for one encoding", () => {
  it("are a mistake of the table", () => {
    const twice = new OpcodeMap([inst("90", "nop", [], nothing), inst("90", "pause", [], nothing)], 64)
    expect(() => twice.find(0, 0x90)).toThrow("pause is nop as well")
  })
  it("are none if one of them is more special", () => {
    const [nop, pause] = [inst("90", "nop", [], nothing), inst("F3 90", "pause", [], nothing)]
    expect(new OpcodeMap([nop, pause], 64).find(0, 0x90)?.lines.map((line) => line?.form)).toContain(pause)
  })
})
