/** The methods of a page directory of a guest's physical memory. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_EPTPD_Map",
  label: 74,
  kind: "EPTPD",
  rights: ["map"],
  words: { gpa: count, attr: count },
  caps: { eptpml4: cap({ EPTPML4: ["map"] }) }
})

export const Unmap = method({ name: "X86_EPTPD_Unmap", label: 75, kind: "EPTPD", rights: ["unmap"] })
