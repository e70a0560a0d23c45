/**
 * Form: a line of the manual's opcode tables, with what it means. How lines are written: notation.ts.
 */
import type { Flag, Meaning, Width } from "./Meaning.ts"

/**
 * Operands, as in the instruction column, without the slash of "r/m".
 *
 *     r8             a general register: ModRM.reg; with +rb the opcode's; with /digit ModRM.rm, which is no memory
 *     r32b           a general register: VEX.vvvv
 *     rm8            register or memory: ModRM.rm
 *     r32m16         a register of 32 bits, or memory of 16
 *     m8, m          memory: ModRM.rm may be no register
 *     m8@rsi         memory at DS:RSI (of rdi: ES:RDI, which no prefix overrides; of ds:rdi: DS:RDI, which may be), at the address size
 *     moffs8         memory at the offset in the instruction
 *     imm8           a constant of that size; simm8: sign-extended to the operand size
 *     rel8           a branch target
 *     ptr16:32       a far pointer in the instruction: the offset, and the selector above it
 *     al cl dx 1 es  what it says
 *     R64            a general register: ModRM.rm, whatever ModRM.mod says
 *     st  st#        ST(0); ST(i): the number in ModRM.rm
 *     r64#  cr#      the number of a register, as a constant
 *     x              an XMM register: ModRM.reg; y: a YMM register; p: an MMX register
 *     X  Y  P        the same: ModRM.rm, which is no memory
 *     X64#           the number of a general register, likewise
 *     x64            an XMM register, or memory of 64 bits: ModRM.rm; y256  p64  the same of YMM and MMX registers
 *     xv  yv         an XMM or YMM register: VEX.vvvv
 *     x4  y4         an XMM or YMM register: bits 7:4 of a constant of 8 bits
 *     vm32x          memory at a base and the parts of an XMM (vm32y: YMM) register, 32 bits each, as its index: ModRM.rm with SIB
 *     xmm0           what it says
 *     lit8           a constant of 8 bits that decides what the instruction does: `literal` in Meaning.ts
 */
export type OperandName =
  | `${"r" | "rm" | "m" | "moffs" | "imm"}${Width}`
  | `m${Width}@${"rsi" | "rdi" | "rax" | "rbx"}`
  | `r${32 | 64}b`
  | `r${Width}#`
  | "R64"
  | "R64#"
  | "R32#"
  | "R32"
  | "r32m16"
  | "r64m16"
  | "r32m8"
  | "es"
  | "cs"
  | "ss"
  | "ds"
  | "fs"
  | "gs"
  | "cr#"
  | "dr#"
  | "st"
  | "st#"
  | "m"
  | "m80"
  | "m128"
  | "x"
  | "y"
  | "p"
  | "X"
  | `X${32 | 64}#`
  | "Y"
  | "P"
  | `x${8 | 16 | 32 | 64 | 128}`
  | "y256"
  | `p${32 | 64}`
  | `${"x" | "y"}v`
  | `${"x" | "y"}4`
  | `vm${32 | 64}${"x" | "y"}`
  | "m256"
  | `m${Width}@ds:rdi`
  | "xmm0"
  | "lit8"
  | `m16${"&" | ":"}${16 | 32 | 64}`
  | "m32&32"
  | `ptr16:${16 | 32}`
  | "simm8"
  | "simm32"
  | "rel8"
  | "rel16"
  | "rel32"
  | "al"
  | "ax"
  | "eax"
  | "rax"
  | "cl"
  | "dx"
  | "1"

/** A flag that the manual leaves undefined: always, or if the count that is the last operand (cut as a shift cuts it) says so. */
export type Undefined = Flag | "OF if count > 1" | "CF if count >= width" | "all if count > width"

export interface Form {
  /** As in the manual: "REX.W + 83 /0 ib". */
  readonly opcode: string
  readonly name: string
  readonly operands: ReadonlyArray<OperandName>
  readonly meaning: Meaning
  /** The manual's two columns: valid in 64-bit mode, in compatibility and legacy mode. */
  readonly long: boolean
  readonly legacy: boolean
  /** LOCK may go before it, if its first operand is memory. */
  readonly lock: boolean
  /** Valid in real-address and virtual-8086 mode too, if it is in the other legacy modes. */
  readonly real: boolean
  /** #GP(0) if CPL is not 0. The meaning itself does not ask. */
  readonly privileged: boolean
  /** The size of addresses that this line is for, where lines differ by it (prefix 67). */
  readonly addressWidth: 16 | 32 | 64 | undefined
  /** What the operand size does not change has every size here. */
  readonly sizes: ReadonlyArray<16 | 32 | 64>
  readonly undefined: ReadonlyArray<Undefined>
  /** POP to memory: "the POP instruction computes the effective address of the operand after it increments the RSP register". */
  readonly popped: boolean
  readonly encoding: Encoding
}

/** The opcode column, taken apart. */
export interface Encoding {
  readonly prefix: "any" | "NP" | "66" | "F2" | "F3"
  /** REX.W or VEX.W is 1. */
  readonly rexW: boolean
  /** What VEX.L has to be, if there is a VEX prefix. */
  readonly vex: false | { readonly L: 0 | 1 | "ignored" }
  /** 0: one-byte opcodes. 1: 0F. 2: 0F 38. 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3
  readonly opcode: number
  /** The opcode's low three bits are a register. */
  readonly plusRegister: boolean
  readonly modrm: "none" | "/r" | { readonly digit: number } | { readonly byte: number }
}
