/** A machine on the bench: some RAM, page tables that a test fills, code as bytes. */
import { Machine } from "../../../src/hal/x86_64/Machine.ts"
import { Interpreter } from "../../../src/hal/x86_64/processor/interpreter/Interpreter.ts"
import { makePlain } from "../../../src/hal/x86_64/processor/plain.ts"
import type { MakeReading } from "../../../src/hal/x86_64/processor/Reading.ts"
import { at, type RegisterName, registerNames } from "../../../src/hal/x86_64/processor/State.ts"
import { translator } from "../../../src/hal/x86_64/processor/translator/Translator.ts"
import { loadTask, setFlat } from "../../../src/hal/x86_64/system/descriptors.ts"
import { system } from "../../../src/hal/x86_64/system/registers.ts"

export const readings: Readonly<Record<string, MakeReading>> = {
  plain: makePlain,
  /** With handlers from the first instruction on, or after a few. */
  interpreted: (parts) => new Interpreter(parts, { patience: 0 }),
  translated: translator({ patience: 0, heat: 1, worth: "anything" })
}

/** Bits of a page-table entry. */
export const P = 1n
export const RW = 2n
export const US = 4n
export const A = 0x20n
export const D = 0x40n
export const PS = 0x80n
export const G = 0x100n
export const XD = 1n << 63n

export const MiB = 0x10_0000

/** Where the board's tables and things are, all identity-mapped. */
export const pml4 = 0x1000
export const code = 0x10_0000
export const stackTop = 0x20_0000
const tablesAt = 0x8_0000

export class Board {
  readonly machine: Machine
  readonly out: number[] = []
  private nextTable = tablesAt

  constructor(reading: MakeReading = makePlain, memoryBytes = 4 * MiB, processors = 1) {
    this.machine = new Machine({ memoryBytes, reading, processors, console: { write: (byte) => this.out.push(byte) } })
    this.entry(pml4, 0, this.newTable() | 7n)
  }

  // ---- memory

  newTable(): bigint {
    this.nextTable += 0x1000
    return BigInt(this.nextTable)
  }

  get view(): DataView {
    const { ramBytes } = this.machine.memory
    const ram = this.machine.memory.ram(0, ramBytes)
    return new DataView(ram.buffer, ram.byteOffset, ramBytes)
  }

  entry(table: number, index: number, value: bigint): void {
    this.view.setBigUint64(table + index * 8, value, true)
  }

  entryAt(table: number, index: number): bigint {
    return this.view.getBigUint64(table + index * 8, true)
  }

  /** Map a page of 4 KiB; the tables above it allow everything. */
  map(address: bigint, page: number, flags: bigint): void {
    this.entry(this.tableOf(address, 12n), Number((address >> 12n) & 511n), BigInt(page) | flags)
  }

  /** The table whose entries are selected by the bits of `address` from `shift` on; those above are made. */
  tableOf(address: bigint, shift: bigint): number {
    let table = pml4
    for (let at = 39n; at > shift; at -= 9n) {
      const index = Number((address >> at) & 511n)
      if (!(this.entryAt(table, index) & P)) this.entry(table, index, this.newTable() | 7n)
      table = Number(this.entryAt(table, index) & 0x000f_ffff_ffff_f000n)
    }
    return table
  }

  /** The page-table entry of an address. */
  pte(address: bigint): bigint {
    return this.entryAt(this.tableOf(address, 12n), Number((address >> 12n) & 511n))
  }

  /** RAM at its own address, for the supervisor or for everybody. */
  identity(start: number, end: number, flags = P | RW): this {
    for (let page = start; page < end; page += 0x1000) this.map(BigInt(page), page, flags)
    return this
  }

  put(address: number, ...bytes: readonly number[]): this {
    this.machine.memory.ram(address, bytes.length).set(bytes)
    return this
  }

  put64(address: number, value: bigint): this {
    this.view.setBigUint64(address, BigInt.asUintN(64, value), true)
    return this
  }

  get64(address: number): bigint {
    return this.view.getBigUint64(address, true)
  }

  // ---- registers

  get(name: RegisterName | "rip"): bigint {
    return this.word(name === "rip" ? at.rip : at.general + registerNames.indexOf(name) * 8)
  }

  set(name: RegisterName, value: bigint): this {
    this.machine.memory.view.setBigUint64(at.general + registerNames.indexOf(name) * 8, BigInt.asUintN(64, value), true)
    return this
  }

  word(offset: number): bigint {
    return this.machine.memory.view.getBigUint64(offset, true)
  }

