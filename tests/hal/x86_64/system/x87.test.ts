import { assert, describe, it } from "@effect/vitest"
import { at } from "../../../../src/hal/x86_64/processor/State.ts"
import { CR0, vector } from "../../../../src/hal/x86_64/system/registers.ts"
import { Board, code, handlerOf, hex, movImm, stackTop, withTables } from "../board.ts"

const data = 0x18_0000

/** With RBX at some data, and bits of CR0 changed. */
const aBoard = (program: string, { set = 0, clear = 0 }: { set?: number; clear?: number } = {}): Board => {
  const board = withTables(
    new Board().identity(0, stackTop).start(...movImm("rbx", data), ...(program === "" ? [] : hex(program)))
  )
  board.machine.core.i32[at.cr0 >> 2]! = (board.machine.core.low(at.cr0) | set) & ~clear
  return board
}
/** The vector whose handler was gone to; -1 if none was. */
const goneTo = (board: Board, instructions: number): number => {
  board.run(1 + instructions)
  const found = (Number(board.get("rip")) - handlerOf(0)) / 16
  return found >= 0 && found < 256 ? Math.floor(found) : -1
}

const [fldz, fld1, fdiv, fwait, fnstsw, fnclex, fninit, emms] = [
  "d9 ee",
  "d9 e8",
  "d8 f1",
  "9b",
  "df e0",
  "db e2",
  "db e3",
  "0f 77"
]
const fxsave = "0f ae 03"
const fxrstor = "0f ae 0b"
const fldcw = "d9 2b"
const fnstenv = "d9 33"
const fnstcw = "d9 3b"

describe("the x87 FPU", () => {
  it("is as FNINIT leaves it when the processor starts", () => {
    const board = aBoard(fnstenv)
    board.run(2)
    assert.equal(board.get64(data), 0xffff_0000_ffff_037fn)
    assert.equal(board.get64(data + 8), 0xffff_ffffn)
  })

  it("scales a denormal number by 0 without an underflow", () => {
    const [fld80, fscale] = ["db 6b 08", "d9 fd"]
    const board = aBoard(`${fldcw} ${fldz} ${fld80} ${fscale} ${fnstsw}`)
    const denormal = 0x23f8_e17e_93fb_c99dn
    // All masked but underflow.
    board.put64(data, 0x36fn).put64(data + 8, denormal)
    board.run(6)
    assert.equal(board.get("rax") & 0x3fn, 2n)
  })

  // biome-ignore format: a case, a line
  it.each([
    ["FLDZ with CR0.TS",               fldz,    CR0.TS,          vector.NM],
    ["FLDZ with CR0.EM",               fldz,    CR0.EM,          vector.NM],
    ["FNINIT with CR0.TS",             fninit,  CR0.TS,          vector.NM],
    ["FXSAVE with CR0.TS",             fxsave,  CR0.TS,          vector.NM],
    ["FXRSTOR with CR0.EM",            fxrstor, CR0.EM,          vector.NM],
    ["FWAIT with CR0.TS alone",        fwait,   CR0.TS,          -1],
    ["FWAIT with CR0.EM alone",        fwait,   CR0.EM,          -1],
    ["FWAIT with CR0.TS and CR0.MP",   fwait,   CR0.TS | CR0.MP, vector.NM],
    ["EMMS with CR0.TS",               emms,    CR0.TS,          vector.NM],
    ["EMMS with CR0.EM",               emms,    CR0.EM,          vector.UD]
  ])("%s", (_name, program, set, expected) => {
    assert.equal(goneTo(aBoard(program, { set }), 1), expected)
  })

  const divideByZero = `${fldcw} ${fldz} ${fld1} ${fdiv}`
  const unmasked = (program: string, bits?: { set?: number; clear?: number }) =>
    aBoard(`${divideByZero} ${program}`, bits).put64(data, 0x37bn)

  it("raises an exception that is not masked before the next instruction that waits", () => {
    assert.equal(goneTo(unmasked(fwait), 4), -1)
    assert.equal(goneTo(unmasked(fwait), 5), vector.MF)
    assert.equal(goneTo(unmasked(fldz), 5), vector.MF)
  })

  it("lets instructions that do not wait go on, which may end it", () => {
    assert.equal(goneTo(unmasked(`${fnstsw} ${fnclex} ${fldz}`), 7), -1)
    assert.equal(goneTo(unmasked(`${fninit} ${fldz}`), 6), -1)
    assert.equal(goneTo(unmasked(`${fxsave} ${fldz}`), 6), vector.MF)
  })

  it("raises nothing by itself with CR0.NE = 0", () => {
    assert.equal(goneTo(unmasked(fldz, { clear: CR0.NE }), 5), -1)
  })

  it("says where the instruction was, and what", () => {
    const board = unmasked(fnstenv)
    board.run(6)
    const instruction = BigInt(code + 10 + 2 + 2 + 2)
    assert.equal(board.get64(data + 8) >> 32n, instruction)
    assert.equal(board.get64(data + 16) & 0xffff_ffffn, 0x00f1_0000n)
  })

  it("has the operand of the last instruction that had one in memory", () => {
    const board = aBoard(`dd 43 08 ${fld1} ${fnstenv}`)
    board.run(4)
    assert.equal(board.get64(data + 16) >> 32n, BigInt(data + 8))
  })

  it("masks its exceptions when its environment is stored", () => {
    const board = unmasked(`${fnstenv} ${fnstcw} ${fldz}`)
    assert.equal(goneTo(board, 7), -1)
    assert.equal(board.get64(data) & 0xffffn, 0x37fn)
  })

  it("comes back from memory as it went there", () => {
    const board = aBoard(`d9 eb ${fld1} ${fxsave} ${fninit} ${fxrstor} ${fnstenv} db 3b`)
    board.run(7)
    assert.equal((board.get64(data) >> 32n) & 0xffffn, 0x3000n)
    board.run(1)
    assert.equal(board.get64(data), 1n << 63n)
  })

  it("is not restored with bits of MXCSR that there are not: #GP", () => {
    assert.equal(goneTo(aBoard(fxrstor).put64(data + 24, 0x1_0000n), 1), vector.GP)
  })
})
