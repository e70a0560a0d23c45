import { assert, describe, it } from "@effect/vitest"
import { Board, cli, code, handlerOf, hlt, iretq, jmpHere, nop, readings, stackTop, sti, withTables } from "./board.ts"

const [TPR, EOI, SVR, TIMER, INITIAL, CURRENT, DIVIDE, SELF_IPI] = [
  0x808, 0x80b, 0x80f, 0x832, 0x838, 0x839, 0x83e, 0x83f
]
const tscDeadline = 2 << 17
const vector = 0x41

describe.each(Object.entries(readings))("the local APIC, with a processor that reads: %s", (_name, reading) => {
  const aSystem = (...program: number[]) => {
    const board = withTables(new Board(reading).identity(0, stackTop).start(...program))
    const { core } = board.machine
    core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
    write(board, SVR, 0x1ff)
    write(board, TIMER, tscDeadline | vector)
    return board
  }
  const write = (board: Board, register: number, value: number) => board.machine.core.apic.writeMsr(register, value, 0)
  const read = (board: Board, register: number) => board.machine.core.apic.readMsr(register)![0]
  const arm = (board: Board, count: number) => board.machine.core.apic.writeDeadline(count, 0)

  it.each([1, 2, 10, 100, 1000])("interrupts after exactly %s instructions", (count) => {
    const board = aSystem(...sti, ...jmpHere)
    arm(board, count)
    board.run(5000)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(vector) + 1))
    // The interrupt window opens behind the instruction that follows STI.
    assert.strictEqual(board.machine.instructions, Math.max(count, 2) + 2, "its delivery and HLT come after")
    assert.deepStrictEqual(board.machine.core.apic.readDeadline(), [0, 0])
  })

  it("wakes a halted processor, and time skips to its deadline", () => {
    const board = aSystem(...sti, ...hlt)
    arm(board, 1_000_000)

    assert.deepStrictEqual(board.run(10_000_000), { _tag: "Idle" })
    assert.strictEqual(board.get("rip"), BigInt(handlerOf(vector) + 1))
    assert.strictEqual(board.machine.instructions, 1_000_002)
  })

  it("with no deadline lets a halted processor sleep for ever", () => {
    const board = aSystem(...sti, ...hlt)

    assert.deepStrictEqual(board.run(100), { _tag: "Idle" })
    assert.strictEqual(board.machine.instructions, 2)
  })

  it("waits as long as interrupts are off, and an instruction longer behind STI", () => {
    const board = aSystem(...cli, ...nop, ...nop, ...sti, ...nop, ...nop)
    arm(board, 1)
    board.run(7)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(vector) + 1))
    assert.strictEqual(board.get64(Number(board.get("rsp"))), BigInt(code + 5))
  })

  it("serves one interrupt at a time of its priority, until EOI", () => {
    const board = aSystem(...sti, ...nop, ...nop, ...nop)
    board.put(handlerOf(vector), ...iretq)
    write(board, SELF_IPI, vector)
    board.run(4)
    assert.strictEqual(read(board, 0x812), 1 << (vector & 31))
    write(board, SELF_IPI, vector)
    assert.strictEqual(board.machine.core.apic.pending(), -1)
    write(board, EOI, 0)
    assert.strictEqual(board.machine.core.apic.pending(), vector)
  })

  it("lets a higher class interrupt a lower, and TPR hold back both", () => {
    const board = aSystem(...nop)
    const { apic } = board.machine.core
    write(board, SELF_IPI, 0x41)
    assert.strictEqual(apic.acknowledge(), 0x41)
    write(board, SELF_IPI, 0x4f)
    assert.strictEqual(apic.pending(), -1, "the same class")
    write(board, SELF_IPI, 0x50)
    assert.strictEqual(apic.pending(), 0x50)
    write(board, TPR, 0x50)
    assert.strictEqual(apic.pending(), -1)
  })

  it("counts down from the initial count, at the clock divided", () => {
    const board = aSystem(...sti, ...jmpHere)
    write(board, TIMER, vector)
    write(board, DIVIDE, 0b0000)
    write(board, INITIAL, 50)
    board.run(20)
    assert.strictEqual(read(board, CURRENT), 40)
    board.run(1000)
    assert.strictEqual(board.machine.instructions, 102)
    assert.strictEqual(read(board, CURRENT), 0)
  })

  it("interrupts again and again in periodic mode", () => {
    const board = aSystem(...sti, ...jmpHere)
    write(board, TIMER, (1 << 17) | vector)
    write(board, DIVIDE, 0b1011)
    // INC RBX; MOV ECX, 80BH; XOR EAX, EAX; XOR EDX, EDX; WRMSR; IRETQ
    board.put(handlerOf(vector), 0x48, 0xff, 0xc3, 0xb9, 0x0b, 8, 0, 0, 0x31, 0xc0, 0x31, 0xd2, 0x0f, 0x30, ...iretq)
    write(board, INITIAL, 100)
    board.run(1050)

    assert.strictEqual(board.get("rbx"), 10n)
  })

  it("does nothing with a deadline outside TSC-deadline mode, and forgets it when the mode changes", () => {
    const board = aSystem(...nop)
    arm(board, 100)
    write(board, TIMER, vector)
    assert.strictEqual(board.machine.core.clock.next(), Number.POSITIVE_INFINITY)
    arm(board, 100)
    assert.deepStrictEqual(board.machine.core.apic.readDeadline(), [0, 0])
  })

  it.each([
    [0x802, 1],
    [EOI, 1],
    [SVR, 1 << 16],
    [0x804, 0]
  ])("refuses a write to %s of %s", (register, value) => {
    const board = aSystem(...nop)
    // MOV ECX, register; MOV EAX, value; XOR EDX, EDX; WRMSR
    const four = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, 0]
    board.start(0xb9, ...four(register), 0xb8, ...four(value), 0x31, 0xd2, 0x0f, 0x30)
    withTables(board)
    board.run(5)

    assert.strictEqual(board.get("rip"), BigInt(handlerOf(13) + 1))
  })
})
