/** The methods of a page directory. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_PageDirectory_Map",
  label: 43,
  kind: "PageDirectory",
  rights: ["map"],
  words: { vaddr: count, attr: count },
  caps: { vspace: cap({ AddressSpace: ["map"] }) }
})

export const Unmap = method({ name: "X86_PageDirectory_Unmap", label: 44, kind: "PageDirectory", rights: ["unmap"] })
