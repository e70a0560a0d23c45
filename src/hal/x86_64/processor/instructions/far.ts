/** Transfers that may change the code segment: SYSCALL, SYSRET, INT, IRET, and far JMP, CALL and RET. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { does, doesAtSize, number, operandSizes, privileged } from "./operation.ts"

/** The offset first, the selector after it. */
const indirect =
  (name: "farCall" | "farJump", width: 16 | 32 | 64): Meaning =>
  (x, memory) => {
    const offset = x.load(memory, width)
    x.system(name, x.load(memory, 16, number(x, width / 8)), offset, number(x, width))
  }

/** A far pointer in the instruction: the offset, and the selector above it. */
const direct =
  (name: "farCall" | "farJump", width: 16 | 32): Meaning =>
  (x, pointer) => {
    const both = x.read(pointer)
    x.system(name, x.shr(both, number(x, 32)), x.low(both, 32), number(x, width))
  }

/** "If OF = 1": the only interrupt with a condition. */
const into: Meaning = (x) => x.system("into", x.number(x.condition("O")))

const ret =
  (width: 16 | 32 | 64): Meaning =>
  (x) =>
    x.system("farReturn", number(x, width), number(x, 0))
const retRelease =
  (width: 16 | 32 | 64): Meaning =>
  (x, release) =>
    x.system("farReturn", number(x, width), x.read(release))

// biome-ignore format: one form, one line
export const forms: ReadonlyArray<Form> = [
  inst("0F 05", "syscall", [], does("syscall"), { legacy: false }),
  inst("0F 07", "sysret", [], doesAtSize("sysret", 32), { legacy: false }),
  inst("REX.W + 0F 07", "sysretq", [], doesAtSize("sysret", 64)),

  inst("CC", "int3", [], does("int3")),
  inst("CD ib", "int", ["imm8"], does("int")),
  inst("F1", "int1", [], does("int1")),

  inst("CE", "into", [], into, { long: false }),
  inst("0F 34", "sysenter", [], does("sysenter")),
  inst("0F 35", "sysexit", [], doesAtSize("sysexit", 32), privileged),
  inst("REX.W + 0F 35", "sysexitq", [], doesAtSize("sysexit", 64), privileged),
  inst("9A cd", "call far", ["ptr16:16"], direct("farCall", 16), { sizes: [16], long: false }),
  inst("9A cp", "call far", ["ptr16:32"], direct("farCall", 32), { sizes: [32], long: false }),
  inst("EA cd", "jmp far", ["ptr16:16"], direct("farJump", 16), { sizes: [16], long: false }),
  inst("EA cp", "jmp far", ["ptr16:32"], direct("farJump", 32), { sizes: [32], long: false }),

  ...operandSizes.flatMap(({ width, suffix, rexW, remarks }) => [
    inst(`${rexW}CF`, `iret${suffix}`, [], doesAtSize("iret", width), remarks),
    inst(`${rexW}FF /3`, "call far", [`m16:${width}`], indirect("farCall", width), remarks),
    inst(`${rexW}FF /5`, "jmp far", [`m16:${width}`], indirect("farJump", width), remarks),
    inst(`${rexW}CB`, "retf", [], ret(width), remarks),
    inst(`${rexW}CA iw`, "retf", ["imm16"], retRelease(width), remarks)
  ])
]
