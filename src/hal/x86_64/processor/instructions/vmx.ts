/** VMX instructions. SDM vol. 3C, "VMX Instructions". Whether there is VMX operation, and whose privilege it takes, the operations say. */
import type { Form } from "../Form.ts"
import type { Meaning, SystemName } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { anySize, does } from "./operation.ts"

/** The address of a region is in memory at the operand. */
const region =
  (name: SystemName): Meaning =>
  (x, memory) => {
    x.reach(memory, 8, name === "vmptrst")
    x.system(name, x.linear(memory))
  }

const invalidate =
  (name: SystemName): Meaning =>
  (x, type, descriptor) => {
    x.reach(descriptor, 16, false)
    x.system(name, x.read(type), x.linear(descriptor))
  }

const readToMemory: Meaning = (x, memory, encoding) => {
  x.reach(memory, x.mode.bits === 64 ? 8 : 4, true)
  x.system("vmreadToMemory", x.read(encoding), x.linear(memory))
}
const read: Meaning = (x, register, encoding) => x.system("vmread", x.read(encoding), x.read(register))

/** What is written may be in memory, which is asked only if the instruction is the host's. */
const write: Meaning = (x, encoding, value) => {
  if (value.kind === "mem") {
    x.reach(value, x.mode.bits === 64 ? 8 : 4, false)
    x.system("vmwriteFromMemory", x.read(encoding), x.linear(value))
  } else x.system("vmwrite", x.read(encoding), x.read(value))
}

const f64 = { f64: true } as const

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("NP 0F 01 C1", "vmcall", [], does("vmcall")),
  inst("NP 0F 01 C2", "vmlaunch", [], does("vmlaunch")),
  inst("NP 0F 01 C3", "vmresume", [], does("vmresume")),
  inst("NP 0F 01 C4", "vmxoff", [], does("vmxoff")),
  inst("F3 0F C7 /6", "vmxon", ["m64"], region("vmxon"), anySize),
  inst("66 0F C7 /6", "vmclear", ["m64"], region("vmclear"), anySize),
  inst("NP 0F C7 /6", "vmptrld", ["m64"], region("vmptrld"), anySize),
  inst("NP 0F C7 /7", "vmptrst", ["m64"], region("vmptrst"), anySize),

  inst("NP 0F 78 /r", "vmread", ["X64#", "r64"], read, f64),
  inst("NP 0F 78 /r", "vmread", ["m64", "r64"], readToMemory, f64),
  inst("NP 0F 79 /r", "vmwrite", ["r64", "rm64"], write, f64),
  inst("66 0F 38 80 /r", "invept", ["r64", "m128"], invalidate("invept"), f64),
  inst("66 0F 38 81 /r", "invvpid", ["r64", "m128"], invalidate("invvpid"), f64),

  inst("NP 0F 78 /r", "vmread", ["X32#", "r32"], read, { ...f64, long: false }),
  inst("NP 0F 78 /r", "vmread", ["m32", "r32"], readToMemory, { ...f64, long: false }),
  inst("NP 0F 79 /r", "vmwrite", ["r32", "rm32"], write, { ...f64, long: false }),
  inst("66 0F 38 80 /r", "invept", ["r32", "m128"], invalidate("invept"), { long: false }),
  inst("66 0F 38 81 /r", "invvpid", ["r32", "m128"], invalidate("invvpid"), { long: false })
]
