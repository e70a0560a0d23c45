/**
 * MOVS, CMPS, SCAS, LODS, STOS, and INS and OUTS, alone and repeated. SDM vol. 2, the pages of the same names and "REP/REPE/REPZ/REPNE/REPNZ".
 *
 * What is said here is one iteration. A repeated one begins by asking whether RCX is 0, and ends by going on at itself: each iteration is an
 * instruction that can be interrupted, and what faults leaves RCX, RSI and RDI where the iterations before have brought them.
 */
import type { Form, OperandName } from "../Form.ts"
import { subtraction } from "../flags.ts"
import { implied } from "../Instruction.ts"
import type { Machine, Meaning, Operand, Width } from "../Meaning.ts"
import { inst, type Remarks } from "../notation.ts"

type AddressWidth = 16 | 32 | 64
/** One iteration. What it gives, if anything, is whether a repetition may go on. */
type Iteration = (addressWidth: AddressWidth) => <V, B>(x: Machine<V, B>, ...operands: Array<Operand>) => B | undefined

/** RSI or RDI moves on by the operand's size; down if DF is 1. */
const advance = <V, B>(x: Machine<V, B>, register: "rsi" | "rdi", addressWidth: AddressWidth, width: Width): void => {
  const step = x.constant(BigInt(width / 8))
  const down = x.bit(x.get("rflags"), 10)
  const index = implied(register, addressWidth)
  x.write(index, x.add(x.read(index), x.choose(down, x.sub(x.constant(0n), step), step)))
}

const movs: Iteration = (addressWidth) => (x, dest, src) => {
  x.write(dest, x.read(src))
  advance(x, "rsi", addressWidth, src.width)
  advance(x, "rdi", addressWidth, dest.width)
  return undefined
}
const lods: Iteration = (addressWidth) => (x, accumulator, src) => {
  x.write(accumulator, x.read(src))
  advance(x, "rsi", addressWidth, src.width)
  return undefined
}
const stos: Iteration = (addressWidth) => (x, dest, accumulator) => {
  x.write(dest, x.read(accumulator))
  advance(x, "rdi", addressWidth, dest.width)
  return undefined
}
const cmps: Iteration = (addressWidth) => (x, one, other) => {
  const [a, b] = [x.read(one), x.read(other)]
  x.flags(subtraction, one.width, [a, b])
  advance(x, "rsi", addressWidth, one.width)
  advance(x, "rdi", addressWidth, one.width)
  return x.equal(a, b)
}
const scas: Iteration = (addressWidth) => (x, accumulator, dest) => {
  const [a, b] = [x.read(accumulator), x.read(dest)]
  x.flags(subtraction, dest.width, [a, b])
  advance(x, "rdi", addressWidth, dest.width)
  return x.equal(a, b)
}

const once =
  (iteration: Iteration, addressWidth: AddressWidth): Meaning =>
  (x, ...operands) =>
    void iteration(addressWidth)(x, ...operands)

/** `until`: the comparison after which REPE (REPNE) does not go on. */
const repeated =
  (iteration: Iteration, addressWidth: AddressWidth, until: "different" | "equal"): Meaning =>
  (x, ...operands) => {
    const counter = implied("rcx", addressWidth)
    const count = x.read(counter)
    x.skip(x.equal(count, x.constant(0n)))
    const equal = iteration(addressWidth)(x, ...operands)
    const left = x.low(x.sub(count, x.constant(1n)), addressWidth)
    x.write(counter, left)
    const more = x.not(x.equal(left, x.constant(0n)))
    x.jump(x.here(), equal === undefined ? more : x.both(more, until === "different" ? equal : x.not(equal)))
  }

