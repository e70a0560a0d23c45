/** FXSAVE, XSAVE and their like, with pointers of 32 and of 64 bits. SDM vol. 2A, "FXSAVE", "FXRSTOR"; vol. 2D, "XRSTOR" to "XSAVES". */
import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { number } from "./operation.ts"

// biome-ignore format: an instruction, a line
const instructions = [
  { opcode: "0F AE /0", name: "fxsave" },
  { opcode: "0F AE /1", name: "fxrstor" },
  { opcode: "0F AE /4", name: "xsave" },
  { opcode: "0F AE /5", name: "xrstor" },
  { opcode: "0F AE /6", name: "xsaveopt" },
  { opcode: "0F C7 /3", name: "xrstors" },
  { opcode: "0F C7 /4", name: "xsavec" },
  { opcode: "0F C7 /5", name: "xsaves" }
] as const

/** `width`: of the FPU's pointers. */
const image =
  (name: (typeof instructions)[number]["name"], width: 32 | 64): Meaning =>
  (x, memory) =>
    x.system(name, x.linear(memory), number(x, width))

export const forms: ReadonlyArray<Form> = instructions.flatMap(({ opcode, name }) => [
  inst(`NP ${opcode}`, name, ["m"], image(name, 32)),
  inst(`NP REX.W + ${opcode}`, `${name}64`, ["m"], image(name, 64))
])
