import { assert, describe, it } from "@effect/vitest"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { segments } from "../../../../src/hal/x86_64/processor/State.ts"
import { setFlat } from "../../../../src/hal/x86_64/system/descriptors.ts"
import { system } from "../../../../src/hal/x86_64/system/registers.ts"
import {
  asUser, Board, bytes, code, gdt, handlerOf, kernelCode, P, RW, readings, stackTop, US, userCode, userData, withTables
} from "../board.ts" // biome-ignore format: names

const [NP, GP] = [11, 13] as const
const gate = 0x38
const target = 0x7000
const pointer = code + 0x800
/** RSP0, in the TSS of the board. */
const innerStack = stackTop - 0x1000

/** CALL and JMP through the far pointer of 64 bits at `pointer`. */
const through = (digit: 3 | 5) => [0x48, 0xff, (digit << 3) | 4, 0x25, ...bytes(pointer, 4)]
const retfq = [0x48, 0xcb]

interface Gate {
  readonly type?: number
  readonly selector?: number
  readonly upper?: number
}

/** Code that is about to run in ring 3 (or 0), and a gate at `gate` to `target`. */
const aBoard = (reading: MakeReading, program: readonly number[], ring: 0 | 3, asked: Gate = {}) => {
  const { type = 0xec, selector = kernelCode, upper = 0 } = asked
  const board = withTables(
    new Board(reading)
      .identity(0, stackTop)
      .identity(code, code + 0x1000, P | RW | US)
      .start(...program)
  )
  board.put(
    gdt + gate,
    ...bytes(target & 0xffff, 2),
    ...bytes(selector, 2),
    0,
    type,
    0,
    0,
    ...bytes(0, 4),
    ...bytes(upper, 4)
  )
  board.put(pointer, ...bytes(0x1234_5678, 8), ...bytes(gate | ring, 2)).put(target, ...retfq)
  board.machine.core.set(system.gdtrLimit, gate + 15, 0)
  board.set("rsp", BigInt(code + 0xff0))
  return ring === 3 ? asUser(board) : board
}
const wentTo = (board: Board) => Number((board.get("rip") - BigInt(handlerOf(0))) >> 4n)
const errorCode = (board: Board) => Number(board.get64(Number(board.get("rsp"))))

describe.each(Object.entries(readings))("a call gate of IA-32e mode, read: %s", (_name, reading) => {
  it("leads to an inner ring on the stack that the TSS has for it, and RET comes back", () => {
    const board = aBoard(reading, through(3), 3)
    const { core } = board.machine
    board.run(1)
    assert.deepStrictEqual([board.get("rip"), core.privilege], [BigInt(target), 0])
    assert.deepStrictEqual([core.selector(segments.cs), core.selector(segments.ss)], [kernelCode, 0])
    assert.strictEqual(board.get("rsp"), BigInt(innerStack - 32))
    const pushed = [0, 8, 16, 24].map((n) => board.get64(innerStack - 32 + n))
    assert.deepStrictEqual(pushed, [BigInt(code + 8), BigInt(userCode), BigInt(code + 0xff0), BigInt(userData)])
    board.run(1)
    assert.deepStrictEqual([board.get("rip"), core.privilege], [BigInt(code + 8), 3])
    assert.deepStrictEqual([board.get("rsp"), core.selector(segments.ss)], [BigInt(code + 0xff0), userData])
  })

  it("to the same ring pushes CS and RIP alone; JMP pushes nothing", () => {
    const board = aBoard(reading, through(3), 0)
    board.run(1)
    assert.deepStrictEqual([board.get("rip"), board.get("rsp")], [BigInt(target), BigInt(code + 0xff0 - 16)])
    board.run(1)
    assert.deepStrictEqual([board.get("rip"), board.get("rsp")], [BigInt(code + 8), BigInt(code + 0xff0)])
    const jump = aBoard(reading, through(5), 0)
    jump.run(1)
    assert.deepStrictEqual([jump.get("rip"), jump.get("rsp")], [BigInt(target), BigInt(code + 0xff0)])
  })

  it("leads from compatibility mode to 64-bit mode", () => {
    const board = aBoard(reading, [0x9a, 0, 0, 0, 0, ...bytes(gate | 3, 2)], 3)
    const { core } = board.machine
    board.put64(gdt + 0x48, 0x00cf_fb00_0000_ffffn)
    core.set(system.gdtrLimit, 0x4f, 0)
    setFlat(core, 0x4b, userData, 3, 32)
    board.run(1)
    assert.deepStrictEqual([board.get("rip"), core.mode], [BigInt(target), { bits: 64, privilege: 0 }])
    assert.strictEqual(board.get64(innerStack - 32), BigInt(code + 7))
    board.run(1)
    assert.deepStrictEqual([board.get("rip"), core.mode.bits, core.privilege], [BigInt(code + 7), 32, 3])
  })

  // biome-ignore format: a case, a line
  it.each([
    ["of another ring",                   through(3), 3, { type: 0x8c }, GP, gate],
    ["that is not present",               through(3), 3, { type: 0x6c }, NP, gate],
    ["of 16 bits",                        through(3), 3, { type: 0xe4 }, GP, gate],
    ["whose upper half has a type",       through(3), 3, { upper: 0x100 }, GP, gate],
    ["to data",                           through(3), 3, { selector: 0x10 }, GP, 0x10],
    ["to an outer ring",                  through(3), 0, { type: 0x8c, selector: userCode & ~3 }, GP, userCode & ~3],
    ["to an inner ring, by JMP",          through(5), 3, {}, GP, kernelCode]
  ] as const)("%s is refused", (_what, program, ring, asked, vector, error) => {
    const board = aBoard(reading, program, ring, asked)
    board.run(1)
    assert.strictEqual(wentTo(board), vector)
    assert.strictEqual(errorCode(board), error)
  })
})
