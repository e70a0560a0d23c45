/**
 * Instructions that this machine need not do anything for: NOP, PAUSE (but for a guest's), ENDBR, prefetches, fences (it runs one instruction after the other), cache line
 * flushes (it has no caches that memory could differ from). SDM vol. 2, the pages of the same names.
 */
import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst, sized } from "../notation.ts"
import { does, privileged } from "./operation.ts"

const nop: Meaning = () => {}

/** Faults as a load of the byte does. */
const flush: Meaning = (x, line) => void x.read(line)

/** "Reserved-NOP": 0F 18 to 0F 1F. The ones with a name of their own say what to fetch or where indirect branches may go. */
// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("90", "nop", [], nop),
  inst("F3 90", "pause", [], does("pause")),
  ...["18", "19", "1A", "1B", "1C", "1D", "1E", "1F"].flatMap((opcode) => sized(`0F ${opcode} /r`, "nop", ["rm"], nop)),
  inst("F3 0F 1E FA", "endbr64", [], nop),
  inst("F3 0F 1E FB", "endbr32", [], nop),
  inst("0F 18 /0", "prefetchnta", ["m8"], nop),
  inst("0F 18 /1", "prefetcht0", ["m8"], nop),
  inst("0F 18 /2", "prefetcht1", ["m8"], nop),
  inst("0F 18 /3", "prefetcht2", ["m8"], nop),
  inst("0F 0D /1", "prefetchw", ["m8"], nop),
  inst("0F 0D /2", "prefetchwt1", ["m8"], nop),
  ...[0, 3, 4, 5, 6, 7].map((digit) => inst(`0F 0D /${digit}`, "prefetch", ["m8"], nop)),

  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [
    inst(`NP 0F AE E${(8 + n).toString(16).toUpperCase()}`, "lfence", [], nop),
    inst(`NP 0F AE F${n}`, "mfence", [], nop),
    inst(`NP 0F AE F${(8 + n).toString(16).toUpperCase()}`, "sfence", [], nop)
  ]),
  inst("NP 0F AE /7", "clflush", ["m8"], flush),
  inst("66 0F AE /7", "clflushopt", ["m8"], flush),
  inst("66 0F AE /6", "clwb", ["m8"], flush),
  inst("F3 0F 09", "wbnoinvd", [], does("wbinvd"), privileged)
]
