import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { CR0, CR4 } from "../../../../src/hal/x86_64/system/registers.ts"
import { Board, handlerOf, hex, movCr, movImm, stackTop, withTables } from "../board.ts"

const [UD, NM, GP, XM] = [6, 7, 13, 19]

const cr4 = BigInt(CR4.PAE | CR4.OSFXSR | CR4.OSXMMEXCPT)
const cr0 = BigInt(CR0.PE | CR0.ET | CR0.NE) | (1n << 31n)
const setUp = (value = cr4, system = cr0) => [
  ...movImm("rax", value),
  ...movCr(4, "rax"),
  ...movImm("rax", system),
  ...movCr(0, "rax")
]

/** A board that has run `setUp` and as many instructions of the program. */
const run = (program: string, instructions: number, before = setUp(), rbx = 0x5000n) => {
  const board = withTables(new Board().identity(0, stackTop).start(...before, ...hex(program)))
  board.set("rbx", rbx)
  board.run(4 + instructions)
  return board
}
const wentTo = (board: Board) => Number((board.get("rip") - BigInt(handlerOf(0))) >> 4n)

describe("vector instructions", () => {
  it("need CR4.OSFXSR, and CR0.EM = 0: else #UD", () => {
    assert.equal(wentTo(run("0f 57 c0", 1, setUp(BigInt(CR4.PAE)))), UD)
    assert.equal(wentTo(run("0f 57 c0", 1, setUp(cr4, cr0 | BigInt(CR0.EM)))), UD)
  })
  it("are #NM while CR0.TS is 1", () => {
    assert.equal(wentTo(run("0f 57 c0", 1, setUp(cr4, cr0 | BigInt(CR0.TS)))), NM)
  })
  it("raise #XM for what MXCSR does not mask; #UD without CR4.OSXMMEXCPT", () => {
    // MXCSR := 0; 0 / 0.
    const program = "0f ae 13 0f 57 c0 0f 5e c0"
    const board = run(program, 3)
    assert.equal(wentTo(board), XM)
    assert.equal(board.word(at.mxcsr), 1n)
    assert.equal(wentTo(run(program, 3, setUp(cr4 & ~BigInt(CR4.OSXMMEXCPT)))), UD)
  })
  it("begin with every exception masked", () => {
    assert.equal(run("", 0).word(at.mxcsr), 0x1f80n)
  })
})

describe("LDMXCSR", () => {
  it("takes no reserved bits", () => {
    // MOV dword [RBX], 10000H
    assert.equal(wentTo(run("c7 03 00 00 01 00 0f ae 13", 2)), GP)
  })
})

describe("FXSAVE and FXRSTOR", () => {
  /** FXSAVE [RBX] after PCMPEQD XMM9, XMM9 and FLD1. */
  const saving = "66 45 0f 76 c9 d9 e8 0f ae 03"

  it("keep XMM registers, MXCSR and the x87 FPU's in an area of 512 bytes, of which the last 96 are software's", () => {
    // The last quadword of the area is 1 before.
    const board = run(`48 c7 83 f8 01 00 00 01 00 00 00 ${saving}`, 4)
    assert.equal(board.get64(0x5000 + 160 + 9 * 16), (1n << 64n) - 1n)
    assert.equal(board.get64(0x5000 + 160 + 10 * 16), 0n)
    assert.equal(board.get64(0x5000 + 24), 0xffff_0000_1f80n)
    assert.equal(board.get64(0x5000) & 0xff_ffff_ffffn, 0x80_3800_037fn)
    assert.equal(board.get64(0x5000 + 32), 1n << 63n)
    assert.equal(board.get64(0x5000 + 0x1f8), 1n)
  })
  it("give back what they took", () => {
    // PXOR XMM9, XMM9; FNINIT; FXRSTOR [RBX]; FXSAVE [RBX + 200H]
    const board = run(`${saving} 66 45 0f ef c9 db e3 0f ae 0b 0f ae 83 00 02 00 00`, 7)
    for (let offset = 24; offset < 416; offset += 8)
      assert.equal(board.get64(0x5200 + offset), board.get64(0x5000 + offset), `byte ${offset}`)
  })
  it("are #GP unless the area is aligned, and for reserved bits of MXCSR", () => {
    assert.equal(wentTo(run("0f ae 03", 1, setUp(), 0x5008n)), GP)
    assert.equal(wentTo(run("0f ae 0b", 1, setUp(), 0x5008n)), GP)
    assert.equal(wentTo(run("c7 43 18 00 00 01 00 0f ae 0b", 2)), GP)
  })
  it("are #NM while CR0.TS or CR0.EM is 1", () => {
    for (const bit of [CR0.TS, CR0.EM]) assert.equal(wentTo(run("0f ae 03", 1, setUp(cr4, cr0 | BigInt(bit)))), NM)
  })
})
