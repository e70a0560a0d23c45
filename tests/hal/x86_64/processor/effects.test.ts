import { describe, expect, it } from "vitest"
import { decode } from "../../../../src/hal/x86_64/processor/decode.ts"
import { effectsOf, mayFault, modifies } from "../../../../src/hal/x86_64/processor/effects.ts"
import { stacks } from "../../../../src/hal/x86_64/processor/Instruction.ts"

const mode = { bits: 64, privilege: 3 } as const

const watched = (hex: string) => {
  const bytes = Uint8Array.from(hex.split(" "), (byte) => Number.parseInt(byte, 16))
  const found = decode(bytes, 0, bytes.length, mode)
  if (typeof found === "string") throw new Error(`${hex} is ${found}`)
  return { effects: effectsOf(found.form, found.operands, mode), operands: found.operands }
}

describe("what is seen of an instruction", () => {
  it("ADD reads both operands, writes the first and sets all flags", () => {
    const { effects, operands } = watched("48 01 c8")
    expect([...effects.reads]).toEqual([...operands])
    expect([...effects.writes]).toEqual([operands[0]])
    expect(effects).toMatchObject({ setsFlags: "always", asksStatus: false, skips: false, jump: undefined })
    expect(mayFault(effects)).toBe(false)
  })
  it("memory that is read and written is modified; what is only written is not", () => {
    const add = watched("48 01 08")
    expect(modifies(add.effects, add.operands[0]!)).toBe(true)
    const mov = watched("48 89 08")
    expect(modifies(mov.effects, mov.operands[0]!)).toBe(false)
    expect(mayFault(mov.effects)).toBe(true)
  })
  it("PUSH writes the stack", () => {
    expect([...watched("50").effects.writes]).toContain(stacks[64].top)
  })
  it("a shift by CL may leave the flags, a shift by 1 does not", () => {
    expect(watched("d3 e0").effects.setsFlags).toBe("perhaps")
    expect(watched("d1 e0").effects.setsFlags).toBe("always")
  })
  it("INC asks for the carry that it keeps", () => {
    expect([...watched("ff c0").effects.conditions]).toEqual(["B"])
  })
  it("jumps say where they go, and whether they always do", () => {
    expect(watched("eb 00").effects.jump).toEqual({ to: "target", conditional: false })
    expect(watched("74 00").effects.jump).toEqual({ to: "target", conditional: true })
    expect(watched("ff e0").effects.jump).toEqual({ to: "value", conditional: false })
    expect(watched("c3").effects.jump).toEqual({ to: "value", conditional: false })
    expect(watched("f3 a4").effects).toMatchObject({ jump: { to: "here", conditional: true }, skips: true })
  })
  it("a division may raise #DE, an indirect jump #GP", () => {
    expect([...watched("f7 f1").effects.exceptions]).toEqual(["#DE"])
    expect([...watched("ff e0").effects.exceptions]).toEqual(["#GP(0)"])
  })
  it("system operations have their names", () => {
    expect(watched("0f a2").effects.system).toBe("cpuid")
    expect(watched("f4").effects.system).toBe("hlt")
  })
})
