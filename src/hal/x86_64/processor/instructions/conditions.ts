import { type Condition, conditions, type Machine } from "../Meaning.ts"

const suffixes = ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]

/** The sixteen conditions of Jcc, SETcc and CMOVcc, by the last digit of their opcodes. */
export const conditionCodes = suffixes.map((suffix, n) => ({
  code: n.toString(16).toUpperCase(),
  suffix,
  condition: conditions[n >> 1]!,
  negated: (n & 1) === 1
}))

export const holding = <V, B>(x: Machine<V, B>, condition: Condition, negated: boolean): B =>
  negated ? x.not(x.condition(condition)) : x.condition(condition)
