import { describe, it } from "@effect/vitest"
import type { MakeReading } from "../../../src/hal/x86_64/processor/Reading.ts"
import { segments } from "../../../src/hal/x86_64/processor/State.ts"
import { writeControl } from "../../../src/hal/x86_64/system/control.ts"
import { CR0, CR4, system } from "../../../src/hal/x86_64/system/registers.ts"
import { powerUp, resetProtected } from "../../../src/hal/x86_64/system/reset.ts"
import { type Chance, chance, compare, others, seeds } from "./agreement.ts"
import { Board, bytes, hex, MiB } from "./board.ts"

const slots = 64
const slotBytes = 16

/** A way to run code outside of 64-bit mode. */
interface Legacy {
  readonly name: string
  readonly bits: 16 | 32
  readonly isReal?: true
  readonly isPaged?: true
  /** Of code, data, extra and stack. In real-address mode the bases alone count. */
  readonly cs: Segment
  readonly ds: Segment
  readonly es: Segment
  readonly ss: Segment
  /** Where in the code segment the first slot is. */
  readonly ip: number
}
interface Segment {
  readonly base: number
  readonly limit: number
  readonly type?: number
}

const all = { base: 0, limit: 0xffff_ffff }
const kinds: readonly Legacy[] = [
  { name: "flat code of 32 bits", bits: 32, cs: all, ds: all, es: all, ss: all, ip: 0x10_0000 },
  { name: "flat code of 32 bits, paged", bits: 32, isPaged: true, cs: all, ds: all, es: all, ss: all, ip: 0x10_0000 },
  {
    name: "code of 32 bits in segments",
    bits: 32,
    cs: { base: 0x10_0130, limit: 0x6fa },
    ds: { base: 0x20_0ff3, limit: 0x2fff },
    es: { base: 0x21_0000, limit: 0xfff, type: 6 },
    ss: { base: 0x18_0000, limit: 0xffff },
    ip: 0x300
  },
  {
    name: "code of 16 bits in segments",
    bits: 16,
    cs: { base: 0x10_0f00, limit: 0x1fff },
    ds: { base: 0x20_0ff3, limit: 0x2fff },
    es: { base: 0x21_0000, limit: 0xfff, type: 6 },
    ss: { base: 0x18_0000, limit: 0xffff },
    ip: 0x40
  },
  {
    name: "real-address mode",
    bits: 16,
    isReal: true,
    cs: { base: 0x2_10a0, limit: 0xffff },
    ds: { base: 0x3_0010, limit: 0xffff },
    es: { base: 0x3_0ff0, limit: 0xffff },
    ss: { base: 0x4_0000, limit: 0xffff },
    ip: 0x100
  },
  {
    name: "real-address mode at the end of its segment",
    bits: 16,
    isReal: true,
    cs: { base: 0x2_0000, limit: 0xffff },
    ds: { base: 0x3_0010, limit: 0xffff },
    es: { base: 0x3_0ff0, limit: 0xffff },
    ss: { base: 0x4_0000, limit: 0xffff },
    ip: 0xfc00
  }
]

const [codeSelector, dataSelector, extraSelector, stackSelector, wholeSelector, handlerSelector] = [
  0x08, 0x10, 0x18, 0x20, 0x28, 0x30
] as const
const [gdt, idt, handlersAt, pageDirectory, stackPointer] = [0x3000, 0x4000, 0x6000, 0x8000, 0x8000] as const

/** An instruction fills a slot; a fault goes on at the next. What 16-bit addresses cannot say, prefix 67 does. */
type Make = (c: Chance, legacy: Legacy) => number[]

const prefixes = (c: Chance): number[] => [
  ...c.of([[], [], [0x66]]),
  ...c.of([[], [], [], [0x26], [0x2e], [0x36], [0x64]])
]
/** [EDI] with a register, by the opcode's ModR/M. */
const atEdi = (c: Chance, { bits }: Legacy, register: number): number[] =>
  bits === 32 ? [0x07 | (register << 3)] : [c.of([0x05, 0x45]) | (register << 3), 0]
