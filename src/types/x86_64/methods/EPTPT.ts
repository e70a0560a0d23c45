/** The methods of a page table of a guest's physical memory. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_EPTPT_Map",
  label: 76,
  kind: "EPTPT",
  rights: ["map"],
  words: { gpa: count, attr: count },
  caps: { eptpml4: cap({ EPTPML4: ["map"] }) }
})

export const Unmap = method({ name: "X86_EPTPT_Unmap", label: 77, kind: "EPTPT", rights: ["unmap"] })
