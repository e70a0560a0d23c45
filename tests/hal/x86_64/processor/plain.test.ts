import { describe, expect, it } from "vitest"
import { systemNames } from "../../../../src/hal/x86_64/processor/Meaning.ts"
import { at, cause } from "../../../../src/hal/x86_64/processor/State.ts"
import { code, data, processor } from "./small.ts"

describe("a step", () => {
  it("completes one instruction", () => {
    const p = processor("48 ff c0 48 ff c0")
    p.reading.step()
    expect([p.get("rax"), p.rip() - p.start, p.cause(), p.completed()]).toEqual([1n, 3n, cause.countdown, 1])
  })
  it("of a repeated string instruction is one iteration", () => {
    const p = processor("f3 aa")
    p.set({ rcx: 2n, rdi: BigInt(data), rax: 7n })
    p.reading.step()
    expect([p.get("rcx"), p.get("rdi"), p.rip()]).toEqual([1n, BigInt(data + 1), p.start])
    p.reading.step()
    expect([p.get("rcx"), p.get("rdi"), p.rip()]).toEqual([0n, BigInt(data + 2), p.start + 2n])
    expect(p.completed()).toBe(2)
  })
  it("of a repetition of no iterations is one instruction that does nothing", () => {
    const p = processor("f3 aa")
    p.set({ rcx: 0n, rdi: 0n })
    p.reading.step()
    expect([p.rip(), p.cause(), p.completed()]).toEqual([p.start + 2n, cause.countdown, 1])
  })
})

describe("an instruction that faults", () => {
  it("leaves registers, flags and the count as they were", () => {
    // ADD [RDI], RAX where nothing is.
    const p = processor("48 01 07")
    p.set({ rax: 5n, rdi: 0x1234n })
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, 14])
    expect(p.view.getBigUint64(at.faultAddress, true)).toBe(0x1234n)
    expect([p.rip(), p.completed(), p.reading.status()]).toEqual([p.start, 0, 0])
  })
  it("is privileged: #GP for who is not", () => {
    const p = processor("0f 06")
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, 13])
  })
  it("goes on in a page that is not there: the page fault is of that page", () => {
    const p = processor("48 81")
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, 14])
    expect(p.view.getBigUint64(at.faultAddress, true)).toBe(BigInt(code + 0x1000))
  })
  it("is none: #UD", () => {
    const p = processor("0f 0b")
    p.reading.step()
    expect([p.cause(), p.vector()]).toEqual([cause.fault, 6])
  })
  it("uses an address that is not canonical: #SS of the stack, #GP elsewhere", () => {
    const vectorOf = (hex: string) => {
      const p = processor(hex)
      p.set({ rsp: 1n << 63n, rbp: 1n << 63n, rax: 1n << 63n })
      p.reading.step()
      return p.vector()
    }
    expect(["50", "8b 45 00", "8b 00"].map(vectorOf)).toEqual([12, 12, 13])
  })
})

describe("a system operation", () => {
  it("is left to the machine, with its inputs, after the instruction is counted", () => {
    const p = processor("e4 60", 0)
    p.reading.step()
    expect([p.cause(), p.completed(), p.rip()]).toEqual([cause.system, 1, p.start + 2n])
    expect(systemNames[Number(p.view.getBigInt64(at.detail, true))]).toBe("in")
    expect([p.view.getBigUint64(at.inputs, true), p.view.getBigUint64(at.inputs + 8, true)]).toEqual([0x60n, 8n])
    expect(p.view.getBigUint64(at.stoppedAt, true)).toBe(p.start)
  })
})

describe("a run", () => {
  it("goes on until the countdown is 0", () => {
    const p = processor("eb fe")
    p.reading.run()
    expect([p.completed(), p.cause(), p.rip()]).toEqual([1000, cause.countdown, p.start])
  })
})
