import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { cpuid } from "../../../../src/hal/x86_64/system/cpuid.ts"
import { CR0, CR4 } from "../../../../src/hal/x86_64/system/registers.ts"
import { asUser, Board, code, handlerOf, hex, P, RW, stackTop, US, withTables } from "../board.ts"

const [UD, NM, GP] = [6, 7, 13]
const area = 0x5000
const cr4 = CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT | CR4.OSXSAVE

interface Start {
  readonly cr4?: number
  readonly cr0?: number
  readonly xcr0?: number
  readonly eax?: number
  readonly ecx?: number
  readonly edx?: number
  readonly isUser?: boolean
}

/** A board with an area at RBX, and what the registers are to hold. */
const aBoard = (program: string, { isUser = false, ...start }: Start = {}) => {
  const whole = new Board().identity(0, stackTop)
  const board = isUser
    ? asUser(withTables(whole.identity(code, code + 0x1000, P | RW | US).start(...hex(program))))
    : withTables(whole.start(...hex(program)))
  const { core } = board.machine
  core.set(at.cr4, start.cr4 ?? cr4, 0)
  core.set(at.cr0, core.low(at.cr0) | (start.cr0 ?? 0), 0)
  core.set(at.xcr0, start.xcr0 ?? 7, 0)
  board.set("rbx", BigInt(area)).set("rax", BigInt(start.eax ?? 7))
  board.set("rcx", BigInt(start.ecx ?? 0)).set("rdx", BigInt(start.edx ?? 0))
  return board
}
const run = (program: string, instructions: number, start: Start = {}, prepare = (_: Board) => {}) => {
  const board = aBoard(program, start)
  prepare(board)
  board.run(instructions)
  return board
}
const wentTo = (board: Board) => Number((board.get("rip") - BigInt(handlerOf(0))) >> 4n)
const put32 = (board: Board, offset: number, value: number) => board.machine.memory.store32(area + offset, value)
const get32 = (board: Board, offset: number) => board.machine.memory.load32(area + offset)

// VPCMPEQD YMM9, YMM9, YMM9
const allOnes = "c4 41 35 76 c9"
const [XSAVE, XRSTOR, XSAVEOPT] = ["0f ae 23", "0f ae 2b", "0f ae 33"]
const [XSAVEC, XSAVES, XRSTORS] = ["0f c7 23", "0f c7 2b", "0f c7 1b"]
const [XGETBV, XSETBV] = ["0f 01 d0", "0f 01 d1"]

describe("instructions of YMM registers", () => {
  it("are #UD without CR4.OSXSAVE, or unless XCR0 has SSE and AVX", () => {
    assert.equal(wentTo(run(allOnes, 1, { cr4: cr4 & ~CR4.OSXSAVE })), UD)
    assert.equal(wentTo(run(allOnes, 1, { xcr0: 3 })), UD)
    assert.equal(wentTo(run(allOnes, 1, { xcr0: 1 })), UD)
  })
  it("are #NM while CR0.TS is 1", () => {
    assert.equal(wentTo(run(allOnes, 1, { cr0: CR0.TS })), NM)
  })
})

describe("XCR0", () => {
  it("is read by XGETBV, and with ECX = 1 what of it is in use", () => {
    assert.equal(run(XGETBV, 1).get("rax"), 7n)
    assert.equal(run(XGETBV, 1, { ecx: 1 }).get("rax"), 0n)
    assert.equal(run(`${allOnes} ${XGETBV}`, 2, { ecx: 1 }).get("rax"), 6n)
    assert.equal(wentTo(run(XGETBV, 1, { ecx: 2 })), GP)
    assert.equal(wentTo(run(XGETBV, 1, { cr4: CR4.PAE })), UD)
  })
  it("is written by XSETBV: x87 always, AVX only with SSE, nothing else, and not by programs", () => {
    assert.equal(run(XSETBV, 1, { xcr0: 1, eax: 3 }).word(at.xcr0), 3n)
    for (const start of [{ eax: 6 }, { eax: 5 }, { eax: 0x1_0007 }, { eax: 7, edx: 1 }, { eax: 7, ecx: 1 }])
      assert.equal(wentTo(run(XSETBV, 1, start)), GP)
    assert.equal(wentTo(run(XSETBV, 1, { isUser: true })), GP)
    assert.equal(wentTo(run(XSETBV, 1, { cr4: CR4.PAE })), UD)
  })
})

