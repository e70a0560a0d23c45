import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { msrAt } from "../../../../src/hal/x86_64/system/msr.ts"
import { EFER } from "../../../../src/hal/x86_64/system/registers.ts"
import {
  asUser,
  Board,
  code,
  handlerOf,
  hlt,
  iretq,
  kernelCode,
  nop,
  P,
  RW,
  readings,
  stackTop,
  syscall,
  sysretq,
  US,
  userCode,
  userData,
  withTables
} from "../board.ts"

const entry = code + 0x1000
const star = (BigInt(0x10 | 3) << 48n) | (BigInt(kernelCode) << 32n)

describe.each(Object.entries(readings))("read: %s", (_name, reading) => {
  /** A program at `code`, in ring 3, and a kernel behind SYSCALL. */
  const aSystem = (program: number[], kernel: number[], fmask = 0x4_0700) => {
    const board = withTables(
      new Board(reading)
        .identity(0, stackTop)
        .identity(code, code + 0x1000, P | RW | US)
        .start(...program)
    )
    board.put(entry, ...kernel)
    const { core } = board.machine
    core.set(msrAt.IA32_EFER, core.low(msrAt.IA32_EFER) | EFER.SCE, 0)
    core.set(msrAt.IA32_LSTAR, entry, 0)
    core.set(msrAt.IA32_STAR, Number(star & 0xffff_ffffn), Number(star >> 32n))
    core.set(msrAt.IA32_FMASK, fmask, 0)
    return asUser(board)
  }

  describe("SYSCALL", () => {
    it("saves RIP and RFLAGS, masks the flags, and enters ring 0", () => {
      // STC; SYSCALL
      const board = aSystem([0xf9, ...syscall], nop, 0x4_0701)
      board.machine.core.setRflags(0x4_0202)
      board.run(2)

      assert.strictEqual(board.get("rcx"), BigInt(code + 3))
      assert.strictEqual(board.get("r11"), 0x4_0203n)
      assert.strictEqual(board.get("rip"), BigInt(entry))
      assert.strictEqual(board.machine.core.rflags(), 2)
      assert.strictEqual(board.machine.core.privilege, 0)
      assert.deepStrictEqual(
        [1, 2].map((n) => board.machine.core.selector(n)),
        [8, 16]
      )
      assert.strictEqual(board.get("rsp"), BigInt(stackTop), "it leaves the stack")
    })

    it("is #UD unless EFER.SCE = 1", () => {
      const board = aSystem(syscall, nop)
      board.machine.core.set(msrAt.IA32_EFER, EFER.LMA | EFER.LME, 0)
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(6) + 1))
    })

    it("and SYSRET lead back to the instruction behind it", () => {
      const board = aSystem([...syscall, ...nop], sysretq)
      board.machine.core.setRflags(0x202)
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(code + 2))
      assert.strictEqual(board.machine.core.privilege, 3)
      assert.strictEqual(board.machine.core.rflags(), 0x202)
      assert.deepStrictEqual(
        [1, 2].map((n) => board.machine.core.selector(n)),
        [userCode, userData]
      )
    })
  })

  describe("SYSRET", () => {
    it("to an address that is not canonical is #GP in ring 0", () => {
      // MOV RCX, 8000_0000_0000H
      const board = aSystem(syscall, [0x48, 0xb9, 0, 0, 0, 0, 0, 0x80, 0, 0, ...sysretq])
      board.run(4)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(13) + 1))
      assert.strictEqual(board.get64(Number(board.get("rsp")) + 16), BigInt(kernelCode))
    })

    it("clears what R11 has of RF and VM and reserved bits", () => {
      const board = aSystem(syscall, [0x49, 0xc7, 0xc3, 0xff, 0xfe, 0xff, 0xff, ...sysretq]) // MOV R11, -1 without TF
      board.run(3)

      assert.strictEqual(board.machine.core.rflags(), 0x3c_7ed7)
    })

    it("is #GP in ring 3", () => {
      const board = aSystem(sysretq, nop)
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(13) + 1))
    })
  })

  it("SWAPGS exchanges GS's base for the one that waits", () => {
    const board = new Board(reading).identity(0, stackTop).start(0x0f, 0x01, 0xf8)
    board.machine.core.set(at.gsBase, 1, 2)
    board.machine.core.set(msrAt.IA32_KERNEL_GS_BASE, 3, 4)
    board.run(1)

    assert.strictEqual(board.word(at.gsBase), 0x4_0000_0003n)
    assert.strictEqual(board.word(msrAt.IA32_KERNEL_GS_BASE), 0x2_0000_0001n)
  })

  describe("IRETQ", () => {
    const frameAt = stackTop - 0x100
    const returning = (rip: bigint, cs: number, flags: number, rsp: bigint, ss: number) => {
      const board = withTables(
        new Board(reading)
          .identity(0, stackTop)
          .identity(code, code + 0x1000, P | RW | US)
          .start(...iretq, ...hlt)
      )
      for (const [n, word] of [rip, BigInt(cs), BigInt(flags), rsp, BigInt(ss)].entries())
        board.put64(frameAt + n * 8, word)
      board.set("rsp", BigInt(frameAt))
      return board
    }
    const at100 = BigInt(code + 1)

    it("returns to ring 3", () => {
      const board = returning(at100, userCode, 0x202, 0x1234n, userData)
      board.run(1)

      assert.strictEqual(board.get("rip"), at100)
      assert.strictEqual(board.get("rsp"), 0x1234n)
      assert.strictEqual(board.machine.core.privilege, 3)
      assert.strictEqual(board.machine.core.rflags(), 0x202)
    })

    it("to ring 3 makes data segments null that ring 3 may not use", () => {
      const board = returning(at100, userCode, 2, 0n, userData)
      board.run(1)

      assert.deepStrictEqual(
        [0, 3, 4, 5].map((n) => board.machine.core.selector(n)),
        [0, 0, 0, 0]
      )
    })

    it("allows a null SS in ring 0", () => {
      const board = returning(at100, kernelCode, 2, 0x2000n, 0)
      board.run(1)

      assert.strictEqual(board.get("rsp"), 0x2000n)
    })

    // biome-ignore format: a case, a line
    it.each([
      { says: "a null CS",                            cs: 0,           ss: 0,        vector: 13, code: 0 },
      { says: "a CS beyond the GDT",                  cs: 0x40,        ss: 0,        vector: 13, code: 0x40 },
      { says: "a CS that is data",                    cs: 0x10,        ss: 0,        vector: 13, code: 0x10 },
      { says: "a CS of another ring than its DPL",    cs: 0x08 | 3,    ss: userData, vector: 13, code: 0x08 },
      { says: "a null SS in ring 3",                  cs: userCode,    ss: 3,        vector: 13, code: 0 },
      { says: "an SS of another ring",                cs: userCode,    ss: 0x10,     vector: 13, code: 0x10 },
      { says: "an SS that is code",                   cs: userCode,    ss: userCode, vector: 13, code: 0x20 }
    ])("refuses $says", ({ cs, ss, vector, code: errorCode }) => {
      const board = returning(at100, cs, 2, 0n, ss)
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(vector) + 1))
      const rsp = Number(board.get("rsp"))
      assert.deepStrictEqual([board.get64(rsp), board.get64(rsp + 8)], [BigInt(errorCode), BigInt(code)])
      assert.strictEqual(board.get64(rsp + 32), BigInt(frameAt), "as if it had not begun")
    })

    it("refuses an address that is not canonical", () => {
      const board = returning(1n << 47n, userCode, 2, 0n, userData)
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(13) + 1))
    })

    it("in ring 3 changes neither IF nor IOPL", () => {
      const program = withTables(
        new Board(reading)
          .identity(0, stackTop)
          .identity(code, stackTop, P | RW | US)
          .start(...iretq)
      )
      const frame = [at100, BigInt(userCode), 0x3202n | 0xcd5n, 0n, BigInt(userData)]
      for (const [n, word] of frame.entries()) program.put64(frameAt + n * 8, word)
      asUser(program).set("rsp", BigInt(frameAt))
      program.run(1)

      assert.strictEqual(program.machine.core.rflags(), 0xcd7)
    })
  })
})
