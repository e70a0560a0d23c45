import { describe, it } from "@effect/vitest"
import type { MakeReading } from "../../../src/hal/x86_64/processor/Reading.ts"
import { writeControl } from "../../../src/hal/x86_64/system/control.ts"
import { msrAt } from "../../../src/hal/x86_64/system/msr.ts"
import { CR0, CR4, EFER } from "../../../src/hal/x86_64/system/registers.ts"
import { type Chance, chance, compare, others, seeds } from "./agreement.ts"
import {
  asUser,
  Board,
  bytes,
  code,
  handlerOf,
  hex,
  kernelCode,
  P,
  pml4,
  RW,
  stackTop,
  tss,
  US,
  withTables
} from "./board.ts"

const slots = 64
const slotBytes = 16
const data = 0x4000_0000
const dataPages = [0x20_0000, 0x20_1000, 0x20_2000, 0x20_3000]
const timer = 0x41

/**
 * Programs of the kernel that do what is hard to keep exact: accesses that fault, cross pages and change page tables
 * and code, translations that are stale and invalidated, interrupts at any instruction. An instruction fills a slot
 * of 16 bytes; a fault goes on at the next slot.
 */
const instructions: readonly ((c: Chance, pageTable: number) => number[])[] = [
  // Register arithmetic: ADD, SUB, XOR, ADC of RAX..RBX; INC RSI; IMUL RAX, RCX
  (c) => [0x48, c.of([0x01, 0x29, 0x31, 0x11]), 0xc0 | c.below(4) | (c.below(4) << 3)],
  () => [0x48, 0xff, 0xc6],
  () => [0x48, 0x0f, 0xaf, 0xc1],
  // MOV RDI, somewhere in the data pages or just outside
  (c) => [0xbf, ...bytes(data + c.below(5 * 0x1000) - c.below(8), 4)],
  (c) => [0xbf, ...bytes(data + c.below(4) * 0x1000 + 0xffc, 4)],
  // MOV [RDI], RAX; MOV RAX, [RDI]; ADD [RDI], ECX; XCHG [RDI], DL; CMP [RDI], RBX
  () => [0x48, 0x89, 0x07],
  () => [0x48, 0x8b, 0x07],
  () => [0x01, 0x0f],
  () => [0x86, 0x17],
  () => [0x48, 0x39, 0x1f],
  // A page of data gets other rights, or leads elsewhere: MOV DWORD [pte], imm32
  (c, table) => {
    const page = c.of(dataPages) | c.of([0, 1, 3, 3, 3, 7, 0x103])
    return [0xc7, 0x04, 0x25, ...bytes(table + c.below(4) * 8, 4), ...bytes(page, 4)]
  },
  // INVLPG [RDI]; MOV CR3, R8 (PCID 0); MOV CR3, R9 (PCID 1, kept)
  () => [0x0f, 0x01, 0x3f],
  () => [0x41, 0x0f, 0x22, 0xd8],
  () => [0x41, 0x0f, 0x22, 0xd9],
  // Code: the constant of a MOV EBX, imm32 changes, in this slot's neighbourhood
  (c) => [0xbb, ...bytes(c.below(1000), 4)],
  (c) => [0xc6, 0x04, 0x25, ...bytes(code + c.below(slots) * slotBytes + 14, 4), c.of([0x90, 0x40, 0x66])],
  // CLI, STI, PUSHF; POPF, PUSH RAX; POP RBX
  () => [0xfa],
  () => [0xfb],
  () => [0x9c, 0x9d],
  () => [0x50, 0x5b],
  // JE, JB over the rest of this slot and one more
  (c) => [c.of([0x74, 0x72, 0x7f, 0x78]), 30],
  // LOOP to the slot before, a few times; REP STOSB of a few bytes
  () => [0xb1, 5, 0xff, 0xc9, 0x75, 0xfc],
  (c) => [0xb9, ...bytes(c.below(20), 4), 0xf3, 0xaa],
  // UD2, INT3, RDTSC, SYSCALL
  () => [0x0f, 0x05],
  () => [0x0f, 0x0b],
  () => [0xcc],
  () => [0x0f, 0x31]
]

