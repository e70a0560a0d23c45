/** Instructions for those who run the machine. SDM vol. 3A, "System Instruction Summary"; vol. 2, the pages of the same names. */
import type { Form, OperandName } from "../Form.ts"
import { inst } from "../Form.ts"
import type { Machine, Meaning, StateWord, SystemName, Width } from "../Meaning.ts"
import { canonical } from "./jump.ts"

const segmentNames = ["es", "cs", "ss", "ds", "fs", "gs"] as const
/** The operand size changes nothing. */
const any = { sizes: [16, 32, 64] } as const

const number = <V, B>(x: Machine<V, B>, value: number): V => x.constant(BigInt(value))

/** Ends in an operation that needs nothing, or just its operands. */
const does =
  (name: SystemName): Meaning =>
  (x, ...operands) =>
    x.system(name, ...operands.map((operand) => x.read(operand)))
const doesAtSize =
  (name: SystemName, width: Width): Meaning =>
  (x, ...operands) =>
    x.system(name, ...operands.map((operand) => x.read(operand)), number(x, width))
const doesAt =
  (name: SystemName): Meaning =>
  (x, memory) =>
    x.system(name, x.linear(memory))
const interrupt =
  (vector: number): Meaning =>
  (x) =>
    x.system("int", number(x, vector))

const ud: Meaning = (x) => x.raise("#UD", x.truth(true))

/** Descriptor-table registers: a limit of 16 bits and a base of 64 in 64-bit mode, whatever the operand size. */
const table =
  (name: SystemName): Meaning =>
  (x, memory) =>
    x.system(name, x.linear(memory), number(x, 64))

/** SLDT, STR, SMSW: "if CR4.UMIP = 1 and CPL > 0", #GP(0). CPL is the privilege level in CS. */
const store =
  (word: StateWord): Meaning =>
  (x, dest) => {
    const user = x.not(x.equal(x.and(x.get("cs"), x.constant(3n)), x.constant(0n)))
    x.raise("#GP(0)", x.both(user, x.bit(x.get("cr4"), 11)))
    x.write(dest, x.get(word))
  }

const movFromSegment =
  (segment: StateWord): Meaning =>
  (x, dest) =>
    x.write(dest, x.get(segment))
const movToSegment =
  (segment: number): Meaning =>
  (x, _segment, src) =>
    x.system("movToSegment", number(x, segment), x.read(src))

/** At every operand size memory has 16 bits. */
const selectorStores = (
  opcode: string,
  name: string,
  operands: ReadonlyArray<"rm" | OperandName>,
  meaning: Meaning
): ReadonlyArray<Form> => [
  inst(
    opcode,
    name,
    operands.map((o) => (o === "rm" ? "rm16" : o)),
    meaning
  ),
  inst(
    opcode,
    name,
    operands.map((o) => (o === "rm" ? "r32m16" : o)),
    meaning
  ),
  inst(
    `REX.W + ${opcode}`,
    name,
    operands.map((o) => (o === "rm" ? "r64m16" : o)),
    meaning
  )
]

/** "#UD if CR4.FSGSBASE = 0." Of a base written, "#GP(0) if the source operand contains a non-canonical address". */
const requireFsGsBase = <V, B>(x: Machine<V, B>): void => x.raise("#UD", x.not(x.bit(x.get("cr4"), 16)))
const rdBase =
  (word: "fsBase" | "gsBase"): Meaning =>
  (x, dest) => {
    requireFsGsBase(x)
    x.write(dest, x.get(word))
  }
const wrBase =
  (word: "fsBase" | "gsBase"): Meaning =>
  (x, src) => {
    requireFsGsBase(x)
    x.set(word, canonical(x, x.read(src)))
  }

/** Ports are numbered by 16 bits. */
const input =
  (width: 8 | 16 | 32): Meaning =>
  (x, _accumulator, port) =>
    x.system("in", x.read(port), number(x, width))
const output =
  (width: 8 | 16 | 32): Meaning =>
  (x, port, _accumulator) =>
    x.system("out", x.read(port), number(x, width))

const loadFarPointer =
  (segment: number, width: 16 | 32 | 64): Meaning =>
  (x, register, memory) =>
    x.system("loadFarPointer", number(x, segment), x.read(register), x.linear(memory), number(x, width))
