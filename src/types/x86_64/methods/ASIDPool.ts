/** The method of a pool of address space identifiers. */
import { cap, method } from "../../Method.ts"

/**
 * Give an address space, or a guest's physical memory, an identifier, without which no thread can use it and nothing be
 * mapped in it.
 */
export const Assign = method({
  name: "X86_ASIDPool_Assign",
  label: 55,
  kind: "ASIDPool",
  rights: ["assign"],
  caps: { vspace: cap({ AddressSpace: ["assign"], EPTPML4: ["assign"] }) }
})
