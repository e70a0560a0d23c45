/** The method of untyped memory. */
import { cap, count, method, word } from "../Method.ts"

/** Make objects of one type in memory that nothing is in yet, and put their capabilities into empty slots of one CNode. */
export const Retype = method({
  name: "Untyped_Retype",
  label: 1,
  kind: "Untyped",
  rights: ["retype"],
  words: { type: count, sizeBits: count, nodeIndex: word, nodeDepth: count, nodeOffset: count, numObjects: count },
  caps: { root: cap({ CNode: ["put"] }) }
})
