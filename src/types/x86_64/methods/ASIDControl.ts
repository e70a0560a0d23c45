/** The method of the right to make pools of address space identifiers. */
import { byte, cap, method, word } from "../../Method.ts"

/** Make a pool of untyped memory of a page's size that nothing is in. */
export const MakePool = method({
  name: "X86_ASIDControl_MakePool",
  label: 54,
  kind: "ASIDControl",
  rights: ["makePool"],
  words: { index: word, depth: byte },
  caps: { untyped: cap({ Untyped: ["retype"] }), root: cap({ CNode: ["put"] }) }
})
