/** The method of the right to give out IO ports. */
import { byte, cap, method, short, word } from "../../Method.ts"

/** Put the ports from `firstPort` to `lastPort` into an empty slot. */
export const Issue = method({
  name: "X86_IOPortControl_Issue",
  label: 56,
  kind: "IOPortControl",
  rights: ["issue"],
  words: { firstPort: short, lastPort: short, index: word, depth: byte },
  caps: { root: cap({ CNode: ["put"] }) }
})
