import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import {
  asUser,
  Board,
  code,
  gateTo,
  handlerOf,
  hlt,
  idt,
  iretq,
  kernelCode,
  kernelData,
  loadRbx,
  movImm,
  nop,
  P,
  RW,
  readings,
  stackTop,
  sti,
  storeRbx,
  US,
  ud2,
  userCode,
  userData,
  withTables
} from "../board.ts"

const kernelStack = stackTop - 0x1000
const istStack = stackTop - 0x2000
const IF = 0x200n
const RF = 0x1_0000n

describe.each(Object.entries(readings))("an exception, read: %s", (_name, reading) => {
  const aBoard = () => new Board(reading).identity(0, stackTop)
  /**
   * Words from the top of a stack frame down: the frame of an exception begins with the error code, if there is one.
   */
  const frame = (board: Board, words: number) =>
    Array.from({ length: words }, (_, n) => board.get64(Number(board.get("rsp")) + n * 8))

  it("goes to the handler in the IDT, with RIP at the instruction", () => {
    const board = withTables(aBoard().start(...nop, ...ud2))

    assert.deepStrictEqual(board.run(10), { _tag: "Idle" })
    assert.strictEqual(board.get("rip"), BigInt(handlerOf(6) + 1))
    assert.deepStrictEqual(frame(board, 5), [
      BigInt(code + 1),
      BigInt(kernelCode),
      2n | RF,
      BigInt(stackTop),
      BigInt(kernelData)
    ])
  })

  it("counts as one instruction", () => {
    const board = withTables(aBoard().start(...nop, ...ud2))
    board.run(10)

    assert.strictEqual(board.machine.instructions, 3, "NOP, the delivery, HLT")
  })

  it("of a page fault has its error code and CR2", () => {
    const board = withTables(aBoard().start(...movImm("rbx", 0x7777_1234_5678n), ...storeRbx))
    board.run(10)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(14) + 1))
    assert.strictEqual(board.word(at.cr2), 0x7777_1234_5678n)
    assert.deepStrictEqual(frame(board, 2), [2n, BigInt(code + 10)])
  })

  it("of an address that is not canonical is #GP(0), and of the stack #SS(0)", () => {
    const data = withTables(aBoard().start(...movImm("rbx", 1n << 60n), ...loadRbx))
    data.run(10)
    assert.strictEqual(data.get("rip"), BigInt(handlerOf(13) + 1))
    assert.strictEqual(frame(data, 1)[0], 0n)

    const stack = withTables(aBoard().start(0x58), (vector) => (vector === 12 ? 1 : 0)).set("rsp", 1n << 60n)
    stack.run(10)
    assert.strictEqual(stack.get("rip"), BigInt(handlerOf(12) + 1))
  })

  it("that crosses a page names the first byte that cannot be accessed", () => {
    const board = withTables(aBoard().start(...movImm("rbx", stackTop - 3), ...loadRbx))
    board.run(10)

    assert.strictEqual(board.word(at.cr2), BigInt(stackTop))
  })

  it("from a program takes the stack in the TSS, aligned, and leaves a null SS", () => {
    const board = asUser(
      withTables(
        aBoard()
          .identity(code, stackTop, P | RW | US)
          .start(...ud2)
      )
    )
    board.set("rsp", BigInt(stackTop - 0x5003))
    board.map(BigInt(kernelStack - 0x1000), kernelStack - 0x1000, P | RW)
    board.run(10)

    assert.strictEqual(board.get("rsp"), BigInt(kernelStack - 40))
    assert.deepStrictEqual(frame(board, 5), [
      BigInt(code),
      BigInt(userCode),
      2n | RF,
      BigInt(stackTop - 0x5003),
      BigInt(userData)
    ])
    assert.strictEqual(board.machine.core.selector(2), 0)
    assert.strictEqual(board.machine.core.privilege, 0)
  })

  it("with an IST takes that stack, whatever the ring", () => {
    const board = withTables(aBoard().start(...ud2), (vector) => (vector === 6 ? 1 : 0))
    board.run(10)

    assert.strictEqual(board.get("rsp"), BigInt(istStack - 40))
  })

  it("clears IF behind an interrupt gate and leaves it behind a trap gate", () => {
    for (const [type, expected] of [
      [0x8e, 0n],
      [0x8f, IF]
    ] as const) {
      const board = withTables(aBoard().start(...sti, ...ud2))
      gateTo(board, 6, handlerOf(6), { type })
      board.run(10)
      assert.strictEqual(board.word(at.rflags) & IF, expected)
    }
  })

  it("is returned from by IRETQ", () => {
    const board = withTables(aBoard().start(...ud2, ...nop, ...hlt))
    // ADD QWORD [RSP], 2; IRETQ
    board.put(handlerOf(6), 0x48, 0x83, 0x04, 0x24, 0x02, ...iretq)
    board.run(10)

    assert.strictEqual(board.get("rip"), BigInt(code + 4))
    assert.strictEqual(board.get("rsp"), BigInt(stackTop))
  })

  it("in the delivery of a page fault is a double fault", () => {
    const board = withTables(aBoard().start(...movImm("rbx", 0x7777_0000_0000n), ...loadRbx), (vector) =>
      vector === 8 ? 1 : 0
    )
    board.set("rsp", 0x6666_0000_0000n)
    board.run(10)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(8) + 1))
    assert.strictEqual(frame(board, 1)[0], 0n)
    assert.strictEqual(board.word(at.cr2), 0x6666_0000_0000n - 8n)
  })

  it("in the delivery of a benign exception is delivered in its place, with EXT", () => {
    const board = withTables(aBoard().start(...ud2))
    board.put(idt + 6 * 16 + 5, 0x0e)
    board.run(10)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(11) + 1))
    assert.strictEqual(frame(board, 1)[0], BigInt((6 << 3) | 2 | 1))
  })

  it("for which there is no double fault handler either shuts the processor down", () => {
    const board = aBoard().start(...ud2)

    assert.deepStrictEqual(board.run(10), { _tag: "TripleFault" })
    assert.match(board.machine.report(), /RIP 00000000_00100000/)
    assert.match(board.machine.report(), /the last exception was #GP with error code 67\n/, "the IDT has no entry 8")
    assert.match(board.machine.report(), /PTE {3}at [0-9A-F]+H: 00000000_00100023/)
  })

  it("by INT n needs a gate that the program may call", () => {
    const board = asUser(
      withTables(
        aBoard()
          .identity(code, stackTop, P | RW | US)
          .start(0xcd, 0x30)
      )
    )
    board.map(BigInt(kernelStack - 0x1000), kernelStack - 0x1000, P | RW)
    board.run(10)
    assert.strictEqual(board.get("rip"), BigInt(handlerOf(13) + 1))
    assert.deepStrictEqual(frame(board, 2), [BigInt((0x30 << 3) | 2), BigInt(code)])

    const allowed = asUser(
      withTables(
        aBoard()
          .identity(code, stackTop, P | RW | US)
          .start(0xcd, 0x30)
      )
    )
    allowed.map(BigInt(kernelStack - 0x1000), kernelStack - 0x1000, P | RW)
    gateTo(allowed, 0x30, handlerOf(0x30), { type: 0xee })
    allowed.run(10)
    assert.strictEqual(allowed.get("rip"), BigInt(handlerOf(0x30) + 1))
    assert.deepStrictEqual(frame(allowed, 1), [BigInt(code + 2)])
    assert.strictEqual(allowed.machine.instructions, 2, "INT with its delivery, HLT")
  })

  it("single steps with TF: #DB behind the instruction", () => {
    const board = withTables(aBoard().start(...movImm("rax", 0x102), 0x50, 0x9d, ...nop, ...nop))
    board.run(10)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(1) + 1))
    assert.strictEqual(frame(board, 1)[0], BigInt(code + 13))
  })
})
