/** Words of the system that programs may store: selectors, and the lower part of CR0. */
import type { Form, OperandName } from "../Form.ts"
import type { Machine, Meaning, StateWord } from "../Meaning.ts"
import { inst, type Remarks } from "../notation.ts"

/** CPL is not 0. It is the privilege level in CS, where selectors have one. */
const isUser = <V, B>(x: Machine<V, B>): B =>
  x.mode.bits === 64 || x.mode.isProtected
    ? x.not(x.equal(x.and(x.get("cs"), x.constant(3n)), x.constant(0n)))
    : x.truth(x.mode.privilege !== 0)

/** CR0 as a guest sees it: bits that are the host's come from the read shadow. */
const seenCr0 = <V, B>(x: Machine<V, B>): V => {
  const mask = x.get("cr0Mask")
  return x.or(x.and(x.get("cr0"), x.xor(mask, x.constant(2n ** 64n - 1n))), x.and(x.get("cr0Shadow"), mask))
}

/** SLDT, STR, SMSW: "if CR4.UMIP = 1 and CPL > 0", #GP(0). */
export const storeUnprotected =
  (word: StateWord): Meaning =>
  (x, dest) => {
    x.raise("#GP(0)", x.both(isUser(x), x.bit(x.get("cr4"), 11)))
    if (word !== "cr0") x.raise("VM exit", x.bit(x.get("intercepts"), 0))
    x.write(dest, word === "cr0" ? seenCr0(x) : x.get(word))
  }

/** To a register of the operand size, or to memory, which has 16 bits at every operand size. */
// biome-ignore format: one form, one line
export const selectorForms = (
  opcode: string,
  name: string,
  source: ReadonlyArray<OperandName>,
  meaning: Meaning,
  remarks: Remarks = {}
): ReadonlyArray<Form> => [
  inst(opcode, name, ["rm16", ...source], meaning, remarks),
  inst(opcode, name, ["r32m16", ...source], meaning, remarks),
  inst(`REX.W + ${opcode}`, name, ["r64m16", ...source], meaning)
]
