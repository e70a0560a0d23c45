/** FXSAVE, FXRSTOR, and the same with pointers of 64 bits. SDM vol. 2A, "FXSAVE", "FXRSTOR". */
import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { number } from "./operation.ts"

const image =
  (name: "fxsave" | "fxrstor", width: 32 | 64): Meaning =>
  (x, memory) =>
    x.system(name, x.linear(memory), number(x, width))

export const forms: ReadonlyArray<Form> = [
  inst("NP 0F AE /0", "fxsave", ["m"], image("fxsave", 32)),
  inst("NP REX.W + 0F AE /0", "fxsave64", ["m"], image("fxsave", 64)),
  inst("NP 0F AE /1", "fxrstor", ["m"], image("fxrstor", 32)),
  inst("NP REX.W + 0F AE /1", "fxrstor64", ["m"], image("fxrstor", 64))
]
