/** AND, OR, XOR, TEST, NOT. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import { logic } from "../flags.ts"
import type { Meaning } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"
import { binary } from "./binary.ts"

const bitwise =
  (operation: "and" | "or" | "xor"): Meaning =>
  (x, dest, src) => {
    const result = x[operation](x.read(dest), x.read(src))
    x.write(dest, result)
    x.flags(logic, dest.width, [result])
  }

/** AND without the destination. */
const test: Meaning = (x, dest, src) => x.flags(logic, dest.width, [x.and(x.read(dest), x.read(src))])

const not: Meaning = (x, dest) => x.write(dest, x.xor(x.read(dest), x.constant(-1n)))

const AF = { undefined: ["AF"] } as const
const lockable = { lock: true, ...AF } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  ...binary(1, "or", bitwise("or"), lockable),
  ...binary(4, "and", bitwise("and"), lockable),
  ...binary(6, "xor", bitwise("xor"), lockable),

  inst("A8 ib", "test", ["al", "imm8"], test, AF),
  ...sized("A9 iz", "test", ["ax", "imm"], test, AF),
  inst("F6 /0 ib", "test", ["rm8", "imm8"], test, AF),
  ...sized("F7 /0 iz", "test", ["rm", "imm"], test, AF),
  // Not on the manual's page; processors take it for /0.
  inst("F6 /1 ib", "test", ["rm8", "imm8"], test, AF),
  ...sized("F7 /1 iz", "test", ["rm", "imm"], test, AF),
  inst("84 /r", "test", ["rm8", "r8"], test, AF),
  ...sized("85 /r", "test", ["rm", "r"], test, AF),

  inst("F6 /2", "not", ["rm8"], not, { lock: true }),
  ...sized("F7 /2", "not", ["rm"], not, { lock: true })
]
