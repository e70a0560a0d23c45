import { describe, expect, it } from "vitest"
import { systemNames } from "../../../../../src/hal/x86_64/processor/Meaning.ts"
import { at, cause, segment, segments } from "../../../../../src/hal/x86_64/processor/State.ts"
import { data, processor } from "../small.ts"

const [UMIP, FSGSBASE] = [1n << 11n, 1n << 16n]
const [UD, GP] = [6, 13]

const withControl = (hex: string, cr4: bigint, privilege: 0 | 3) => {
  const p = processor(hex, privilege)
  p.view.setBigUint64(at.cr4, cr4, true)
  p.view.setUint16(at.segment + segments.cs * segment.bytes, privilege === 0 ? 0x8 : 0x33, true)
  p.view.setUint16(at.segment + segments.tr * segment.bytes, 0x28, true)
  return p
}

describe("STR", () => {
  it("gives the selector; a 32-bit register has zeros above it", () => {
    const p = withControl("0f 00 c8", 0n, 3)
    p.set({ rax: -1n })
    p.reading.step()
    expect(p.get("rax")).toBe(0x28n)
  })
  it("stores 16 bits at any operand size", () => {
    const p = withControl("48 0f 00 0f", 0n, 3)
    p.set({ rdi: BigInt(data + 0xffe) })
    p.reading.step()
    expect(p.cause()).toBe(cause.countdown)
  })
  it("is refused to programs if CR4.UMIP is 1", () => {
    const user = withControl("0f 00 c8", UMIP, 3)
    user.reading.step()
    expect([user.cause(), user.vector()]).toEqual([cause.fault, GP])
    const supervisor = withControl("0f 00 c8", UMIP, 0)
    supervisor.reading.step()
    expect(supervisor.cause()).toBe(cause.countdown)
  })
})

describe("WRFSBASE", () => {
  it("is #UD unless CR4.FSGSBASE is 1", () => {
    const p = withControl("f3 48 0f ae d0", 0n, 3)
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, UD])
  })
  it("moves what FS overrides address", () => {
    // WRFSBASE RAX; MOV FS:[8], RAX
    const p = withControl("f3 48 0f ae d0 64 48 89 04 25 08 00 00 00", FSGSBASE, 3)
    p.set({ rax: BigInt(data) })
    p.reading.step()
    p.reading.step()
    expect(p.dataAt(8)).toBe(BigInt(data))
  })
  it("takes addresses only that are canonical with 57 bits, whatever CR4.LA57 says", () => {
    const p = withControl("f3 48 0f ae d0", FSGSBASE, 3)
    p.set({ rax: 1n << 56n })
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, GP])
  })
})

describe("MOV to a segment register", () => {
  it("hands the register's number and the selector to the machine", () => {
    const p = processor("8e d8", 0)
    p.set({ rax: 0x1_0023n })
    p.reading.step()
    expect(systemNames[Number(p.view.getBigInt64(at.detail, true))]).toBe("movToSegment")
    expect([p.view.getBigUint64(at.inputs, true), p.view.getBigUint64(at.inputs + 8, true)]).toEqual([3n, 0x23n])
  })
  it("is no instruction for CS", () => {
    const p = processor("8e c8", 0)
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, UD])
  })
})
