import { assert, describe, it } from "@effect/vitest"
import { sentence } from "../../../../src/cli/stale.ts"
import type { StaleUse } from "../../../../src/hal/x86_64/memory/Mmu.ts"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { writeControl } from "../../../../src/hal/x86_64/system/control.ts"
import { msrAt } from "../../../../src/hal/x86_64/system/msr.ts"
import { activity, CR0, CR4, system } from "../../../../src/hal/x86_64/system/registers.ts"
import {
  asUser, Board, bytes, code, handlerOf, hex, hlt, invlpgRbx, loadRbx, movCr, movImm, nop, P, pml4, RW, readings, stackTop, storeRbx, US, withTables, wrmsr
} from "../board.ts" // biome-ignore format: names

const [UD, GP, PF] = [6, 13, 14] as const
const page = 0x20_0000
const wentTo = (board: Board) => Number((board.get("rip") - BigInt(handlerOf(0))) >> 4n)
const errorCode = (board: Board) => Number(board.get64(Number(board.get("rsp"))))
const rdpkru = hex("0F 01 EE")
const wrpkru = hex("0F 01 EF")
const cr4 = CR4.PAE

const aBoard = (reading: MakeReading, ...program: number[]) =>
  withTables(new Board(reading).identity(0, stackTop).start(...program))
/** What is done at CPL 3, in pages of its own. */
const aProgram = (reading: MakeReading, ...program: number[]) =>
  asUser(
    withTables(
      new Board(reading)
        .identity(0, stackTop)
        .identity(code, code + 0x1000, P | RW | US)
        .start(...program)
    )
  )

