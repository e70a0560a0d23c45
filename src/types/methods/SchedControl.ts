/** The method of the right to a core's time. */
import { cap, count, lowBits, method, word } from "../Method.ts"

/** Give a scheduling context `budget` microseconds in each `period`. */
export const ConfigureFlags = method({
  name: "SchedControl_ConfigureFlags",
  label: 33,
  kind: "SchedControl",
  rights: ["configure"],
  words: { budget: count, period: count, extraRefills: count, badge: word, flags: lowBits },
  caps: { schedContext: cap({ SchedContext: ["configure"] }) }
})
