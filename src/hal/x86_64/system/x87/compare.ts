/** Comparisons and examination. SDM vol. 1, "Comparison and Classification Instructions". */
import { type Extended, isNotNumber, kindOf } from "./Extended.ts"
import { flag } from "./round.ts"
import { status, type Unit } from "./Unit.ts"

export type Order = "greater" | "less" | "equal" | "unordered"

/** Condition codes, and with FCOMI the flags at their places in RFLAGS: ZF, PF, CF. */
// biome-ignore format: an answer, a line
export const codesOf = { greater: 0, less: status.C0, equal: status.C3, unordered: status.C0 | status.C2 | status.C3 } as const
// biome-ignore format: an answer, a line
export const flagsOf = { greater: 0, less: 0x01, equal: 0x40, unordered: 0x45 } as const

/** `isQuiet`: a quiet NaN is no invalid operand. @throws `ended` */
export const compare = (unit: Unit, a: Extended, b: Extended, isQuiet: boolean): Order => {
  const kinds = [kindOf(a), kindOf(b)]
  if (kinds.includes("unsupported") || kinds.some(isNotNumber)) {
    if (!isQuiet || kinds.includes("unsupported") || kinds.includes("signaling")) unit.signal(flag.IE)
    return "unordered"
  }
  unit.checkDenormal(a, b)
  const difference = signed(a, b)
  return difference < 0 ? "less" : difference > 0 ? "greater" : "equal"
}

/** Less than 0, 0 or more, as a - b is. */
const signed = (a: Extended, b: Extended): number => {
  if (a.significand === 0n && b.significand === 0n) return 0
  if (a.sign !== b.sign) return a.sign === 1 ? -1 : 1
  return a.sign === 1 ? -magnitudes(a, b) : magnitudes(a, b)
}

const magnitudes = (a: Extended, b: Extended): number => {
  const [exponentA, exponentB] = [Math.max(a.exponent, 1), Math.max(b.exponent, 1)]
  if (exponentA !== exponentB) return exponentA - exponentB
  return a.significand < b.significand ? -1 : a.significand > b.significand ? 1 : 0
}

/** FXAM. */
// biome-ignore format: a kind, a line
const classes = {
  unsupported: 0,
  quiet:       status.C0,
  signaling:   status.C0,
  normal:      status.C2,
  infinity:    status.C2 | status.C0,
  zero:        status.C3,
  denormal:    status.C3 | status.C2
} as const
const emptyClass = status.C3 | status.C0

export const examine = (unit: Unit): void => {
  const value = unit.get(0)
  const found = unit.isEmpty(0) ? emptyClass : classes[kindOf(value)]
  unit.setCodes(found | (value.sign === 1 ? status.C1 : 0))
}
