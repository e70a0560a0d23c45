/** The method of the right to make interrupt handlers. */
import { byte, cap, count, method, word } from "../Method.ts"

/** Put the handler of an interrupt into an empty slot. */
export const Get = method({
  name: "IRQControl_Get",
  label: 26,
  kind: "IRQControl",
  rights: ["issue"],
  words: { irq: count, index: word, depth: byte },
  caps: { root: cap({ CNode: ["put"] }) }
})