/** `e` bytes of an error code and the RIP behind it: go on at the next slot. */
const skip = (e: number): number[] => {
  const byte = e.toString(16).padStart(2, "0")
  // AND QWORD [RSP + e], -16; ADD QWORD [RSP + e], 16; ADD RSP, e; IRETQ
  return hex(`48 83 64 24 ${byte} F0 48 83 44 24 ${byte} 10 48 83 C4 ${byte} 48 CF`)
}
/** EOI, and another deadline so many instructions from now. PUSH RAX, RCX, RDX; WRMSR; RDTSC; ADD EAX, n; WRMSR; POP; IRETQ */
const again = (n: number): number[] => [
  ...hex("50 51 52 B9 0B 08 00 00 31 C0 31 D2 0F 30"),
  ...hex("0F 31 83 C0"),
  n,
  ...hex("B9 E0 06 00 00 0F 30 5A 59 58 48 CF")
]
const jmp = (from: number, to: number): number[] => [0xe9, ...bytes(to - from - 5, 4)]
/** For data of a program: STAC; MOV RDX, [RDI]; CLAC; SYSRETQ. In the next slot: CLAC; SYSRETQ. */
const systemCall = [...hex("0F 01 CB 48 8B 17 0F 01 CA 48 0F 07"), ...Array(4).fill(0x90), ...hex("0F 01 CA 48 0F 07")]

const handlersAt = 0x9000
const systemCallAt = 0xa000

type Ring = 0 | 3

const aProgram = (seed: number, ring: Ring, reading: MakeReading): Board => {
  const c = chance(seed)
  const board = new Board(reading)
  const user = ring === 3 ? US : 0n
  board
    .identity(0, 0x10_0000)
    .identity(code, stackTop, P | RW | user)
    .start()
  const dataTable = board.tableOf(BigInt(data), 12n)
  board.map(BigInt(dataTable), dataTable, P | RW | user)
  for (const [n, page] of dataPages.entries())
    board.map(BigInt(data + n * 0x1000), page, P | RW | (n === 3 ? US : user))
  const last = slots - 1
  for (let n = 0; n < slots; n++) {
    const made = n === last ? jmp(n * slotBytes, 0) : c.of(instructions)(c, dataTable)
    board.put(code + n * slotBytes, ...Array(slotBytes).fill(0x90)).put(code + n * slotBytes, ...made)
  }
  withTables(board)
  writeHandlers(board, 37 + (seed % 50))
  const { core } = board.machine
  core.apic.writeBase(0xfee0_0d00, 0, 2 ** 40)
  core.apic.writeMsr(0x80f, 0x1ff, 0)
  core.apic.writeMsr(0x832, (2 << 17) | timer, 0)
  core.apic.writeDeadline(50 + (seed % 100), 0)
  writeControl(core, 4, CR4.PAE | CR4.PCIDE | CR4.PGE | (ring === 3 ? CR4.SMAP | CR4.SMEP : 0), 0)
  writeControl(core, 0, CR0.PG | CR0.PE | (seed & 1 ? CR0.WP : 0), 0)
  board
    .set("r8", BigInt(pml4))
    .set("r9", BigInt(pml4 | 1) | (1n << 63n))
    .set("rdi", BigInt(data))
  return ring === 0 ? board : asProgram(board)
}

/** What is refused goes on at the next slot; INT3 just goes on; the timer comes again. */
const writeHandlers = (board: Board, n: number): void => {
  for (const [vector, e] of [
    [6, 0],
    [13, 8],
    [14, 8]
  ] as const) {
    const at = handlersAt + vector * 32
    board.put(at, ...skip(e)).put(handlerOf(vector), ...jmp(handlerOf(vector), at))
  }
  const timerAt = handlersAt + 0x800
  board.put(timerAt, ...again(n)).put(handlerOf(timer), ...jmp(handlerOf(timer), timerAt))
  board.put(handlerOf(3), 0x48, 0xcf).put(systemCallAt, ...systemCall)
  // The stack of the kernel is not the program's.
  const stack = 0x8000
  board.put64(tss + 4, BigInt(stack))
}

const asProgram = (board: Board): Board => {
  const { core } = board.machine
  core.set(msrAt.IA32_EFER, core.low(msrAt.IA32_EFER) | EFER.SCE, 0)
  core.set(msrAt.IA32_STAR, 0, (0x13 << 16) | kernelCode)
  core.set(msrAt.IA32_LSTAR, systemCallAt, 0)
  core.set(msrAt.IA32_FMASK, 0x4_0700, 0)
  asUser(board)
  core.setRflags(0x202)
  return board
}

const rings: readonly Ring[] = [0, 3]
describe.each(rings)("in ring %s the readings agree about everything, after any number of instructions", (ring) => {
  it.each(others)(
    "plain and %s",
    (_name, reading) => {
      for (let seed = 1; seed <= seeds; seed++) compare(seed, (made) => aProgram(seed, ring, made), reading)
    },
    600_000
  )
})
