/** Instructions that end in an operation of the whole machine. */
import type { Machine, Meaning, SystemName, Width } from "../Meaning.ts"

export const number = <V, B>(x: Machine<V, B>, value: number): V => x.constant(BigInt(value))

/** Ends in an operation that needs nothing but the instruction's operands. */
export const does =
  (name: SystemName): Meaning =>
  (x, ...operands) =>
    x.system(name, ...operands.map((operand) => x.read(operand)))

/** The same, and a width after them. */
export const doesAtSize =
  (name: SystemName, width: Width): Meaning =>
  (x, ...operands) =>
    x.system(name, ...operands.map((operand) => x.read(operand)), number(x, width))

export const privileged = { privileged: true } as const
/** The operand size changes nothing. */
export const anySize = { sizes: [16, 32, 64] } as const

/** What differs between the lines of an operand size that no operand tells. */
// biome-ignore format: a size, a line
export const operandSizes = [
  { width: 16, suffix: "w", rexW: "",         remarks: { sizes: [16] } },
  { width: 32, suffix: "d", rexW: "",         remarks: { sizes: [32] } },
  { width: 64, suffix: "q", rexW: "REX.W + ", remarks: {} }
] as const