const memory =
  (...opcode: number[]): Make =>
  (c, legacy) => [...prefixes(c), ...opcode, ...atEdi(c, legacy, c.below(4))]
const word = ({ bits }: Legacy, value: number): number[] => bytes(value, bits / 8)

const instructions: readonly Make[] = [
  // ADD, SUB, XOR, ADC; INC ESI; IMUL EAX, ECX; LEA EAX, [memory]
  (c) => [...c.of([[], [0x66]]), c.of([0x01, 0x29, 0x31, 0x11]), 0xc0 | c.below(4) | (c.below(4) << 3)],
  () => [0x46],
  () => [0x0f, 0xaf, 0xc1],
  memory(0x8d),
  // MOV EDI, near the ends of segments and pages
  (c, legacy) => [
    0xbf,
    ...word(legacy, c.of([0, 0xffc, 0xffe, 0x1000, 0x2ffc, 0x2ffe, 0x2fff, 0x3000, 0xfffe, 0xffff, -1, -4]))
  ],
  (c, legacy) => [0xbf, ...word(legacy, c.below(0x3000))],
  // To memory and from it, of one byte to 16
  memory(0x89),
  memory(0x8b),
  memory(0x01),
  memory(0x86),
  memory(0x39),
  memory(0x0f, 0x11),
  memory(0x0f, 0x10),
  // PUSH, POP, PUSHF, POPF, PUSHA, POPA; ENTER and LEAVE
  () => [0x50, 0x5b],
  () => [0x66, 0x50, 0x66, 0x5b],
  () => [0x9c, 0x9d],
  () => [0x60, 0x61],
  (c) => [0xc8, c.below(16), 0, c.below(3), 0xc9],
  // A segment register from another: PUSH DS; POP ES and the like
  (c) => [c.of([0x06, 0x1e, 0x16]), c.of([0x07, 0x1f])],
  // MOV DS, AX, of whatever is there; and again as it was
  (c) => [0x8e, c.of([0xd8, 0xc0])],
  (_c, { bits, isReal, ds }) => [0xb8, ...bytes(isReal ? ds.base >> 4 : dataSelector, bits / 8), 0x8e, 0xd8],
  // Code changes: MOV BYTE FS:[slot], imm8
  (c, legacy) => [
    0x64,
    ...(legacy.bits === 32 ? [0xc6, 0x05] : [0x67, 0xc6, 0x05]),
    ...bytes(legacy.cs.base + legacy.ip + c.below(slots) * slotBytes + 14, 4),
    c.of([0x90, 0x40, 0x66])
  ],
  // JE, JB, with either operand size; LOOP; REP STOSB; CALL over a byte and POP
  (c) => [...c.of([[], [0x66]]), c.of([0x74, 0x72, 0x7f, 0x78]), 30],
  (_c, legacy) => [0xb9, ...word(legacy, 5), 0x40, 0xe2, 0xfd],
  (c, legacy) => [0xb9, ...word(legacy, c.below(20)), 0xf3, 0xaa],
  (c, legacy) => [0xb9, ...word(legacy, c.below(9)), ...c.of([[], [0x26], [0x66]]), 0xf3, 0xa5],
  (_c, legacy) => [0xe8, ...word(legacy, 1), 0xcc, 0x58],
  // JMP and CALL to a register that is a slot's; RET
  (c, legacy) => [0xb8, ...word(legacy, legacy.ip + c.below(slots) * slotBytes), 0xff, 0xe0],
  (c, legacy) => [0xb8, ...word(legacy, legacy.ip + c.below(slots) * slotBytes), 0x50, 0xc3],
  // Far: JMP to a slot; PUSH CS, PUSH offset, RETF
  (c, legacy) => [0xea, ...word(legacy, legacy.ip + c.below(slots) * slotBytes), ...bytes(csOf(legacy), 2)],
  // The same place by one of many selectors
  (c, legacy) => {
    const n = legacy.isReal ? c.below(60) : 0
    return [0xea, ...word(legacy, legacy.ip + (c.below(slots) + n) * slotBytes), ...bytes(csOf(legacy) - n, 2)]
  },
  (c, legacy) => [0x0e, 0x68, ...word(legacy, legacy.ip + c.below(slots) * slotBytes), 0xcb],
  // UD2, INT3, RDTSC, DIV
  () => [0x0f, 0x0b],
  () => [0xcc],
  () => [0x0f, 0x31],
  () => [0xf7, 0xf1]
]

