/** IN, OUT. SDM vol. 2, the pages of the same names. INS and OUTS: string.ts. */
import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { number } from "./operation.ts"

const input =
  (width: 8 | 16 | 32): Meaning =>
  (x, _accumulator, port) =>
    x.system("in", x.read(port), number(x, width))
const output =
  (width: 8 | 16 | 32): Meaning =>
  (x, port, _accumulator) =>
    x.system("out", x.read(port), number(x, width))

/** There are no ports of 64 bits. */
const wide = { sizes: [32, 64] } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("E4 ib", "in", ["al", "imm8"], input(8)),
  inst("E5 ib", "in", ["ax", "imm8"], input(16)),
  inst("E5 ib", "in", ["eax", "imm8"], input(32), wide),
  inst("EC", "in", ["al", "dx"], input(8)),
  inst("ED", "in", ["ax", "dx"], input(16)),
  inst("ED", "in", ["eax", "dx"], input(32), wide),

  inst("E6 ib", "out", ["imm8", "al"], output(8)),
  inst("E7 ib", "out", ["imm8", "ax"], output(16)),
  inst("E7 ib", "out", ["imm8", "eax"], output(32), wide),
  inst("EE", "out", ["dx", "al"], output(8)),
  inst("EF", "out", ["dx", "ax"], output(16)),
  inst("EF", "out", ["dx", "eax"], output(32), wide)
]
