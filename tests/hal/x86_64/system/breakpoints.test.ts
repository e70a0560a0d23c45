import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { writeDebug } from "../../../../src/hal/x86_64/system/control.ts"
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

    it("on an instruction is #DB before it, once, as IRET has RF", () => {
      const board = breakOn(aBoard(...nop, ...hex("48 FF C0"), 0xf4), on.execution, code + 1)
      board.put(handlerOf(1), ...iretq)
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

    it("that is not enabled is none", () => {
      const board = aBoard(...storeRbx, ...nop)
      writeDebug(board.machine.core, 1, address, 0)
      board.run(2)
      assert.strictEqual(board.get("rip"), BigInt(code + 4))
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
