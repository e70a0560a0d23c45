/** The methods of an address space. Their labels are beyond those of the architecture's own interface. */
import { count, method } from "../Method.ts"

/** Unmap the frame that is mapped at an address. */
export const Unmap = method({
  name: "AddressSpace_Unmap",
  label: 0x1000,
  kind: "AddressSpace",
  rights: ["unmap"],
  words: { vaddr: count }
})
