/** JMP, Jcc, JRCXZ, LOOP, CALL, RET. SDM vol. 2, the pages of the same names. Far transfers: far.ts. */
import type { Form } from "../Form.ts"
import { implied } from "../Instruction.ts"
import type { Condition, Machine, Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { conditionCodes, holding } from "./conditions.ts"
import { popped, pushed } from "./stack.ts"

/** An address that comes from a register or memory: #GP(0) if it is not canonical, its bits 63:47 (63:56 of 57 bits) not all equal. */
export const canonical = <V, B>(x: Machine<V, B>, address: V, bits: number = x.linearBits): V => {
  if (bits === 32) return address
  const places = x.constant(BigInt(64 - bits))
  x.raise("#GP(0)", x.not(x.equal(x.sar(x.shl(address, places), places), address)))
  return address
}

const jmp: Meaning = (x, target) => x.jump(x.read(target))
const jmpIndirect: Meaning = (x, target) => x.jump(canonical(x, x.read(target)))

const jcc =
  (condition: Condition, negated: boolean): Meaning =>
  (x, target) =>
    x.jump(x.read(target), holding(x, condition, negated))

const jcxz =
  (width: 16 | 32 | 64): Meaning =>
  (x, target) =>
    x.jump(x.read(target), x.equal(x.read(implied("rcx", width)), x.constant(0n)))

/** The count is RCX, ECX or CX, by the address size. It changes no flag. */
const loop =
  (width: 16 | 32 | 64, also?: "E" | "NE"): Meaning =>
  (x, target) => {
    const counter = implied("rcx", width)
    const count = x.low(x.sub(x.read(counter), x.constant(1n)), width)
    const more = x.not(x.equal(count, x.constant(0n)))
    x.write(counter, count)
    x.jump(x.read(target), also === undefined ? more : x.both(more, holding(x, "E", also === "NE")))
  }

const call: Meaning = (x, target) => {
  pushed(x, target.width, x.next())
  x.jump(x.read(target))
}
const callIndirect: Meaning = (x, target) => {
  const to = canonical(x, x.read(target))
  pushed(x, target.width, x.next())
  x.jump(to)
}

const ret =
  (width: 16 | 32 | 64): Meaning =>
  (x) =>
    x.jump(canonical(x, popped(x, width)))
const retRelease =
  (width: 16 | 32 | 64): Meaning =>
  (x, release) =>
    x.jump(canonical(x, popped(x, width, x.read(release))))

/** To a displacement that is no larger than a byte: the same line in all modes. */
const short = { f64: true } as const
const near = { f64: true, legacy: false } as const
/** The lines of other modes, by operand size; the displacement is as wide as operands are. */
// biome-ignore format: a size, a line
const legacySizes = [
  { width: 16, c: "cw", remarks: { sizes: [16], long: false } },
  { width: 32, c: "cd", remarks: { sizes: [32], long: false } }
] as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("EB cb", "jmp", ["rel8"], jmp, short),
  inst("E9 cd", "jmp", ["rel32"], jmp, near),
  inst("FF /4", "jmp", ["rm64"], jmpIndirect, near),

  ...conditionCodes.flatMap(({ code, suffix, condition, negated }) => [
    inst(`7${code} cb`, `j${suffix}`, ["rel8"], jcc(condition, negated), short),
    inst(`0F 8${code} cd`, `j${suffix}`, ["rel32"], jcc(condition, negated), near),
    ...legacySizes.map(({ width, c, remarks }) => inst(`0F 8${code} ${c}`, `j${suffix}`, [`rel${width}`], jcc(condition, negated), remarks))
  ]),

  inst("E3 cb", "jcxz", ["rel8"], jcxz(16), { ...short, addressWidth: 16 }),
  inst("E3 cb", "jecxz", ["rel8"], jcxz(32), { ...short, addressWidth: 32 }),
  inst("E3 cb", "jrcxz", ["rel8"], jcxz(64), { ...short, addressWidth: 64 }),
  ...([16, 32, 64] as const).flatMap((width) => [
    inst("E0 cb", "loopne", ["rel8"], loop(width, "NE"), { ...short, addressWidth: width }),
    inst("E1 cb", "loope", ["rel8"], loop(width, "E"), { ...short, addressWidth: width }),
    inst("E2 cb", "loop", ["rel8"], loop(width), { ...short, addressWidth: width })
  ]),

  inst("E8 cd", "call", ["rel32"], call, near),
  inst("FF /2", "call", ["rm64"], callIndirect, near),
  inst("C3", "ret", [], ret(64), near),
  inst("C2 iw", "ret", ["imm16"], retRelease(64), near),

  ...legacySizes.flatMap(({ width, c, remarks }) => [
    inst(`E9 ${c}`, "jmp", [`rel${width}`], jmp, remarks),
    inst("FF /4", "jmp", [`rm${width}`], jmpIndirect, remarks),
    inst(`E8 ${c}`, "call", [`rel${width}`], call, remarks),
    inst("FF /2", "call", [`rm${width}`], callIndirect, remarks),
    inst("C3", "ret", [], ret(width), remarks),
    inst("C2 iw", "ret", ["imm16"], retRelease(width), remarks)
  ])
]
