import { assert, describe, it } from "@effect/vitest"
import { forms } from "../../../../src/hal/x86_64/processor/instructions/index.ts"
import { at, type RegisterName, segments } from "../../../../src/hal/x86_64/processor/State.ts"
import { features } from "../../../../src/hal/x86_64/system/cpuid.ts"
import { CR0, CR4, system } from "../../../../src/hal/x86_64/system/registers.ts"
import {
  asUser,
  Board,
  bytes,
  code,
  handlerOf,
  movCr,
  movImm,
  P,
  RW,
  rdmsr,
  stackTop,
  tss,
  US,
  withTables,
  wrmsr
} from "../board.ts"

const GP = 13
const UD = 6

/** The operations are the same for every reading: plain execution is enough to ask for them. */
describe("the processor's", () => {
  const aBoardOf = (processors: number, ...program: number[]) =>
    withTables(new Board(undefined, undefined, processors).identity(0, stackTop).start(...program))
  const aBoard = (...program: number[]) => aBoardOf(1, ...program)
  const aProgram = (...program: number[]) =>
    asUser(
      withTables(
        new Board()
          .identity(0, stackTop)
          .identity(code, code + 0x1000, P | RW | US)
          .start(...program)
      )
    )
  const wentTo = (board: Board) => Number((board.get("rip") - BigInt(handlerOf(0))) >> 4n)

  describe("control registers", () => {
    const write = (number: number, value: bigint) => {
      const board = aBoard(...movImm("rax", value), ...movCr(number, "rax"))
      board.run(3)
      return board
    }
    const cr0 = BigInt(CR0.PE | CR0.ET | CR0.NE) | (1n << 31n)
    const cr4 = BigInt(CR4.PAE)

    // biome-ignore format: a case, a line
    it.each([
      ["CR0 with PG and without PE",          0, cr0 & ~1n],
      ["CR0 without PG, in 64-bit mode",      0, cr0 & ~(1n << 31n)],
      ["CR0 with NW and without CD",          0, cr0 | (1n << 29n)],
      ["CR0 with a bit above 31",             0, cr0 | (1n << 32n)],
      ["CR3 with bits above MAXPHYADDR",      3, 1n << 40n],
      ["CR3 with bit 63, without PCIDE",      3, (1n << 63n) | 0x1000n],
      ["CR4 without PAE, in 64-bit mode",     4, 0n],
      ["CR4 with a reserved bit",             4, cr4 | (1n << 12n)],
      ["CR4 with PCIDE while CR3[11:0] is 1", 4, cr4 | BigInt(CR4.PCIDE)],
      ["CR8 above 15",                        8, 16n]
    ] as const)("refuse %s", (_what, number, value) => {
      const board = aBoard(...movImm("rax", value), ...(number === 8 ? [0x44, 0x0f, 0x22, 0xc0] : movCr(number, "rax")))
      if (number === 4) board.machine.core.set(at.cr3, 0x1001, 0)
      board.run(3)

      assert.strictEqual(wentTo(board), GP)
    })

    it("keep what they are given", () => {
      assert.strictEqual(write(0, cr0 | BigInt(CR0.WP | CR0.AM)).word(at.cr0), cr0 | BigInt(CR0.WP | CR0.AM))
      assert.strictEqual(write(2, 0x1234_5678_9abcn).word(at.cr2), 0x1234_5678_9abcn)
      assert.strictEqual(write(4, cr4 | BigInt(CR4.PGE | CR4.SMEP)).word(at.cr4), cr4 | BigInt(CR4.PGE | CR4.SMEP))
    })

    it("that are not there are #UD", () => {
      const board = aBoard(0x0f, 0x22, 0xc8) // MOV CR1, RAX
      board.run(2)
      assert.strictEqual(wentTo(board), UD)
    })

    it("are not for programs", () => {
      const board = aProgram(0x0f, 0x20, 0xc0) // MOV RAX, CR0
      board.run(2)
      assert.strictEqual(wentTo(board), GP)
    })

    it("8 is the class of the task priority", () => {
      const board = aBoard(...movImm("rax", 9), 0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc3) // MOV CR8, RAX; MOV RBX, CR8
      board.run(3)
      assert.deepStrictEqual([board.machine.core.apic.taskPriority, board.get("rbx")], [0x90, 9n])
    })
  })

  describe("debug registers", () => {
    const moved = (number: number, value: bigint) => {
      // MOV DRn, RAX; MOV RBX, DRn
      const board = aBoard(...movImm("rax", value), 0x0f, 0x23, 0xc0 | (number << 3), 0x0f, 0x21, 0xc3 | (number << 3))
      board.run(3)
      return board
    }

    it("0 to 3 are addresses", () => {
      assert.strictEqual(moved(2, 0x1234_5678_9abc_def0n).get("rbx"), 0x1234_5678_9abc_def0n)
    })

    it("6 and 7 have bits that are always 1, and 4 and 5 are other names for them", () => {
      assert.strictEqual(moved(6, 0n).get("rbx"), 0xffff_0ff0n)
      assert.strictEqual(moved(7, 0n).get("rbx"), 0x400n)
      assert.strictEqual(moved(4, 1n).get("rbx"), 0xffff_0ff1n)
    })

    it("6 and 7 have no upper half", () => {
      assert.strictEqual(wentTo(moved(7, 1n << 32n)), GP)
    })

    it("4 and 5 are #UD with CR4.DE", () => {
      const board = aBoard(0x0f, 0x23, 0xe0)
      board.machine.core.set(at.cr4, CR4.PAE | CR4.DE, 0)
      board.run(2)
      assert.strictEqual(wentTo(board), UD)
    })

    it("raise #DB with DR7.GD", () => {
      const board = aBoard(...movImm("rax", 1 << 13), 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xf8)
      board.run(4)
      assert.strictEqual(wentTo(board), 1)
      assert.strictEqual(board.word(system.debug + 6 * 8) & (1n << 13n), 1n << 13n)
    })
  })

  describe("model-specific registers", () => {
    const accessed = (number: number, value?: bigint) => {
      const write =
        value === undefined ? [] : [...movImm("rax", value & 0xffff_ffffn), ...movImm("rdx", value >> 32n), ...wrmsr]
      const board = aBoard(0xb9, ...bytes(number, 4), ...write, ...rdmsr)
      board.run(value === undefined ? 3 : 6)
      return board
    }
    const read = (board: Board) => (board.get("rdx") << 32n) | board.get("rax")

    // biome-ignore format: a case, a line
    it.each([
      ["IA32_PAT",            0x277,       undefined,              0x0007_0406_0007_0406n],
      ["IA32_APIC_BASE",      0x1b,        undefined,              0xfee0_0900n],
      ["IA32_EFER",           0xc000_0080, 0xd01n,                 0xd01n],
      ["IA32_STAR",           0xc000_0081, 0x0123_4567_89ab_cdefn, 0x0123_4567_89ab_cdefn],
      ["IA32_FS_BASE",        0xc000_0100, 0xffff_8000_0000_0000n, 0xffff_8000_0000_0000n],
      ["IA32_KERNEL_GS_BASE", 0xc000_0102, 1n,                     1n],
      ["IA32_TSC_AUX",        0xc000_0103, 7n,                     7n],
      ["an LSTAR of 57 bits", 0xc000_0082, 0xff00_0000_0000_0000n, 0xff00_0000_0000_0000n],
      ["IA32_MTRRCAP",        0xfe,        undefined,              0x508n],
      ["IA32_MTRR_DEF_TYPE",  0x2ff,       undefined,              0xc06n],
      ["IA32_MTRR_PHYSMASK7", 0x20f,       0xff_ffff_f800n,        0xff_ffff_f800n],
      ["IA32_MTRR_FIX4K_F8000", 0x26f,     0x0001_0405_0606_0606n, 0x0001_0405_0606_0606n],
      ["IA32_MCG_CAP",        0x179,       undefined,              4n],
      ["IA32_MC3_CTL",        0x40c,       0xffff_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn],
      ["IA32_MC0_STATUS",     0x401,       0n,                     0n],
      ["IA32_SPEC_CTRL",      0x48,        5n,                     5n],
      ["IA32_PKRS",           0x6e1,       0xffff_ffffn,           0xffff_ffffn],
      ["IA32_MISC_ENABLE",    0x1a0,       0x4_00c5_1889n,         0x4_00c5_1889n],
      ["IA32_FEATURE_CONTROL", 0x3a,       5n,                     5n],
      ["IA32_MC0_ADDR",       0x402,       1n,                     1n]
    ])("%s", (_name, number, value, expected) => {
      assert.strictEqual(read(accessed(number, value)), expected)
    })

    // biome-ignore format: a case, a line
    it.each([
      ["one that is not there",              0x1234,      undefined],
      ["a reserved bit of IA32_EFER",        0xc000_0080, 0x8000n],
      ["a change of LME while paging",       0xc000_0080, 1n],
      ["an LSTAR that is not canonical",     0xc000_0082, 1n << 56n],
      ["an FS base of 57 bits whose sign is not extended", 0xc000_0100, 0xfe00_0000_0000_0000n],
      ["a base that is not canonical",       0xc000_0101, 1n << 63n],
      ["a memory type that does not exist",  0x277,       2n],
      ["x2APIC registers outside that mode", 0x808,       undefined],
      ["a memory type that MTRRs do not have", 0x2ff,     0x807n],
      ["a range beyond the physical addresses", 0x200,    1n << 40n],
      ["UC- in a fixed range",               0x250,       7n << 32n],
      ["a change of what a processor has",   0xfe,        0x508n],
      ["a machine check that software makes", 0x401,      1n],
      ["a bit of IA32_SPEC_CTRL that is not there", 0x48, 8n],
      ["a look at a command",                0x49,        undefined],
      ["a command that is not there",        0x49,        2n]
    ])("refuse %s", (_what, number, value) => {
      const board = accessed(number, value)
      board.run(1)
      assert.strictEqual(wentTo(board), GP)
    })

    it("the time-stamp counter is the count, and goes on from what is written", () => {
      const board = aBoard(0x0f, 0x31)
      board.run(1)
      assert.strictEqual(read(board), 1n)
      const set = aBoard(
        0xb9, ...bytes(0x10, 4), ...movImm("rdx", 5), ...movImm("rax", 0xffff_ffff), ...wrmsr, 0x90, 0x0f, 0x31
      ) // biome-ignore format: one program
      set.run(6)
      assert.strictEqual(read(set), 0x6_0000_0001n)
    })

    it("are not for programs", () => {
      const board = aProgram(...rdmsr)
      board.run(2)
      assert.strictEqual(wentTo(board), GP)
    })
  })

  describe("segments", () => {
    const load = (selector: number, ds = 0xd8) => {
      const board = aBoard(0xb8, ...bytes(selector, 4), 0x8e, ds) // MOV DS, EAX
      board.run(3)
      return board
    }

    it("take data, readable code, and null", () => {
      for (const selector of [0x10, 0x08, 0, 3])
        assert.strictEqual(load(selector).machine.core.selector(segments.ds), selector)
    })

    // biome-ignore format: a case, a line
    it.each([
      ["a selector beyond the GDT",       0x40, 0xd8, GP, 0x40],
      ["a TSS",                           0x28, 0xd8, GP, 0x28],
      ["data of another ring's RPL",      0x13, 0xd8, GP, 0x10],
      ["SS with another RPL",             0x13, 0xd0, GP, 0x10],
      ["SS with code",                    0x08, 0xd0, GP, 0x08]
    ])("refuse %s", (_what, selector, register, vector, errorCode) => {
      const board = load(selector, register)
      assert.strictEqual(wentTo(board), vector)
      assert.strictEqual(board.get64(Number(board.get("rsp"))), BigInt(errorCode))
    })

    it("FS takes the base of its descriptor", () => {
      const board = withTables(new Board().identity(0, stackTop).start(0xb8, 0x10, 0, 0, 0, 0x8e, 0xe0))
      board.put64(0x3010, 0x12cf_9334_5678_ffffn)
      board.run(2)
      assert.strictEqual(board.word(at.fsBase), 0x1234_5678n)
    })

    it("an instruction that loads SS keeps interrupts away from the next", () => {
      const board = aBoard(0xb8, 0x10, 0, 0, 0, 0xfb, 0x90, 0x8e, 0xd0, 0x90, 0x90)
      board.run(3)
      board.machine.core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
      board.machine.core.apic.writeMsr(0x80f, 0x1ff, 0)
      board.run(1)
      board.machine.core.apic.writeMsr(0x83f, 0x41, 0)
      board.run(2)
      assert.strictEqual(wentTo(board), 0x41)
      assert.strictEqual(board.get64(Number(board.get("rsp"))), BigInt(code + 10))
    })
  })

  describe("IO ports", () => {
    const inAl = [0xe4, 0x80] // IN AL, 80H
    const bitmap = tss + 0x68

    it("with nobody there read as ones", () => {
      const board = aBoard(...inAl)
      board.run(1)
      assert.strictEqual(board.get("rax"), 0xffn)
    })

    it("carry what software writes to the console", () => {
      const board = aBoard(0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee) // MOV DX, 3F8H; MOV AL, 'A'; OUT DX, AL
      board.run(3)
      assert.deepStrictEqual(board.out, [0x41])
    })

    it("end the run by the debug exit", () => {
      const board = aBoard(0xb0, 0x05, 0xe6, 0xf4)
      assert.deepStrictEqual(board.run(10), { _tag: "Exit", status: 11 })
      assert.strictEqual(board.machine.instructions, 2)
    })

    const withBitmap = (...map: number[]) => {
      const board = aProgram(...inAl)
      board.put(tss + 102, 0x68, 0).put(bitmap, ...map)
      board.machine.core.setSegment(segments.tr, 0x28, 0x8b, 0x68 + map.length - 1, tss, 0)
      board.run(2)
      return board
    }
    const closed = Array(18).fill(0xff)

    it("are a program's by IOPL", () => {
      const board = aProgram(...inAl)
      board.machine.core.setRflags(0x3002)
      board.run(1)
      assert.strictEqual(board.get("rip"), BigInt(code + 2))
    })

    it("are a program's by a 0 in the bit map of its TSS", () => {
      const open = closed.with(16, 0xfe)
      assert.strictEqual(withBitmap(...open).get("rax"), 0xffn)
      assert.strictEqual(wentTo(withBitmap(...closed)), GP)
    })

    it("beyond the bit map are nobody's", () => {
      assert.strictEqual(wentTo(withBitmap(0, 0, 0)), GP)
      assert.strictEqual(wentTo(aProgramWithoutMap()), GP)
    })
    const aProgramWithoutMap = () => {
      const board = aProgram(...inAl)
      board.run(2)
      return board
    }
  })

  describe("CPUID", () => {
    const cpuid = (leaf: number, subleaf = 0, processors = 1) => {
      const board = aBoardOf(processors, 0xb8, ...bytes(leaf, 4), 0xb9, ...bytes(subleaf, 4), 0x0f, 0xa2)
      board.run(3)
      return (["rax", "rbx", "rcx", "rdx"] as const satisfies readonly RegisterName[]).map((name) => board.get(name))
    }

    it("says how wide addresses are, and how fast the clock runs", () => {
      assert.strictEqual(cpuid(0x8000_0008)[0], 0x3928n)
      assert.deepStrictEqual(cpuid(0x15), [1n, 1n, 1_000_000_000n, 0n])
    })

    it("answers above its highest leaf as for that", () => {
      assert.deepStrictEqual(cpuid(0x4000_0000), cpuid(0x18))
    })

    it("describes caches one after the other, and then none; the whole package shares the last", () => {
      const kinds = [0, 1, 2, 3, 4].map((n) => {
        const [eax, ebx, ecx] = cpuid(4, n).map(Number) as [number, number, number]
        const bytes = ((ebx >>> 22) + 1) * ((ebx & 0xfff) + 1) * (ecx + 1)
        return { type: eax & 31, level: (eax >>> 5) & 7, bytes: eax === 0 ? 0 : bytes }
      })
      assert.deepStrictEqual(kinds, [
        { type: 1, level: 1, bytes: 0x8000 },
        { type: 2, level: 1, bytes: 0x8000 },
        { type: 3, level: 2, bytes: 0x4_0000 },
        { type: 3, level: 3, bytes: 0x80_0000 },
        { type: 0, level: 0, bytes: 0 }
      ])
      assert.strictEqual(cpuid(2)[0]! & 0xffff_ffffn, 0x00fe_ff01n)
      assert.strictEqual((cpuid(0x8000_0006)[2]! >> 16n) & 0xffffn, 256n)
      const sharing = (n: number) => Number(cpuid(4, n, 6)[0]! >> 14n) & 0xfff
      const cores = Number(cpuid(4, 0, 6)[0]! >> 26n) & 63
      const [bits, count] = cpuid(0xb, 1, 6).map(Number) as [number, number]
      assert.deepStrictEqual([sharing(0), sharing(3), cores, bits, count], [0, 7, 7, 3, 6])
    })

    it("has no APIC while IA32_APIC_BASE switches it off", () => {
      const hasApic = (...program: readonly number[]) => {
        const board = aBoard(...program, 0xb8, ...bytes(1, 4), 0x0f, 0xa2)
        board.run(2 + (program.length > 0 ? 4 : 0))
        return Number((board.get("rdx") >> 9n) & 1n)
      }
      // MOV ECX, 1BH; MOV EAX, FEE00100H; XOR EDX, EDX; WRMSR
      const off = [0xb9, ...bytes(0x1b, 4), 0xb8, ...bytes(0xfee0_0100, 4), 0x31, 0xd2, 0x0f, 0x30]
      assert.deepStrictEqual([hasApic(), hasApic(...off)], [1, 0])
    })
  })
})

describe("a feature that CPUID reports", () => {
  const names = new Set(forms.map(({ name }) => name))

  it.each(features.filter(({ instructions }) => instructions))("$name has its instructions", ({ instructions }) => {
    for (const name of instructions!) assert.include([...names], name)
  })
})
