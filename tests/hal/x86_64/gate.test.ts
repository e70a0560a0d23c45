import { assert, describe, it } from "@effect/vitest"
import { Charge } from "../../../src/hal/Charge.ts"
import { Halt } from "../../../src/hal/Gates.ts"
import { gateRom } from "../../../src/hal/x86_64/gate.ts"
import { at } from "../../../src/hal/x86_64/processor/State.ts"
import { writeControl } from "../../../src/hal/x86_64/system/control.ts"
import { msrAt } from "../../../src/hal/x86_64/system/msr.ts"
import { CR0, EFER, system } from "../../../src/hal/x86_64/system/registers.ts"
import type { Answer, Fiber, Request } from "../../../src/types/Gate.ts"
import { window } from "../../../src/types/x86_64/KernelSpace.ts"
import {
  asUser,
  Board,
  code,
  G,
  handlerOf,
  hlt,
  kernelCode,
  P,
  RW,
  readings,
  stackTop,
  sysretq,
  US,
  withTables
} from "./board.ts"

const gate = (number: number) => [0x0f, 0x04, number]
const rom = 0x7000_0000n
const syscallEntry = code + 0x1000

/** A fiber that asks for these things in order, and what it was answered. */
const aFiber = (...requests: Request[]) => {
  const answers: Answer[] = []
  const fiber: Fiber = {
    name: "alice",
    resume: (answer) => {
      answers.push(answer)
      return requests[answers.length - 1] ?? { _tag: "Exit" }
    }
  }
  return { fiber, answers }
}

const aSyscall: Request = {
  _tag: "Syscall",
  number: (1n << 64n) - 5n,
  capability: 1n,
  info: 2n,
  reply: 3n,
  destination: 4n,
  mr0: 5n,
  mr1: 6n,
  mr2: 7n,
  mr3: 8n
}
const read = (address: bigint, length: number): Request => ({ _tag: "Read", address, length })
const write = (address: bigint, ...bytes: number[]): Request => ({
  _tag: "Write",
  address,
  bytes: new Uint8Array(bytes)
})

