/** SAL/SHL, SHR, SAR. SDM vol. 2, "SAL/SAR/SHL/SHR". */
import type { Form } from "../Form.ts"
import { arithmeticShift, leftShift, rightShift } from "../flags.ts"
import type { FlagRule, Meaning } from "../Meaning.ts"
import { isZero, masked, type Shifted, shifts } from "./count.ts"

const shift =
  (shifted: Shifted, rule: FlagRule): Meaning =>
  (x, dest, src) => {
    const count = masked(x, dest.width, src)
    const value = x.read(dest)
    x.write(dest, shifted(x, value, count, dest.width))
    x.flags(rule, dest.width, [value, count], isZero(x, count))
  }
const shl = shift((x, value, count) => x.shl(value, count), leftShift)
const shr = shift((x, value, count) => x.shr(value, count), rightShift)
const sar = shift((x, value, count, width) => x.sar(x.signed(value, width), count), arithmeticShift)

const byOne = { undefined: ["AF"] } as const
const byCount = { undefined: ["AF", "OF if count > 1", "CF if count >= width"] } as const
const sarByCount = { undefined: ["AF", "OF if count > 1"] } as const

export const forms: ReadonlyArray<Form> = [
  ...shifts(4, "shl", shl, byOne, byCount),
  ...shifts(5, "shr", shr, byOne, byCount),
  // Not on the manual's page; processors take it for /4.
  ...shifts(6, "shl", shl, byOne, byCount),
  ...shifts(7, "sar", sar, byOne, sarByCount)
]
