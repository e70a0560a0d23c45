import { describe, expect, it } from "vitest"
import { CR0, system } from "../../../../src/hal/x86_64/system/registers.ts"
import { powerUp, resetProtected } from "../../../../src/hal/x86_64/system/reset.ts"
import { Board, bytes, code, hex, MiB, readings, stackTop } from "../board.ts"

const hlt = [0xf4]
const [tables, gdt, gdtr, idt] = [0x10_8000, 0x10_3000, 0x10_3800, 0x10_4000]

/** 32-bit code, by its parts. */
const movEax = (value: number) => [0xb8, ...bytes(value, 4)]
const store = (address: number) => [0xa3, ...bytes(address, 4)]
const toCr = (number: number) => [0x0f, 0x22, 0xc0 | (number << 3)]
const lgdt = [0x0f, 0x01, 0x15, ...bytes(gdtr, 4)]
const farJump = (selector: number, offset: number) => [0xea, ...bytes(offset, 4), ...bytes(selector, 2)]

const descriptors = {
  code64: 0x00af_9b00_0000_ffffn,
  code32: 0x00cf_9b00_0000_ffffn,
  data: 0x00cf_9300_0000_ffffn,
  userCode: 0x00cf_fb00_0000_ffffn,
  userData: 0x00cf_f300_0000_ffffn
} as const

const withGdt = (board: Board, ...rows: readonly bigint[]): Board => {
  for (const [n, row] of [0n, ...rows].entries()) board.put64(gdt + n * 8, row)
  return board.put(gdtr, ...bytes(rows.length * 8 + 7, 2), ...bytes(gdt, 4))
}

const startAt = (board: Board, ...program: readonly number[]): Board => {
  board.put(code, ...program)
  resetProtected(board.machine.core, code)
  return board.set("rsp", BigInt(stackTop))
}

