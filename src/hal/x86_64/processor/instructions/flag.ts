/** CLC, STC, CMC, CLD, STD, LAHF, SAHF, SALC. SDM vol. 2, the pages of the same names. CLI and STI: system.ts. */
import type { Form } from "../Form.ts"
import { carryFlag, explicit } from "../flags.ts"
import { ah, al } from "../Instruction.ts"
import { flagPositions, type Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"

const carry =
  (value: 0n | 1n): Meaning =>
  (x) =>
    x.flags(carryFlag, 64, [x.constant(value), x.status()])
const cmc: Meaning = (x) => x.flags(carryFlag, 64, [x.number(x.not(x.condition("B"))), x.status()])

const DF = 1n << 10n
const cld: Meaning = (x) => x.set("rflags", x.and(x.get("rflags"), x.constant(~DF)))
const std: Meaning = (x) => x.set("rflags", x.or(x.get("rflags"), x.constant(DF)))

/** SF, ZF, AF, PF, CF: what there is of the status flags in AH. Bit 1 is always 1. */
const inAh = 0xd5n
const lahf: Meaning = (x) => x.write(ah, x.or(x.and(x.status(), x.constant(inAh)), x.constant(2n)))
const sahf: Meaning = (x) => {
  const overflow = x.and(x.status(), x.constant(1n << BigInt(flagPositions.OF)))
  x.flags(explicit, 64, [x.or(x.and(x.read(ah), x.constant(inAh)), overflow)])
}

/** AL is all ones if CF is 1, else 0. */
const salc: Meaning = (x) => x.write(al, x.choose(x.condition("B"), x.constant(0xffn), x.constant(0n)))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("F8", "clc", [], carry(0n)),
  inst("F9", "stc", [], carry(1n)),
  inst("F5", "cmc", [], cmc),
  inst("FC", "cld", [], cld),
  inst("FD", "std", [], std),
  inst("9F", "lahf", [], lahf),
  inst("9E", "sahf", [], sahf),
  inst("D6", "salc", [], salc, { long: false })
]
