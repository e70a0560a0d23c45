/**
 * From bytes to instructions. SDM vol. 2A, "Instruction Format"; volume 2D, "Opcode Map".
 *
 * No line of the table is known here by name.
 */
import { Cursor } from "./Cursor.ts"
import type { Instruction } from "./Instruction.ts"
import { forms } from "./instructions/index.ts"
import type { Mode } from "./Meaning.ts"
import { lineOf, mapNumber, OpcodeMap, slotOf } from "./opcodes.ts"
import { segments } from "./State.ts"

/** Why bytes are no instruction: #UD; longer than 15 bytes, #GP(0); or the bytes that there are do not show it yet. */
export type NoInstruction = "invalid" | "tooLong" | "incomplete"

const longest = 15
const legacyForms = forms.filter(({ legacy }) => legacy)
const opcodes = {
  64: new OpcodeMap(
    forms.filter(({ long }) => long),
    64
  ),
  32: new OpcodeMap(legacyForms, 32),
  16: new OpcodeMap(legacyForms, 16)
} as const

/** The instruction in the bytes from `start` to `end`, which is after the last of them. */
export const decode = (bytes: Uint8Array, start: number, end: number, mode: Mode): Instruction | NoInstruction => {
  const limit = Math.min(end, start + longest)
  const cursor = new Cursor(bytes, start, limit, mode.bits)
  const instruction = instructionAt(cursor, start, mode)
  if (cursor.missing) return limit === start + longest ? "tooLong" : "incomplete"
  return instruction
}

const instructionAt = (cursor: Cursor, start: number, mode: Mode): Instruction | "invalid" => {
  const first = afterPrefixes(cursor)
  const map = isVex(cursor, first) ? readVex(cursor, first) : readOpcode(cursor, first)
  const opcode = opcodes[mode.bits].find(map, cursor.opcode)
  if (opcode === undefined) return "invalid"
  if (opcode.hasModrm) cursor.modrm = cursor.byte()
  const line = lineOf(opcode, slotOf(cursor), cursor)
  if (line === undefined || (line.rm === "memory" && cursor.mod === 3)) return "invalid"
  if (mode.bits !== 64 && !mode.isProtected && !line.form.real) return "invalid"
  if (cursor.vvvv !== 0 && !line.vvvv) return "invalid"
  const operands = line.operands.map((read) => read(cursor))
  if (cursor.refused || (cursor.lock && !(line.form.lock && operands[0]?.kind === "mem"))) return "invalid"
  return { form: line.form, length: cursor.position - start, operands, lock: cursor.lock }
}

/** C4 and C5 are LES and LDS outside of 64-bit mode, but for what would have a register for their memory operand. */
const isVex = (cursor: Cursor, first: number): boolean =>
  (first === 0xc4 || first === 0xc5) && (cursor.bits === 64 || cursor.peek() >= 0xc0)

/** Reads prefixes, in any order. A REX prefix that is not the last of them says nothing. Gives the byte after them. */
const afterPrefixes = (cursor: Cursor): number => {
  for (;;) {
    const byte = cursor.byte()
    if (cursor.bits === 64 && byte >= 0x40 && byte <= 0x4f) {
      cursor.rex = byte
      continue
    }
    if (!readLegacyPrefix(cursor, byte)) return byte
    cursor.rex = 0
  }
}

const readLegacyPrefix = (cursor: Cursor, byte: number): boolean => {
  switch (byte) {
    // "In 64-bit mode, the CS, DS, ES, and SS segment overrides are ignored."
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
      if (cursor.bits !== 64) cursor.segment = (byte >> 3) & 3
      return true
    case 0x64:
      cursor.segment = segments.fs
      return true
    case 0x65:
      cursor.segment = segments.gs
      return true
    case 0x66:
      cursor.size66 = true
      return true
    case 0x67:
      cursor.address67 = true
      return true
    case 0xf0:
      cursor.lock = true
      return true
    case 0xf2:
    case 0xf3:
      cursor.repeat = byte
      return true
    default:
      return false
  }
}

/** The number of the opcode's map; its last byte is left in the cursor. */
const readOpcode = (cursor: Cursor, first: number): number => {
  cursor.opcode = first
  if (first !== 0x0f) return mapNumber(0)
  cursor.opcode = cursor.byte()
  if (cursor.opcode !== 0x38 && cursor.opcode !== 0x3a) return mapNumber(1)
  const map = cursor.opcode === 0x38 ? 2 : 3
  cursor.opcode = cursor.byte()
  return mapNumber(map)
}

/** The same where a VEX prefix says it: C5 with one more byte, C4 with two. SDM vol. 2A, "VEX Encoding". */
const readVex = (cursor: Cursor, first: number): number => {
  // "Any VEX-encoded instruction with a LOCK prefix (66H, F2H, F3H, REX) preceding VEX will #UD."
  if (cursor.lock || cursor.size66 || cursor.repeat !== 0 || cursor.rex !== 0) cursor.refused = true
  const high = first === 0xc4 ? cursor.byte() : undefined
  const low = cursor.byte()
  // R, X, B and vvvv are inverted. C5 has R alone, where C4 has W.
  const inverted = ~(high ?? (low & 0x80) | 0x61)
  const w = high === undefined ? 0 : low >> 7
  // Outside of 64-bit mode there are eight registers.
  cursor.rex = 0x40 | (w << 3) | (cursor.bits === 64 ? (inverted >> 5) & 7 : 0)
  cursor.vvvv = (~low >> 3) & (cursor.bits === 64 ? 15 : 7)
  cursor.size66 = (low & 3) === 1
  cursor.repeat = impliedRepeats[low & 3]!
  cursor.opcode = cursor.byte()
  return mapNumber((high ?? 1) & 31, low & 4 ? 1 : 0)
}
const impliedRepeats = [0, 0, 0xf3, 0xf2] as const
