/**
 * Form: a line of the manual's opcode tables, in the manual's notation, with what it means.
 *
 * SDM vol. 2A, "Interpreting the Instruction Reference Pages". Of the opcode column:
 *
 *     REX.W +        the operand size is 64
 *     NP             none of 66, F2, F3 goes with it
 *     66, F2, F3     a prefix that is part of the opcode. Without any of these, F2 and F3 are ignored where no line claims them
 *     /digit         ModR/M; its reg field is part of the opcode
 *     /r             ModR/M; its reg field is an operand
 *     CA (last byte of 0F 01 CA)  after an opcode that has ModR/M: that byte, whole
 *     +rb +rw +rd    the opcode's low three bits are an operand
 *     ib iw id io    an immediate of 1, 2, 4, 8 bytes, in the order of the operands; cb cd  a branch displacement
 */
import type { Flag, Meaning, Width } from "./Meaning.ts"

/**
 * Operands, as in the instruction column, without the slash of "r/m".
 *
 *     r8             a general register: ModRM.reg; with +rb the opcode's; with /digit ModRM.rm
 *     rm8            register or memory: ModRM.rm
 *     m8, m          memory: ModRM.rm may be no register
 *     m8@rsi         memory at DS:RSI (of rdi: ES:RDI, which no prefix overrides), at the address size
 *     moffs8         memory at the offset in the instruction
 *     imm8           a constant of that size; simm8: sign-extended to the operand size
 *     rel8           a branch target
 *     al cl dx 1     what it says
 *     r64#  cr#      the number of a register, as a constant (# of rm64: ModRM.rm is a register, whatever ModRM.mod says)
 */
export type OperandName =
  | `${"r" | "rm" | "m" | "moffs" | "imm"}${Width}`
  | `m${Width}@${"rsi" | "rdi" | "rbx"}`
  | `${"r" | "rm"}${Width}#`
  | "cr#"
  | "dr#"
  | "m"
  | "m128"
  | `m16${"&" | ":"}${16 | 32 | 64}`
  | "simm8"
  | "simm16"
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
  /** #GP(0) if CPL is not 0. The meaning itself does not ask. */
  readonly privileged: boolean
  /** The size of addresses that this line is for, where lines differ by it (prefix 67). */
  readonly addressWidth: 16 | 32 | 64 | undefined
  /** What the operand size does not change has every size here. */
  readonly sizes: ReadonlyArray<16 | 32 | 64>
  readonly undefined: ReadonlyArray<Undefined>
  readonly encoding: Encoding
}

/** The opcode column, taken apart. */
export interface Encoding {
  readonly prefix: "any" | "NP" | "66" | "F2" | "F3"
  readonly rexW: boolean
  /** 0: one-byte opcodes. 1: 0F. 2: 0F 38. 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3
  readonly opcode: number
  /** The opcode's low three bits are a register. */
  readonly plusRegister: boolean
  readonly modrm: "none" | "/r" | { readonly digit: number } | { readonly byte: number }
}
