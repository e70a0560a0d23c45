/** The methods of a frame. A mapping has at most the rights that the capability has. */
import { cap, count, lowBits, method, rights } from "../../Method.ts"

/** Map it, or give its mapping other rights and attributes. */
export const Map = method({
  name: "X86_Page_Map",
  label: 49,
  kind: "Frame",
  rights: [],
  words: { vaddr: count, rights, attr: lowBits },
  caps: { vspace: cap({ AddressSpace: ["map"] }) }
})

/** Unmap it wherever this capability mapped it. */
export const Unmap = method({ name: "X86_Page_Unmap", label: 50, kind: "Frame", rights: [] })

/** Let a device reach it. */
export const MapIO = method({
  name: "X86_Page_MapIO",
  label: 51,
  kind: "Frame",
  rights: [],
  words: { rights, ioaddr: count },
  caps: { iospace: cap({ IOSpace: ["map"] }) }
})

export const GetAddress = method({
  name: "X86_Page_GetAddress",
  label: 52,
  kind: "Frame",
  rights: [],
  results: { paddr: count }
})

/** Let a guest reach it. */
export const MapEPT = method({
  name: "X86_Page_MapEPT",
  label: 53,
  kind: "Frame",
  rights: [],
  words: { gpa: count, rights, attr: count },
  caps: { eptpml4: cap({ EPTPML4: ["map"] }) }
})
