/** The methods of a page table. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_PageTable_Map",
  label: 45,
  kind: "PageTable",
  rights: ["map"],
  words: { vaddr: count, attr: count },
  caps: { vspace: cap({ AddressSpace: ["map"] }) }
})

export const Unmap = method({ name: "X86_PageTable_Unmap", label: 46, kind: "PageTable", rights: ["unmap"] })