/** INS, OUTS: a whole iteration is the machine's, because it may be refused. DX has the port. */
const port =
  (name: "ins" | "outs", addressWidth: AddressWidth, repeat: boolean): Meaning =>
  (x, ...operands) => {
    const memory = operands[name === "ins" ? 0 : 1]!
    if (repeat) x.skip(x.equal(x.read(implied("rcx", addressWidth)), x.constant(0n)))
    x.reach(memory, memory.width / 8, name === "ins")
    const numbers = [memory.width, addressWidth, Number(repeat)].map((n) => x.constant(BigInt(n)))
    x.system(name, x.linear(memory), ...numbers)
  }

// biome-ignore format: a width, a line
const widths = [
  { width: 8,  suffix: "b", rexW: "",         remarks: {} },
  { width: 16, suffix: "w", rexW: "",         remarks: { sizes: [16] } },
  { width: 32, suffix: "d", rexW: "",         remarks: { sizes: [32] } },
  { width: 64, suffix: "q", rexW: "REX.W + ", remarks: {} }
] as const

const accumulators = { 8: "al", 16: "ax", 32: "eax", 64: "rax" } as const
const hex = (opcode: number): string => opcode.toString(16).toUpperCase()

/** The lines of a string instruction: `opcode` for bytes, the next one for the other sizes. Of those that compare, REP is REPE. */
const string = (
  opcode: number,
  name: string,
  operands: (width: Width) => ReadonlyArray<OperandName>,
  iteration: Iteration,
  compares: boolean
): ReadonlyArray<Form> =>
  ([16, 32, 64] as const).flatMap((addressWidth) =>
    widths.flatMap(({ width, suffix, rexW, remarks: ofWidth }) => {
      const code = rexW + hex(opcode + Number(width !== 8))
      const remarks: Remarks = { ...ofWidth, addressWidth }
      const line = (prefix: string, meaning: Meaning, repeat: string) =>
        inst(prefix + code, repeat + name + suffix, operands(width), meaning, remarks)
      return [
        line("", once(iteration, addressWidth), ""),
        line("F3 ", repeated(iteration, addressWidth, "different"), compares ? "repe " : "rep "),
        line("F2 ", repeated(iteration, addressWidth, "equal"), compares ? "repne " : "rep ")
      ]
    })
  )

// biome-ignore format: a width, a line
const portWidths = [
  { width: 8,  suffix: "b", remarks: {} },
  { width: 16, suffix: "w", remarks: { sizes: [16] } },
  { width: 32, suffix: "d", remarks: { sizes: [32, 64] } }
] as const

const ports = (
  opcode: number,
  name: "ins" | "outs",
  operands: (width: Width) => ReadonlyArray<OperandName>
): ReadonlyArray<Form> =>
  ([16, 32, 64] as const).flatMap((addressWidth) =>
    portWidths.flatMap(({ width, suffix, remarks }) => {
      const code = hex(opcode + Number(width !== 8))
      const line = (prefix: string, repeat: boolean) =>
        inst(prefix + code, (repeat ? "rep " : "") + name + suffix, operands(width), port(name, addressWidth, repeat), {
          ...remarks,
          addressWidth
        })
      return [line("", false), line("F3 ", true), line("F2 ", true)]
    })
  )

// biome-ignore format: an instruction, a line
export const forms: ReadonlyArray<Form> = [
  ...string(0xa4, "movs", (width) => [`m${width}@rdi`, `m${width}@rsi`], movs, false),
  ...string(0xa6, "cmps", (width) => [`m${width}@rsi`, `m${width}@rdi`], cmps, true),
  ...string(0xaa, "stos", (width) => [`m${width}@rdi`, accumulators[width]], stos, false),
  ...string(0xac, "lods", (width) => [accumulators[width], `m${width}@rsi`], lods, false),
  ...string(0xae, "scas", (width) => [accumulators[width], `m${width}@rdi`], scas, true),
  ...ports(0x6c, "ins", (width) => [`m${width}@rdi`, "dx"]),
  ...ports(0x6e, "outs", (width) => ["dx", `m${width}@rsi`])
]