/** LAR, LSL: the register is one that they write or leave, as ZF says. */
const describe =
  (name: "lar" | "lsl", width: 16 | 32 | 64): Meaning =>
  (x, register, selector) =>
    x.system(name, x.read(selector), x.read(register), number(x, width))

/** The offset first, the selector after it. */
const farIndirect =
  (name: "farCall" | "farJump", width: 16 | 32 | 64): Meaning =>
  (x, memory) => {
    const offset = x.load(memory, width)
    x.system(name, x.load(memory, 16, number(x, width / 8)), offset, number(x, width))
  }
const farReturn =
  (width: 16 | 32 | 64): Meaning =>
  (x, release) =>
    x.system("farReturn", number(x, width), release === undefined ? number(x, 0) : x.read(release))

const invpcid: Meaning = (x, type, descriptor) => x.system("invpcid", x.read(type), x.linear(descriptor))

const privileged = { privileged: true } as const
/** Prefix 66 changes nothing. */
const base = { legacy: false, sizes: [16, 32] } as const
// biome-ignore format: a size, a line
const sizes = [
  { width: 16, rexW: "",         remarks: { sizes: [16] }, suffix: "w" },
  { width: 32, rexW: "",         remarks: { sizes: [32] }, suffix: "d" },
  { width: 64, rexW: "REX.W + ", remarks: {},              suffix: "q" }
] as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("0F 04 ib", "gate", ["imm8"], does("gate")),

  inst("0F 05", "syscall", [], does("syscall")),
  inst("0F 07", "sysret", [], doesAtSize("sysret", 32), privileged),
  inst("REX.W + 0F 07", "sysretq", [], doesAtSize("sysret", 64), privileged),
  inst("CC", "int3", [], interrupt(3)),
  inst("CD ib", "int", ["imm8"], does("int")),
  inst("F1", "int1", [], does("int1")),
  ...sizes.map(({ width, rexW, remarks, suffix }) => inst(`${rexW}CF`, `iret${suffix}`, [], doesAtSize("iret", width), remarks)),
  inst("0F 0B", "ud2", [], ud),

  ...sizes.flatMap(({ width, rexW, remarks }) => [
    inst(`${rexW}FF /3`, "call far", [`m16:${width}`], farIndirect("farCall", width), remarks),
    inst(`${rexW}FF /5`, "jmp far", [`m16:${width}`], farIndirect("farJump", width), remarks),
    inst(`${rexW}CB`, "retf", [], farReturn(width), remarks),
    inst(`${rexW}CA iw`, "retf", ["imm16"], farReturn(width), remarks),
    inst(`${rexW}0F B2 /r`, "lss", [`r${width}#`, `m16:${width}`], loadFarPointer(2, width), remarks),
    inst(`${rexW}0F B4 /r`, "lfs", [`r${width}#`, `m16:${width}`], loadFarPointer(4, width), remarks),
    inst(`${rexW}0F B5 /r`, "lgs", [`r${width}#`, `m16:${width}`], loadFarPointer(5, width), remarks),
    inst(`${rexW}0F 02 /r`, "lar", [`r${width}#`, "rm16"], describe("lar", width), remarks),
    inst(`${rexW}0F 03 /r`, "lsl", [`r${width}#`, "rm16"], describe("lsl", width), remarks)
  ]),
  ...segmentNames.flatMap((name, n) => selectorStores(`8C /${n}`, "mov", ["rm", name], movFromSegment(name))),
  // CS is loaded by far transfers alone: /1 is #UD.
  ...segmentNames.flatMap((name, n) => (name === "cs" ? [] : [inst(`8E /${n}`, "mov", [name, "rm16"], movToSegment(n), any)])),
  inst("0F 00 /4", "verr", ["rm16"], does("verr"), any),
  inst("0F 00 /5", "verw", ["rm16"], does("verw"), any),

  inst("F4", "hlt", [], does("hlt"), privileged),
  inst("FA", "cli", [], does("cli")),
  inst("FB", "sti", [], does("sti")),
  inst("NP 0F 01 CA", "clac", [], does("clac")),
  inst("NP 0F 01 CB", "stac", [], does("stac")),
  inst("0F 01 F8", "swapgs", [], does("swapgs"), { ...privileged, legacy: false }),
  inst("F3 0F AE /0", "rdfsbase", ["r32"], rdBase("fsBase"), base),
  inst("F3 REX.W + 0F AE /0", "rdfsbase", ["r64"], rdBase("fsBase")),
  inst("F3 0F AE /1", "rdgsbase", ["r32"], rdBase("gsBase"), base),
  inst("F3 REX.W + 0F AE /1", "rdgsbase", ["r64"], rdBase("gsBase")),
  inst("F3 0F AE /2", "wrfsbase", ["r32"], wrBase("fsBase"), base),
  inst("F3 REX.W + 0F AE /2", "wrfsbase", ["r64"], wrBase("fsBase")),
  inst("F3 0F AE /3", "wrgsbase", ["r32"], wrBase("gsBase"), base),
  inst("F3 REX.W + 0F AE /3", "wrgsbase", ["r64"], wrBase("gsBase")),

  inst("0F A2", "cpuid", [], does("cpuid")),
  inst("0F 31", "rdtsc", [], does("rdtsc")),
  inst("0F 01 F9", "rdtscp", [], does("rdtscp")),
  inst("0F 33", "rdpmc", [], does("rdpmc")),
  inst("0F 32", "rdmsr", [], does("rdmsr"), privileged),
  inst("0F 30", "wrmsr", [], does("wrmsr"), privileged),
  inst("NP 0F 01 D0", "xgetbv", [], does("xgetbv")),
  inst("NP 0F 01 D1", "xsetbv", [], does("xsetbv"), privileged),

  inst("0F 20 /r", "mov", ["R64#", "cr#"], does("movFromControl"), privileged),
  inst("0F 22 /r", "mov", ["cr#", "R64"], does("movToControl"), { ...privileged, f64: true }),
  inst("0F 21 /r", "mov", ["R64#", "dr#"], does("movFromDebug"), privileged),
  inst("0F 23 /r", "mov", ["dr#", "R64"], does("movToDebug"), { ...privileged, f64: true }),
  inst("0F 06", "clts", [], does("clts"), privileged),
  inst("0F 01 /6", "lmsw", ["rm16"], does("lmsw"), { ...privileged, ...any }),
  ...selectorStores("0F 01 /4", "smsw", ["rm"], store("cr0")),

  inst("0F 01 /0", "sgdt", ["m16&64"], table("sgdt")),
  inst("0F 01 /1", "sidt", ["m16&64"], table("sidt")),
  inst("0F 01 /2", "lgdt", ["m16&64"], table("lgdt"), privileged),
  inst("0F 01 /3", "lidt", ["m16&64"], table("lidt"), privileged),
  ...selectorStores("0F 00 /0", "sldt", ["rm"], store("ldtr")),
  ...selectorStores("0F 00 /1", "str", ["rm"], store("tr")),
  inst("0F 00 /2", "lldt", ["rm16"], does("lldt"), { ...privileged, ...any }),
  inst("0F 00 /3", "ltr", ["rm16"], does("ltr"), { ...privileged, ...any }),

  inst("0F 01 /7", "invlpg", ["m"], doesAt("invlpg"), privileged),
  inst("66 0F 38 82 /r", "invpcid", ["r64", "m128"], invpcid, { ...privileged, f64: true }),
  inst("0F 08", "invd", [], does("wbinvd"), privileged),
  inst("0F 09", "wbinvd", [], does("wbinvd"), privileged),

  inst("E4 ib", "in", ["al", "imm8"], input(8)),
  inst("E5 ib", "in", ["ax", "imm8"], input(16)),
  inst("E5 ib", "in", ["eax", "imm8"], input(32), { sizes: [32, 64] }),
  inst("EC", "in", ["al", "dx"], input(8)),
  inst("ED", "in", ["ax", "dx"], input(16)),
  inst("ED", "in", ["eax", "dx"], input(32), { sizes: [32, 64] }),
  inst("E6 ib", "out", ["imm8", "al"], output(8)),
  inst("E7 ib", "out", ["imm8", "ax"], output(16)),
  inst("E7 ib", "out", ["imm8", "eax"], output(32), { sizes: [32, 64] }),
  inst("EE", "out", ["dx", "al"], output(8)),
  inst("EF", "out", ["dx", "ax"], output(16)),
  inst("EF", "out", ["dx", "eax"], output(32), { sizes: [32, 64] })
]
