/** The methods of a page-directory-pointer table of a guest's physical memory. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_EPTPDPT_Map",
  label: 72,
  kind: "EPTPDPT",
  rights: ["map"],
  words: { gpa: count, attr: count },
  caps: { eptpml4: cap({ EPTPML4: ["map"] }) }
})

export const Unmap = method({ name: "X86_EPTPDPT_Unmap", label: 73, kind: "EPTPDPT", rights: ["unmap"] })
