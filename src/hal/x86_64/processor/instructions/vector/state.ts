/** LDMXCSR, STMXCSR. SDM vol. 2, the pages of the same names. */
import type { Form } from "../../Form.ts"
import type { Meaning } from "../../Meaning.ts"
import { anySize } from "../operation.ts"
import { sse } from "./vector.ts"

/** "#GP(0) for an attempt to set reserved bits": `mxcsrMask` in system/fxsave.ts. */
const ldmxcsr: Meaning = (x, memory) => {
  const value = x.read(memory)
  x.raise("#GP(0)", x.not(x.equal(x.shr(value, x.constant(16n)), x.constant(0n))))
  x.set("mxcsr", value)
}
const stmxcsr: Meaning = (x, memory) => x.write(memory, x.low(x.get("mxcsr"), 32))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("NP 0F AE /2", "ldmxcsr", ["m32"], ldmxcsr, anySize),
  sse("NP 0F AE /3", "stmxcsr", ["m32"], stmxcsr, anySize)
]