const csOf = ({ isReal, cs }: Legacy): number => (isReal ? cs.base >> 4 : codeSelector)

/** A descriptor: of data that may be written (type 3), or expand-down (7), or code (11). */
const descriptor = ({ base, limit }: Segment, type: number, bits: number): bigint => {
  const isLarge = limit > 0xf_ffff
  const units = isLarge ? limit >>> 12 : limit
  const high =
    ((base >>> 24) << 24) | (isLarge ? 1 << 23 : 0) | (bits === 32 ? 1 << 22 : 0) | (units & 0xf_0000) |
    (1 << 15) | (1 << 12) | (type << 8) | ((base >>> 16) & 0xff) // biome-ignore format: a descriptor
  return (BigInt(high >>> 0) << 32n) | BigInt((((base & 0xffff) << 16) | (units & 0xffff)) >>> 0)
}

const aProgram = (seed: number, legacy: Legacy, reading: MakeReading): Board => {
  const c = chance(seed)
  const board = new Board(reading)
  const { core } = board.machine
  const { cs, ip, bits, isReal } = legacy
  for (let n = 0; n < slots; n++) {
    const made = n === slots - 1 ? jump(legacy, n) : c.of(instructions)(c, legacy)
    const slot = cs.base + ip + n * slotBytes
    board.put(slot, ...Array(slotBytes).fill(0x90)).put(slot, ...made)
  }
  // Past the end of 64 KiB, and before the first slot: back to the first.
  if (ip === 0xfc00) for (let n = 0; n < 3; n++) board.put(cs.base + n * 16, 0xe9, ...bytes(ip - n * 16 - 3, 2))
  if (isReal) {
    powerUp(core)
    realHandlers(board)
    for (const [of, { base }] of segmentsOf(legacy)) core.setSegment(of, base >> 4, 0x93, 0xffff, base, 0)
    core.setSegment(segments.fs, 0, 0x93, 0xffff_ffff, 0, 0)
    core.setSegment(segments.cs, cs.base >> 4, 0x9b, 0xffff, cs.base, 0)
    core.enterMode(16, 0)
  } else startInSegments(board, legacy)
  core.set(0x80, ip, 0)
  writeControl(core, 4, core.low(0x1d8) | CR4.OSFXSR, 0)
  return board.set("rsp", BigInt(stackPointer)).set("rax", BigInt(bits)).set("rcx", 3n).set("rdi", 0x100n)
}

const segmentsOf = ({ ds, es, ss }: Legacy) =>
  [
    [segments.ds, ds],
    [segments.es, es],
    [segments.ss, ss]
  ] as const

const jump = ({ bits }: Legacy, slot: number): number[] => {
  const length = bits === 32 ? 5 : 3
  return [0xe9, ...bytes(-slot * slotBytes - length, bits / 8)]
}

/** PUSH BP; MOV BP, SP; AND WORD [BP + 2], -16; ADD WORD [BP + 2], 16; POP BP; IRET. INT3 just goes on. */
const realHandlers = (board: Board): void => {
  board.put(handlersAt, ...hex("55 89 E5 83 66 02 F0 83 46 02 10 5D CF")).put(handlersAt + 0x100, 0xcf)
  for (let vector = 0; vector < 32; vector++)
    board.put(vector * 4, ...bytes(vector === 3 ? handlersAt + 0x100 : handlersAt, 2), 0, 0)
}

