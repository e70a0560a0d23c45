/** The methods of a page-directory-pointer table. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_PDPT_Map",
  label: 39,
  kind: "PDPT",
  rights: ["map"],
  words: { vaddr: count, attr: count },
  caps: { vspace: cap({ AddressSpace: ["map"] }) }
})

export const Unmap = method({ name: "X86_PDPT_Unmap", label: 40, kind: "PDPT", rights: ["unmap"] })
