/** Transfers that may change the code segment: SYSCALL, SYSRET, INT, IRET, and far JMP, CALL and RET. SDM vol. 2, the pages of the same names. */
import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst } from "../notation.ts"
import { does, doesAtSize, number, operandSizes, privileged } from "./operation.ts"

const breakpoint: Meaning = (x) => x.system("int", number(x, 3))

/** The offset first, the selector after it. */
const indirect =
  (name: "farCall" | "farJump", width: 16 | 32 | 64): Meaning =>
  (x, memory) => {
    const offset = x.load(memory, width)
    x.system(name, x.load(memory, 16, number(x, width / 8)), offset, number(x, width))
  }

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
  inst("0F 07", "sysret", [], doesAtSize("sysret", 32), { ...privileged, legacy: false }),
  inst("REX.W + 0F 07", "sysretq", [], doesAtSize("sysret", 64), privileged),

  inst("CC", "int3", [], breakpoint),
  inst("CD ib", "int", ["imm8"], does("int")),
  inst("F1", "int1", [], does("int1")),

  ...operandSizes.flatMap(({ width, suffix, rexW, remarks }) => [
    inst(`${rexW}CF`, `iret${suffix}`, [], doesAtSize("iret", width), remarks),
    inst(`${rexW}FF /3`, "call far", [`m16:${width}`], indirect("farCall", width), remarks),
    inst(`${rexW}FF /5`, "jmp far", [`m16:${width}`], indirect("farJump", width), remarks),
    inst(`${rexW}CB`, "retf", [], ret(width), remarks),
    inst(`${rexW}CA iw`, "retf", ["imm16"], retRelease(width), remarks)
  ])
]