  /** Code at `code`, a stack below `stackTop`, 64-bit mode with these page tables. */
  start(...bytes: readonly number[]): this {
    this.put(code, ...bytes)
    this.machine.start(code, pml4)
    return this.set("rsp", BigInt(stackTop))
  }

  /** Run so many instructions more. */
  run(instructions: number) {
    return this.machine.run(this.machine.instructions + instructions)
  }
}

/** The bytes of a number, the lowest first. */
export const bytes = (value: bigint | number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * n)) & 0xffn))

/** Bytes as they are printed: "48 8B 03". */
export const hex = (text: string): number[] => text.split(" ").map((byte) => Number.parseInt(byte, 16))

// ---- instructions that tests are made of

/** MOV r64, imm64 of the registers 0 to 15. */
export const movImm = (name: RegisterName, value: bigint | number): number[] => {
  const n = registerNames.indexOf(name)
  return [n < 8 ? 0x48 : 0x49, 0xb8 + (n & 7), ...bytes(value, 8)]
}
/** MOV RAX, [RBX] and MOV [RBX], RAX. */
export const loadRbx = [0x48, 0x8b, 0x03]
export const storeRbx = [0x48, 0x89, 0x03]
export const nop = [0x90]
export const hlt = [0xf4]
export const sti = [0xfb]
export const cli = [0xfa]
export const ud2 = [0x0f, 0x0b]
export const syscall = [0x0f, 0x05]
export const sysretq = [0x48, 0x0f, 0x07]
export const iretq = [0x48, 0xcf]
export const invlpgRbx = [0x0f, 0x01, 0x3b]
export const wrmsr = [0x0f, 0x30]
export const rdmsr = [0x0f, 0x32]
export const movCr = (number: number, from: RegisterName): number[] => {
  const n = registerNames.indexOf(from)
  return [n < 8 ? 0x40 : 0x41, 0x0f, 0x22, 0xc0 | (number << 3) | (n & 7)]
}
export const jmpHere = [0xeb, 0xfe]

// ---- a kernel's tables, at fixed places

export const gdt = 0x3000
export const tss = 0x3800
export const idt = 0x4000
export const kernelCode = 0x08
export const kernelData = 0x10
export const userData = 0x1b
export const userCode = 0x23
const task = 0x28

/** Where the handler of a vector is: `halt` after a NOP for each. */
export const handlers = 0x6000
export const handlerOf = (vector: number): number => handlers + vector * 16

/** GDT, TSS and IDT in memory and in their registers; every vector has a handler that halts. */
export const withTables = (board: Board, ist: (vector: number) => number = () => 0): Board => {
  const { core } = board.machine
  for (const [n, value] of [
    0n,
    0x00af_9b00_0000_ffffn,
    0x00cf_9300_0000_ffffn,
    0x00cf_f300_0000_ffffn,
    0x00af_fb00_0000_ffffn
  ].entries())
    board.put64(gdt + n * 8, value)
  board.put64(gdt + task, 0x0000_8900_0000_0067n | (BigInt(tss & 0xffff) << 16n))
  board
    .put64(tss + 4, BigInt(stackTop - 0x1000))
    .put64(tss + 0x24, BigInt(stackTop - 0x2000))
    .put(tss + 102, 0x68, 0)
  for (let vector = 0; vector < 256; vector++) gateTo(board, vector, handlerOf(vector), { ist: ist(vector) })
  for (let vector = 0; vector < 256; vector++) board.put(handlerOf(vector), ...hlt)
  return setTables(core, board)
}

export const gateTo = (
  board: Board,
  vector: number,
  handler: number,
  { ist = 0, type = 0x8e, selector = kernelCode }: { ist?: number; type?: number; selector?: number } = {}
): void => {
  const low = (handler & 0xffff) | (selector << 16)
  const high = (handler & 0xffff_0000) | (type << 8) | ist
  board.put(idt + vector * 16, ...bytes(low, 4), ...bytes(high, 4), ...bytes(0, 8))
}

const setTables = (core: Machine["core"], board: Board): Board => {
  core.set(system.gdtrBase, gdt, 0)
  core.set(system.gdtrLimit, 0x37, 0)
  core.set(system.idtrBase, idt, 0)
  core.set(system.idtrLimit, 0xfff, 0)
  loadTask(core, task)
  return board
}

/** Go on at CPL 3, as IRET would. */
export const asUser = (board: Board): Board => {
  setFlat(board.machine.core, userCode, userData, 3, 64)
  return board
}
