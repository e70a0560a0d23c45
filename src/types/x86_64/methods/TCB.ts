/** The method that threads have on this architecture only. */
import { cap, method } from "../../Method.ts"

/** Say what is the physical memory of the guest that it runs. */
export const SetEPTRoot = method({
  name: "TCB_SetEPTRoot",
  label: 65,
  kind: "TCB",
  rights: ["configure"],
  caps: { eptpml4: cap({ EPTPML4: ["bind"] }) }
})