describe.each(Object.entries(readings))("a gate, read: %s", (_name, reading) => {
  describe("of the kernel", () => {
    const aKernel = (enter: (entry: number, board: Board) => void, ...program: number[]) => {
      const board = withTables(new Board(reading).identity(0, stackTop).start(...program))
      board.machine.gate.install((entry) => enter(entry, board))
      return board
    }

    it("is #UD as long as there is no handler", () => {
      const board = withTables(new Board(reading).identity(0, stackTop).start(...gate(1)))
      board.run(2)
      assert.strictEqual(board.get("rip"), BigInt(handlerOf(6) + 1))
    })

    it("calls the handler with its number and the registers as they are", () => {
      const seen: unknown[] = []
      const board = aKernel(
        (entry, { machine }) => seen.push(entry, machine.core.low(at.general)),
        0xb8,
        7,
        0,
        0,
        0,
        ...gate(9)
      )
      board.run(2)
      assert.deepStrictEqual(seen, [9, 7])
      assert.strictEqual(board.get("rip"), BigInt(code + 8))
      assert.strictEqual(board.machine.instructions, 2)
    })

    it("goes on where the handler says", () => {
      const board = aKernel((_entry, { machine }) => machine.core.set(at.rip, syscallEntry, 0), ...gate(1))
      board.put(syscallEntry, ...hlt)
      board.run(3)
      assert.strictEqual(board.get("rip"), BigInt(syscallEntry + 1))
    })

    it("takes the time that its work is charged", () => {
      const board = aKernel((_entry, { machine }) => machine.core.clock.charge(100), ...gate(1), ...hlt)
      board.run(1)
      assert.strictEqual(board.machine.instructions, 101)
    })

    it("stops the machine when the kernel gives up", () => {
      const board = aKernel(
        () => {
          throw new Halt("a promise broke")
        },
        ...gate(1)
      )
      assert.deepStrictEqual(board.run(10), { _tag: "Halt", report: "a promise broke" })
    })

    it("reaches memory through the window, with supervisor rights", () => {
      const board = aKernel((_entry, { machine }) => machine.window.store32(0x9000, 77), ...gate(1))
      board.map(window + 0x9000n, 0x9000, P | RW | G)
      board.run(1)
      assert.strictEqual(board.get64(0x9000), 77n)
      assert.strictEqual(board.pte(window + 0x9000n) & 0x60n, 0x60n, "accessed and dirty")
    })

    it.each([
      ["a page that is not mapped", 0n, 0b0000n, (b: Board) => b.machine.window.load8(0x9001)],
      ["a page that is not writable", P | G, 0b0011n, (b: Board) => b.machine.window.store8(0x9001, 1)],
      ["a user page", P | RW | US | G, 0b0001n, (b: Board) => b.machine.window.load8(0x9001)]
    ])("that touches %s is abandoned: #PF in ring 0", (_what, flags, errorCode, touch) => {
      const after: string[] = []
      const board = aKernel(
        (_entry, b) => {
          touch(b)
          after.push("not reached")
        },
        ...gate(1)
      )
      board.map(window + 0x9000n, 0x9000, flags)
      writeControl(board.machine.core, 0, CR0.PG | CR0.PE | CR0.WP, 0)
      writeControl(board.machine.core, 4, 0x20_0020, 0)
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(14) + 1))
      assert.strictEqual(board.word(at.cr2), window + 0x9001n)
      const rsp = Number(board.get("rsp"))
      assert.deepStrictEqual(
        [board.get64(rsp), board.get64(rsp + 8), board.get64(rsp + 16)],
        [errorCode, BigInt(code), BigInt(kernelCode)]
      )
      assert.deepStrictEqual(after, [])
    })

    it("that was allowed a page is refused it when the translation is gone", () => {
      const board = aKernel(
        (_entry, { machine }) => machine.window.store8(0x9000, 1),
        ...gate(1),
        0x0f,
        0x01,
        0x3b,
        ...gate(1)
      )
      board.map(window + 0x9000n, 0x9000, P | RW | G)
      writeControl(board.machine.core, 0, CR0.PG | CR0.PE | CR0.WP, 0)
      board.set("rbx", window + 0x9000n)
      board.run(1)
      board.map(window + 0x9000n, 0x9000, P | G)
      board.run(3)
      assert.strictEqual(board.get("rip"), BigInt(handlerOf(14) + 1))
    })
  })

  describe("of a program", () => {
    /**
     * A program whose address space maps the gate ROM, with a fiber in RBX; the kernel returns from every system
     * call.
     */
    const aProgram = (fiber: Fiber) => {
      const board = withTables(new Board(reading).identity(0, stackTop).start())
      board.map(rom, gateRom, P | US)
      const { core } = board.machine
      core.set(msrAt.IA32_EFER, core.low(msrAt.IA32_EFER) | EFER.SCE, 0)
      core.set(msrAt.IA32_LSTAR, syscallEntry, 0)
      core.set(msrAt.IA32_STAR, 0, (0x13 << 16) | kernelCode)
      board.put(syscallEntry, ...sysretq)
      core.set(at.rip, Number(rom), 0)
      return asUser(board).set("rbx", BigInt(board.machine.addFiber(fiber)))
    }

    it("starts the fiber with the thread's argument", () => {
      const { fiber, answers } = aFiber(aSyscall)
      aProgram(fiber).set("rdi", 42n).run(1)
      assert.deepStrictEqual(answers, [{ _tag: "Start", argument: 42n }])
    })

    it("makes a system call with the registers of the convention, and answers with them", () => {
      const { fiber, answers } = aFiber(aSyscall)
      const board = aProgram(fiber)
      board.run(1)

      assert.strictEqual(board.get("rip"), rom + 3n)
      const names = ["rdx", "rdi", "rsi", "r12", "r13", "r10", "r8", "r9", "r15"] as const
      assert.deepStrictEqual(
        names.map((name) => board.get(name)),
        [(1n << 64n) - 5n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]
      )
      // SYSCALL, SYSRETQ, JMP, and the gate again.
      board.run(4)
      assert.deepStrictEqual(answers[1], { _tag: "Syscall", badge: 1n, info: 2n, mr0: 5n, mr1: 6n, mr2: 7n, mr3: 8n })
    })

    it("takes the time of the gate, and of each access", () => {
      const board = aProgram(aFiber(aSyscall).fiber)
      board.run(1)
      assert.strictEqual(board.machine.instructions, 1 + Charge.gate)

      const accessing = aProgram(aFiber(read(rom, 16), aSyscall).fiber)
      accessing.run(200)
      assert.isAbove(accessing.machine.instructions, 2 * Charge.gate + Charge.access + 2 * Charge.accessWord)
    })

    it("reads and writes by the rights of the program, across pages", () => {
      const { fiber, answers } = aFiber(write(0x8000_0ffen, 1, 2, 3, 4), read(0x8000_0ffdn, 5), aSyscall)
      const board = aProgram(fiber)
      board.map(0x8000_0000n, 0x20_0000, P | RW | US)
      board.map(0x8000_1000n, 0x30_0000, P | RW | US)
      board.run(1000)

      assert.deepStrictEqual(answers.slice(1, 3), [
        { _tag: "Written" },
        { _tag: "Read", bytes: new Uint8Array([0, 1, 2, 3, 4]) }
      ])
      assert.strictEqual(board.get64(0x30_0000), 0x0403n)
    })

    it("reaches its memory at once as well, where it may, and is told where it may not", () => {
      const seen: unknown[] = []
      const board = aProgram({
        name: "alice",
        resume: (_answer, _now, memory) => {
          const bytes = new Uint8Array(4)
          seen.push(memory.write(0x8000_0ffe, Uint8Array.of(1, 2, 3, 4)), memory.read(0x8000_0ffe, bytes), [...bytes])
          seen.push(memory.read(code, bytes), memory.write(Number(rom), bytes), memory.read(2 ** 47, bytes))
          return aSyscall
        }
      })
      board.map(0x8000_0000n, 0x20_0000, P | RW | US)
      board.map(0x8000_1000n, 0x30_0000, P | RW | US)
      board.run(1)

      assert.deepStrictEqual(seen, [true, true, [1, 2, 3, 4], false, false, false])
      assert.strictEqual(board.get("rip"), rom + 3n, "nobody hears of a fault")
      assert.strictEqual(board.get64(0x30_0000), 0x0403n)
      assert.isAbove(board.machine.instructions, Charge.gate + 5 * (Charge.access + Charge.accessWord))
    })

    it("faults with its own access, and tries it again when it is entered again", () => {
      const { fiber, answers } = aFiber(write(0x8000_0000n, 9), aSyscall)
      const board = aProgram(fiber)
      board.run(100)
      assert.strictEqual(board.get("rip"), BigInt(handlerOf(14) + 1))
      assert.strictEqual(board.word(at.cr2), 0x8000_0000n)
      const rsp = Number(board.get("rsp"))
      assert.deepStrictEqual(
        [board.get64(rsp), board.get64(rsp + 8)],
        [0b110n, rom],
        "a write of a program, at the gate"
      )
      const rbx = board.get("rbx")

      board.map(0x8000_0000n, 0x20_0000, P | RW | US)
      board.machine.core.set(at.rip, Number(rom), 0)
      asUser(board).machine.core.i32[system.activity >> 2] = 0
      board.run(50)
      assert.strictEqual(board.get64(0x20_0000), 9n)
      assert.deepStrictEqual(
        answers.map(({ _tag }) => _tag),
        ["Start", "Written"]
      )
      assert.strictEqual(board.get("rbx") >> 32n, (rbx >> 32n) + 1n)
    })

    it("may not read what is the kernel's", () => {
      const board = aProgram(aFiber(read(BigInt(code), 1)).fiber)
      board.run(50)
      assert.strictEqual(board.word(at.cr2), BigInt(code))
      assert.strictEqual(board.get64(Number(board.get("rsp"))), 0b101n)
    })

    it("is left when something is due, and goes on when it is entered again", () => {
      const computing: Request[] = Array.from({ length: 100 }, () => ({ _tag: "Compute", operations: 1 }))
      const { fiber, answers } = aFiber(...computing, aSyscall)
      const board = aProgram(fiber)
      const { core } = board.machine
      core.clock.schedule("test", 500, () => {})
      board.machine.run(501)

      assert.strictEqual(board.get("rip"), rom)
      assert.isAtLeast(board.machine.instructions, 500)
      const resumed = answers.length
      assert.isBelow(resumed, 15)
      board.run(10_000)
      assert.isAtLeast(answers.length, 101)
      assert.strictEqual(answers[resumed]?._tag, "Continue")
    })

    it("stopped by the limit goes on as if it had not been", () => {
      const run = (...limits: number[]) => {
        const computing: Request[] = Array.from({ length: 100 }, () => ({ _tag: "Compute", operations: 1 }))
        const board = aProgram(aFiber(...computing, aSyscall).fiber)
        for (const limit of limits) board.machine.run(limit)
        return [board.machine.instructions, board.get("rbx"), board.get("rip")]
      }
      assert.deepStrictEqual(run(5000, 7000), run(7000))
    })

    it("forks: another thread enters the new fiber by its number", () => {
      const bob = aFiber(aSyscall)
      const { fiber, answers } = aFiber({ _tag: "Fork", fiber: bob.fiber }, aSyscall)
      const board = aProgram(fiber)
      board.run(2 * Charge.gate)
      const forked = answers[1]
      board.machine.core.set(at.rip, Number(rom), 0)
      board.set("rbx", forked?._tag === "Forked" ? BigInt(forked.fiber) : 0n).run(1)
      assert.strictEqual(bob.answers.length, 1)
    })

    it("is #UD with a sequence number that is past, so that copied registers double no fiber", () => {
      const { fiber, answers } = aFiber(aSyscall, aSyscall)
      const board = aProgram(fiber)
      const copied = board.get("rbx")
      board.run(1)
      board.machine.core.set(at.rip, Number(rom), 0)
      board.set("rbx", copied).run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(6) + 1))
      assert.strictEqual(answers.length, 1)
    })

    it("is #UD when the fiber has ended, and for a number of none", () => {
      const ended = aProgram(aFiber().fiber)
      ended.run(100)
      assert.strictEqual(ended.get("rip"), BigInt(handlerOf(6) + 1))

      const none = aProgram(aFiber().fiber).set("rbx", 99n)
      none.run(2)
      assert.strictEqual(none.get("rip"), BigInt(handlerOf(6) + 1))
    })

    it("is #UD anywhere but in the ROM", () => {
      const { fiber, answers } = aFiber(aSyscall)
      const board = aProgram(fiber)
      board.map(rom, 0x20_0000, P | US)
      board.put(0x20_0000, ...gate(0))
      board.run(2)

      assert.strictEqual(board.get("rip"), BigInt(handlerOf(6) + 1))
      assert.deepStrictEqual(answers, [])
    })
  })
})