describe.each(Object.entries(readings))("code of 32 bits, %s", (_, reading) => {
  it("runs in protected mode without paging, as a Multiboot loader starts it", () => {
    const board = startAt(new Board(reading), ...movEax(0x1234_5678), 0x50, 0x5b, 0x40, ...hlt)
    expect(board.run(10)).toEqual({ _tag: "Idle" })
    expect([board.get("rax"), board.get("rbx"), board.get("rsp")]).toEqual([
      0x1234_5679n,
      0x1234_5678n,
      BigInt(stackTop)
    ])
  })

  it("gets to 64-bit mode by way of PAE, IA32_EFER.LME, CR0.PG and a far jump", () => {
    const board = new Board(reading)
    withGdt(board, descriptors.code64, descriptors.data)
    board.put64(tables, BigInt(tables + 0x1003)).put64(tables + 0x1000, BigInt(tables + 0x2003))
    for (const n of [0, 1]) board.put64(tables + 0x2000 + n * 8, BigInt(n * 0x20_0000 + 0x83))
    const begin = [...lgdt, ...movEax(0x20), ...toCr(4), ...movEax(tables), ...toCr(3)]
    const enableLong = [0xb9, ...bytes(0xc000_0080, 4), 0x0f, 0x32, 0x0d, ...bytes(0x100, 4), 0x0f, 0x30]
    const enablePaging = [0x0f, 0x20, 0xc0, 0x0d, ...bytes(0x8000_0001, 4), ...toCr(0)]
    const start = [...begin, ...enableLong, ...enablePaging]
    const target = code + start.length + 7
    const long = [0x48, 0xb8, ...bytes(0x1122_3344_5566_7788n, 8), 0x49, 0x89, 0xc0, ...hlt]
    startAt(board, ...start, ...farJump(0x08, target), ...long)
    expect(board.run(40)).toEqual({ _tag: "Idle" })
    expect(board.get("r8")).toBe(0x1122_3344_5566_7788n)
    expect(board.machine.core.mode).toEqual({ bits: 64, privilege: 0 })
  })

  it("is paged by tables of 4-byte entries, with pages of 4 KiB and 4 MiB", () => {
    const board = new Board(reading)
    board.put(tables, ...bytes(0x83, 4)).put(tables + 4, ...bytes(tables + 0x1003, 4))
    board.put(tables + 0x1000 + 4 * 3, ...bytes(0x18_0003, 4))
    const paging = [...movEax(0x10), ...toCr(4), ...movEax(tables), ...toCr(3), 0x0f, 0x20, 0xc0, 0x0d, ...bytes(0x8000_0000, 4), ...toCr(0)] // biome-ignore format: a program
    startAt(board, ...paging, ...movEax(0x77), ...store(0x40_3008), ...hlt)
    expect(board.run(40)).toEqual({ _tag: "Idle" })
    expect(board.get64(0x18_0008) & 0xffff_ffffn).toBe(0x77n)
    expect(board.get64(tables + 0x1008) >> 32n).toBe(0x18_0063n)
  })

  it("is paged through the PDPTE registers, which CR3 loads", () => {
    const board = new Board(reading)
    board
      .put64(tables, BigInt(tables + 0x1001))
      .put64(tables + 0x1000, 0x83n)
      .put64(tables + 0x1008, 0x83n)
    const paging = [...movEax(0x20), ...toCr(4), ...movEax(tables), ...toCr(3), 0x0f, 0x20, 0xc0, 0x0d, ...bytes(0x8000_0000, 4), ...toCr(0)] // biome-ignore format: a program
    startAt(board, ...paging, ...movEax(0x77), ...store(0x38_0008), ...hlt)
    expect(board.run(40)).toEqual({ _tag: "Idle" })
    expect(board.get64(0x18_0008) & 0xffff_ffffn).toBe(0x77n)
  })

  it("comes to its handlers through gates of 32 bits, and IRET goes back", () => {
    const board = new Board(reading)
    withGdt(board, descriptors.code32, descriptors.data)
    const handler = code + 0x100
    board.put(idt + 0x80 * 8, ...bytes(handler & 0xffff, 2), 8, 0, 0, 0x8e, ...bytes(handler >> 16, 2))
    board.put(gdtr + 8, ...bytes(0x7ff, 2), ...bytes(idt, 4)).put(handler, 0x8b, 0x1c, 0x24, 0xcf)
    const lidt = [0x0f, 0x01, 0x1d, ...bytes(gdtr + 8, 4)]
    const start = [...lgdt, ...farJump(8, code + 14), ...lidt, 0xcd, 0x80, ...hlt]
    startAt(board, ...start)
    expect(board.run(40)).toEqual({ _tag: "Idle" })
    expect(board.get("rbx")).toBe(BigInt(code + start.length - 1))
    expect(board.get("rsp")).toBe(BigInt(stackTop))
  })

  it("raises #GP(0) beyond a segment's limit", () => {
    const board = new Board(reading)
    withGdt(board, descriptors.code32, 0x0040_9300_0000_0fffn)
    const load = [...movEax(0x10), 0x8e, 0xd8]
    startAt(board, ...lgdt, ...load, 0xa1, ...bytes(0xffc, 4), 0xa1, ...bytes(0xffd, 4))
    expect(board.run(40)).toEqual({ _tag: "TripleFault" })
    expect(board.get("rip")).toBe(BigInt(code + 7 + 7 + 5))
  })
})

