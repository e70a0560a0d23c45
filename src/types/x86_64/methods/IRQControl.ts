/** The methods by which interrupt handlers are made on this architecture. */
import { byte, cap, count, method, word } from "../../Method.ts"

const slot = { index: word, depth: byte }
const root = cap({ CNode: ["put"] })

/** The handler of an IOAPIC's pin. */
export const GetIOAPIC = method({
  name: "IRQControl_GetIOAPIC",
  label: 63,
  kind: "IRQControl",
  rights: ["issue"],
  words: { ...slot, ioapic: count, pin: count, level: count, polarity: count, vector: count },
  caps: { root }
})

/** The handler of a message-signalled interrupt. */
export const GetMSI = method({
  name: "IRQControl_GetMSI",
  label: 64,
  kind: "IRQControl",
  rights: ["issue"],
  words: { ...slot, pciBus: count, pciDev: count, pciFunc: count, handle: count, vector: count },
  caps: { root }
})
