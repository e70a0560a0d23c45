import { describe, expect, it } from "vitest"
import { resetProtected } from "../../../../../src/hal/x86_64/system/reset.ts"
import { Board, bytes, code, hex, stackTop } from "../../board.ts"

/** 32-bit code, up to a HLT. */
const ended = (program: string, setUp: (board: Board) => void = () => {}) => {
  const board = new Board().put(code, ...hex(program), 0xf4)
  resetProtected(board.machine.core, code)
  board.set("rsp", BigInt(stackTop))
  setUp(board)
  const stop = board.run(40)
  const { core } = board.machine
  return { board, stop, ax: board.get("rax") & 0xffffn, carry: core.rflags() & 1, adjusted: (core.rflags() >> 4) & 1 }
}

describe("decimal adjustment", () => {
  // SDM vol. 2A, "DAA—Decimal Adjust AL After Addition", "Example"; "DAS".
  it("DAA of 79H + 35H is 14H and a carry", () => {
    expect(ended("b0 79 b3 35 00 d8 27")).toMatchObject({ ax: 0x14n, carry: 1, adjusted: 1 })
  })
  it("DAA of 2EH is 34H", () => {
    expect(ended("b0 2e 84 c0 27")).toMatchObject({ ax: 0x34n, carry: 0, adjusted: 1 })
  })
  it("DAS of 35H - 47H is 88H and a borrow", () => {
    expect(ended("b0 35 b3 47 28 d8 2f")).toMatchObject({ ax: 0x88n, carry: 1, adjusted: 1 })
  })
  it("AAA and AAS carry into AH", () => {
    expect(ended("66 b8 0e 02 84 c0 37")).toMatchObject({ ax: 0x304n, carry: 1, adjusted: 1 })
    expect(ended("66 b8 0e 02 84 c0 3f")).toMatchObject({ ax: 0x108n, carry: 1, adjusted: 1 })
    expect(ended("66 b8 05 02 84 c0 37")).toMatchObject({ ax: 0x205n, carry: 0, adjusted: 0 })
  })
  it("AAM divides AL, AAD puts AH and AL together, in any base", () => {
    expect(ended("b0 3f d4 0a").ax).toBe(0x603n)
    expect(ended("66 b8 03 06 d5 0a").ax).toBe(0x3fn)
    expect(ended("b0 3f d4 10").ax).toBe(0x30fn)
  })
  it("AAM by 0 is #DE", () => {
    expect(ended("d4 00").stop).toEqual({ _tag: "TripleFault" })
  })
})

describe("what 64-bit mode has no opcodes for", () => {
  it("PUSHA keeps what POPA gives back, but for ESP", () => {
    const { board } = ended(
      "b8 01 00 00 00 b9 02 00 00 00 bd 05 00 00 00 60 31 c0 31 c9 31 ed c7 44 24 0c 00 00 00 00 61"
    )
    expect(["rax", "rcx", "rbp", "rsp"].map((name) => board.get(name as "rax"))).toEqual([1n, 2n, 5n, BigInt(stackTop)])
  })
  it("BOUND is #BR outside of its bounds, which may be negative", () => {
    const bounds = (board: Board) => board.put(0x1000, ...bytes(-2, 4), ...bytes(3, 4))
    const program = (index: number) =>
      `b8 ${bytes(index, 4)
        .map((byte) => byte.toString(16))
        .join(" ")} 62 05 00 10 00 00`
    expect([-3, -2, 3, 4].map((index) => ended(program(index), bounds).stop._tag)).toEqual([
      "TripleFault",
      "Idle",
      "Idle",
      "TripleFault"
    ])
  })
  it("ARPL raises a selector's RPL", () => {
    const { board } = ended("66 b8 08 00 66 bb 03 00 63 d8")
    expect(board.get("rax")).toBe(0x0bn)
    expect(board.machine.core.rflags() & 0x40).toBe(0x40)
  })
  it("ENTER and LEAVE make frames on a stack of 16 bits", () => {
    const setUp = (board: Board) => {
      board.machine.core.setSegment(2, 0x10, 0x93, 0xffff, 0x18_0000, 0)
      board.set("rsp", 0x1234_0100n).set("rbp", 0x5555n)
    }
    const { board } = ended("c8 20 00 01 89 e0 89 eb c9", setUp)
    expect(["rax", "rbx", "rsp", "rbp"].map((name) => board.get(name as "rax"))).toEqual([
      0x1234_00d8n,
      0xfcn,
      0x1234_0100n,
      0x5555n
    ])
    expect(board.get64(0x18_00f8)).toBe(0x5555_0000_00fcn)
  })
  it("SYSENTER goes where its registers say, and SYSEXIT back", () => {
    const msr = (number: number, value: number) =>
      ["b9", ...little(number), "b8", ...little(value), "31 d2 0f 30"].join(" ")
    const little = (value: number) => bytes(value, 4).map((byte) => byte.toString(16).padStart(2, "0"))
    const program = [msr(0x174, 0x08), msr(0x175, stackTop - 0x100), msr(0x176, code + 0x100), "0f 34"].join(" ")
    const { board } = ended(program, (there) =>
      there.put(code + 0x100, ...hex("89 e3 b9 00 10 00 00 ba 00 20 10 00 0f 35")).put(0x10_2000, 0xeb, 0xfe)
    )
    expect([board.get("rbx"), board.get("rsp"), board.get("rip")]).toEqual([
      BigInt(stackTop - 0x100),
      0x1000n,
      0x10_2000n
    ])
    expect(board.machine.core.mode).toEqual({ bits: 32, privilege: 3, stack: 32, isProtected: true, isFlat: true })
  })
})