describe("an area of XSAVE", () => {
  it("has what EDX:EAX and XCR0 ask for, and XSTATE_BV says what of it is in use", () => {
    const board = run(`${allOnes} ${XSAVE}`, 2)
    assert.equal(get32(board, 512), 6)
    assert.equal(get32(board, 160 + 16 * 9), -1)
    assert.equal(get32(board, 576 + 16 * 9), -1)
    assert.equal(get32(board, 24), 0x1f80)
  })
  it("keeps what was not asked for", () => {
    const board = run(`${allOnes} ${XSAVE}`, 2, { eax: 2 }, (before) => {
      put32(before, 512, 5)
      put32(before, 576 + 16 * 9, 77)
    })
    assert.equal(get32(board, 512), 7)
    assert.equal(get32(board, 576 + 16 * 9), 77)
  })
  it("is not written by XSAVEOPT where a component is as it is initially", () => {
    const board = run(XSAVEOPT, 1, {}, (before) => put32(before, 160, 77))
    assert.deepEqual([get32(board, 512), get32(board, 160)], [0, 77])
  })
  it("is compacted by XSAVEC, and by XSAVES, which is not for programs", () => {
    for (const instruction of [XSAVEC, XSAVES]) {
      const board = run(`${allOnes} ${instruction}`, 2, { eax: 5 })
      assert.deepEqual(
        [512, 516, 520, 524].map((offset) => get32(board, offset)),
        [4, 0, 5, 0x8000_0000 | 0]
      )
      assert.equal(get32(board, 576 + 16 * 9), -1)
    }
    assert.equal(wentTo(run(XSAVES, 1, { isUser: true })), GP)
    assert.equal(wentTo(run(XRSTORS, 1, { isUser: true })), GP)
  })
  it("is aligned on 64 bytes, and needs CR4.OSXSAVE and CR0.TS = 0", () => {
    assert.equal(wentTo(run(XSAVE, 1, {}, (board) => board.set("rbx", 0x5010n))), GP)
    assert.equal(wentTo(run(XSAVE, 1, { cr4: CR4.PAE })), UD)
    assert.equal(wentTo(run(XSAVE, 1, { cr0: CR0.TS })), NM)
  })
})

describe("XRSTOR", () => {
  it("gives what the area has, and initial state where XSTATE_BV has a 0", () => {
    const board = run(`${allOnes} ${XRSTOR}`, 2, {}, (before) => {
      put32(before, 512, 4)
      put32(before, 24, 0x1f80)
      put32(before, 576 + 16 * 9, 77)
    })
    assert.equal(board.word(at.vectors + 16 * 9), 0n)
    assert.equal(board.word(at.vectorsHigh + 16 * 9), 77n)
  })
  it("gives PKRU as well, which then counts", () => {
    const board = run(XRSTOR, 1, { xcr0: 0x203, eax: 0x200 }, (before) => {
      put32(before, 512, 0x200)
      put32(before, 832, 0x5555_5554)
    })
    assert.equal(board.word(at.pkru), 0x5555_5554n)
  })
  it("leaves what was not asked for", () => {
    const board = run(`${allOnes} ${XRSTOR}`, 2, { eax: 1 })
    assert.equal(board.word(at.vectors + 16 * 9), 0xffff_ffff_ffff_ffffn)
  })
  it("takes a compacted area, which XRSTORS asks for", () => {
    const compacted = (board: Board) => {
      put32(board, 512, 4)
      put32(board, 520, 4)
      put32(board, 524, 0x8000_0000 | 0)
      put32(board, 576 + 16 * 9, 77)
    }
    for (const instruction of [XRSTOR, XRSTORS])
      assert.equal(run(instruction, 1, {}, compacted).word(at.vectorsHigh + 16 * 9), 77n)
    assert.equal(wentTo(run(XRSTORS, 1)), GP)
  })
  // biome-ignore format: a case, a line
  it.each([
    ["a component that XCR0 has not",          [[512, 8]]],
    ["something in its upper half",            [[516, 1]]],
    ["XCOMP_BV without bit 63",                [[520, 1]]],
    ["a reserved byte that is not 0",          [[528, 1]]],
    ["a component that XCOMP_BV has not",      [[512, 2], [520, 4], [524, 0x8000_0000 | 0]]],
    ["MXCSR with reserved bits",               [[24, 0x1_0000]]]
  ] as const)("refuses %s", (_what, words) => {
    const board = run(XRSTOR, 1, {}, (before) => {
      for (const [offset, value] of words) put32(before, offset, value)
    })
    assert.equal(wentTo(board), GP)
  })
})

describe("leaf 0DH of CPUID", () => {
  const asked = (subleaf: number, start: Start = {}) => {
    const board = aBoard("", { ...start, eax: 0xd, ecx: subleaf })
    cpuid(board.machine.core)
    return (["rax", "rbx", "rcx", "rdx"] as const).map((name) => Number(board.get(name)))
  }
  it("says which components there are, how large areas are, and where each component is", () => {
    assert.deepEqual(asked(0), [0x207, 832, 840, 0])
    assert.deepEqual(asked(0, { xcr0: 3 }), [0x207, 576, 840, 0])
    assert.deepEqual(asked(1), [0xf, 832, 0, 0])
    assert.deepEqual(asked(2), [256, 576, 0, 0])
    assert.deepEqual(asked(3), [0, 0, 0, 0])
    assert.deepEqual(asked(9), [8, 832, 0, 0])
  })
  it("goes with OSXSAVE in leaf 1, which is what CR4.OSXSAVE is", () => {
    const features = (value: number) => {
      const board = aBoard("", { cr4: value, eax: 1 })
      cpuid(board.machine.core)
      return (Number(board.get("rcx")) >>> 26) & 7
    }
    assert.deepEqual([features(cr4), features(CR4.PAE)], [7, 5])
  })
})
