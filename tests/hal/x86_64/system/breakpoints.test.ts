import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { writeDebug } from "../../../../src/hal/x86_64/system/control.ts"
import { msrAt } from "../../../../src/hal/x86_64/system/msr.ts"
import { CR0, CR4, system } from "../../../../src/hal/x86_64/system/registers.ts"
import {
  asUser,
  Board,
  code,
  handlerOf,
  hex,
  iretq,
  loadRbx,
  nop,
  P,
  RW,
  readings,
  stackTop,
  storeRbx,
  syscall,
  sysretq,
  US,
  withTables
} from "../board.ts"

const address = 0x9100
const DR6 = system.debug + 6 * 8
const on = { execution: 0, write: 1, port: 2, access: 3 } as const
const length = { 1: 0, 2: 1, 4: 3, 8: 2 } as const

describe.each(Object.entries(readings))("read: %s", (_name, reading) => {
  const aBoard = (...program: number[]) =>
    withTables(new Board(reading).identity(0, stackTop).start(...program)).set("rbx", BigInt(address))
  /** Breakpoint 1. */
  const breakOn = (board: Board, what: number, place: number, bytes: 1 | 2 | 4 | 8 = 1) => {
    writeDebug(board.machine.core, 1, place, 0)
    writeDebug(board.machine.core, 7, (1 << 3) | (what << 20) | (length[bytes] << 22), 0)
    return board
  }
  const isInHandler = (board: Board, vector: number) => board.get("rip") === BigInt(handlerOf(vector) + 1)
  const pushedRip = (board: Board) => Number(board.get64(Number(board.get("rsp")))) - code
  const RF = 0x1_0000n
  const expectPushedRf = (board: Board, expected: bigint) => {
    board.run(20)
    assert.strictEqual(board.get64(Number(board.get("rsp")) + 16) & RF, expected)
  }
  const why = (board: Board) => Number(board.word(DR6) & 0xe00fn)

  describe("a breakpoint", () => {
    it("on a write is #DB behind the instruction, the write done", () => {
      const board = breakOn(aBoard(...nop, ...storeRbx, ...nop), on.write, address, 8).set("rax", 7n)
      board.run(20)
      assert.isTrue(isInHandler(board, 1))
      assert.deepStrictEqual([pushedRip(board), why(board), board.get64(address)], [4, 0b10, 7n])
    })

    it("on a write is not for reads; one on accesses is", () => {
      const writes = breakOn(aBoard(...loadRbx, ...nop), on.write, address)
      writes.run(2)
      assert.strictEqual(writes.get("rip"), BigInt(code + 4))
      const accesses = breakOn(aBoard(...loadRbx, ...nop), on.access, address)
      accesses.run(20)
      assert.isTrue(isInHandler(accesses, 1))
    })

    it.each([
      [-8, false],
      [-7, true],
      [3, true],
      [4, false]
    ])("on 4 bytes, touched by 8 bytes from %s on: %s", (offset, expected) => {
      const board = breakOn(aBoard(...storeRbx, 0xf4), on.write, address, 4).set("rbx", BigInt(address + offset))
      board.run(20)
      assert.strictEqual(isInHandler(board, 1), expected)
    })

    it("is noticed although the page was written before", () => {
      const board = aBoard(...storeRbx, ...storeRbx, ...nop)
      board.run(1)
      breakOn(board, on.write, address).run(20)
      assert.isTrue(isInHandler(board, 1))
    })

    it("on an instruction is #DB before it, again and again until IRET has RF", () => {
      const board = breakOn(aBoard(...nop, ...hex("48 FF C0"), 0xf4), on.execution, code + 1)
      // OR DWORD [RSP + 16], 10000H: RF is the handler's to set.
      board.put(handlerOf(1), ...hex("81 4C 24 10 00 00 01 00"), ...iretq)
      board.run(20)
      assert.deepStrictEqual([board.get("rip"), board.get("rax"), why(board)], [BigInt(code + 5), 1n, 0b10])
    })

    it("on a port needs CR4.DE", () => {
      const [without, with_] = [0, CR4.DE].map((DE) => {
        const board = aBoard(0xe4, 0x80, 0xf4)
        board.machine.core.set(at.cr4, CR4.PAE | DE, 0)
        breakOn(board, on.port, 0x80).run(20)
        return isInHandler(board, 1)
      })
      assert.deepStrictEqual([without, with_], [false, true])
    })

    it("on an instruction pushes RF as it was, 0; any other fault pushes 1", () => {
      const breaks = breakOn(aBoard(...nop, ...nop), on.execution, code + 1)
      const faults = aBoard(...nop, 0x0f, 0x0b)
      expectPushedRf(breaks, 0n)
      expectPushedRf(faults, RF)
    })

    it("on a repeated string instruction is before its first iteration alone", () => {
      // REP STOSB; HLT
      const board = breakOn(aBoard(0xf3, 0xaa, 0xf4), on.execution, code)
        .set("rcx", 3n)
        .set("rdi", BigInt(address))
      // INC R8; OR DWORD [RSP + 16], 10000H; IRETQ
      board.put(handlerOf(1), ...hex("49 FF C0 81 4C 24 10 00 00 01 00"), ...iretq)
      board.run(40)
      assert.deepStrictEqual([board.get("rip"), board.get("rcx"), board.get("r8")], [BigInt(code + 3), 0n, 1n])
    })

    it("behind MOV to SS waits until the next instruction is done; one on that instruction is not noticed", () => {
      // MOV SS, [RBX]; NOP; NOP
      const data = breakOn(aBoard(0x8e, 0x13, ...nop, ...nop), on.access, address, 2)
      data.put64(address, 0x10n).run(20)
      assert.deepStrictEqual([isInHandler(data, 1), pushedRip(data), why(data)], [true, 3, 0b10])
      const next = breakOn(aBoard(0x8e, 0x13, ...nop, 0xf4), on.execution, code + 2)
      next.put64(address, 0x10n).run(20)
      assert.strictEqual(next.get("rip"), BigInt(code + 4))
    })

    it("behind MOV to SS and INT n is heard of in the handler of INT n", () => {
      const board = breakOn(aBoard(0x8e, 0x13, 0xcd, 0x80, 0xf4), on.access, address, 2)
      board.put64(address, 0x10n).run(20)
      assert.isTrue(isInHandler(board, 1))
      assert.strictEqual(pushedRip(board) + code, handlerOf(0x80))
    })

    it("that is not enabled is none", () => {
      const board = aBoard(...storeRbx, ...nop)
      writeDebug(board.machine.core, 1, address, 0)
      board.run(2)
      assert.strictEqual(board.get("rip"), BigInt(code + 4))
    })
  })

  describe("a single step", () => {
    const TF = 0x102
    const BS = 0x4000

    it("behind MOV to SS waits for the next instruction, which may be one that clears TF", () => {
      // MOV SS, [RBX]; POPF; NOP
      const board = aBoard(0x8e, 0x13, 0x9d, ...nop)
      board
        .put64(address, 0x10n)
        .put64(stackTop - 8, 2n)
        .set("rsp", BigInt(stackTop - 8))
      board.machine.core.setRflags(TF)
      board.run(20)
      assert.deepStrictEqual([isInHandler(board, 1), pushedRip(board), why(board)], [true, 3, BS])
    })

    it("with IA32_DEBUGCTL.BTF is of branches that are taken, once", () => {
      // NOP; JZ +0; JMP +1; HLT; NOP; NOP; HLT
      const board = aBoard(0x90, 0x74, 0x00, 0xeb, 0x01, 0xf4, 0x90, 0x90, 0xf4)
      const { core } = board.machine
      core.set(msrAt.IA32_DEBUGCTL, 2, 0)
      core.setRflags(TF)
      board.run(20)
      assert.deepStrictEqual([isInHandler(board, 1), pushedRip(board), why(board)], [true, 6, BS])
      assert.strictEqual(core.low(msrAt.IA32_DEBUGCTL), 0)
    })

    it("is each iteration of a repeated string instruction, with RF between two of them", () => {
      // REP STOSB; NOP
      const board = aBoard(0xf3, 0xaa, ...nop)
        .set("rcx", 2n)
        .set("rdi", BigInt(address))
      // MOV R9, R8; MOV R8, [RSP + 16]; IRETQ
      board.put(handlerOf(1), ...hex("4D 89 C1 4C 8B 44 24 10"), ...iretq)
      board.machine.core.setRflags(TF)
      board.run(1 + 4 + 1 + 4)
      assert.deepStrictEqual([board.get("r9") & RF, board.get("r8") & RF], [RF, 0n])
      assert.deepStrictEqual([board.get("rip"), board.get("rcx")], [BigInt(code + 2), 0n])
    })

    it("does not go into a system call whose IA32_FMASK has TF, and stops behind the SYSRET that brings it back", () => {
      const board = aBoard(...syscall, ...nop, 0xf4).identity(code, code + 0x1000, P | RW | US)
      const { core } = board.machine
      const kernel = handlerOf(0x90)
      board.put(kernel, ...sysretq)
      core.set(msrAt.IA32_EFER, core.low(msrAt.IA32_EFER) | 1, 0)
      core.set(msrAt.IA32_STAR, 0, 0x0013_0008)
      core.set(msrAt.IA32_LSTAR, kernel, 0)
      core.set(msrAt.IA32_FMASK, 0x100, 0)
      asUser(board)
      core.setRflags(TF)
      board.run(20)
      assert.deepStrictEqual([isInHandler(board, 1), pushedRip(board), why(board)], [true, 2, BS])
    })
  })

  describe("IRET", () => {
    it("that faults unblocks NMIs all the same", () => {
      const board = aBoard(...iretq)
      // The frame's CS is null.
      board.set("rsp", BigInt(stackTop - 0x40)).machine.core.set(system.nmiBlocked, 1, 0)
      board.run(20)
      assert.deepStrictEqual([isInHandler(board, 13), board.machine.core.low(system.nmiBlocked)], [true, 0])
    })
  })

  describe("VIP and VIF", () => {
    const virtual = 0x18_0002
    it.each([
      ["together are #GP before the next instruction in ring 3 with CR4.PVI", virtual, CR4.PVI, true],
      ["together are nothing without CR4.PVI", virtual, 0, false],
      ["are nothing one without the other", 0x10_0002, CR4.PVI, false]
    ])("%s", (_, rflags, PVI, expected) => {
      const board = aBoard(...nop, ...nop).identity(code, code + 0x1000, P | RW | US)
      board.machine.core.set(at.cr4, CR4.PAE | PVI, 0)
      asUser(board).machine.core.setRflags(rflags)
      board.run(2)
      assert.strictEqual(board.get("rip") >= BigInt(code) && board.get("rip") < BigInt(code + 0x10), !expected)
      if (expected) assert.deepStrictEqual([isInHandler(board, 13), board.get64(Number(board.get("rsp")))], [true, 0n])
    })
  })

  describe("alignment", () => {
    const aProgram = (rflags: number, ...program: number[]) => {
      const board = new Board(reading).identity(0, stackTop).identity(code, code + 0x1000, P | RW | US)
      withTables(board.start(...program))
      board.map(BigInt(address & ~0xfff), address & ~0xfff, P | RW | US)
      board.machine.core.set(at.cr0, board.machine.core.low(at.cr0) | CR0.AM, 0)
      asUser(board).machine.core.setRflags(rflags)
      return board.set("rbx", BigInt(address + 4))
    }
    const AC = 0x4_0002

    it("is checked with CR0.AM and RFLAGS.AC: #AC(0)", () => {
      for (const program of [loadRbx, storeRbx, hex("48 01 03")]) {
        const board = aProgram(AC, ...program)
        board.run(20)
        assert.isTrue(isInHandler(board, 17))
        assert.strictEqual(board.get64(Number(board.get("rsp"))), 0n)
      }
    })

    it("is not checked without AC, and not of what is aligned", () => {
      for (const board of [aProgram(2, ...loadRbx), aProgram(AC, ...hex("8B 03"))]) {
        board.run(1)
        assert.notStrictEqual(board.get("rip"), BigInt(code))
      }
    })

    it("does not go before a page fault", () => {
      const board = aProgram(AC, ...loadRbx).set("rbx", 0x7777_0001n)
      board.run(20)
      assert.isTrue(isInHandler(board, 14))
    })
  })
})
