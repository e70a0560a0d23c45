/** What shifts and rotations have in common: the count, and their six lines. */
import type { Form } from "../Form.ts"
import type { Machine, Meaning, Operand, Width } from "../Meaning.ts"
import { inst, type Remarks, sized } from "../notation.ts"

/** "The count is masked to 5 bits (or 6 bits with a 64-bit operand)." A count of 0 leaves the flags alone. */
export const masked = <V, B>(x: Machine<V, B>, width: Width, count: Operand): V =>
  x.and(x.read(count), x.constant(width === 64 ? 63n : 31n))

export const isZero = <V, B>(x: Machine<V, B>, value: V): B => x.equal(value, x.constant(0n))
export const bits = <V, B>(x: Machine<V, B>, n: number): V => x.constant(BigInt(n))

/** A value moved by a count, in `width` bits. */
export type Shifted = <V, B>(x: Machine<V, B>, value: V, count: V, width: Width) => V

/** By 1, by CL and by a constant; /`n` of C0, C1 and D0 to D3. */
// biome-ignore format: one form, one line
export const shifts = (n: number, name: string, meaning: Meaning, once: Remarks, often: Remarks): ReadonlyArray<Form> => [
  inst(`D0 /${n}`, name, ["rm8", "1"], meaning, once),
  inst(`D2 /${n}`, name, ["rm8", "cl"], meaning, often),
  inst(`C0 /${n} ib`, name, ["rm8", "imm8"], meaning, often),
  ...sized(`D1 /${n}`, name, ["rm", "1"], meaning, once),
  ...sized(`D3 /${n}`, name, ["rm", "cl"], meaning, often),
  ...sized(`C1 /${n} ib`, name, ["rm", "imm8"], meaning, often)
]
