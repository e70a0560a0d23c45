import { assert, describe, it } from "@effect/vitest"
import type { MakeReading } from "../../../../src/hal/x86_64/processor/Reading.ts"
import { segments } from "../../../../src/hal/x86_64/processor/State.ts"
import { writeControl } from "../../../../src/hal/x86_64/system/control.ts"
import { loadTask } from "../../../../src/hal/x86_64/system/descriptors.ts"
import { CR0, CR4, system } from "../../../../src/hal/x86_64/system/registers.ts"
import { resetProtected } from "../../../../src/hal/x86_64/system/reset.ts"
import { Board, bytes, code, hlt, nop, readings, stackTop } from "../board.ts"

const [TS, NP, SS, GP] = [10, 11, 12, 13] as const
const [gdt, idt, ldt, oldTss, newTss, handlers, newCode, newStack] =
  [0x3000, 0x4000, 0x3800, 0x5000, 0x5200, 0x6000, 0x7000, 0x9000] as const // biome-ignore format: addresses
/** Selectors. */
const at = { code: 0x08, data: 0x10, old: 0x18, new: 0x20, gate: 0x28, ldt: 0x30, user: 0x38, userData: 0x40 } as const

/** A descriptor, of bytes; `type` is all of its sixth byte. */
const descriptor = (base: number, limit: number, type: number, flags = 0): bigint =>
  (BigInt((base >>> 24) & 0xff) << 56n) | (BigInt(flags | (limit >>> 16)) << 48n) | (BigInt(type) << 40n) |
  (BigInt(base & 0xff_ffff) << 16n) | BigInt(limit & 0xffff) // biome-ignore format: a descriptor

const far = (selector: number, opcode = 0xea): number[] => [opcode, 0, 0, 0, 0, ...bytes(selector, 2)]
const callFar = (selector: number) => far(selector, 0x9a)
const iret = [0xcf]
const reference = { 32: { ip: 32, flags: 36, eax: 40, esp: 56, es: 72, cs: 76, ss: 80, ds: 84, fs: 88, ldt: 96, cr3: 28 }, 16: { ip: 14, flags: 16, eax: 18, esp: 26, es: 34, cs: 36, ss: 38, ds: 40, ldt: 42 } } as const // biome-ignore format: a table

/** A board in protected mode, whose task is `old`; the other task begins at `newCode`. */
const aBoard = (reading: MakeReading, width: 16 | 32, ...program: number[]) => {
  const board = new Board(reading)
  const { core } = board.machine
  board.put(code, ...program).put(newCode, ...nop, ...hlt)
  resetProtected(core, code)
  const tssType = width === 32 ? 0x89 : 0x81
  const limit = width === 32 ? 0x67 : 0x2b
  // biome-ignore format: a descriptor, a line
  const rows = [
    0n,
    descriptor(0, 0xf_ffff, 0x9b, 0xc0),
    descriptor(0, 0xf_ffff, 0x93, 0xc0),
    descriptor(oldTss, 0x67, 0x89),
    descriptor(newTss, limit, tssType),
    (0x8500n << 32n) | BigInt(at.new << 16),
    descriptor(ldt, 0xf, 0x82),
    descriptor(0, 0xf_ffff, 0xfb, 0xc0),
    descriptor(0, 0xf_ffff, 0xf3, 0xc0)
  ]
  for (const [n, row] of rows.entries()) board.put64(gdt + 8 * n, row)
  core.set(system.gdtrBase, gdt, 0)
  core.set(system.gdtrLimit, rows.length * 8 - 1, 0)
  core.set(system.idtrBase, idt, 0)
  core.set(system.idtrLimit, 0x7ff, 0)
  for (let vector = 0; vector < 32; vector++) {
    board.put64(idt + vector * 8, (0x8e00n << 32n) | BigInt((at.code << 16) | (handlers + vector * 16)))
    board.put(handlers + vector * 16, ...hlt)
  }
  loadTask(core, at.old)
  const place = reference[width]
  const word = (offset: number, value: number) => board.put(newTss + offset, ...bytes(value, width / 8))
  word(place.ip, newCode)
  word(place.flags, 2)
  for (const n of Array(8).keys()) word(place.eax + (n * width) / 8, 0x1100 + n)
  word(place.esp, newStack)
  for (const selector of [place.es, place.ss, place.ds]) word(selector, at.data)
  word(place.cs, at.code)
  board.set("rsp", BigInt(stackTop)).set("rax", 0x1234_5678n)
  return { board, core, word, place }
}