describe.each(Object.entries(readings))("compatibility mode, %s", (_, reading) => {
  /** 64-bit code that returns to 32-bit code, whose first bytes are a program. */
  const compatible = (...program: readonly number[]): Board => {
    const board = new Board(reading).identity(0, 4 * MiB)
    withGdt(board, descriptors.code64, descriptors.data, descriptors.code32)
    const { core } = board.machine
    const retfq = [0x6a, 0x18, 0x68, ...bytes(code + 0x100, 4), 0x48, 0xcb]
    board.start(...retfq).put(code + 0x100, ...program)
    core.set(system.gdtrBase, gdt, 0)
    core.set(system.gdtrLimit, 0x1f, 0)
    return board
  }

  it("cuts addresses to 32 bits, has INC for REX, and a far jump leads back to 64-bit mode", () => {
    const back = code + 0x100 + 13
    const board = compatible(
      0x48,
      0x83,
      0xec,
      0x04,
      0x40,
      0x90,
      ...farJump(0x08, back),
      0x48,
      0xb8,
      ...bytes(2n ** 40n, 8),
      ...hlt
    )
    expect(board.set("rax", -1n).run(3)).toEqual({ _tag: "Limit" })
    expect(board.machine.core.mode).toEqual({ bits: 32, privilege: 0, stack: 32, isProtected: true, isFlat: true })
    expect(board.run(20)).toEqual({ _tag: "Idle" })
    expect([board.get("rax"), board.get("rsp")]).toEqual([2n ** 40n, BigInt(stackTop - 4)])
    expect(board.machine.core.mode).toEqual({ bits: 64, privilege: 0 })
  })
})

describe.each(Object.entries(readings))("far transfers from 64-bit mode to compatibility mode, %s", (_, reading) => {
  const [pointer, target, GP] = [0x10_7000, code + 0x200, 13]
  const [code32, short32] = [0x18, 0x20]
  /** A far pointer is at [RBX]; #GP leads to a HLT. */
  const aBoard = (offset: bigint, selector: number, ...program: readonly number[]): Board => {
    const board = new Board(reading).identity(0, 4 * MiB)
    withGdt(board, descriptors.code64, descriptors.data, descriptors.code32, 0x0040_9b00_0000_0fffn)
    board
      .start(...program)
      .put64(pointer, offset)
      .put(pointer + 8, selector, 0)
      .put(target, ...hlt)
    const handler = code + 0x300
    board.put(idt + GP * 16, ...bytes(handler & 0xffff, 2), 8, 0, 0, 0x8e, ...bytes(handler >> 16, 2), ...bytes(0, 8))
    board.put(handler, ...hlt)
    const { core } = board.machine
    for (const [base, limit, at] of [
      [system.gdtrBase, system.gdtrLimit, gdt],
      [system.idtrBase, system.idtrLimit, idt]
    ] as const) {
      core.set(base, at, 0)
      core.set(limit, 0xfff, 0)
    }
    return board.set("rbx", BigInt(pointer)).set("rax", offset)
  }
  const [jump, call] = [hex("48 FF 2B"), hex("48 FF 1B")]
  // PUSH selector; PUSH RAX; RETF
  const ret = (selector: number) => [0x6a, selector, 0x50, 0x48, 0xcb]
  // MOV RCX, RSP; PUSH 10H; PUSH RCX; PUSHF; PUSH selector; PUSH RAX; IRETQ
  const iret = (selector: number) => [...hex("48 89 E1 6A 10 51 9C"), 0x6a, selector, 0x50, 0x48, 0xcf]

  // As a processor was seen to do.
  it.each([
    ["JMP", jump],
    ["CALL", call],
    ["RET", ret(code32)],
    ["IRET", iret(code32)]
  ])("%s cuts the offset to 32 bits", (_name, program) => {
    const board = aBoard(BigInt(target) + 2n ** 32n, code32, ...program)
    expect(board.run(20)).toEqual({ _tag: "Idle" })
    expect(board.get("rip")).toBe(BigInt(target + 1))
    expect(board.machine.core.mode.bits).toBe(32)
  })

  it.each([
    ["JMP", jump],
    ["CALL", call],
    ["RET", ret(short32)],
    ["IRET", iret(short32)]
  ])("%s beyond the limit is #GP(0) of the instruction", (_name, program) => {
    const board = aBoard(0x1000n, short32, ...program)
    expect(board.run(20)).toEqual({ _tag: "Idle" })
    expect(board.get("rip")).toBe(BigInt(code + 0x301))
    expect(board.get64(Number(board.get("rsp")))).toBe(0n)
    expect(board.machine.core.mode.bits).toBe(64)
  })

  it("CALL pushes to a stack of 32 bits", () => {
    const board = aBoard(BigInt(target), code32, ...call).set("rsp", BigInt(stackTop) + 2n ** 40n)
    board.run(20)
    expect(board.get("rsp")).toBe(BigInt(stackTop - 16))
    expect(board.get64(stackTop - 16)).toBe(BigInt(code + call.length))
  })
})

