/**
 * The x87 FPU as instructions name it: where its registers are in the state block, and what each instruction asks of it. SDM vol. 1, "Programming
 * with the x87 FPU".
 */
import { at } from "./State.ts"

/** Offsets in the state block, in bytes. */
// biome-ignore format: a table
export const x87 = {
  /** R0 to R7, 16 bytes each: significand, then sign and exponent (u16). MM0 to MM7 are their significands. */
  registers:   at.x87,
  registerBytes: 16,
  control:     at.x87 + 0x80, // u16
  /** With TOP, ES and B as they are to be seen. */
  status:      at.x87 + 0x82, // u16
  /** Bit n: register n is not empty. */
  valid:       at.x87 + 0x84, // u8
  /** Of the last instruction that was no control instruction: its opcode (11 bits), RIP, and the offset of its memory operand. */
  opcode:      at.x87 + 0x86, // u16
  instruction: at.x87 + 0x88,
  data:        at.x87 + 0x90
} as const

/** What an instruction's second operand is: ST(0), ST(i), or memory in a format. */
export type X87Format = "single" | "double" | "extended" | "int16" | "int32" | "int64" | "bcd"

export interface X87Action {
  readonly does: X87Operation
  /** Of memory: how it is read or written. */
  readonly format?: X87Format
  /** The result goes to ST(i), not to ST(0). */
  readonly toI?: true
  readonly pops?: 1 | 2
  /** The operand size, where what is in memory depends on it. */
  readonly width?: 16 | 32
}

// biome-ignore format: by what they are about
export type X87Operation =
  | X87Control
  | "add" | "mul" | "sub" | "subr" | "div" | "divr"
  | "com" | "ucom" | "comi" | "ucomi" | "tst" | "xam"
  | "load" | "store" | "storeTruncated" | "storeRegister" | "move" | "exchange" | "cmov" | "free" | "incstp" | "decstp"
  | "chs" | "abs" | "sqrt" | "rndint" | "scale" | "xtract" | "prem" | "prem1"
  | "one" | "log2Ten" | "log2E" | "pi" | "log10Two" | "lnTwo" | "zero"
  | "f2xm1" | "yl2x" | "yl2xp1" | "ptan" | "patan" | "sin" | "cos" | "sincos"

/** "x87 FPU Control Instructions": they leave the last instruction's pointers alone. */
// biome-ignore format: a list
export type X87Control =
  | "init" | "clex" | "stcw" | "ldcw" | "stsw" | "stswAx" | "stenv" | "ldenv" | "save" | "rstor" | "wait" | "nop" | "emms" | "none"