const wentTo = (board: Board) => Number((board.get("rip") - BigInt(handlers)) >> 4n)
const errorCode = (board: Board) => Number(board.get64(Number(board.get("rsp"))) & 0xffff_ffffn)
const typeOf = (board: Board, selector: number) => Number((board.get64(gdt + selector) >> 40n) & 0xfn)
const word32 = (board: Board, address: number) => Number(board.get64(address) & 0xffff_ffffn)

describe.each(Object.entries(readings))("a task switch, %s", (_name, reading) => {
  it("by JMP saves the old task in its TSS, loads the new one, and leaves the old one free", () => {
    const { board, core } = aBoard(reading, 32, ...far(at.new))
    assert.strictEqual(board.run(5)._tag, "Idle")
    assert.strictEqual(board.get("rip"), BigInt(newCode + 2))
    assert.deepStrictEqual([board.get("rax"), board.get("rbp"), board.get("rsp")], [0x1100n, 0x1105n, BigInt(newStack)])
    assert.deepStrictEqual([typeOf(board, at.old), typeOf(board, at.new)], [9, 11])
    assert.strictEqual(word32(board, oldTss + 32), code + 7)
    assert.strictEqual(word32(board, oldTss + 40), 0x1234_5678)
    assert.strictEqual(word32(board, oldTss + 76), 0x08)
    assert.strictEqual(core.selector(segments.tr), at.new)
    assert.strictEqual(core.rflags() & 0x4000, 0)
    assert.notStrictEqual(core.low(0x1c0) & CR0.TS, 0)
  })

  it("by CALL nests the new task: NT, and a link to the old one, which IRET goes back to", () => {
    const { board, core } = aBoard(reading, 32, ...callFar(at.new), ...nop, ...hlt)
    board.put(newCode, ...nop, ...iret)
    board.run(2)
    assert.strictEqual(core.rflags() & 0x4000, 0x4000)
    assert.strictEqual(word32(board, newTss) & 0xffff, at.old)
    assert.deepStrictEqual([typeOf(board, at.old), typeOf(board, at.new)], [11, 11])
    assert.strictEqual(board.run(10)._tag, "Idle")
    assert.strictEqual(board.get("rip"), BigInt(code + 9))
    assert.strictEqual(board.get("rax"), 0x1234_5678n)
    assert.deepStrictEqual([typeOf(board, at.old), typeOf(board, at.new)], [11, 9])
    // IRET clears NT in what it saves.
    assert.strictEqual(word32(board, newTss + 36) & 0x4000, 0)
    assert.strictEqual(word32(board, newTss + 32), newCode + 2)
  })

  it("goes through a task gate", () => {
    const { board } = aBoard(reading, 32, ...far(at.gate))
    board.run(5)
    assert.strictEqual(board.get("rip"), BigInt(newCode + 2))
  })

  it("to a TSS of 16 bits loads what that has", () => {
    const { board, core } = aBoard(reading, 16, ...far(at.new))
    board.run(5)
    assert.strictEqual(board.get("rip"), BigInt(newCode + 2))
    assert.deepStrictEqual([board.get("rax") & 0xffffn, board.get("rsp") & 0xffffn], [0x1100n, BigInt(newStack)])
    assert.deepStrictEqual([core.selector(segments.fs), core.selector(segments.ds)], [0, at.data])
    assert.strictEqual(typeOf(board, at.new), 3)
  })

  it("by an exception through a task gate pushes the error code on the new stack", () => {
    const { board } = aBoard(reading, 32, ...far(0x1000))
    board.put64(idt + GP * 8, (0x8500n << 32n) | BigInt(at.new << 16))
    board.put(newCode, ...hlt)
    board.run(5)
    assert.strictEqual(board.get("rip"), BigInt(newCode + 1))
    assert.strictEqual(board.get("rsp"), BigInt(newStack - 4))
    assert.strictEqual(errorCode(board), 0x1000)
    assert.strictEqual(word32(board, oldTss + 32), code)
  })

  it("traps with BT where the new TSS asks for it", () => {
    const { board, core } = aBoard(reading, 32, ...far(at.new))
    board.put(newTss + 100, 1)
    board.run(2)
    assert.strictEqual(wentTo(board), 1)
    assert.strictEqual(core.low(system.debug + 6 * 8) & 0x8000, 0x8000)
    assert.strictEqual(word32(board, Number(board.get("rsp"))), newCode)
  })

  it("loads CR3 where there is paging, and clears the local breakpoints", () => {
    const { board, core, word, place } = aBoard(reading, 32, ...far(at.new))
    const directories = [0x2_0000, 0x2_1000] as const
    for (const directory of directories) board.put(directory, ...bytes(0x83, 4))
    word((place as { cr3: number }).cr3, directories[1])
    writeControl(core, 4, CR4.PSE, 0)
    writeControl(core, 3, directories[0], 0)
    writeControl(core, 0, CR0.PG | CR0.PE | CR0.ET, 0)
    core.set(system.debug + 7 * 8, 0x4ff, 0)
    board.run(5)
    assert.strictEqual(core.low(0x1d0), directories[1])
    assert.strictEqual(core.low(system.debug + 7 * 8), 0x4aa)
  })

  it("to a task of virtual-8086 mode multiplies its selectors by 16", () => {
    const { board, core, word, place } = aBoard(reading, 32, ...far(at.new))
    word(place.flags, 0x2_0002)
    word(place.cs, newCode >> 4)
    word(place.ip, 0)
    word(place.ds, 0x1234)
    board.put(newCode, 0x8c, 0xd8, 0xeb, 0xfe) // MOV AX, DS; JMP $
    board.run(3)
    assert.deepStrictEqual(core.mode, { bits: 16, privilege: 3, stack: 16, isProtected: false, isFlat: false })
    assert.strictEqual(board.get("rax") & 0xffffn, 0x1234n)
    assert.strictEqual(core.low(core.segmentBase(segments.ds)), 0x1_2340)
  })

  /** What the old task raises, and with which error code. */
  // biome-ignore format: a case, a line
  it.each([
    ["a busy TSS",                       far(at.old), {}, GP, at.old],
    ["a TSS that is not present",        far(at.new), { [gdt + at.new]: descriptor(newTss, 0x67, 0x09) }, NP, at.new],
    ["a TSS that is too short",          far(at.new), { [gdt + at.new]: descriptor(newTss, 0x66, 0x89) }, TS, at.new],
    ["a gate that is not present",       far(at.gate), { [gdt + at.gate]: (0x0500n << 32n) | BigInt(at.new << 16) }, NP, at.gate],
    ["a gate to a TSS in the LDT",       far(at.gate), { [gdt + at.gate]: (0x8500n << 32n) | BigInt((at.new | 4) << 16) }, GP, at.new | 4],
    ["a gate to what is no TSS",         far(at.gate), { [gdt + at.gate]: (0x8500n << 32n) | BigInt(at.ldt << 16) }, GP, at.ldt],
    ["a TSS below the RPL",              far(at.new | 3), {}, GP, at.new]
  ] as const)("to %s is refused", (_what, program, memory, vector, error) => {
    const { board } = aBoard(reading, 32, ...program)
    for (const [address, value] of Object.entries(memory)) board.put64(Number(address), value as bigint)
    board.run(1)
    assert.strictEqual(wentTo(board), vector)
    assert.strictEqual(errorCode(board), error)
    assert.strictEqual(word32(board, Number(board.get("rsp")) + 4), code)
    assert.strictEqual(typeOf(board, at.old), 11)
  })

  /** What the new task raises, before its first instruction. */
  // biome-ignore format: a case, a line
  it.each([
    ["a null CS",                         "cs", 0, TS, 0],
    ["a CS that is data",                 "cs", at.data, TS, at.data],
    ["a CS whose DPL is not its RPL",     "cs", at.user, TS, at.user],
    ["an SS that is code",                "ss", at.code, TS, at.code],
    ["an SS of another ring",             "ss", at.userData | 3, TS, at.userData],
    ["a DS that is a system descriptor",  "ds", at.ldt, TS, at.ldt],
    ["an LDT that is data",               "ldt", at.data, TS, at.data],
    ["an LDT in the LDT",                 "ldt", at.ldt | 4, TS, at.ldt | 4]
  ] as const)("with %s raises it in the new task", (_what, name, value, vector, error) => {
    const { board, core, word, place } = aBoard(reading, 32, ...far(at.new))
    word((place as Readonly<Record<string, number>>)[name]!, value)
    // The handler is a task of its own: whatever the new task lacks, it is reached.
    const third = 0x5400
    board.put(third, ...board.machine.memory.ram(newTss, 0x68))
    for (const [offset, of] of [[32, handlers + vector * 16], [36, 2], [56, newStack], [72, at.data], [76, at.code], [80, at.data], [84, at.data], [96, 0]] as const)
      board.put(third + offset, ...bytes(of, 4))
    board.put64(gdt + at.gate, descriptor(third, 0x67, 0x89))
    board.put64(idt + vector * 8, (0x8500n << 32n) | BigInt(at.gate << 16))
    board.run(2)
    assert.strictEqual(wentTo(board), vector)
    assert.strictEqual(errorCode(board), error)
    assert.strictEqual(core.selector(segments.tr), at.gate)
    assert.strictEqual(word32(board, third) & 0xffff, at.new)
    assert.strictEqual(word32(board, newTss + 32), newCode)
  })

  it("with an SS or DS that is not present is #SS or #NP", () => {
    for (const [name, vector] of [
      ["ss", SS],
      ["ds", NP]
    ] as const) {
      const { board, word, place } = aBoard(reading, 32, ...far(at.new))
      board.put64(gdt + at.ldt, descriptor(0, 0xf_ffff, 0x13, 0xc0))
      word(place[name], at.ldt)
      if (name === "ss") {
        // On the old stack there is no handler to be reached: a task is.
        board.put64(gdt + at.gate, descriptor(0x5400, 0x67, 0x89))
        board.put(0x5400, ...board.machine.memory.ram(newTss, 0x68))
        board.put(0x5400 + 32, ...bytes(handlers + vector * 16, 4)).put(0x5400 + 80, ...bytes(at.data, 4))
        board.put64(idt + vector * 8, (0x8500n << 32n) | BigInt(at.gate << 16))
      }
      board.run(2)
      assert.strictEqual(wentTo(board), vector, name)
      assert.strictEqual(errorCode(board), at.ldt)
    }
  })

  it("back by a link that is no busy TSS is #TS", () => {
    const { board, core } = aBoard(reading, 32, ...iret)
    board.put(oldTss, ...bytes(at.new, 2))
    core.setRflags(0x4002)
    board.run(1)
    assert.strictEqual(wentTo(board), TS)
    assert.strictEqual(errorCode(board), at.new)
  })
})