/** POP EAX of the error code, for those that have one; AND DWORD [ESP], -16; ADD DWORD [ESP], 16; IRETD */
const startInSegments = (board: Board, legacy: Legacy): void => {
  const { bits, cs, ds, es, ss, isPaged } = legacy
  const { core } = board.machine
  resetProtected(core, 0)
  // biome-ignore format: a descriptor, a line
  const rows = [
    0n,
    descriptor(cs, 11, bits),
    descriptor(ds, 3, bits),
    descriptor(es, es.type ?? 3, bits),
    descriptor(ss, 3, 32),
    descriptor(all, 3, 32),
    descriptor(all, 11, 32)
  ]
  for (const [n, row] of rows.entries()) board.put64(gdt + n * 8, row)
  core.set(system.gdtrBase, gdt, 0)
  core.set(system.gdtrLimit, rows.length * 8 - 1, 0)
  core.set(system.idtrBase, idt, 0)
  core.set(system.idtrLimit, 0x7ff, 0)
  const skip = hex("83 24 24 F0 83 04 24 10 CF")
  board
    .put(handlersAt, ...skip)
    .put(handlersAt + 0x40, 0x83, 0xc4, 4, ...skip)
    .put(handlersAt + 0x80, 0xcf)
  for (let vector = 0; vector < 32; vector++) {
    const handler = handlersAt + (vector === 3 ? 0x80 : vector >= 10 && vector <= 14 ? 0x40 : 0)
    board.put(idt + vector * 8, ...bytes(handler, 2), handlerSelector, 0, 0, 0x8e, 0, 0)
  }
  const load = (of: number, selector: number, { base, limit }: Segment, type: number, width: number) => {
    const access = 0x90 | type | (width === 32 ? 0x4000 : 0) | (limit > 0xf_ffff ? 0x8000 : 0)
    core.setSegment(of, selector, access, limit, base, 0)
  }
  load(segments.ss, stackSelector, ss, 3, 32)
  load(segments.ds, dataSelector, ds, 3, bits)
  load(segments.es, extraSelector, es, (es.type ?? 2) | 1, bits)
  load(segments.fs, wholeSelector, all, 3, 32)
  load(segments.gs, wholeSelector, all, 3, 32)
  load(segments.cs, codeSelector, cs, 11, bits)
  core.enterMode(bits, 0)
  if (isPaged) page(board)
}

/** The lowest 4 MiB by a table of pages of which some are missing or may not be written; the highest page is the lowest. */
const page = (board: Board): void => {
  const { core } = board.machine
  const table = pageDirectory + 0x1000
  board.put(pageDirectory, ...bytes(table | 3, 4)).put(pageDirectory + 0xffc, ...bytes(table | 3, 4))
  for (let n = 0; n < (4 * MiB) / 0x1000; n++) board.put(table + n * 4, ...bytes((n << 12) | (n === 2 ? 1 : 3), 4))
  board.put(table + 4, 0).put(table + 0xffc, ...bytes(0x20_0003, 4))
  writeControl(core, 3, pageDirectory, 0)
  writeControl(core, 0, CR0.PG | CR0.PE | CR0.WP, 0)
}

describe.each(kinds)("in $name the readings agree about everything, after any number of instructions", (legacy) => {
  it.each(others)(
    "plain and %s",
    (name, reading) => {
      // Each program makes regions anew, which takes a hundred times what it runs: a few of them are as good as many.
      const programs = name === "translated" ? Math.ceil(seeds / 15) : seeds
      for (let seed = 1; seed <= programs; seed++) compare(seed, (made) => aProgram(seed, legacy, made), reading)
    },
    600_000
  )
})
