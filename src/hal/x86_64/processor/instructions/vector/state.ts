/** LDMXCSR, STMXCSR, VZEROUPPER, VZEROALL. SDM vol. 2, the pages of the same names. */
import type { Form } from "../../Form.ts"
import type { Meaning } from "../../Meaning.ts"
import { anySize } from "../operation.ts"
import { avx, sse, upper, xmm, zero } from "./vector.ts"

/** "#GP(0) for an attempt to set reserved bits": `mxcsrMask` in system/fxsave.ts. */
const ldmxcsr: Meaning = (x, memory) => {
  const value = x.read(memory)
  x.raise("#GP(0)", x.not(x.equal(x.shr(value, x.constant(16n)), x.constant(0n))))
  x.set("mxcsr", value)
}
const stmxcsr: Meaning = (x, memory) => x.write(memory, x.low(x.get("mxcsr"), 32))

/** All registers: outside of 64-bit mode there are eight. */
const cleared =
  (what: "upper" | "all"): Meaning =>
  (x) => {
    for (let n = 0; n < (x.mode.bits === 64 ? 16 : 8); n++) {
      if (what === "all") x.setVector(xmm(n), zero(x))
      x.setVector(upper(xmm(n)), zero(x))
    }
  }

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  sse("NP 0F AE /2", "ldmxcsr", ["m32"], ldmxcsr, anySize),
  sse("NP 0F AE /3", "stmxcsr", ["m32"], stmxcsr, anySize),
  avx("VEX.LZ.0F.WIG AE /2", "vldmxcsr", ["m32"], ldmxcsr),
  avx("VEX.LZ.0F.WIG AE /3", "vstmxcsr", ["m32"], stmxcsr),
  avx("VEX.128.0F.WIG 77", "vzeroupper", [], cleared("upper")),
  avx("VEX.256.0F.WIG 77", "vzeroall", [], cleared("all"))
]