describe.each(Object.entries(readings))("virtual-8086 mode with CR4.VME, %s", (_name, reading) => {
  const [program, stack] = [0x7000, 0x9000] as const
  /** The program at 0700:0000 with these flags; INT n is the program's own where the bit map has 0. */
  const aProgram = (flags: number, redirected: readonly number[], ...instructions: number[]) => {
    const { board, core } = aBoard(reading, 32)
    const map = 0x68 + 32
    board.put64(gdt + at.old, descriptor(oldTss, map, 0x89))
    board.put(oldTss, ...Array(map + 1).fill(0xff)).put(oldTss + 102, ...bytes(map, 2))
    board.put(oldTss + 4, ...bytes(stackTop, 4), ...bytes(at.data, 4))
    for (const n of redirected) {
      const place = oldTss + map - 32 + (n >> 3)
      board.put(place, board.machine.memory.ram(place, 1)[0]! & ~(1 << (n & 7)))
    }
    loadTask(core, at.old)
    board.put(0x21 * 4, 0x00, 0x02, 0x00, 0x07).put(0x7200, ...nop, ...iret)
    board.put64(idt + 0x21 * 8, (0xee00n << 32n) | BigInt((at.code << 16) | (handlers + 0x30 * 16)))
    board.put(handlers + 0x30 * 16, ...hlt)
    board.put(program, ...instructions)
    writeControl(core, 4, CR4.VME, 0)
    core.setRflags(flags | 0x2_0002)
    core.enterMode(16, 3)
    for (const register of [segments.cs, segments.ds, segments.es])
      core.setSegment(register, 0x700, 0xf3, 0xffff, program, 0)
    core.setSegment(segments.ss, stack >> 4, 0xf3, 0xffff, stack, 0)
    core.enterMode(16, 3)
    core.set(0x80, 0, 0)
    board.set("rsp", 0x100n)
    return { board, core }
  }
  const pushed = (board: Board, n: number) => board.view.getUint16(stack + Number(board.get("rsp")) + 2 * n, true)
  const [IF, IOPL3, VIF, VIP] = [0x200, 0x3000, 0x8_0000, 0x10_0000] as const

  it("CLI and STI change VIF; STI with VIP is #GP", () => {
    const { board, core } = aProgram(IF, [], 0xfb, 0xfa)
    board.run(1)
    assert.strictEqual(core.rflags() & (IF | VIF), IF | VIF)
    board.run(1)
    assert.strictEqual(core.rflags() & (IF | VIF), IF)
    const pending = aProgram(IF | VIP, [], 0xfb)
    pending.board.run(1)
    assert.strictEqual(wentTo(pending.board), GP)
  })

  it("PUSHF pushes VIF as IF and IOPL as 3; POPF takes it back", () => {
    const { board, core } = aProgram(IF | VIF, [], 0x9c, 0x58, 0x25, ...bytes(~IF & 0xffff, 2), 0x50, 0x9d)
    board.run(1)
    assert.strictEqual(pushed(board, 0) & (IF | IOPL3), IF | IOPL3)
    board.run(4)
    assert.strictEqual(core.rflags() & (IF | VIF | IOPL3), IF)
    assert.strictEqual(board.get("rip"), 7n)
  })

  it("POPF with VIP and IF, and PUSHF of 32 bits, are #GP", () => {
    for (const [flags, instructions] of [
      [VIP, [0x68, ...bytes(IF, 2), 0x9d]],
      [0, [0x68, ...bytes(0x100, 2), 0x9d]],
      [0, [0x66, 0x9c]]
    ] as const) {
      const { board } = aProgram(flags, [], ...instructions)
      board.run(2)
      assert.strictEqual(wentTo(board), GP)
    }
  })

  it("INT n goes to the program's own handler where the bit map has 0, and IRET comes back", () => {
    const { board, core } = aProgram(IF | VIF, [0x21], 0xcd, 0x21, 0xeb, 0xfe)
    board.run(1)
    assert.strictEqual(board.get("rip"), 0x200n)
    assert.deepStrictEqual([pushed(board, 0), pushed(board, 1)], [2, 0x700])
    assert.strictEqual(pushed(board, 2) & (IF | IOPL3), IF | IOPL3)
    assert.strictEqual(core.rflags() & (IF | VIF), IF)
    board.run(2)
    assert.strictEqual(board.get("rip"), 2n)
    assert.strictEqual(core.rflags() & (IF | VIF), IF | VIF)
  })

  it("INT n with IOPL 3 pushes the flags as they are, and clears IF", () => {
    const { board, core } = aProgram(IF | IOPL3, [0x21], 0xcd, 0x21)
    board.run(1)
    assert.strictEqual(pushed(board, 2) & (IF | IOPL3), IF | IOPL3)
    assert.strictEqual(core.rflags() & (IF | VIF), 0)
  })

  it("INT n that is not redirected is the monitor's: #GP, or its own gate with IOPL 3", () => {
    const refused = aProgram(IF, [], 0xcd, 0x21)
    refused.board.run(1)
    assert.strictEqual(wentTo(refused.board), GP)
    const { board } = aProgram(IF | IOPL3, [], 0xcd, 0x21)
    board.run(1)
    assert.strictEqual(wentTo(board), 0x30)
    assert.strictEqual(board.get("rsp"), BigInt(stackTop - 36))
  })
})