describe.each(Object.entries(readings))("rings of protected mode, %s", (_, reading) => {
  const [tss, kernelStack, user, userStack] = [0x10_5000, 0x18_0000, 0x10_6000, 0x19_0000]
  const gate = (type: number, handler: number) => [
    ...bytes(handler & 0xffff, 2),
    8,
    0,
    0,
    type,
    ...bytes(handler >> 16, 2)
  ]

  /** A kernel that goes to ring 3 by IRET, with a TSS and a gate for INT 80H. */
  const kernel = (program: readonly number[], handler: readonly number[], flags = 2): Board => {
    const board = new Board(reading)
    const task = 0x0000_8900_0000_0067n | (BigInt(tss & 0xff_ffff) << 16n)
    const callGate = BigInt(
      `0x${[...gate(0xec, code + 0x200)]
        .reverse()
        .map((b) => b.toString(16).padStart(2, "0"))
        .join("")}`
    )
    withGdt(
      board,
      descriptors.code32,
      descriptors.data,
      descriptors.userCode,
      descriptors.userData,
      task,
      callGate | (2n << 32n)
    )
    board.put(tss + 4, ...bytes(kernelStack, 4), 0x10, 0).put(idt + 0x80 * 8, ...gate(0xee, code + 0x100))
    board.put(idt + 13 * 8, ...gate(0x8e, code + 0x100))
    board
      .put(gdtr + 8, ...bytes(0x7ff, 2), ...bytes(idt, 4))
      .put(code + 0x100, ...handler)
      .put(code + 0x200, ...handler)
    const isVirtual = (flags & 0x2_0000) !== 0
    const frame = isVirtual
      ? [0, 0, 0x2000, 0x3000, 0x4000, 0x100, flags, 0x1000, 0]
      : [0x23, userStack, flags, 0x1b, user]
    const pushes = frame.flatMap((word) => [0x68, ...bytes(word, 4)])
    const lidt = [0x0f, 0x01, 0x1d, ...bytes(gdtr + 8, 4)]
    const ltr = [0x66, 0xb8, 0x28, 0, 0x0f, 0x00, 0xd8]
    const segments = [0x66, 0xb8, 0x10, 0, 0x8e, 0xd0, 0x66, 0xb8, 0x23, 0, 0x8e, 0xd8]
    const start = [...lgdt, ...farJump(8, code + 14), ...lidt, ...ltr, ...segments, ...pushes, 0xcf]
    return startAt(board.put(isVirtual ? 0x1_0000 : user, ...program), ...start)
  }

  it("INT comes to the stack that the TSS names, and IRET goes back to the program's", () => {
    const board = kernel([0xcd, 0x80, ...hlt], [0x8b, 0x5c, 0x24, 0x0c, 0x40, 0xcf])
    board.run(19)
    expect(board.get("rsp")).toBe(BigInt(userStack))
    expect(board.get("rbx")).toBe(BigInt(userStack))
    expect(board.machine.core.mode).toEqual({ bits: 32, privilege: 3, stack: 32, isProtected: true, isFlat: false })
  })

  it("a call gate takes its parameters to the inner stack, and RET gives them back on both", () => {
    const program = [0x6a, 7, 0x6a, 8, 0x9a, ...bytes(0, 4), ...bytes(0x33, 2), 0xeb, 0xfe]
    const board = kernel(program, [0x8b, 0x44, 0x24, 0x08, 0x8b, 0x5c, 0x24, 0x0c, 0xca, 8, 0])
    board.run(40)
    expect([board.get("rax"), board.get("rbx"), board.get("rsp")]).toEqual([8n, 7n, BigInt(userStack)])
    expect(board.machine.core.privilege).toBe(3)
  })

  it("virtual-8086 mode multiplies selectors by 16, and its interrupts come to the monitor", () => {
    const program = hex("c7 06 04 00 cd ab 8c d8 cd 80")
    const board = kernel(program, [0x8b, 0x5c, 0x24, 0x18, ...hlt], 0x2_3002)
    expect(board.run(40)).toEqual({ _tag: "Idle" })
    expect(board.get64(0x2_0004) & 0xffffn).toBe(0xabcdn)
    // DS was 2000H; on the monitor's stack it is above SS, ESP, EFLAGS, CS, EIP and ES.
    expect([board.get("rax") & 0xffffn, board.get("rbx")]).toEqual([0x2000n, 0x2000n])
    expect(board.machine.core.mode).toEqual({ bits: 32, privilege: 0, stack: 32, isProtected: true, isFlat: false })
  })
})

