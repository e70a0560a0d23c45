/** The methods of a page table of an IO space. */
import { cap, count, method } from "../../Method.ts"

export const Map = method({
  name: "X86_IOPageTable_Map",
  label: 47,
  kind: "IOPageTable",
  rights: ["map"],
  words: { ioaddr: count },
  caps: { iospace: cap({ IOSpace: ["map"] }) }
})

export const Unmap = method({ name: "X86_IOPageTable_Unmap", label: 48, kind: "IOPageTable", rights: ["unmap"] })