describe.each(Object.entries(readings))("read: %s", (_name, reading) => {
  describe("random numbers", () => {
    const numbers = hex("48 0F C7 F0 48 0F C7 FB 0F C7 F1 66 0F C7 F2") // RDRAND RAX; RDSEED RBX; RDRAND ECX; RDRAND DX
    it("differ from one another, and are the same in every run", () => {
      const board = aBoard(reading, ...numbers)
      board.set("rdx", -1n).run(4)
      const [rax, rbx, rcx, rdx] = (["rax", "rbx", "rcx", "rdx"] as const).map((name) => board.get(name))
      // The first of SplitMix64 with seed 0.
      assert.strictEqual(rax, 0xe220_a839_7b1d_cdafn)
      assert.strictEqual(rbx, 0x6e78_9e6a_a1b9_65f4n)
      assert.strictEqual(rcx, 0x06c4_5d18_8009_454fn & 0xffff_ffffn)
      assert.strictEqual(rdx! >> 16n, 0xffff_ffff_ffffn)
      assert.strictEqual(board.machine.core.rflags() & 0x8d5, 1)
    })
  })

  it("RDPID and RDTSCP read IA32_TSC_AUX", () => {
    const board = aBoard(reading, 0xb9, ...bytes(0xc000_0103, 4), ...wrmsr, ...hex("F3 0F C7 F9 0F 01 F9")) // RDPID RCX; RDTSCP
    board.set("rax", 0x1234_5678n).set("rdx", 0n)
    board.run(3)
    assert.strictEqual(board.get("rcx"), 0x1234_5678n)
    board.set("rcx", 0n).run(1)
    assert.strictEqual(board.get("rcx"), 0x1234_5678n)
  })

  describe("protection keys", () => {
    const withKey = (key: bigint, user: bigint, ...program: number[]) => {
      const board = aProgram(reading, ...program)
      board.map(0x5000_0000n, page, P | RW | user | (key << 59n))
      writeControl(board.machine.core, 4, cr4 | CR4.PKE | CR4.PKS, 0)
      return board.set("rbx", 0x5000_0000n).set("rcx", 0n).set("rdx", 0n)
    }

    it("of user pages are for PKRU to forbid, at once", () => {
      const board = withKey(
        3n,
        US,
        ...loadRbx,
        ...storeRbx,
        0xb8,
        ...bytes(0x80, 4),
        ...wrpkru,
        ...loadRbx,
        ...storeRbx
      )
      board.run(5)
      assert.strictEqual(board.machine.core.low(at.pkru), 0x80)
      assert.strictEqual(board.get("rip"), BigInt(code + 17))
      board.run(1)
      assert.strictEqual(wentTo(board), PF)
      assert.strictEqual(errorCode(board), 0b10_0111)
    })

    it("are read with RDPKRU, and EDX is 0", () => {
      const board = withKey(
        0n,
        US,
        0xb8,
        ...bytes(0x5555_5554, 4),
        ...wrpkru,
        0xb8,
        1,
        0,
        0,
        0,
        0xba,
        1,
        0,
        0,
        0,
        ...rdpkru
      )
      board.run(5)
      assert.deepStrictEqual([board.get("rax"), board.get("rdx")], [0x5555_5554n, 0n])
    })

    it.each([
      ["RDPKRU with ECX", rdpkru, 1n, 0n],
      ["WRPKRU with ECX", wrpkru, 1n, 0n],
      ["WRPKRU with EDX", wrpkru, 0n, 1n]
    ])("are not for %s", (_what, instruction, rcx, rdx) => {
      const board = withKey(0n, US, ...instruction)
      board.set("rcx", rcx).set("rdx", rdx).run(2)
      assert.strictEqual(wentTo(board), GP)
    })

    it("are not there without CR4.PKE", () => {
      const board = aProgram(reading, ...rdpkru)
      board.set("rcx", 0n).run(2)
      assert.strictEqual(wentTo(board), UD)
    })

    it("of supervisor pages are for IA32_PKRS to forbid", () => {
      const board = aBoard(
        reading,
        ...loadRbx,
        0xb9,
        ...bytes(0x6e1, 4),
        0xb8,
        ...bytes(0x10, 4),
        0x31,
        0xd2,
        ...wrmsr,
        ...loadRbx
      )
      board.map(0x5000_0000n, page, P | RW | (2n << 59n))
      writeControl(board.machine.core, 4, cr4 | CR4.PKS, 0)
      board.set("rbx", 0x5000_0000n).run(6)
      assert.strictEqual(wentTo(board), PF)
      assert.strictEqual(errorCode(board), 0b10_0001)
    })
  })

  describe("linear addresses of 57 bits", () => {
    const wide = 0x00a5_0000_5000_0000n
    const aWideBoard = (...program: number[]) => {
      const board = aBoard(reading, ...program)
      const root = Number(board.newTable())
      board.map(0x5000_0000n, page, P | RW)
      board.entry(root, 0, BigInt(pml4) | 7n)
      board.entry(root, 0xa5, BigInt(pml4) | 7n)
      const { core } = board.machine
      // The paging mode changes while IA-32e mode is not active.
      core.set(msrAt.IA32_EFER, 0, 0)
      core.set(at.cr0, core.low(at.cr0) & ~CR0.PG, 0)
      writeControl(core, 4, cr4 | CR4.LA57, 0)
      writeControl(core, 3, root, 0)
      core.set(msrAt.IA32_EFER, 0x100, 0)
      core.setSegment(1, 8, 0x809b, 0xffff_ffff, 0, 0)
      writeControl(core, 0, core.low(at.cr0) | CR0.PG, 0)
      core.setSegment(1, 8, 0xa09b, 0xffff_ffff, 0, 0)
      core.modeChanged()
      return board
    }

    it("lead through a fifth table", () => {
      const board = aWideBoard(...movImm("rbx", wide), ...movImm("rax", 0x77), ...storeRbx, ...loadRbx)
      board.run(4)
      assert.strictEqual(board.get64(page), 0x77n)
      assert.deepStrictEqual(board.machine.core.mode, { bits: 64, privilege: 0, isWide: true })
    })

    it("are canonical if bits 63:56 are the same", () => {
      for (const [address, vector] of [
        [0x00ff_0000_5000_0000n, PF],
        [0xff00_0000_5000_0000n, PF],
        [0x0100_0000_5000_0000n, GP],
        [0xfeff_0000_5000_0000n, GP]
      ] as const) {
        const board = aWideBoard(...movImm("rbx", address), ...loadRbx)
        board.run(2)
        assert.strictEqual(wentTo(board), vector, address.toString(16))
        const jump = aWideBoard(...movImm("rbx", address), 0xff, 0xe3)
        jump.run(3)
        assert.strictEqual(wentTo(jump), vector, `jump to ${address.toString(16)}`)
      }
    })

    it("are not switched on in IA-32e mode", () => {
      const board = aBoard(reading, ...movImm("rax", cr4 | CR4.LA57), ...movCr(4, "rax"))
      board.run(2)
      assert.strictEqual(wentTo(board), GP)
    })
  })

  describe("MONITOR and MWAIT", () => {
    const [monitor, mwait] = [hex("0F 01 C8"), hex("0F 01 C9")]
    const armed = (...program: number[]) => {
      const board = aBoard(reading, ...monitor, ...program)
      board.identity(page, page + 0x1000)
      return board
        .set("rax", BigInt(page))
        .set("rcx", 0n)
        .set("rdx", 0n)
        .set("rbx", BigInt(page + 8))
    }

    it("wait for nothing if nothing is watched", () => {
      const board = aBoard(reading, ...mwait, ...nop, ...hlt)
      board.set("rcx", 0n).run(2)
      assert.strictEqual(board.get("rip"), BigInt(code + 4))
    })

    it("wait for a store, and only then go on", () => {
      const board = armed(...mwait, ...nop, ...hlt)
      assert.strictEqual(board.run(100)._tag, "Idle")
      assert.strictEqual(board.machine.core.low(system.activity), activity.mwait)
      board.machine.memory.written(page >> 12)
      board.run(1)
      assert.strictEqual(board.get("rip"), BigInt(code + 7))
    })

    it("do not wait if the store was before MWAIT", () => {
      const board = armed(...storeRbx, ...mwait, ...nop, ...hlt)
      board.run(4)
      assert.strictEqual(board.get("rip"), BigInt(code + 10))
    })

    it("end at an interrupt that is masked, if ECX says so", () => {
      for (const extension of [0, 1]) {
        const board = armed(0xb1, extension, ...mwait, ...nop, ...hlt)
        const { apic } = board.machine.core
        apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
        apic.writeMsr(0x80f, 0x1ff, 0)
        apic.writeMsr(0x832, (2 << 17) | 0x41, 0)
        apic.writeDeadline(50, 0)
        board.run(60)
        assert.strictEqual(board.get("rip"), BigInt(code + (extension === 1 ? 10 : 8)))
      }
    })

    it.each([
      ["MONITOR with RCX", [...monitor], 1n, GP],
      ["MWAIT with an extension that is not there", [...mwait], 2n, GP]
    ])("%s is refused", (_what, program, rcx, vector) => {
      const board = aBoard(reading, ...program)
      board
        .set("rax", BigInt(page - 0x1000))
        .set("rcx", rcx)
        .run(1)
      assert.strictEqual(wentTo(board), vector)
    })

    it("are not there for programs, nor when IA32_MISC_ENABLE takes them away", () => {
      for (const instruction of [monitor, mwait]) {
        const program = aProgram(reading, ...instruction)
        program.set("rcx", 1n).run(2)
        assert.strictEqual(wentTo(program), UD)
        const board = aBoard(reading, ...instruction)
        board.machine.core.set(msrAt.IA32_MISC_ENABLE, 0x1801, 0)
        board.set("rax", 0x1000n).set("rcx", 0n).run(2)
        assert.strictEqual(wentTo(board), UD)
      }
    })
  })

  describe("a report of stale translations", () => {
    /** The table entry of 5000_0000H is changed, and the address used again. */
    const stale = (entry: bigint, ...between: number[]) => {
      const uses: StaleUse[] = []
      const board = aBoard(reading, ...loadRbx, ...hex("4D 89 01"), ...between, ...loadRbx) // MOV [R9], R8
      board.map(0x5000_0000n, page, P | RW)
      const table = board.tableOf(0x5000_0000n, 12n)
      board.identity(table, table + 0x1000)
      board.machine.core.mmu.watchStale((use) => uses.push(use))
      board
        .set("rbx", 0x5000_0000n)
        .set("r9", BigInt(table))
        .set("r8", entry)
        .run(3 + (between.length > 0 ? 1 : 0))
      return uses.filter(({ lo }) => lo === 0x5000_0000)
    }

    it("says where an access went, and where the tables lead now", () => {
      const [use] = stale(0x10_1000n | P | RW | 0x20n)
      assert.deepInclude(use, { page: page >> 12, now: { page: 0x101, flags: 0x20 } })
      assert.strictEqual(
        sentence(use!, 3),
        "3  stale translation: the read of 00000000_50000000 went to 200000H, but the page tables lead to 101000H"
      )
    })

    it("says that there is no page now, or that an accessed flag was cleared", () => {
      assert.strictEqual(stale(0n)[0]?.now, 0)
      assert.match(sentence(stale(BigInt(page) | P | RW)[0]!, 3), /have an accessed flag of 0$/)
    })

    it("says nothing where the translation was invalidated, or is what it was", () => {
      assert.deepStrictEqual(stale(0x10_1000n | P | RW, ...invlpgRbx), [])
      assert.deepStrictEqual(stale(BigInt(page) | P | RW | 0x20n), [])
    })
  })
})