describe.each(Object.entries(readings))("real-address mode, %s", (_, reading) => {
  /** Code of 16 bits at 1000:0000. */
  const real = (...program: readonly number[]): Board => {
    const board = new Board(reading)
    powerUp(board.machine.core)
    const { core } = board.machine
    core.setSegment(1, 0x1000, 0x9b, 0xffff, 0x1_0000, 0)
    core.set(0x080, 0, 0)
    return board.put(0x1_0000, ...program).set("rsp", 0x8000n)
  }

  it("begins 16 bytes below 4 GiB", () => {
    const board = new Board(reading)
    powerUp(board.machine.core)
    expect(board.get("rip")).toBe(0xfff0n)
    expect(board.machine.core.mode).toEqual({ bits: 16, privilege: 0, stack: 16, isProtected: false, isFlat: false })
  })

  it("multiplies selectors by 16", () => {
    const board = real(...hex("b8 00 20 8e d8 c7 06 04 00 cd ab f4"))
    expect(board.run(10)).toEqual({ _tag: "Idle" })
    expect(board.get64(0x2_0004) & 0xffffn).toBe(0xabcdn)
  })

  it("calls and returns with IP and CS, and interrupts through the table at 0", () => {
    const board = real(...hex("9a 00 00 00 20 cd 21 f4"))
    board.put(0x2_0000, ...hex("40 cb")).put(0x21 * 4, ...bytes(0x10, 2), ...bytes(0x2000, 2))
    board.put(0x2_0010, ...hex("43 cf"))
    expect(board.run(20)).toEqual({ _tag: "Idle" })
    expect([board.get("rax"), board.get("rbx"), board.get("rsp")]).toEqual([1n, 1n, 0x8000n])
  })

  it("ends with CR0.PE and a far jump", () => {
    const board = withGdt(real(), descriptors.code32, descriptors.data)
    board.put(0x1_1000, ...bytes(0x17, 2), ...bytes(gdt, 4))
    const enter = [...hex("0f 01 16 00 10 0f 20 c0 0c 01 0f 22 c0 66 ea"), ...bytes(code, 4), 8, 0]
    board.put(0x1_0000, 0x8c, 0xc8, 0x8e, 0xd8, ...enter).put(code, ...movEax(0x1234_5678), ...hlt)
    expect(board.run(20)).toEqual({ _tag: "Idle" })
    expect(board.get("rax")).toBe(0x1234_5678n)
    expect(board.machine.core.low(0x1c0) & CR0.PE).toBe(CR0.PE)
  })
})
