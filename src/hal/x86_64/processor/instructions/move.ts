/** MOV of general registers and memory, MOVZX, MOVSX, MOVSXD, XCHG, BSWAP, MOVBE, CMOVcc, SETcc, LEA, XLAT. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { al } from "../Instruction.ts"
import type { Condition, Machine, Meaning, Width } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"
import { conditionCodes, holding } from "./conditions.ts"

const mov: Meaning = (x, dest, src) => x.write(dest, x.read(src))
const movsx: Meaning = (x, dest, src) => x.write(dest, x.signed(x.read(src), src.width))
const lea: Meaning = (x, dest, src) => x.write(dest, x.address(src))

const xchg: Meaning = (x, one, other) => {
  const [a, b] = [x.read(one), x.read(other)]
  x.write(one, b)
  x.write(other, a)
}

/** The bytes of a value of `width`, the other way round. */
const reversed = <V, B>(x: Machine<V, B>, value: V, width: Width): V => {
  const swap = (v: V, bits: bigint, mask: bigint) =>
    x.or(x.and(x.shr(v, x.constant(bits)), x.constant(mask)), x.shl(x.and(v, x.constant(mask)), x.constant(bits)))
  const pairs = swap(value, 8n, 0x00ff_00ff_00ff_00ffn)
  const quads = swap(pairs, 16n, 0x0000_ffff_0000_ffffn)
  return x.shr(x.rotl(quads, x.constant(32n)), x.constant(BigInt(64 - width)))
}

const bswap: Meaning = (x, dest) => x.write(dest, reversed(x, x.read(dest), dest.width))
/** "When BSWAP references a 16-bit register, the result is undefined": processors give 0. */
const bswap16: Meaning = (x, dest) => x.write(dest, x.constant(0n))
const movbe: Meaning = (x, dest, src) => x.write(dest, reversed(x, x.read(src), src.width))

/** The source is read, and a 32-bit destination's upper half cleared, whether or not the condition holds. */
const cmov =
  (condition: Condition, negated: boolean): Meaning =>
  (x, dest, src) => {
    const value = x.read(src)
    x.write(dest, x.choose(holding(x, condition, negated), value, x.read(dest)))
  }

const set =
  (condition: Condition, negated: boolean): Meaning =>
  (x, dest) =>
    x.write(dest, x.number(holding(x, condition, negated)))

const xlat: Meaning = (x, table) => x.write(al, x.load(table, 8, x.read(al)))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("88 /r", "mov", ["rm8", "r8"], mov),
  ...sized("89 /r", "mov", ["rm", "r"], mov),
  inst("8A /r", "mov", ["r8", "rm8"], mov),
  ...sized("8B /r", "mov", ["r", "rm"], mov),
  inst("A0", "mov", ["al", "moffs8"], mov),
  inst("A1", "mov", ["ax", "moffs16"], mov),
  inst("A1", "mov", ["eax", "moffs32"], mov),
  inst("REX.W + A1", "mov", ["rax", "moffs64"], mov),
  inst("A2", "mov", ["moffs8", "al"], mov),
  inst("A3", "mov", ["moffs16", "ax"], mov),
  inst("A3", "mov", ["moffs32", "eax"], mov),
  inst("REX.W + A3", "mov", ["moffs64", "rax"], mov),
  inst("B0+rb ib", "mov", ["r8", "imm8"], mov),
  inst("B8+rw iw", "mov", ["r16", "imm16"], mov),
  inst("B8+rd id", "mov", ["r32", "imm32"], mov),
  inst("REX.W + B8+rd io", "mov", ["r64", "imm64"], mov),
  inst("C6 /0 ib", "mov", ["rm8", "imm8"], mov),
  ...sized("C7 /0 iz", "mov", ["rm", "imm"], mov),
  inst("NP 0F C3 /r", "movnti", ["m32", "r32"], mov),
  inst("NP REX.W + 0F C3 /r", "movnti", ["m64", "r64"], mov),

  ...sized("0F B6 /r", "movzx", ["r", "rm8"], mov),
  ...sized("0F B7 /r", "movzx", ["r", "rm16"], mov),
  ...sized("0F BE /r", "movsx", ["r", "rm8"], movsx),
  ...sized("0F BF /r", "movsx", ["r", "rm16"], movsx),
  inst("63 /r", "movsxd", ["r16", "rm16"], movsx, { legacy: false }),
  inst("63 /r", "movsxd", ["r32", "rm32"], movsx, { legacy: false }),
  inst("REX.W + 63 /r", "movsxd", ["r64", "rm32"], movsx),

  inst("90+rw", "xchg", ["ax", "r16"], xchg),
  inst("90+rd", "xchg", ["eax", "r32"], xchg),
  inst("REX.W + 90+rd", "xchg", ["rax", "r64"], xchg),
  inst("86 /r", "xchg", ["rm8", "r8"], xchg, { lock: true }),
  ...sized("87 /r", "xchg", ["rm", "r"], xchg, { lock: true }),

  inst("0F C8+rw", "bswap", ["r16"], bswap16),
  inst("0F C8+rd", "bswap", ["r32"], bswap),
  inst("REX.W + 0F C8+rd", "bswap", ["r64"], bswap),
  inst("NP 0F 38 F0 /r", "movbe", ["r16", "m16"], movbe),
  inst("NP 0F 38 F0 /r", "movbe", ["r32", "m32"], movbe),
  inst("NP REX.W + 0F 38 F0 /r", "movbe", ["r64", "m64"], movbe),
  inst("NP 0F 38 F1 /r", "movbe", ["m16", "r16"], movbe),
  inst("NP 0F 38 F1 /r", "movbe", ["m32", "r32"], movbe),
  inst("NP REX.W + 0F 38 F1 /r", "movbe", ["m64", "r64"], movbe),

  ...conditionCodes.flatMap(({ code, suffix, condition, negated }) => [
    ...sized(`0F 4${code} /r`, `cmov${suffix}`, ["r", "rm"], cmov(condition, negated)),
    inst(`0F 9${code} /r`, `set${suffix}`, ["rm8"], set(condition, negated))
  ]),

  ...sized("8D /r", "lea", ["r", "m"], lea),
  inst("D7", "xlat", ["m8@rbx"], xlat)
]
