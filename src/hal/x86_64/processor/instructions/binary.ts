import type { Form } from "../Form.ts"
import type { Meaning } from "../Meaning.ts"
import { inst, type Remarks, sized } from "../notation.ts"

const hex = (opcode: number): string => opcode.toString(16).toUpperCase().padStart(2, "0")

/** The lines of the eight operations that fill the first quarter of the opcode map, each in the same way; /`n` of 80, 81 and 83. */
// biome-ignore format: one form, one line
export const binary = (n: number, name: string, meaning: Meaning, remarks: Remarks = {}): ReadonlyArray<Form> => {
  const { lock: _, ...ofRegisters } = remarks
  return [
    inst(`${hex(8 * n + 4)} ib`, name, ["al", "imm8"], meaning, ofRegisters),
    ...sized(`${hex(8 * n + 5)} iz`, name, ["ax", "imm"], meaning, ofRegisters),
    inst(`80 /${n} ib`, name, ["rm8", "imm8"], meaning, remarks),
    inst(`82 /${n} ib`, name, ["rm8", "imm8"], meaning, { ...remarks, long: false }),
    ...sized(`81 /${n} iz`, name, ["rm", "imm"], meaning, remarks),
    ...sized(`83 /${n} ib`, name, ["rm", "simm8"], meaning, remarks),
    inst(`${hex(8 * n)} /r`, name, ["rm8", "r8"], meaning, remarks),
    ...sized(`${hex(8 * n + 1)} /r`, name, ["rm", "r"], meaning, remarks),
    inst(`${hex(8 * n + 2)} /r`, name, ["r8", "rm8"], meaning, ofRegisters),
    ...sized(`${hex(8 * n + 3)} /r`, name, ["r", "rm"], meaning, ofRegisters)
  ]
}
