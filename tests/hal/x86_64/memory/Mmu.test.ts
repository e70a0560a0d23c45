import { assert, describe, it } from "@effect/vitest"
import { gateRom } from "../../../../src/hal/x86_64/gate.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { Board, hex, jmpHere, loadRbx, P, RW, readings, stackTop, sti, storeRbx, withTables } from "../board.ts"

const deviceAt = 0xfed8_0000
const address = 0x5000_0000n

/** A board with a chip at `address` that notes what happens to it, and whose registers hold their own offsets. */
const aBoard = (reading: MakeReading, ...program: number[]) => {
  const board = new Board(reading).identity(0, stackTop).start(...program)
  const seen: (readonly [what: "read" | "write", offset: number, width: number, value: number])[] = []
  board.machine.bus.addMemory({
    name: "chip",
    start: deviceAt,
    bytes: 0x1000,
    target: {
      read: (offset, width) => {
        seen.push(["read", offset, width, offset])
        return offset
      },
      write: (offset, width, value) => {
        seen.push(["write", offset, width, value])
      }
    }
  })
  board.map(address, deviceAt, P | RW)
  board.map(address + 0x1000n, 0x20_0000, P | RW)
  board.set("rbx", address)
  return { board, seen }
}

describe.each(Object.entries(readings))("read: %s", (_name, reading) => {
  describe("a chip's registers in memory", () => {
    it("are read and written in pieces of 32 bits at most, the lowest first", () => {
      const { board, seen } = aBoard(reading, ...loadRbx, ...storeRbx)
      board.set("rbx", address + 8n).run(2)
      assert.strictEqual(board.get("rax"), 0xc_0000_0008n)
      assert.deepStrictEqual(seen, [
        ["read", 8, 32, 8],
        ["read", 12, 32, 12],
        ["write", 8, 32, 8],
        ["write", 12, 32, 12]
      ])
    })

    it("are read once and written once by an instruction that does both", () => {
      const { board, seen } = aBoard(reading, ...hex("83 43 04 01")) // ADD DWORD [RBX + 4], 1
      board.run(1)
      assert.deepStrictEqual(seen, [
        ["read", 4, 32, 4],
        ["write", 4, 32, 5]
      ])
    })

    it("are reached every time, at any width", () => {
      const { board, seen } = aBoard(reading, ...hex("8A 03 66 8B 43 02 8A 03")) // MOV AL, [RBX]; MOV AX, [RBX + 2]; MOV AL, [RBX]
      board.run(3)
      assert.deepStrictEqual(seen, [
        ["read", 0, 8, 0],
        ["read", 2, 16, 2],
        ["read", 0, 8, 0]
      ])
    })

    it("take the time that the chip needs, and what is due by then is on time", () => {
      const { board } = aBoard(reading, ...loadRbx, ...loadRbx, ...jmpHere)
      const target = { read: () => 0, write: () => {} }
      board.machine.bus.addMemory({ name: "slow chip", start: deviceAt - 0x1000, bytes: 0x1000, takes: 300, target })
      board.map(address, deviceAt - 0x1000, P | RW)
      const began = board.machine.instructions
      const times: number[] = []
      board.machine.timers.schedule("a test", began + 450, () => times.push(board.machine.instructions - began))
      board.run(2000)
      // Two accesses of 64 bits, each in two parts, and an instruction; it is due in the first.
      assert.deepStrictEqual(times, [601])
    })

    it("are not touched by an access whose other half faults", () => {
      const { board, seen } = aBoard(reading, ...loadRbx)
      withTables(board)
      board.map(address + 0x1000n, 0, 0n)
      board.set("rbx", address + 0xffcn).run(1)
      assert.deepStrictEqual(seen, [])
    })

    it("share an access with the RAM behind them", () => {
      const { board, seen } = aBoard(reading, ...loadRbx, ...storeRbx)
      board.put64(0x20_0000, 0x8877_6655n)
      board.set("rbx", address + 0xffcn).run(2)
      assert.strictEqual(board.get("rax"), 0x8877_6655_0000_0ffcn)
      assert.deepStrictEqual(seen.at(-1), ["write", 0xffc, 32, 0xffc])
    })

    it("see the exact time, and what they bring about comes at the exact time", () => {
      // NOP, NOP, MOV [RBX], EAX, then JMP for ever
      const board = withTables(
        new Board(reading).identity(0, stackTop).start(...sti, 0x90, 0x90, ...hex("89 03"), ...jmpHere)
      )
      const { core, bus } = board.machine
      core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
      core.apic.writeMsr(0x80f, 0x1ff, 0)
      const times: number[] = []
      bus.addMemory({
        name: "timer",
        start: deviceAt,
        bytes: 4,
        target: {
          read: () => 0,
          write: () => {
            times.push(core.clock.now())
            core.clock.schedule("timer", core.clock.now() + 10, () => {
              times.push(core.clock.now())
              core.apic.writeMsr(0x83f, 0x41, 0)
            })
          }
        }
      })
      board.map(address, deviceAt, P | RW)
      board.set("rbx", address).run(1000)
      assert.deepStrictEqual([times, board.machine.instructions], [[3, 13], 15])
    })
  })

  describe("the gate ROM", () => {
    it("is read like memory, and never written", () => {
      const board = new Board(reading).identity(0, stackTop).start(...storeRbx, ...loadRbx)
      board.map(address, gateRom, P | RW)
      board.set("rbx", address).run(2)
      assert.strictEqual(board.get("rax"), 0x90f9_eb05_0f00_040fn)
    })
  })

  it("what is fetched where nobody is, is ones: #UD", () => {
    const board = withTables(new Board(reading).identity(0, stackTop).start(...hex("FF E3"))) // JMP RBX
    board.map(address, 0x9000_0000, P)
    board.set("rbx", address).run(3)
    assert.strictEqual(board.get64(Number(board.get("rsp"))), address)
  })
})
